"""Bytes from outside are bounded wherever they are read: in depth, length and number; what is not a file is named
as such. One generator of hostile data, and every place that reads some.
"""

from __future__ import annotations

import ast
import io
import json
import os
import socket
import sys
import tomllib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcli.attachments.files import read_files, read_piped
from chatcli.attachments.images import read_image
from chatcli.cli.main import run
from chatcli.client import address, failures
from chatcli.client.models import read_model
from chatcli.client.request import duration
from chatcli.commands import everything
from chatcli.errors import BadData, BadFile, ChatcliError, ConfigError
from chatcli.prompt.editor import edit
from chatcli.reading import json_toml
from chatcli.reading.docx import read_docx
from chatcli.reading.files import read_bytes
from chatcli.reading.json_toml import DEPTH, is_within, read_json, read_toml, text_of
from chatcli.reading.notebook import text_of_notebook
from chatcli.reading.raw import LARGEST, Raw
from chatcli.render.terminal import Known
from chatcli.session.build import Wishes, build
from chatcli.session.reply_format import shape
from chatcli.settings import file as settings_file
from chatcli.settings import table
from chatcli.settings.file import read_file, write_setting
from chatcli.settings.layers import Layer, Settings
from chatcli.settings.table import TABLE
from chatcli.store.codec import unpack_state, unpack_tool_uses, unpack_turn
from chatcli.store.transfer import read_chats
from chatcli.tokens.learned_costs import LearnedCosts
from chatcli.tokens.vocabulary_file import Unusable, convert
from tests.faults import Engine, Line
from tests.papers import docx, paragraph

PACKAGE = Path(__file__).parent.parent / "chatcli"
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inside: st.lists(inside) | st.dictionaries(st.text(), inside),
    max_leaves=20,
)
HOSTILE_JSON: dict[str, str] = {
    "lists without end": "[" * 200_000,
    "objects without end": '{"a":' * 200_000,
    "lists that are closed": "[" * 5000 + "]" * 5000,
    "lists deeper than is read": "[" * (DEPTH + 1) + "]" * (DEPTH + 1),
    "a number of 6,001 digits": "9" * 6001,
    "a number below nothing": "-" + "9" * 6001,
    "a number in a list": f"[{'9' * 301}]",
    "nothing": "",
    "no JSON": "<html>",
    "half a string": '"abc',
    "half a character": "\ud800",
}


@given(VALUES)
def test_json_is_read_as_python_reads_it(value: Any) -> None:
    for written in (json.dumps(value), json.dumps(value, ensure_ascii=False, indent=1)):
        assert read_json(written) == value
        for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"):
            if value or encoding.startswith("utf-8"):
                assert read_json(written.encode(encoding, "surrogatepass")) == json.loads(
                    written.encode(encoding, "replace").decode(encoding).removeprefix("\ufeff")
                )


@pytest.mark.parametrize("what", HOSTILE_JSON)
@pytest.mark.parametrize("exact", [True, False])
def test_hostile_json_is_refused_in_an_error_of_ours(what: str, exact: bool) -> None:
    with pytest.raises(BadData) as caught:
        read_json(HOSTILE_JSON[what], exact=exact)
    assert len(caught.value.message) < 200


def test_what_json_has_no_form_for_is_text_or_refused() -> None:
    written = '{"a": NaN, "b": [Infinity, -Infinity, 1e999], "a": 1.5, "c": "\\ud800"}'
    assert read_json(written) == {"a": 1.5, "b": ["Infinity", "-Infinity", "1e999"], "c": "\ud800"}
    for each in ("NaN", "[Infinity]", "[-1e999]"):
        with pytest.raises(BadData, match="no JSON"):
            read_json(each, exact=True)


def test_what_has_more_parts_than_memory_has_room_for_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_toml, "PARTS", 100)
    assert len(read_json(f"[{','.join(['{}'] * 99)}]")) == 99
    with pytest.raises(BadData, match="more than 100 lists and objects"):
        read_json(f"[{','.join(['{}'] * 100)}]")


