"""Bytes as text: encodings, file types, HTML, notebooks."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Generator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcli.errors import BadFile
from chatcli.reading.document import read
from chatcli.reading.encoding import decoded, is_binary
from chatcli.reading.html import text_of_html
from chatcli.reading.raw import Extracted, Raw
from chatcli.reading.signatures import FileKind, hopeless, kind_of
from chatcli.reading.tags import Attributes, read_tags
from tests.hangs import read_in_one_go


def extracted(data: bytes, media_type: str = "", charset: str = "") -> Extracted:
    def run() -> Generator[tuple[int, int], None, None]:
        taken.append((yield from read(Raw("it", data, media_type, charset))))

    taken: list[Extracted] = []
    for _ in run():
        pass
    return taken[0]


def told(data: bytes, media_type: str = "", charset: str = "") -> str:
    return extracted(data, media_type, charset).text


def zipped(*names: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return made.getvalue()


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"]
)
def test_a_text_is_read_in_the_encoding_that_its_bytes_show(encoding: str) -> None:
    text = "The coffee costs 3 €, in the café of Zoë Müller.\r\nSecond line.\n"
    assert told(text.encode(encoding)) == text


@pytest.mark.parametrize(
    ("text", "encoding"),
    [("日本語のページ", "shift_jis"), ("Привет, мир", "koi8-r"), ("Ελλάδα", "iso-8859-7"), ("中文", "gb2312")],
)
def test_a_declared_encoding_is_believed(text: str, encoding: str) -> None:
    assert decoded(text.encode(encoding), encoding) == text


@pytest.mark.parametrize("declared", ["utf-8", "utf-9", "punycode", "unicode_escape", "zlib", "'; drop", ""])
def test_a_wrong_or_senseless_declaration_does_no_harm(declared: str) -> None:
    assert decoded("Größe \\n".encode("latin-1"), declared) == "Größe \\n"


def test_a_byte_order_mark_is_stronger_than_the_declaration() -> None:
    assert decoded("é".encode("utf-8-sig"), "latin-1") == "é"
    assert decoded(b"\xfc", "ascii") == "ü"  # as browsers read it


def test_utf_8_with_a_little_damage_stays_utf_8() -> None:
    assert decoded("déjà vu, garçon".encode() + b"\xff") == "déjà vu, garçon\ufffd"


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"])))
def test_every_text_of_utf_8_comes_back_as_it_was(text: str) -> None:
    assert decoded(text.encode()) == text.removeprefix("\ufeff")
    assert not is_binary(text.encode())


@given(st.binary(max_size=300))
def test_whatever_the_bytes_are_they_become_text_or_are_refused_with_words(data: bytes) -> None:
    decoded(data)
    kind_of(data)
    try:
        told(data)
    except BadFile as error:
        assert error.message.startswith("it is")  # noqa: PT017 - most inputs raise nothing


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"  \n", "is empty"),
        (b"\x89PNG\r\n\x1a\n" + bytes(30), "is a picture"),
        (bytes(range(256)) * 8, "is no text"),
        (b"\x01\x02\x03" * 50, "is no text"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "is a document of an old Office"),
        (b"\xd0\xcf\x11\xe0" + "EncryptedPackage".encode("utf-16-le"), "is an encrypted document"),
        (zipped("xl/workbook.xml"), "is a spreadsheet"),
        (zipped("ppt/presentation.xml"), "is a presentation"),
        (zipped("mimetype", "content.xml"), "is an OpenDocument file"),
        (zipped("a.txt"), "is a packed archive"),
        (b"PK\x03\x04 and then nothing", "is a damaged archive"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",  # a zip has the time in it
)
def test_what_is_no_text_is_named_for_what_it_is(data: bytes, words: str) -> None:
    with pytest.raises(BadFile, match=words) as caught:
        told(data)
    assert caught.value.hint or words == "is empty"


def test_the_kind_is_judged_by_the_content_and_by_no_name() -> None:
    assert kind_of(b"junk before\n%PDF-1.4 ...").kind is FileKind.PDF
    assert kind_of(zipped("word/document.xml")).kind is FileKind.DOCX
    assert hopeless(b"\x89PNG" + bytes(4096))
    assert not hopeless(zipped("word/document.xml")[:40])  # the end of it tells


def test_a_page_becomes_readable_text() -> None:
    html = """<!doctype html><html><head><title>Whales &amp; co</title><style>p {}</style></head><body>
    <nav><a href="/">Home</a></nav><main><h1>About whales</h1>
    <p>Large <b>mammals</b> of the <a href="x">sea</a>.<br>They   sing.
    <ul><li>blue<li><p>fin</p><ul><li>young</ul></ul><ol><li>one</li><li>two</li></ol>
    <pre>def f():
        return 1
