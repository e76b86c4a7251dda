"""PDF and DOCX as text, and the messages about files that cannot be read."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from chatcli import Chat
from chatcli.context import documents
from chatcli.context.query import terms
from chatcli.conversation.message import Attachment
from chatcli.errors import BadFile
from chatcli.reading import docx as docx_module
from chatcli.reading import pdf as pdf_module
from tests.faults import Engine
from tests.papers import docx, locked_pdf, paragraph, pdf, table
from tests.test_cli_oneshot import chatcli
from tests.test_reading import extracted, told

NUMBERED = '<w:numPr><w:ilvl w:val="0"/><w:numId w:val="1"/></w:numPr>'


def test_a_pdf_is_read_page_by_page() -> None:
    assert told(pdf(["Of whales\nThey sing.", "", "Of foxes"])) == (
        "# Page 1\n\nOf whales\nThey sing.\n\n# Page 2\n\n\n\n# Page 3\n\nOf foxes\n"
    )


def test_passages_of_a_pdf_say_which_page_they_are_from() -> None:
    filler = "Nothing in particular is said on this line.\n" * 20
    text = told(pdf([filler, filler + "The heron is grey.\n" + filler, filler]))
    file = Attachment("text", "birds.pdf", "text/plain", text.encode())
    (best, *_) = documents.choose([], [file], terms("What colour is the heron?"), 250, lambda text: len(text) // 4)
    assert "The heron is grey." in best.text
    assert documents.quote([best]).splitlines()[1].startswith("birds.pdf, page 2, lines ")
    assert documents.describe([best]) == "birds.pdf: pages 2"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (pdf(["", ""]), "its pages are pictures"),
        (pdf(["text"])[:200], "damaged PDF"),
        (b"%PDF-1.4\nnonsense " * 20, "damaged PDF"),
        (pdf([]), "has no pages"),
    ],
    ids=["scanned", "cut off", "nonsense", "empty"],
)
def test_a_pdf_that_cannot_be_read_is_refused_with_the_reason(data: bytes, words: str) -> None:
    with pytest.raises(BadFile, match=words) as caught:
        told(data)
    assert caught.value.hint or words == "has no pages"


def test_a_locked_pdf_is_refused_and_one_without_a_password_opens() -> None:
    with pytest.raises(BadFile, match="it is encrypted") as caught:
        told(locked_pdf("secret", "sesame"))
    assert "without a password" in caught.value.hint
    assert "for all" in told(locked_pdf("for all", ""))


def test_a_page_that_is_broken_does_not_cost_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    data = pdf(["first page", "second page"]).replace(b"/Contents 7 0 R", b"/Contents 3 0 R")
    text = told(data)
    assert "first page" in text
    assert "# Page 2" in text
    assert capsys.readouterr() == ("", "")  # what the library remarks stays out of the screen


def test_signs_that_no_font_explains_are_never_sent_and_are_counted() -> None:
    found = extracted(pdf(["a\\001b\\177c", "\\002"]))
    assert found.text == "# Page 1\n\na\ufffdb\ufffdc\n\n# Page 2\n\n\ufffd\n"
    assert found.notes == ("Left out of it: 3 signs that no font explains (sent as \ufffd).",)
    assert extracted(pdf(["plain"])).notes == ()


@pytest.mark.parametrize(
    ("name", "sign"),
    [
        ("summationdisplay", "∑"),
        ("integraltext", "∫"),
        ("radicalbigg", "√"),
        ("parenleftBig", "("),
        ("lessequal", "≤"),
        ("parenlefttp", "("),
        ("fi", "fi"),
        ("Bullet", "•"),
        ("one.oldstyle", "1"),
        ("f_f_i", "ffi"),
        ("uni2211", "∑"),
        ("g27", "\ufffd"),
    ],
)
def test_signs_of_mathematics_are_known_by_the_names_that_fonts_give_them(name: str, sign: str) -> None:
    data = pdf(["Z = 1"], font=f"/Encoding << /Type /Encoding /Differences [90 /{name}] >>")
    assert told(data) == f"# Page 1\n\n{sign} = 1\n"


def test_signs_that_only_an_embedded_font_names_are_read_from_it() -> None:
    pytest.importorskip("fontTools", reason="the extra [documents] has it")
    from fontTools.fontBuilder import FontBuilder
    from fontTools.pens.t2CharStringPen import T2CharStringPen

    names, made = [".notdef", "summationdisplay", "alpha", "minus"], FontBuilder(1000, isTTF=False)
    made.setupGlyphOrder(names)
    made.setupCFF("Signs", {}, {name: T2CharStringPen(500, None).getCharString() for name in names}, {})
    table = made.font["CFF "]
    codes = dict(zip(b"Xdx", names[1:], strict=True))
    table.cff.topDictIndex[0].Encoding = [codes.get(code, ".notdef") for code in range(256)]
    # The minus has the code 0, as in TeX's fonts; fontTools cannot write that.
    program = table.compile(made.font).replace(b"\x03Xdx", b"\x03Xd\0").hex()
    embedded = (
        f"<< /Subtype /Type1C /Filter /ASCIIHexDecode /Length {len(program) + 1} >>\nstream\n{program}>\nendstream"
    )
    data = pdf(["Xd\\000"], font="/FontDescriptor << /Type /FontDescriptor /FontFile3 6 0 R >>", more=[embedded])
    assert told(data) == "# Page 1\n\n∑α−\n"


def test_a_form_is_read_with_the_values_of_its_fields() -> None:
    person = "<< /T (person) /FT /Tx /V (Ada) >>"
    over = [
        f"<< /Subtype /Widget /Parent {person} /T (first) /TU (First name) >>",
        "<< /Subtype /Widget /FT /Tx /T (empty) >>",
        "<< /Subtype /Widget /FT /Tx /T (pin) /Ff 8192 /V (1234) >>",
        "<< /Subtype /Widget /FT /Ch /T (langs) /V [(Latin) (Greek)] >>",
        "<< /Subtype /Widget /FT /Btn /T (member) /AS /Yes >>",
        "<< /Subtype /Widget /FT /Btn /T (guest) /AS /Off >>",
        "<< /Subtype /Widget /FT /Btn /Ff 32768 /T (color) /AS /red >>",
        "<< /Subtype /Widget /FT /Btn /Ff 32768 /T (color) /AS /Off >>",
        "<< /Subtype /Widget /FT /Btn /Ff 65536 /T (send) >>",
        "<< /Subtype /FreeText /Contents (Printed on it) >>",
        "<< /Subtype /Link /A << /S /URI /URI (https://whales.example/) >> >>",
        "<< /Subtype /Highlight /Contents (Really?) >>",
    ]
    found = extracted(pdf(["The form"], over=over))
    assert found.text == (
        "# Page 1\n\nThe form\n\nFirst name: Ada\nlangs: Latin, Greek\n[x] member\n[ ] guest\ncolor: red\n"
        "Printed on it\nLinks: https://whales.example/\n"
    )
    assert found.notes == ("Left out of it: 1 comment.",)


def test_what_is_lost_is_named_once_and_nothing_else_is_said(engine: Engine, tmp_path: Path) -> None:
    """The library warns about the font's encoding, on standard error unless somebody stops it."""
    (tmp_path / "paper.pdf").write_bytes(pdf(["one \\001"], font="/Encoding /Nonsense"))
    note = "Left out of paper.pdf: 1 sign that no font explains (sent as \ufffd)."
    for flags in ([], ["--json"]):
        done = chatcli("-m", "demo", *flags, "--file", str(tmp_path / "paper.pdf"), "What is it?", url=engine.url)
        assert done.returncode == 0
        said = " ".join(done.stderr.split()).replace(f"{tmp_path}/", "")
        assert said.removeprefix("Reading paper.pdf ") == note
        assert "Left out" not in done.stdout
    with Chat("demo", host=engine.url) as chat:
        with pytest.warns(UserWarning, match="1 sign that no font"):
            chat.send("What is it?", files=[tmp_path / "paper.pdf"])
        chat.send("And now?")  # a second warning would be an error