@given(st.integers(1, 300), st.integers(1, 300))
def test_depth_is_counted_as_it_is(depth: int, allowed: int) -> None:
    value = json.loads("[" * depth + "]" * depth)
    assert is_within(value, allowed) == (depth <= allowed)


# Every place that reads JSON from outside: given hostile text, it says so, or goes on without.


def said(step: Callable[[], object]) -> str:
    """What an error of ours says, if there is one; any other error is a bug."""
    try:
        step()
    except ChatcliError as error:
        return error.message
    return "."


def _in_notebook(text: str) -> object:
    return text_of_notebook(f'{{"nbformat": 4, "cells": {text}}}', "n.ipynb")


def _in_stored_rows(text: str) -> object:
    try:
        return unpack_turn(text), unpack_state(text), unpack_tool_uses(text)
    except (ValueError, TypeError, AttributeError, KeyError):  # what failures.py makes an error of the store of
        return None


def _as_vocabulary(text: str) -> object:
    try:
        return convert(text.encode("utf-8", "replace"))
    except Unusable:
        return None


READERS: dict[str, Callable[[str, Path], object]] = {
    "an import": lambda text, _: read_chats(text),
    "an import from a file": lambda text, place: read_chats(_written(place / "chat.json", text)),
    "JSON lines": lambda text, _: read_chats(f'{{"role": "user", "content": "hi"}}\n{text}'),
    "arguments of a tool": lambda text, _: read_chats(
        json.dumps(
            [{"role": "user", "content": "hi", "tool_calls": [{"function": {"name": "f", "arguments": text}}]}]
        )
    ),
    "a document of ChatGPT's": lambda text, _: read_chats(json.dumps(_canvas(text))),
    "a schema": lambda text, place: shape(str(_written(place / "schema.json", text))),
    "a notebook": lambda text, _: _in_notebook(text),
    "stored rows": lambda text, _: _in_stored_rows(text),
    "a refusal of the server": lambda text, _: failures.translated(failures.Refusal(500, text, "here")),
    "a refusal in a refusal": lambda text, _: failures.translated(
        failures.Refusal(400, json.dumps({"error": text}), "here")
    ),
    "a vocabulary": lambda text, _: _as_vocabulary(text),
    "rates that were kept": lambda text, _: LearnedCosts().restore(text.encode("utf-8", "replace")),
}


def _written(path: Path, text: str) -> Path:
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    return path


def _canvas(text: str) -> dict[str, Any]:
    content = {"content_type": "code", "text": text}
    message = {"author": {"role": "assistant"}, "recipient": "canmore.create_textdoc", "content": content}
    asked = {"author": {"role": "user"}, "content": {"content_type": "text", "parts": ["hi"]}}
    mapping = {"q": {"message": asked}, "a": {"parent": "q", "message": message}}
    return {"mapping": mapping, "current_node": "a"}


@pytest.mark.parametrize("what", HOSTILE_JSON)
@pytest.mark.parametrize("reader", READERS)
def test_every_reader_of_json_meets_hostile_text_with_a_sentence(reader: str, what: str, tmp_path: Path) -> None:
    assert said(lambda: READERS[reader](HOSTILE_JSON[what], tmp_path)).endswith(".")


@pytest.mark.parametrize("what", ["lists without end", "objects without end", "a number of 6,001 digits"])
@pytest.mark.parametrize("path", ["/api/chat", "/api/show", "/api/tags", "/api/ps", "/api/version"])
def test_a_server_that_answers_so_is_told_of(path: str, what: str, engine: Engine) -> None:
    answer = f'{{"x": {HOSTILE_JSON[what]}'
    engine.script(*[Line(answer, after=0)] * 5, path=path)
    session = build(Wishes({"host": engine.url, "model": "demo"}))
    for command in ("models", "ps", "show", "doctor"):
        assert said(lambda command=command: everything().dispatch(session, command)).endswith(".")  # type: ignore[misc]
    session.close()


@pytest.mark.parametrize("what", HOSTILE_JSON)
def test_a_schema_in_the_shell_is_refused_in_a_sentence(
    what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO()))
    file = _written(tmp_path / "schema.json", HOSTILE_JSON[what])
    assert run(["--demo", "--format", str(file), "hi"]) == 2
    assert "is not JSON" in " ".join(capsys.readouterr().err.split())


