"""What a Word document says beside plain words: formulas, numbers, merged cells, what is struck or hidden."""

from __future__ import annotations

import pytest

from chatcli.errors import BadFile
from tests.papers import W, cell, docx, paragraph, run
from tests.test_reading import extracted, told


def said(*inside: str) -> str:
    """The text of a document with one paragraph."""
    return told(docx(f"<w:p>{''.join(inside)}</w:p>")).removesuffix("\n")


def math(text: str) -> str:
    return f"<m:r><m:t>{text}</m:t></m:r>"


@pytest.mark.parametrize(
    ("formula", "text"),
    [
        (math("A=") + f"<m:sSup><m:e>{math('r')}</m:e><m:sup>{math('2')}</m:sup></m:sSup>", "A=r^2"),
        (f"<m:f><m:num>{math('a+b')}</m:num><m:den>{math('c')}</m:den></m:f>", "(a+b)/c"),
        (
            '<m:nary><m:naryPr><m:chr m:val="∑"/></m:naryPr>'
            f"<m:sub>{math('i=1')}</m:sub><m:sup>{math('n')}</m:sup><m:e>{math('i')}</m:e></m:nary>",
            "∑_(i=1)^n i",
        ),
        (f"<m:rad><m:radPr/><m:deg/><m:e>{math('2')}</m:e></m:rad>", "√(2)"),
        (f"<m:rad><m:deg>{math('3')}</m:deg><m:e>{math('x')}</m:e></m:rad>", "root[3](x)"),
        (
            f'<m:d><m:dPr><m:begChr m:val="["/><m:endChr m:val=")"/></m:dPr><m:e>{math("0,1")}</m:e></m:d>',
            "[0,1)",
        ),
        (
            f"<m:sSubSup><m:e>{math('x')}</m:e><m:sub>{math('i')}</m:sub><m:sup>{math('2')}</m:sup></m:sSubSup>"
            + math("y"),
            "x_i^2 y",
        ),
        (f"<m:m><m:mr><m:e>{math('1')}</m:e><m:e>{math('2')}</m:e></m:mr></m:m>", "[1, 2]"),
        (f"<m:func><m:fName>{math('sin')}</m:fName><m:e>{math('x')}</m:e></m:func>", "sin x"),
        ("<m:sSup/><m:rad/><m:f/><m:nary/>" + math("x"), "x"),
    ],
)
def test_a_formula_stands_as_text_where_it_was(formula: str, text: str) -> None:
    assert said(run("Area is "), f"<m:oMath>{formula}</m:oMath>", run(" here.")) == f"Area is {text} here."


def test_a_formula_of_its_own_is_read_and_one_without_text_is_named() -> None:
    assert (
        said(f"<m:oMathPara><m:oMath>{math('x')}</m:oMath><m:oMath>{math('y')}</m:oMath></m:oMathPara>") == "x\ny"
    )
    assert extracted(docx(paragraph("a") + "<w:p><m:oMath/></w:p>")).notes == ("Left out of it: 1 formula.",)


@pytest.mark.parametrize(
    ("properties", "text"),
    [
        ('<w:vertAlign w:val="superscript"/>', "10^6 m"),
        ('<w:vertAlign w:val="subscript"/>', "10_6 m"),
        ("<w:strike/>", "10~~6~~ m"),
        ("<w:dstrike/>", "10~~6~~ m"),
        ('<w:strike w:val="0"/>', "106 m"),
        ("<w:vanish/>", "10 m"),
        ('<w:vanish w:val="false"/>', "106 m"),
        ('<w:rStyle w:val="Old"/>', "10~~6~~ m"),
        ('<w:rStyle w:val="Older"/>', "10~~6~~ m"),
        ('<w:rStyle w:val="Secret"/>', "10 m"),
        ('<w:rStyle w:val="Secret"/><w:vanish w:val="0"/>', "106 m"),
    ],
)
def test_what_is_raised_struck_or_hidden_is_so_by_itself_and_by_its_style(properties: str, text: str) -> None:
    styles = "".join(
        f'<w:style w:type="character" w:styleId="{name}"><w:name w:val="{name}"/>{more}</w:style>'
        for name, more in {
            "Old": "<w:rPr><w:strike/></w:rPr>",
            "Older": '<w:basedOn w:val="Old"/>',
            "Secret": '<w:basedOn w:val="Secret"/><w:rPr><w:vanish/></w:rPr>',
        }.items()
    )
    body = f"<w:p>{run('10')}{run('6', properties)}{run(' m')}</w:p>"
    parts = {"word/styles.xml": f"<w:styles {W}>{styles}</w:styles>".encode()}
    assert told(docx(body, parts)) == text + "\n"


def test_what_is_deleted_is_left_out_and_what_is_inserted_or_a_field_is_kept() -> None:
    deleted = "<w:del><w:r><w:delText>100</w:delText></w:r></w:del>"
    assert said(deleted, f"<w:ins>{run('200')}</w:ins>", f"<w:moveFrom>{run(' old')}</w:moveFrom>") == "200"
    assert said(f'<w:fldSimple w:instr="REF x">{run("Figure 3")}</w:fldSimple>', run(" shows")) == "Figure 3 shows"
    ruby = f"<w:ruby><w:rubyPr/><w:rt>{run('kan')}</w:rt><w:rubyBase>{run('漢')}</w:rubyBase></w:ruby>"
    assert said(f"<w:r>{ruby}</w:r>") == "漢(kan)"


