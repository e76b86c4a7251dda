"""Kinds of files, pages and exports: what is read of them, what is named as lost, and what is refused."""

from __future__ import annotations

import base64
import json
import re
from email.message import EmailMessage
from typing import Any

from tests.bench.world import World, kind
from tests.papers import cell, docx, paragraph, pdf, run
from tests.raw_server import Script, whole
from tests.test_store_import_forms import CHATGPT_NEW, EXPORTS

PAIR = [{"role": "user", "content": "What is rain?"}, {"role": "assistant", "content": "Water."}]


def _sent(world: World, name: str, data: bytes | str | Any, *flags: str) -> tuple[str, str]:
    """What is sent of a file, and what is told of it."""
    world.file(name, data)
    done = world.pipe(*flags, "--num-ctx", "32k", "--file", name, "what is it?").ended(0)
    return world.asked[-1], done.err


@kind(
    39,
    encoding=("one \\001 two", "/Encoding /Nonsense", "1 sign"),
    names=("a Z b", "/Encoding << /Type /Encoding /Differences [90 /g27] >>", "1 sign"),
    known=("a Z b", "/Encoding << /Type /Encoding /Differences [90 /summationdisplay] >>", ""),
    many=("\\001\\002\\003\\004", "", "4 signs"),
)
def a_pdf_of_mathematics_is_quiet_and_says_what_is_lost(world: World, text: str, font: str, told: str) -> None:
    sent, err = _sent(world, "paper.pdf", pdf([text] * 40, font=font))
    assert len(err.splitlines()) < 5, err
    assert not told or "sign" in err
    assert not any(ord(sign) < 32 and sign not in "\n\t" for sign in sent)


@kind(
    39,
    text=("<< /Subtype /Widget /FT /Tx /T (name) /V (Ada) >>", "name: Ada"),
    box=("<< /Subtype /Widget /FT /Btn /T (member) /AS /Yes >>", "[x] member"),
    list=("<< /Subtype /Widget /FT /Ch /T (langs) /V [(Latin) (Greek)] >>", "langs: Latin, Greek"),
)
def fields_of_a_form_have_their_values(world: World, field: str, text: str) -> None:
    assert text in _sent(world, "form.pdf", pdf(["The form"], over=[field]))[0]


@kind(
    40,
    empty=({"messages": []}, 2),
    text=("x", 2),
    number=(7, 2),
    role=({"messages": [{"role": "whale", "content": "x"}]}, 2),
    none=({"messages": [{"role": "user", "content": None}]}, 2),
    deep=({"messages": [{"role": "user", "content": [[[["x"]]]]}]}, 2),
)
def one_bad_conversation_costs_no_other(world: World, bad: Any, least: int) -> None:
    pair = [{"messages": PAIR}, bad, {"messages": [{**PAIR[0], "content": "And snow?"}, PAIR[1]]}]
    for count in range(2):
        world.file("export.json", pair)
        done = world.pipe("chats", "import", "export.json").sound()
        titles = world.stored("select title from conversations")
        assert {"What is rain?", "And snow?"} <= set(titles), (count, done.said)
        assert titles.count("What is rain?") == 1
        assert len(titles) >= least
    world.file("export.jsonl", "\n".join(map(json.dumps, pair)))
    world.pipe("chats", "import", "export.jsonl").sound()
    assert world.stored("select title from conversations").count("And snow?") == 1