LONG = "9" * 5000
NUMBERS: dict[str, Callable[[], object]] = {
    "a port": lambda: address.read(f"example.org:{LONG}", "--host"),
    "a port below nothing": lambda: address.read(f"http://example.org:-{LONG}", "--host"),
    "a duration": lambda: Settings().put("keep_alive", LONG, Layer.SET),
    "a duration that was kept": lambda: duration(LONG),
    "a window in a Modelfile": lambda: read_model("m", {"parameters": f"num_ctx {LONG}"}, ""),
    "a size in a refusal": lambda: failures.translated(failures.Refusal(400, f"request ({LONG} tokens)", "here")),
    "a letter's size, as a terminal says it": lambda: Known().heed(f"\x1b[6;{LONG};{LONG}t"),
}


@pytest.mark.parametrize("where", NUMBERS)
def test_a_number_of_thousands_of_digits_in_a_text_is_none(where: str) -> None:
    assert len(said(NUMBERS[where])) < 6000


# The settings file.

BROKEN_SETTINGS: dict[str, tuple[bytes, str, int | None]] = {
    "lists without end": (b"# one\na = " + b"[" * 200_000, "nested more than 200 deep", 2),
    "tables without end": (b"a = " + b"{b=" * 50_000, "nested more than 200 deep", 1),
    "a key of endlessly many parts": (b"a." * 100_000 + b"b = 1", "nested more than 200 deep", 1),
    "a table of endlessly many parts": (b"[a" + b".a" * 100_000 + b"]", "nested more than 200 deep", 1),
    "parts in tables in tables": (
        b"a = " + b"{a.a.a.a.a = " * 100 + b"1" + b"}" * 100,
        "nested more than 200",
        None,
    ),
    "parts in a table": (b"a = {" + b"a." * 100_000 + b"b = 1}", "nested more than 200 deep", 1),
    "a long number": (b"seed = 1\nnum_ctx = " + b"9" * 6001, "a number of 6,001 digits", 2),
    "a long number in hex": (b"num_ctx = 0x" + b"f" * 6001, "a number of 6,003 digits", 1),
    "a string without end": (b'a = "' + b'\\"' * 100_000, "not valid TOML", None),
    "strings without end": (b'a = """' + b'\\"""' * 50_000, "not valid TOML", None),
    "binary": (b"\x7fELF\x02\x01\x01\0\0\0\xff\xfe", "it is no text", None),
    "zeros": (bytes(1000), "it is no text", None),
    "a NUL": (b"seed = 1\n\n\0", "it is no text", 3),
    "Latin-1": ("seed = 1\nsystem = 'Grüße'".encode("latin-1"), "it is not UTF-8 text", 2),
    "too large": (b"#" * (settings_file.LARGEST + 1), "it has more than 0.25 MB", None),
    "a table as a value": (b"seed = 1\n[model]\na = 1", "is not text", None),
    "lists in a list": (b"stop = [[1]]", "is not one or more texts", 1),
    "no TOML": (b"seed = 1\nseed 2", "not valid TOML", 2),
    "twice": (b"seed = 1\nseed = 2", "not valid TOML", None),
    "no date": (b"seed = 2020-99-99", "not valid TOML", 1),
}


