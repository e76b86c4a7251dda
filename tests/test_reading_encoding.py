"""Text in the encodings that files have: the same characters reach the model, or a person is told."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from chatcli.commands.spelling import at_prompt, in_shell
from chatcli.errors import BadFile, BadValue
from chatcli.hints import spelled
from chatcli.reading.document import read
from chatcli.reading.encoding import decode, is_binary
from chatcli.reading.json_toml import text_of
from chatcli.reading.raw import Extracted, Raw
from chatcli.settings import table
from tests.faults import Engine
from tests.papers import docx, paragraph
from tests.test_cli_oneshot import PNG, chatcli

RUSSIAN = "Это обычный русский текст, в котором несколько слов.\nИ вторая строка.\n"
CHINESE = "这是一个中文文本文件，用来测试编码。\n第二行。\n"
JAPANESE = "これは日本語のテキストです。文字コードを判定します。\n"
TEXTS = {
    "cp1252": "Größe der Straße: Le café coûte 3 €, été à la plage, garçon.\n",
    "cp1251": RUSSIAN,
    "koi8-r": RUSSIAN,
    "cp866": RUSSIAN,
    "cp1250": "Zażółć gęślą jaźń. Příliš žluťoučký kůň úpěl ďábelské ódy.\n",
    "cp1253": "Η Ελλάδα είναι μια χώρα της νότιας Ευρώπης.\n",
    "cp1255": "שלום עולם, זהו טקסט בעברית.\n",
    "cp1256": "مرحبا بالعالم هذا نص باللغة العربية\n",
    "shift_jis": JAPANESE,
    "euc-jp": JAPANESE,
    "iso-2022-jp": JAPANESE,
    "gbk": CHINESE,
    "big5": "這是一個繁體中文檔案，用於測試。\n",
    "euc-kr": "이것은 한국어 텍스트 파일입니다. 인코딩을 시험합니다.\n",
}
WIDE = ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be", "utf-16", "utf-32", "utf-8-sig", "utf-8"]


def reading(data: bytes, encoding: str = "") -> Extracted:
    def run() -> Generator[tuple[int, int], None, None]:
        taken.append((yield from read(Raw("notes.txt", data, encoding=encoding))))

    taken: list[Extracted] = []
    for _ in run():
        pass
    return taken[0]


@pytest.mark.parametrize("encoding", TEXTS)
def test_a_text_from_before_utf_8_is_read_in_its_likeliest_encoding_and_that_is_said(encoding: str) -> None:
    found = reading(TEXTS[encoding].encode(encoding))
    assert found.text == TEXTS[encoding]
    if encoding == "iso-2022-jp":  # its marks tell
        assert not found.notes
    else:
        (note,) = found.notes
        assert "is a guess" in spelled(note, in_shell)
        assert "--encoding VALUE" in spelled(note, in_shell)
        assert "/set encoding VALUE" in spelled(note, at_prompt)


@pytest.mark.parametrize("encoding", WIDE)
@pytest.mark.parametrize(
    "text", [RUSSIAN, CHINESE, JAPANESE, "two plain\nlines\n", "שלום עולם\n", "😀 is a face\n"]
)
def test_wide_characters_are_recognized_with_and_without_a_mark_in_every_script(encoding: str, text: str) -> None:
    data = text.encode(encoding)
    assert not is_binary(data)
    assert reading(data) == Extracted(text)
    assert text_of(data) == text


@pytest.mark.parametrize(
    "data", [b"\x01\x02\x03" * 50, bytes(range(256)) * 8, b"\x7fELF\2\1\1" + bytes(40), bytes(64)]
)
def test_bytes_that_only_could_be_wide_characters_are_no_text(data: bytes) -> None:
    assert is_binary(data)


@st.composite
def encoded(draw: st.DrawFn) -> tuple[str, str]:
    """An encoding, and lines of words of the letters that it is used for."""
    encoding = draw(st.sampled_from([*TEXTS, "utf-16-le", "utf-16-be", "utf-8", "utf-16"]))
    letters = "".join(sorted(set(TEXTS.get(encoding, RUSSIAN + CHINESE + "plain letters")) - {"\n"}))
    words = st.text(letters, min_size=1, max_size=8)
    lines = draw(st.lists(st.lists(words, min_size=1, max_size=5).map(" ".join), min_size=1, max_size=4))
    return encoding, "\n".join(lines) + "\n"


@settings(max_examples=150, deadline=None)
@given(encoded())
def test_a_text_comes_as_the_same_characters_or_its_encoding_is_called_a_guess(case: tuple[str, str]) -> None:
    encoding, text = case
    data = text.encode(encoding)
    assume(text.strip())
    if encoding not in {"utf-8", "iso-2022-jp"} and not data.isascii():
        assume(not _is_utf_8(data))  # bytes that are UTF-8 are taken for it
    try:
        found = reading(data)
    except BadFile as error:
        assert "is no text" in error.message or "is empty" in error.message  # noqa: PT017 - most raise nothing
        return
    assert found.text == text or found.notes
    assert reading(data, encoding).text == text  # named, it needs no guess


def _is_utf_8(data: bytes) -> bool:
    try:
        return data.decode("utf-8") is not None
    except UnicodeDecodeError:
        return False


def test_an_encoding_that_a_person_names_is_believed_against_the_bytes_or_refused() -> None:
    assert reading("联通".encode("gbk"), "gbk").text == "联通"  # which is UTF-8, too
    assert reading("é".encode("utf-8-sig"), "utf-8").text == "é"
    with pytest.raises(BadFile) as caught:
        reading(b"\xff\xff\xff", "utf-8")
    assert "notes.txt is not text in utf-8" in caught.value.message


@pytest.mark.parametrize(
    "name", ["koi8-r", "KOI8-R", "windows-1251", "cp1251", "Shift_JIS", "GBK", "latin-1", "UTF-16LE"]
)
def test_an_encoding_is_named_as_the_web_or_python_names_it(name: str) -> None:
    assert decode("plain".encode(table.ENCODING.kind.read(name)), name).text == "plain"


@pytest.mark.parametrize("name", ["klingon", "punycode", "zlib", "rot13", "unicode_escape"])
def test_what_is_no_encoding_of_text_is_refused(name: str) -> None:
    with pytest.raises(BadValue):
        table.ENCODING.kind.read(name)


def test_the_flag_names_the_encoding_of_files_and_of_the_system_prompt(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_bytes("Привет".encode("koi8-r"))
    with Engine() as engine:
        flags = ("-m", "demo", "--encoding", "koi8-r", "--system", "@notes.txt", "--file", "notes.txt")
        done = chatcli(*flags, "what", url=engine.url, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        system, question = engine.chats[0]["messages"]
        assert system["content"] == "Привет"
        assert "Привет" in question["content"]
        assert "guess" not in done.stderr
        refused = chatcli("-m", "demo", "--system", "@notes.txt", "hi", url=engine.url, cwd=tmp_path)
        assert refused.returncode == 2
        assert "--encoding VALUE" in refused.stderr


def test_a_picture_on_standard_input_goes_with_the_question_to_a_model_that_sees() -> None:
    with Engine() as engine:
        done = chatcli("-m", "demo-vision", "describe", url=engine.url, stdin=PNG)
        assert done.returncode == 0, done.stderr
        message = engine.chats[0]["messages"][-1]
        assert message["content"] == "describe"
        assert len(message["images"]) == 1
        blind = chatcli("-m", "demo", "describe", url=engine.url, stdin=PNG)
        assert blind.returncode == 1
        assert "demo cannot see pictures" in blind.stderr
        assert len(engine.chats) == 1


@pytest.mark.parametrize("data", [b"\x7fELF\2\1\1" + bytes(100), b"\x1f\x8b" + bytes(range(100)), b"\0" * 50])
def test_other_binary_on_standard_input_is_refused_as_a_file_of_it_is(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "it").write_bytes(data)
    with Engine() as engine:
        piped = chatcli("-m", "demo", "what", url=engine.url, stdin=data)
        named = chatcli("-m", "demo", "-f", "it", "what", url=engine.url, cwd=tmp_path)
        assert piped.returncode == named.returncode == 2
        assert piped.stderr.replace("Standard input", "it") == named.stderr
        assert not engine.chats


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "koi8-r", "cp1251"])
def test_standard_input_is_read_in_its_encoding(encoding: str) -> None:
    with Engine() as engine:
        done = chatcli("-m", "demo", url=engine.url, stdin=RUSSIAN.encode(encoding))
        assert engine.chats[0]["messages"][-1]["content"] == RUSSIAN.strip("\n")
        assert ("Standard input is read as" in done.stderr) == (not encoding.startswith("utf"))


@pytest.mark.parametrize(
    ("flags", "data", "expected"),
    [
        (("--file", "-", "what"), b"from the pipe", "File Standard input:\nfrom the pipe"),
        (("-m", "demo-vision", "-i", "-", "what"), PNG, "what"),
        (("--system", "@-", "what"), b"from the pipe", "what"),
        (("--format", "-", "what"), b'{"type": "object"}', "what"),
    ],
)
def test_a_dash_is_standard_input_wherever_a_file_is_named(
    flags: tuple[str, ...], data: bytes, expected: str
) -> None:
    with Engine() as engine:
        done = chatcli("-m", "demo", *flags, url=engine.url, stdin=data)
        assert done.returncode == 0, done.stderr
        asked = engine.chats[0]
        assert asked["messages"][-1]["content"].startswith(expected)
        assert ("images" in asked["messages"][-1]) == (data == PNG)
        assert (asked["messages"][0]["content"] == "from the pipe") == (flags[0] == "--system")
        assert asked.get("format") == ({"type": "object"} if flags[0] == "--format" else None)


def test_a_dash_is_standard_input_for_an_import_and_a_count() -> None:
    with Engine() as engine:
        chat = b'[{"role": "user", "content": "hello"}]'
        assert "Imported" in chatcli("chats", "import", "-", url=engine.url, stdin=chat).stderr
        counted = chatcli("tokens", "-", "-m", "demo", url=engine.url, stdin=b"two words").stdout
        assert "Standard input" in counted


def test_tokens_counts_what_would_be_sent_of_a_document(tmp_path: Path) -> None:
    (tmp_path / "words.docx").write_bytes(docx(paragraph("two words")))
    (tmp_path / "words.txt").write_bytes("two words\n".encode("utf-16"))
    (tmp_path / "dot.png").write_bytes(PNG)
    with Engine() as engine:
        done = chatcli("tokens", "words.docx", "words.txt", "dot.png", "-m", "demo", url=engine.url, cwd=tmp_path)
        rows = [line.split()[:2] for line in done.stdout.splitlines() if "words" in line]
        assert rows[0][0] == rows[1][0]
        assert "dot.png is a picture" in done.stdout + done.stderr
        assert done.returncode == 1