@kind(
    41,
    fruit=[{"name": "apple"}, {"name": "pear"}],
    numbers=[1, 2, 3],
    package={"name": "x", "version": "1", "dependencies": {"a": "1"}},
    geo={"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": None}]},
    text="hello",
    nothing=[],
    users=[{"role": "admin", "name": "me"}, {"role": "editor", "name": "you"}],
    issues=[{"title": "Bug", "body": "It fails", "user": {"login": "x"}}],
    tweets=[{"text": "Hello world", "created_at": "2024-01-01"}],
    notebook={"nbformat": 4, "cells": [{"cell_type": "markdown", "source": "x"}]},
    schema={"type": "object", "properties": {"content": {"type": "string"}}},
    contents=[{"content": "a page"}, {"content": "another"}],
)
def what_is_no_conversation_is_refused(world: World, value: Any) -> None:
    world.file("x.json", json.dumps(value))
    done = world.pipe("chats", "import", "x.json").ended(1, 2)
    assert done.err
    assert not (world.home / "chatcli.db").exists() or world.stored("select 1 from conversations") == []


@kind(41, **{name.replace(" ", "_"): value for name, value in EXPORTS.items()})
def exports_of_other_programs_are_read(world: World, value: Any) -> None:
    world.file("x.json", json.dumps(value))
    world.pipe("chats", "import", "x.json").ended(0)
    world.pipe("--continue", "and?").ended(0)
    said = [message["content"] for message in world.engine.chats[-1]["messages"]]
    assert said[-3:-1] == ["What is rain?", "Water."]


RAISED = [
    ("10<sup>6</sup>", "10^6"),
    ("H<sub>2</sub>O", "H_2O"),
    ("x<sup>n+1</sup>", "x^(n+1)"),
    ("<del>100</del> <ins>200</ins>", "200"),
    ("<s>old</s> new", "new"),
    ("<strike>a</strike>b", "b"),
]


@kind(42, *RAISED)
def raised_and_struck_words_are_marked(world: World, body: str, text: str) -> None:
    sent = _page(world, f"<p>It is {body} now.</p>")
    assert text in sent.replace("{", "(").replace("}", ")"), sent
    for gone in ("100", "old"):
        assert f" {gone} " not in sent


@kind(
    42,
    ('<w:vertAlign w:val="superscript"/>', "10^6"),
    ("<w:strike/>", "~~6~~"),
    ('<w:vertAlign w:val="subscript"/>', "10_6"),
)
def raised_and_struck_words_of_a_document_are_marked(world: World, properties: str, text: str) -> None:
    body = f"<w:p>{run('10')}{run('6', properties)}</w:p>"
    sent = _sent(world, "x.docx", docx(body))[0]
    assert text in sent or ("strike" in properties and "6" not in sent.split("what is")[0]), sent


def _page(world: World, body: str) -> str:
    """What is sent of a page of the web."""
    page = whole(f"<html><body>{body}</body></html>".encode(), "200 OK", "Content-Type: text/html; charset=utf-8")
    with Script(page) as server:
        world.pipe("--num-ctx", "32k", f"what says @{server.url}/page").ended(0)
    return world.asked[-1]


@kind(
    43,
    ("<tr><td rowspan=2>North<td>Tea<tr><td>Coffee<td>20", "Coffee", 1),
    ("<tr><td colspan=2>Both<td>End<tr><td>a<td>b<td>Last", "Last", 2),
    ("<tr><th rowspan='3'>N</th><td>1</td></tr><tr><td>2</td></tr><tr><td>Third</td></tr>", "Third", 1),
    ("<tr><td rowspan=0>N<td>1<tr><td>Zero", "Zero", 1),
)
def each_cell_is_in_its_column(world: World, rows: str, words: str, column: int) -> None:
    sent = _page(world, f"<table><tr><th>A<th>B<th>C{rows}</table>")
    row = next(line for line in sent.splitlines() if words in line)
    assert row.split("|")[column].strip() == words, sent


@kind(43, 1, 2)
def merged_cells_of_a_document_are_in_their_columns(world: World, more: int) -> None:
    begun, goes_on = '<w:vMerge w:val="restart"/>', "<w:vMerge/>"
    rows = [cell("North", begun) + cell("Tea"), *[cell("", goes_on) + cell("Coffee")] * more]
    table = "<w:tbl>" + "".join(f"<w:tr>{row}</w:tr>" for row in rows) + "</w:tbl>"
    sent = _sent(world, "x.docx", docx(table))[0]
    row = next(line for line in sent.splitlines() if "Coffee" in line)
    assert row.split("|")[1].strip() == "Coffee", sent