def test_each_cell_of_a_merged_table_is_in_its_column() -> None:
    rows = [
        cell("North", '<w:vMerge w:val="restart"/>') + cell("Tea") + cell("10"),
        cell("", "<w:vMerge/>") + cell("Coffee") + cell("20"),
        cell("Sum", '<w:gridSpan w:val="2"/>') + cell("30"),
        '<w:trPr><w:gridBefore w:val="1"/></w:trPr>' + cell("x") + cell("y"),
    ]
    assert told(docx(f"<w:tbl>{''.join(f'<w:tr>{row}</w:tr>' for row in rows)}</w:tbl>")) == (
        "North | Tea | 10\nNorth | Coffee | 20\nSum |  | 30\n | x | y\n"
    )


def test_items_and_headings_have_the_numbers_that_are_printed() -> None:
    levels = (("decimal", "%1."), ("lowerLetter", "(%2)"), ("upperRoman", "%1.%3"))
    abstract = "".join(
        f'<w:lvl w:ilvl="{at}"><w:start w:val="1"/><w:numFmt w:val="{form}"/><w:lvlText w:val="{text}"/></w:lvl>'
        for at, (form, text) in enumerate(levels)
    )
    numbering = (
        f'<w:numbering {W}><w:abstractNum w:abstractNumId="1">{abstract}</w:abstractNum>'
        '<w:num w:numId="2"><w:abstractNumId w:val="1"/></w:num><w:num w:numId="3"><w:abstractNumId w:val="1"/>'
        '<w:lvlOverride w:ilvl="0"><w:startOverride w:val="7"/></w:lvlOverride></w:num></w:numbering>'
    )
    styles = (
        f'<w:styles {W}><w:style w:type="paragraph" w:styleId="H1"><w:name w:val="heading 1"/>'
        '<w:pPr><w:numPr><w:numId w:val="2"/></w:numPr></w:pPr></w:style></w:styles>'
    )

    def item(text: str, number: int, level: int = 0) -> str:
        return paragraph(text, f'<w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="{number}"/></w:numPr>')

    body = (
        item("one", 2) + item("a", 2, 1) + item("b", 2, 1) + paragraph("between") + item("two", 2)
        + item("a", 2, 1) + item("deep", 2, 2) + paragraph("Title", '<w:pStyle w:val="H1"/>') + item("seven", 3)
    )  # fmt: skip
    parts = {"word/numbering.xml": numbering.encode(), "word/styles.xml": styles.encode()}
    assert told(docx(body, parts)).split("\n\n") == [
        "1. one", "(a) a", "(b) b", "between", "2. two", "(a) a", "2.I deep", "# 3. Title", "7. seven\n"
    ]  # fmt: skip


def test_notes_stand_at_the_end_with_their_numbers_and_margins_after_them() -> None:
    note = f'<w:footnotes {W}><w:footnote w:id="5">{paragraph("See the book.")}</w:footnote></w:footnotes>'
    parts = {
        "word/footnotes.xml": note.encode(),
        "word/header1.xml": f"<w:hdr {W}>{paragraph('Confidential')}</w:hdr>".encode(),
        "word/header2.xml": f"<w:hdr {W}>{paragraph('Confidential')}</w:hdr>".encode(),
        "word/footer1.xml": f"<w:ftr {W}>{paragraph('12')}</w:ftr>".encode(),
    }
    body = f'<w:p>{run("Whales sing")}<w:r><w:footnoteReference w:id="5"/></w:r></w:p>'
    assert told(docx(body, parts)) == "Whales sing[1]\n\n1. See the book.\n\nPage header: Confidential\n"


def test_what_words_cannot_tell_is_named_once_with_how_many() -> None:
    inline = '<wp:inline xmlns:wp="wp"><wp:docPr descr="a cat"/><a:blip xmlns:a="a"/></wp:inline>'
    picture = f"<w:drawing>{inline}</w:drawing>"
    signs = '<w:sym w:font="Wingdings" w:char="F0FC"/><w:sym w:font="Nonesuch" w:char="F0FC"/>'
    comments = f'<w:comments {W}><w:comment w:id="1">{paragraph("Really?")}</w:comment></w:comments>'
    body = f"<w:p><w:r>{picture}{picture}<w:object/>{signs}</w:r></w:p>"
    found = extracted(docx(body, {"word/comments.xml": comments.encode()}))
    assert found.text == "[picture: a cat][picture: a cat]✓\ufffd\n"
    assert found.notes == (
        "Left out of it: 2 pictures, 1 embedded object, 1 sign that no font explains (sent as \ufffd), 1 comment.",
    )


def test_a_text_box_is_read_once() -> None:
    box = f"<w:txbxContent>{paragraph('In a box')}</w:txbxContent>"
    chosen = f"<mc:Choice><w:drawing>{box}</w:drawing></mc:Choice>"
    mc = 'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
    for fallback in (f"<mc:Fallback><w:pict>{box}</w:pict></mc:Fallback>", ""):
        inside = f"<w:r><mc:AlternateContent {mc}>{chosen}{fallback}</mc:AlternateContent></w:r>"
        assert said(run("Before"), inside) == "Before\n\nIn a box"


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        ("<w:r><w:pict><w:txbxContent><w:p>", "</w:p></w:txbxContent></w:pict></w:r>"),
        ("<m:oMath><m:sSup><m:e>", "</m:e></m:sSup></m:oMath>"),
        ("<w:ruby><w:rt>", "</w:rt></w:ruby>"),
    ],
)
def test_what_is_nested_without_end_is_refused_or_read_in_one_go(begin: str, end: str) -> None:
    """Quadratic code needs minutes: it is ended as what hangs."""
    try:
        told(docx(f"{paragraph('x')}<w:p>{begin * 10_000}{end * 10_000}</w:p>"))
    except BadFile as error:
        assert "nested too deep" in error.message  # noqa: PT017 - some of it is read