def test_a_pdf_has_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf_module, "_MOST_PAGES", 2)
    with pytest.raises(BadFile, match="has 3 pages"):
        told(pdf(["a", "b", "c"]))
    monkeypatch.setattr(pdf_module, "LARGEST_TEXT", 5)
    with pytest.raises(BadFile, match="MB of text"):
        told(pdf(["longer than that"]))


def test_a_word_document_is_read_with_headings_lists_and_tables() -> None:
    body = (
        paragraph("The report", '<w:pStyle w:val="T"/>')
        + paragraph("Of whales", '<w:pStyle w:val="H1"/>')
        + paragraph("They &lt;sing&gt;.")
        + paragraph("blue", NUMBERED)
        + paragraph("fin", NUMBERED)
        + table([["name", "size"], ["blue", "30 m"]])
        + "<w:p><w:ins><w:r><w:t>Inserted</w:t></w:r></w:ins>"
        + "<w:del><w:r><w:delText>gone</w:delText></w:r></w:del></w:p>"
        + f"<w:sdt><w:sdtContent>{paragraph('In a field')}</w:sdtContent></w:sdt>"
    )
    assert told(docx(body)) == (
        "# The report\n\n# Of whales\n\nThey <sing>.\n\n- blue\n- fin\n\nname | size\nblue | 30 m\n\n"
        "Inserted\n\nIn a field\n"
    )


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (docx(""), "has no text"),
        (docx("<w:p><w:r><w:t>never closed"), "damaged Word document"),
        (docx("")[:-30], "damaged archive"),
    ],
    ids=["empty", "malformed", "cut off"],
)
def test_a_word_document_that_cannot_be_read_is_refused_with_the_reason(data: bytes, words: str) -> None:
    with pytest.raises(BadFile, match=words) as caught:
        told(data)
    assert caught.value.hint