R = "<m:r><m:t>{}</m:t></m:r>"


@kind(
    44,
    ("<m:oMath>" + R.format("a=b") + "</m:oMath>", "a=b"),
    (
        "<m:oMath><m:f><m:num>" + R.format("1") + "</m:num><m:den>" + R.format("2") + "</m:den></m:f></m:oMath>",
        "1/2",
    ),
    ("<m:oMath><m:rad><m:e>" + R.format("x") + "</m:e></m:rad></m:oMath>", "√"),
    (
        "<m:oMath><m:sSup><m:e>" + R.format("x") + "</m:e><m:sup>" + R.format("2") + "</m:sup></m:sSup></m:oMath>",
        "x^2",
    ),
    ("<m:oMathPara><m:oMath>" + R.format("E=mc") + "</m:oMath></m:oMathPara>", "E=mc"),
)
def formulas_of_a_document_are_text(world: World, formula: str, text: str) -> None:
    sent, _ = _sent(world, "x.docx", docx(f"<w:p>{run('Area is ')}{formula}{run(' here.')}</w:p>"))
    assert text in sent, sent
    assert "here." in sent


NODES: dict[str, Any] = CHATGPT_NEW["mapping"]  # type: ignore[assignment]
TYPED: dict[str, Any] = json.loads(json.dumps(NODES).replace('"parts"', '"content_type": "text", "parts"'))


@kind(
    45,
    plain=[CHATGPT_NEW],
    one=CHATGPT_NEW,
    typed=[{**CHATGPT_NEW, "mapping": TYPED}],
    list=[{"title": "Rain", "messages": [node["message"] for node in NODES.values()]}],
    loose=[
        {"author": {"role": "user"}, "content": {"parts": ["What is rain?"]}},
        {"author": {"role": "assistant"}, "content": {"parts": ["Water."]}},
    ],
    strings=[{"author": "user", "content": "What is rain?"}, {"author": "assistant", "content": "Water."}],
)
def newer_forms_of_chatgpt_are_read(world: World, value: Any) -> None:
    exports_of_other_programs_are_read(world, value)


RUSSIAN = "Съешь же ещё этих мягких французских булок, да выпей чаю. " * 4
JAPANESE = "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。" * 4
CHINESE = "我能吞下玻璃而不伤身体。这是一个关于鲸鱼的故事,很长很长。" * 4


@kind(
    46,
    ("koi8-r", RUSSIAN, True),
    ("cp1251", RUSSIAN, True),
    ("shift-jis", JAPANESE, True),
    ("euc-jp", JAPANESE, True),
    ("gbk", CHINESE, True),
    ("big5", "鯨魚在海裡唱歌,聲音可以傳得很遠很遠。" * 6, True),
    ("euc-kr", "고래는 바다에서 노래를 부른다. 그 소리는 멀리 간다. " * 5, True),
    ("utf-16-le", RUSSIAN, False),
    ("utf-16-be", CHINESE, False),
    ("utf-16-le", "plain words only", False),
    ("cp1252", "Über die Größe der Wale und “ihre” Lieder – ein Märchen. " * 3, True),
    ("cp1253", "Οι φάλαινες τραγουδούν στη θάλασσα και ακούγονται μακριά. " * 4, True),
    ("iso8859-2", "Příliš žluťoučký kůň úpěl ďábelské ódy. " * 5, True),
    ("utf-32-le", JAPANESE, False),
    ("mac-roman", "Les baleines chantent à l’été, déjà “forêt” où. " * 4, True),
)
def text_without_a_mark_is_read_and_a_guess_is_said(world: World, encoding: str, text: str, guess: bool) -> None:
    data = text.encode(encoding)
    for way in ("file", "pipe"):
        if way == "file":
            sent, err = _sent(world, "x.txt", data)
        else:
            err = world.pipe("--num-ctx", "32k", "what is it?", given=data).ended(0).err
            sent = world.asked[-1]
        assert "\x00" not in sent
        assert text.strip() in sent or (guess and "encoding" in err), (sent[:200], err)
        assert not guess or "encoding" in err, (sent[:200], err)
    sent, _ = _sent(world, "x.txt", data, "--encoding", encoding)
    assert text.strip() in sent