</pre><p>Use <code>f()</code>.</p><blockquote><p>Thar she blows</blockquote>
    <table><tr><th>name<th>size<tr><td>blue<td>30 m</table></main>
    <footer>Imprint</footer><script>alert("<p>no")</script></body></html>"""
    assert text_of_html(html) == "\n\n".join(
        [
            "# Whales & co",
            "# About whales",
            "Large mammals of the [sea](x).\nThey sing.",
            "- blue\n- fin\n  - young",
            "1. one\n2. two",
            "```\ndef f():\n        return 1\n```",
            "Use `f()`.",
            "> Thar she blows",
            "name | size\nblue | 30 m",
        ]
    )


def test_a_table_that_lays_out_a_page_is_read_cell_by_cell() -> None:
    assert text_of_html("<table><tr><td><p>one<p>two</td><td>side</td></tr></table>") == "one\n\ntwo\n\nside"


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<nav>never closed <p>text", "never closed\n\ntext"),
        ("<p>a<p>b</div>c</table></td></tr></ul>", "a\n\nb\n\nc"),
        ("<main><p>in", "in"),
        ("<table><tr><td>one", "one"),
        ("<title>Same</title><h1>Same</h1>x", "# Same\n\nx"),
        ("plain &lt;text&gt; &#233;", "plain <text> é"),
        ("soft\u00adhyphen", "softhyphen"),
        ("", ""),
        ('<a href="never closed>link <b>and</b> words', '<a href="never closed>link and words'),
        ("<!-- never closed <p>text", "<!-- never closed\n\ntext"),
        ("<!-->one<!--->two<!-- x --!>three<!-- > -->four", "onetwothreefour"),
        ("x <y and nothing more", "x <y and nothing more"),
        ("a <!DOCTYPE [<b>", "a"),
        ("<![if !IE]>seen<![endif]><![x[seen too", "seen<![x[seen too"),
        ("<![CDATA[ <p>unseen ]]>seen", "seen"),
        ("<?php echo '1' ?>seen", "seen"),
        ("</>a</ b>c</p", "ac</p"),
        ('<p title="a > b" data-x=\'"\' x = y/>seen', "seen"),
        ("<script/>seen<STYLE>p {}</Style >too<script>'</scripty>'", "seentoo"),
        (f"&#{'9' * 5000};", "\ufffd"),
    ],
)
def test_html_that_is_careless_is_read_all_the_same(html: str, text: str) -> None:
    assert text_of_html(html) == text


@given(st.lists(st.sampled_from(
    ["<p>", "</p>", "<table>", "</table>", "<tr>", "<td>", "</td>", "<main>", "</main>", "<ul>", "<li>", "</ul>",
     "<pre>", "</pre>", "<code>", "<nav>", "</nav>", "<script>", "</script>", "<title>", "</title>", "word ", "<",
     "&"]
), max_size=40))  # fmt: skip
def test_html_of_any_shape_is_read(pieces: list[str]) -> None:
    text_of_html("".join(pieces))


@given(st.lists(st.sampled_from(
    ["<p>", "</p>", "<table>", "</table>", "<tr>", "<td>", "</td>", "<ul>", "<ol>", "<li>", "</ul>", "</ol>",
     "<h2>", "</h2>", "<div>", "</div>", "<blockquote>", "</blockquote>", "<br>", "<b>", "</b>"]
), max_size=30))  # fmt: skip
def test_no_word_of_a_page_is_lost_or_moved(tags: list[str]) -> None:
    html = "".join(f"{tag}w{number} " for number, tag in enumerate(tags))
    found = [word for word in text_of_html(html).replace("|", " ").split() if word.startswith("w")]
    assert found == [f"w{number}" for number in range(len(tags))]


BROKEN = [
    "<a ", "<a b=", "<a b='", "<a b=\"'", "<a b='\">", "</", "</a ", "<", "<!", "<!--", "<!-->", "<![CDATA[",
    "<![if", "<!DOCTYPE ", "<?", "&", "&a", "&#9", "<script>", "<style>x", "<title>", "<p>", "<p> ", "<p>x",
    "<div>", "<nav>x", "<li>", "<ul><li>x", "<ol><li>x", "<blockquote>x", "<pre>x", "<code>", "<span>x", "<svg>",
    "<main>x", "<table>", "<table>x", "<table><td>", "<table><tr><td>x", "<td>x", "<table><td>x</td>", "<h1>x",
    "<textarea>", "<p hidden>x", "<div hidden>", "<i style='display:none'>", "<li hidden><ul>", "<sup>x", "<del>x",
    "<del><p>x", "<a href=y>x", "<a href=y><p>", "<sup><a href=y>x</sup>", "<span style='vertical-align:sub'>x",
    "<table><tr><td rowspan=99 colspan=99>x", "<tr><td rowspan=9999>x", "<td colspan=99>x", "<tbody><tr>",
    "<ol type=i start=3999><li>x", "<rt>x",
]  # fmt: skip


@pytest.mark.parametrize("piece", BROKEN)
def test_what_is_broken_ten_thousand_times_is_read_in_one_go_and_does_not_grow(piece: str) -> None:
    page = piece * 10_000
    with read_in_one_go(5.0):
        for html in (page, page + ">" + "</td></table></ul>" * 10_000):
            assert len(text_of_html(html)) < 60 * len(html)


@given(
    st.lists(st.sampled_from([*BROKEN, ">", "'", '"', "=", "/", "-->", "]]>", "</script>", "word "]), max_size=20)
)
def test_whatever_is_broken_in_a_page_a_tag_that_follows_it_is_read(pieces: list[str]) -> None:
    # A tag whose end is missing takes the next one for attributes, which may hide it: it has an end, too.
    ends = "'>\">-->]]></script></style></title>" + "</textarea></svg></ul></nav></div></i></a></word>" * 20
    assert "last" in text_of_html("".join(pieces) + ends + "<p>last</p>")


def test_attributes_of_a_tag_are_read() -> None:
    class Taker:
        def take_words(self, words: str) -> None: ...
        def take_end(self, tag: str) -> None: ...
        def take_start(self, tag: str, attributes: Attributes) -> None:
            found.append((tag, attributes))

    found: list[tuple[str, Attributes]] = []
    read_tags("<A Href='x&amp;y>'\ntitle=\"a 'b'\" hidden rows = 2 /><td colspan=3/>", Taker())
    assert found == [
        ("a", [("href", "x&y>"), ("title", "a 'b'"), ("hidden", None), ("rows", "2")]),
        ("td", [("colspan", "3/")]),
    ]


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("10<sup>6</sup> x<sup>n+1</sup> 2<sup>2<sup>n</sup></sup> 10<sup>-3</sup>", "10^6 x^(n+1) 2^(2^n) 10^-3"),
        ("H<sub>2</sub>O log<sub>2</sub>8 a<sub>i</sub>b", "H_2O log_(2)8 a_(i)b"),
        (
            "the 1<sup>st</sup>, see<sup><a href='#n'>[1]</a></sup> of Wales<sup>™</sup>",
            "the 1st, see[1] of Wales™",
        ),
        ("<del>100</del> <ins>200</ins>, <s>a</s> <strike>b</strike>", "~~100~~ 200, ~~a~~ ~~b~~"),
        ("<del><p>one<p>two</del><p>three", "~~one~~\n\n~~two~~\n\nthree"),
        (
            "<span style='text-decoration: line-through'>a <span>b</span> c</span>"
            " 2<span style='vertical-align:super'>3</span>",
            "~~a b c~~ 2^3",
        ),
        ("<p style='text-decoration:line-through'>old<p>new", "~~old~~\n\nnew"),
        ("<ruby>漢<rp>(</rp><rt>kan</rt><rp>)</rp></ruby>, a <q>word</q>", '漢(kan), a "word"'),
        (
            "<a href='https://x.org/a b'>the <b>page</b></a> <a href='#top'>up</a>",
            "[the page](https://x.org/a%20b) up",
        ),
        ("<a href='https://x.org/'>x.org</a> <a href='mailto:a@x.org'>a@x.org</a>", "x.org a@x.org"),
        ("<a href='/card'><h2>Title</h2><p>text</a><p>after", "## [Title](/card)\n\ntext\n\nafter"),
        ("<img alt='a cat' src=x><img alt=''> <img alt=😀>", "[picture: a cat] 😀"),
        ("<input type=checkbox checked> yes <input value=Ada> <input type=hidden value=x>", "[x] yes Ada"),
        ("<ol start=5><li>e<li value=9>n<li>t</ol>", "5. e\n9. n\n10. t"),
        ("<ol type=a><li>x<li>y</ol><ol type=I start=4><li>p</ol>", "a. x\nb. y\n\nIV. p"),
    ],
)
def test_what_markup_says_of_words_is_kept(html: str, text: str) -> None:
    assert text_of_html(html) == text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p hidden>x<p>seen", "seen"),
        ("<div style='display: none'>x<div>x</div>x</div>seen", "seen"),
        ("<span STYLE='color:red; VISIBILITY:hidden!important'>x</span>seen", "seen"),
        ("<p style='display:none; display:block'>seen", "seen"),
        ("<ul><li hidden>x<ul><li>x</ul><li>seen</ul>seen too", "- seen\n\nseen too"),
        ("<table><tr hidden><td>x<tr><td>seen<td hidden>x<td>too</table>", "seen | too"),
        ("<dl><dt hidden>x<dd>seen</dl>", "seen"),
        ("<div><p hidden>x</div>seen", "seen"),
        ("<i aria-hidden=true>*</i>seen<img aria-hidden=true alt='a cat'>", "seen[picture: a cat]"),
        ("<div aria-hidden=true>seen</div><img hidden alt=x><br hidden>", "seen"),
        ("<body style='visibility:hidden'><p>seen", "seen"),
        ("<div hidden>all there is</div>", "all there is"),
    ],
)
def test_what_markup_hides_is_left_out_and_nothing_else(html: str, text: str) -> None:
    assert text_of_html(html) == text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        (
            "<tr><td rowspan=2>North<td>Tea<td>10<tr><td>Coffee<td>20<tr><td colspan=2>Sum<td>30",
            "North | Tea | 10\nNorth | Coffee | 20\nSum |  | 30",
        ),
        (
            "<tr><th rowspan=2>R<th colspan=2>24<th colspan=2>25<tr><th>a<th>b<th>c<th>d",
            "R | 24 |  | 25\nR | a | b | c | d",
        ),
        ("<tr><td>a<td rowspan=3>b<td>c<tr><td>d<td>e<tr></tr><tr><td>f<td>g", "a | b | c\nd | b | e\nf | g"),
        ("<tr><td rowspan=2 colspan=2>a<td>b<tr><td>c", "a |  | b\na |  | c"),
        ("<tbody><tr><td rowspan=9>a<tbody><tr><td>b", "a\nb"),
        ("<tbody><tr><td rowspan=0>a<td>b<tr><td>c<tr><td>d</tbody><tr><td>e<td>f", "a | b\na | c\na | d\ne | f"),
        (f"<tr><td rowspan=2>{'long ' * 20}<td>b<tr><td>c", f"{'long ' * 20}| b\n | c"),
        ("<tr><td><p>a<p>b<td>c<tr><td>d<td>e", "a / b | c\nd | e"),
        ("<tr><td rowspan=x>a<td colspan=-1>b<td rowspan=0>c<tr><td>d", "a | b | c\nd"),
    ],
)
def test_each_cell_of_a_table_is_in_its_column(html: str, text: str) -> None:
    assert text_of_html(f"<table>{html}</table>") == text


def test_html_is_made_readable_when_it_comes_from_the_web_and_stays_source_in_a_file() -> None:
    html = b"<meta charset='koi8-r'><p>" + "Привет".encode("koi8-r")
    assert told(html, "text/html") == "Привет\n"
    assert told(b"<p>source</p>") == "<p>source</p>"
    with pytest.raises(BadFile, match="made by a script"):
        told(b"<div id=app></div><script>go()</script>", "text/html")


def test_a_notebook_is_its_cells_and_what_they_printed() -> None:
    cells = [
        {"cell_type": "markdown", "source": ["# Study\n", "of whales"]},
        {
            "cell_type": "code",
            "source": "1 + 1",
            "outputs": [
                {"output_type": "execute_result", "data": {"text/plain": ["2"], "image/png": "A" * 5000}},
                {"output_type": "error", "ename": "ValueError", "evalue": "no"},
            ],
        },
    ]
    found = extracted(json.dumps({"nbformat": 4, "cells": cells}).encode())
    assert found.notes == ("Left out of it: 1 picture.",)
    assert found.text == (
        "# Study\nof whales\n\n```\n1 + 1\n```\n\nOutput:\n```\n2\n```\n\nOutput:\n```\nValueError: no\n```\n"
    )


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ({"text/plain": "x**2", "text/latex": "$x^2$"}, "x**2"),
        ({"text/plain": "<IPython.core.display.Math object>", "text/latex": ["$x", "^2$"]}, "$x^2$"),
        ({"text/html": "<table><tr><td>a<td>b</table>"}, "a | b"),
        ({"text/plain": "<map at 0x7f>", "text/html": "<b>x</b>"}, "<map at 0x7f>"),
        ({"text/plain": "<app.Plot object at 0x7f12>", "text/html": "<p>x"}, "x"),
        ({"text/plain": "<app.Plot object at 0x7f12>"}, "<app.Plot object at 0x7f12>"),
    ],
)
def test_an_output_is_read_in_the_form_that_says_most(data: dict[str, object], text: str) -> None:
    cell = {"cell_type": "code", "source": "", "outputs": [{"output_type": "display_data", "data": data}]}
    assert told(json.dumps({"nbformat": 4, "cells": [cell]}).encode()) == f"Output:\n```\n{text}\n```\n"


@pytest.mark.parametrize("deep", ["[" * 200_000, '{"a":' * 200_000])
def test_a_notebook_that_is_nested_too_deep_is_refused(deep: str) -> None:
    with pytest.raises(BadFile, match="nested too deep"):
        told(b'{"nbformat": 4, "cells": ' + deep.encode())


def test_a_page_that_is_nested_deep_keeps_its_words() -> None:
    with read_in_one_go(5.0):
        for tag in ("div", "span", "ul", "table", "blockquote", "li", "b"):
            page = f"<{tag}>" * 25_000 + "words" + f"</{tag}>" * 25_000
            assert "words" in told(page.encode(), "text/html")


@pytest.mark.parametrize("text", ['{"nbformat" "cells"', '{"nbformat": 4, "cells": 3}'])
def test_json_that_only_looks_like_a_notebook_stays_as_it_is(text: str) -> None:
    assert told(text.encode()) == text