@pytest.mark.parametrize("what", BROKEN_SETTINGS)
def test_a_settings_file_that_is_none_is_said_with_its_line(
    what: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, words, line = BROKEN_SETTINGS[what]
    home.mkdir()
    path = home / "config.toml"
    path.write_bytes(data)
    with pytest.raises(ConfigError, match=words) as caught:
        read_file(Settings(), path)
    assert str(path) in caught.value.message
    assert len(caught.value.message) < 500
    assert line is None or caught.value.line == line
    if "value" not in what and "lists in" not in what:
        with pytest.raises(ConfigError):
            write_setting(path, table.SEED, "1")
        assert path.read_bytes() == data
    assert run(["doctor", "--demo"]) == 1
    assert "config.toml" in capsys.readouterr().out
    assert run(["--demo", "hi"]) == 2


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_a_settings_file_may_be_of_any_unicode(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes("seed = 7\nsystem = 'Grüße'\n".encode(encoding))
    settings = Settings()
    read_file(settings, path)
    assert (settings[table.SEED], settings[table.SYSTEM]) == (7, "Grüße")
    write_setting(path, table.TOP_K, "3")
    again = Settings()
    read_file(again, path)
    assert (again[table.SEED], again[table.SYSTEM], again[table.TOP_K]) == (7, "Grüße", 3)


def test_no_setting_is_written_that_could_not_be_read_again(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    write_setting(path, table.SEED, "7")
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="would have more than"):
        write_setting(path, table.SYSTEM, "x" * settings_file.LARGEST)
    assert path.read_bytes() == before


TOML_STRINGS = st.sampled_from(
    ['"', "'", '"""', "'''", "\\", "\n", "[", "]", "{", "}", ".", ",", "=", "#", "a", "1", " "]
)


@given(st.lists(TOML_STRINGS, max_size=60).map("".join))
def test_toml_is_read_as_python_reads_it(text: str) -> None:
    try:
        expected = tomllib.loads(text)
    except ValueError:
        with pytest.raises(BadData):
            read_toml(text)
    else:
        assert read_toml(text) == expected


@given(st.binary(max_size=50))
def test_bytes_are_text_or_an_error_of_ours(data: bytes) -> None:
    with suppress(BadData):
        assert "\0" not in text_of(data)


@pytest.mark.parametrize("setting", TABLE, ids=lambda setting: setting.name)
@pytest.mark.parametrize("value", ["9" * 6001, "[" * 6001, "\ud800", "-" * 6001, "1e999"])
def test_a_variable_of_the_environment_is_read_or_refused_in_a_sentence(setting: Any, value: str) -> None:
    from chatcli.settings.file import read_environment

    assert len(said(lambda: read_environment(Settings(), {setting.variable: value}))) < 600


# What is no file.


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _bound(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(path.name)
    finally:
        os.chdir(here)


def _huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1_000_000_000)


NO_FILES: dict[str, tuple[Callable[[Path], None], str]] = {
    "a named pipe": (_fifo, "it is a named pipe"),
    "a device": (lambda path: path.symlink_to("/dev/zero"), "it is a device"),
    "a folder": (lambda path: path.mkdir(), "folder"),
    "a socket": (_bound, "it is a socket"),
    "a gigabyte": (_huge, "MB"),
}
PLACES: dict[str, Callable[[Path], object]] = {
    "a file to attach": lambda path: read_files(str(path)),
    "a picture": lambda path: read_image(str(path)),
    "a schema": lambda path: shape(str(path)),
    "an import": read_chats,
    "the settings": lambda path: read_file(Settings(), path),
    "a setting to write": lambda path: write_setting(path, table.SEED, "1"),
}
posix = pytest.mark.skipif(os.name != "posix", reason="pipes, sockets and devices are POSIX")


@posix
@pytest.mark.parametrize("what", NO_FILES)
@pytest.mark.parametrize("place", PLACES)
def test_what_is_no_file_or_too_large_is_called_what_it_is(place: str, what: str, tmp_path: Path) -> None:
    make, words = NO_FILES[what]
    path = tmp_path / "it.json"
    make(path)
    with pytest.raises((BadFile, ConfigError), match=words):
        PLACES[place](path)


@posix
@pytest.mark.parametrize("what", NO_FILES)
@pytest.mark.parametrize("given", [["--file"], ["--image"], ["--format"], ["--system"], ["chats", "import"]])
def test_the_shell_never_waits_for_what_is_no_file(
    given: list[str],
    what: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO()))
    make, words = NO_FILES[what]
    make(tmp_path / "it.json")
    named = f"{'@' if given == ['--system'] else ''}{tmp_path}/it.json"
    assert run([*given, named, "--demo", *([] if given[0] == "chats" else ["hi"])]) == 2
    assert words in " ".join(capsys.readouterr().err.split())


@posix
@pytest.mark.parametrize("what", NO_FILES)
def test_the_doctor_works_with_settings_that_are_no_file(
    what: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make, words = NO_FILES[what]
    home.mkdir()
    make(home / "config.toml")
    assert run(["doctor", "--demo"]) == 1
    assert words in " ".join(capsys.readouterr().out.split())


@posix
def test_a_pipe_of_the_shell_is_read_as_a_file_is(tmp_path: Path) -> None:
    (tmp_path / "chat.json").write_text('[{"role": "user", "content": "hi"}]')
    reading, writing = os.pipe()
    os.write(writing, b'{"type": "object"}')
    os.close(writing)
    assert shape(f"/dev/fd/{reading}") == {"type": "object"}
    os.close(reading)


@posix
def test_a_pipe_that_takes_the_place_of_a_file_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "it"
    path.write_text("x")
    told = path.stat()
    path.unlink()
    os.mkfifo(path)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "stat", lambda *_, **__: told)
        with pytest.raises(OSError, match="it is a named pipe"):
            read_bytes(path)


class Endless(io.RawIOBase):
    """As /dev/zero; counts what was taken."""

    def __init__(self) -> None:
        super().__init__()
        self.taken = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        self.taken += len(buffer)
        return len(buffer)


def test_standard_input_without_end_is_not_read_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    endless = Endless()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BufferedReader(endless)))
    with pytest.raises(BadFile, match="more than 50 MB"):
        read_piped()
    assert endless.taken < 2 * LARGEST