def _mail(cte: str, subtype: str = "plain") -> bytes:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "a@example.org", "b@example.org", "Größe"
    mail.set_content("The whale sings — größer.\n" * 5, subtype=subtype, cte=cte)
    mail.add_attachment(bytes(range(256)) * 4, maintype="image", subtype="png", filename="cat.png")
    return mail.as_bytes()


PICTURE = base64.b64encode(bytes(range(256)) * 8).decode()
OLD_NOTEBOOK = {
    "nbformat": 3,
    "worksheets": [
        {
            "cells": [
                {
                    "cell_type": "code",
                    "input": ["print('The whale sings')"],
                    "outputs": [{"output_type": "display_data", "png": PICTURE}],
                }
            ]
        }
    ],
}


PAGE = (
    b'From: <Saved>\nSubject: x\nMIME-Version: 1.0\nContent-Type: multipart/related; boundary="b"\n\n'
    b"--b\nContent-Type: text/html\nContent-Transfer-Encoding: base64\n\n"
    + base64.encodebytes(b"<p>The whale sings</p>")
    + b"\n--b--\n"
)


@kind(
    47,
    base64=("x.eml", _mail("base64")),
    quoted=("x.eml", _mail("quoted-printable")),
    html=("x.eml", _mail("base64", "html")),
    named_txt=("x.txt", _mail("base64")),
    mbox=(
        "x.mbox",
        b"From a@example.org Mon Nov 30 12:00:00 2026\n"
        + _mail("base64")
        + b"\nFrom b@example.org Mon Nov 30 12:01:00 2026\n"
        + _mail("base64"),
    ),
    notebook=("x.ipynb", json.dumps(OLD_NOTEBOOK).encode()),
    page=("x.mht", PAGE),
)
def packed_text_is_read_or_refused(world: World, name: str, data: bytes) -> None:
    world.file(name, data)
    done = world.pipe("--num-ctx", "32k", "--file", name, "what?").sound()
    if done.code == 0:
        assert "The whale sings" in world.asked[-1], world.asked[-1][:300]
        assert PICTURE[:200] not in world.asked[-1]
        assert base64.b64encode(b"The whale sings")[:18].decode() not in world.asked[-1]
    else:
        assert done.err


@kind(47, rtf=rb"{\rtf1\ansi Hello}", postscript=b"%!PS-Adobe-3.0\n%%EOF\n", uuencoded=b"")
def markup_that_cannot_be_read_is_refused_or_told(world: World, data: bytes) -> None:
    if not data:
        return
    world.file("x.txt", data)
    done = world.pipe("--file", "x.txt", "what?").sound()
    assert done.code or b"PS-Adobe" in data
    assert not done.code or done.err


@kind(
    48,
    docx=("x.docx", docx(paragraph("The whale sings."))),
    pdf=("x.pdf", pdf(["The whale sings."])),
    notebook=("x.ipynb", json.dumps(OLD_NOTEBOOK).encode()),
    mail=("x.eml", _mail("base64")),
    utf16=("x.txt", "The whale sings.".encode("utf-16")),
)
def counts_are_of_what_is_sent(world: World, name: str, data: bytes) -> None:
    sent, _ = _sent(world, name, data)
    number = _count(world.pipe("tokens", name).ended(0).out)
    assert abs(number - len(sent) / 3.5) < len(sent) / 3, (number, len(sent))
    assert abs(_count(world.pipe("tokens", given=data).ended(0).out) - number) < 20