def test_a_word_document_that_is_nested_too_deep_is_refused() -> None:
    deep = f"<w:sdt><w:sdtContent>{'<w:ins>' * 20_000}{paragraph('x')}{'</w:ins>' * 20_000}</w:sdtContent></w:sdt>"
    with pytest.raises(BadFile, match="nested too deep"):
        told(docx(deep))


def test_a_locked_word_document_is_refused() -> None:
    data = bytearray(docx(paragraph("x")))
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = data.find(mark)
        while place >= 0:
            data[place + at] |= 1
            place = data.find(mark, place + 4)
    with pytest.raises(BadFile, match="it is encrypted"):
        told(bytes(data))


@pytest.mark.parametrize("name", ["word/comments.xml", "word/media/image1.png"])
def test_a_word_document_that_unpacks_to_too_much_is_refused_before_it_is_read(name: str) -> None:
    with pytest.raises(BadFile, match="unpacks to more") as caught:
        told(docx(paragraph("small"), {name: b"<a>" + b" " * 60_000_000}))
    assert caught.value.hint
    with pytest.raises(BadFile, match="unpacks to more"):
        told(docx(paragraph("small"), {name: b"<a/>" * 1_200_000}))


def test_pictures_in_a_word_document_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docx_module, "_LARGEST_XML", 5_000)
    assert told(docx(paragraph("small"), {"word/media/image1.png": b"\x89PNG" + bytes(10_000)})) == "small\n"


def test_a_zip_that_lies_about_its_sizes_is_damaged_and_nothing_more() -> None:
    data = docx(paragraph("words " * 2000))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        size = archive.getinfo("word/document.xml").file_size
    lying = data.replace(size.to_bytes(4, "little"), (64).to_bytes(4, "little"))
    with pytest.raises(BadFile, match="damaged"):
        told(lying)


@pytest.mark.parametrize(
    ("library", "data", "words"),
    [("pypdf", pdf(["text"]), "is a PDF"), ("mammoth", docx(paragraph("text")), "is a Word document")],
    ids=["pypdf", "mammoth"],
)
def test_without_its_library_a_document_is_refused_with_the_way_to_install_it(
    library: str, data: bytes, words: str, tmp_path: Path
) -> None:
    (tmp_path / "it").write_bytes(data)
    program = (
        "import sys; sys.modules[sys.argv[1]] = None\n"
        "from chatcli.cli.main import run\n"
        "sys.exit(run(['--demo', '--file', sys.argv[2], 'What is it?']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, library, str(tmp_path / "it")],
        capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL,
        cwd=Path(__file__).parent.parent,
    )  # fmt: skip
    assert done.returncode == 2
    assert words in done.stderr
    assert f'pip install "{library}' in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