@posix
@pytest.mark.parametrize("made", ["os.mkfifo(path)", "os.truncate(os.open(path, 65), 1000000000)"])
def test_what_an_editor_leaves_is_taken_or_kept(
    made: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "editor.py"
    script.write_text(f"import os, sys\npath = sys.argv[1]\nos.unlink(path)\n{made}\n")
    for name in ("OLLAMA_EDITOR", "VISUAL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setenv("EDITOR", f'"{sys.executable}" "{script}"')
    with pytest.raises(BadFile, match="cannot be read"):
        edit("text that a person typed")
    (left,) = tmp_path.glob("chatcli-*.md")
    left.unlink()


@pytest.mark.parametrize("blanks", [0, 100_000])
def test_a_document_cannot_hide_its_size_behind_blanks(blanks: int) -> None:
    data = docx(paragraph("small"), {"word/comments.xml": b" " * blanks + b"<a>" + b" " * 60_000_000})
    with pytest.raises(BadFile, match="unpacks to more"):
        list(read_docx(Raw("it.docx", data)))


# One reader of each: a new place that reads by itself is found here.

MAY_PARSE = {
    "reading/json_toml.py",
    "paths.py",  # small files that chatcli has written itself, read before the first prompt
    "store/checks.py",  # shares no code with the readers, on purpose
    "tokens/vocabulary_file.py",  # the line at the head of a file of its own
    "reading/word_xml.py",  # writes an archive
}
MAY_READ = {
    "reading/files.py",
    "reading/zips.py",
    "tokens/encoding.py",  # files of the package
    "tokens/vocabulary_file.py",  # what a process of ours is given by us
    "store/write_ahead_log.py", "store/salvage.py",  # the store's own file, page by page
}  # fmt: skip
_PARSERS = {("json", "loads"), ("json", "load"), ("tomllib", "loads"), ("tomllib", "load"), ("zipfile", "ZipFile")}


def _calls(path: Path) -> Iterator[tuple[str, str]]:
    """(what it is called on, the name) of every call of an attribute."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield ast.unparse(node.func.value), node.func.attr


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_module_parses_or_reads_by_itself(path: Path) -> None:
    name = path.relative_to(PACKAGE).as_posix()
    if name.startswith("demo/"):
        return  # a process of its own, which reads what chatcli sends
    calls = set(_calls(path))
    if name not in {*MAY_PARSE, "reading/zips.py"}:
        assert not calls & _PARSERS
    if name not in MAY_READ:
        assert not {
            each
            for each in calls
            if each[1] in {"read_text", "read_bytes"} or each == ("sys.stdin.buffer", "read")
        }