def _count(table: str) -> int:
    """The first number of a table of counts."""
    return int(re.findall(r"[=~]?(\d[\d,]*)", table)[0].replace(",", ""))


HIDDEN = [
    "<p hidden>secret</p>",
    "<p style='display:none'>secret</p>",
    "<div style='visibility: hidden'>secret</div>",
    "<template>secret</template>",
    "<noscript></noscript><script>secret</script>",
    "<span style='DISPLAY : NONE !important'>secret</span>",
    "<details hidden><p>secret</p></details>",
    "<style>secret</style>",
    "<!-- secret -->",
    "<input type=hidden value=secret>",
    "<dialog>secret</dialog>",
]


@kind(49, *HIDDEN)
def what_is_hidden_is_left_out(world: World, body: str) -> None:
    sent = _page(
        world,
        f"<p>The whale <a href='https://x.example/y'>sings</a> <img src=a.png alt='a cat'></p>{body}<p>End.</p>",
    )
    assert "secret" not in sent, sent
    assert all(each in sent for each in ("End.", "https://x.example/y", "a cat"))


@kind(49, "<w:vanish/>", '<w:vanish w:val="true"/>', '<w:vanish w:val="0"/>', "<w:webHidden/>")
def what_is_hidden_in_a_document_is_left_out(world: World, properties: str) -> None:
    body = f"<w:p>{run('Seen ')}{run('secret', properties)}{run(' end')}</w:p>"
    sent = _sent(world, "x.docx", docx(body))[0]
    assert ("secret" in sent) is ('"0"' in properties or "web" in properties), sent


@kind(
    50,
    ("\x1b[31mred\x1b[0m", "red"),
    ("10%\r50%\r100%\n", "100%"),
    ("\x07bell\x07", "bell"),
    ("\x1b]0;title\x07text", "text"),
    ("\x1b]8;;https://x.example\x1b\\link\x1b]8;;\x1b\\", "link"),
    ("ab\x08c", "ac"),
    ("\x1b[2J\x1b[Hclear", "clear"),
    ("\x1bPq#0\x1b\\sixel", "sixel"),
    ("\x9b31mred", "red"),
    ("\x1b(Bcharset", "charset"),
)
def terminal_codes_are_taken_out(world: World, written: str, seen: str) -> None:
    sent = _sent(world, "x.log", "first\n" + written)[0]
    assert seen in sent
    assert not any(ord(each) < 32 and each not in "\n\t" for each in sent), repr(sent)
    assert "31m" not in sent
    assert "title" not in sent
    world.pipe("what?", given=("first\n" + written).encode()).ended(0)
    assert "\x1b" not in world.asked[-1]
    assert "\x07" not in world.asked[-1]


@kind(
    50,
    ({"text/html": "<b>one</b> two"}, "one two"),
    ({"text/latex": "$x^2$"}, "$x^2$"),
    ({"text/plain": "\x1b[31mred\x1b[0m"}, "red"),
    ({"text/markdown": "# Head"}, "Head"),
    ({"application/json": {"a": 1}}, "a"),
    (
        {"text/html": "<table><tr><td>cell</table>", "text/plain": "<pandas.io.formats.style.Styler at 0x7f2c>"},
        "cell",
    ),
    ({"image/svg+xml": "<svg/>", "text/plain": "words"}, "words"),
)
def the_best_form_of_an_output_is_kept(world: World, data: dict[str, Any], text: str) -> None:
    output = {"output_type": "display_data", "data": data, "metadata": {}}
    cells = [{"cell_type": "code", "source": "f()", "metadata": {}, "outputs": [output]}]
    sent = _sent(world, "x.ipynb", {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells})[0]
    assert text in sent, sent
    assert "\x1b" not in sent
