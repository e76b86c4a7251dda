"""Ctrl-V takes the picture on the clipboard, or its text; a program that hangs or is missing is said."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

if os.name != "posix":
    pytest.skip("the programs here are scripts of a POSIX shell", allow_module_level=True)

from chatcli.prompt import clipboard
from chatcli.prompt.line import Interrupted, ReaderOptions, TypedLine
from tests.faults import Engine
from tests.test_terminal import terminal
from tests.typing_keys import keyboard, reader_at

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360000002000100"
    "05fe02fea7569f0000000049454e44ae426082"
)


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for the programs that read the clipboard; none is found anywhere else."""
    folder = tmp_path / "tools"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    monkeypatch.delenv("DISPLAY", raising=False)
    return folder


def holds(tools: Path, *, picture: bytes = b"", text: str = "") -> None:
    (tools / "picture").write_bytes(picture)
    (tools / "text").write_text(text)
    script = f'case "$*" in *image*) test -s {tools}/picture && cat {tools}/picture;; *) cat {tools}/text;; esac'
    program(tools, script)


def program(tools: Path, script: str) -> None:
    (tools / "wl-paste").write_text(f"#!/bin/sh\n{script}\n")
    (tools / "wl-paste").chmod(0o700)


def test_a_picture_goes_with_the_next_message(tools: Path) -> None:
    holds(tools, picture=PNG, text="not this")
    with Engine() as engine, terminal("-m", "demo-vision", url=engine.url) as person:
        person.see("Send a message")
        person.press("look\x16")
        person.see("1 picture attached")
        person.press(" at it\r")
        person.until(lambda: len(engine.chats) == 1)
        last = engine.chats[0]["messages"][-1]
        assert last["content"] == "look at it"
        assert len(last["images"]) == 1


def test_text_is_pasted_and_not_sent(tools: Path) -> None:
    holds(tools, text="/bye\nand more")
    with keyboard() as board:
        board.type("<c-v>")
        board.when("and more", then="<enter>")
        assert reader_at(board).read() == TypedLine("/bye\nand more", pasted=True)


def test_what_is_no_picture_is_said_and_the_line_stays(tools: Path) -> None:
    holds(tools, picture=b"no picture at all")
    with Engine() as engine, terminal("-m", "demo-vision", url=engine.url) as person:
        person.see("Send a message")
        person.press("typed\x16")
        person.see(">>> typed", "The picture on the clipboard is")


@pytest.mark.parametrize(("script", "said"), [(None, "No program reads the clipboard"), ("exit 1", "neither")])
def test_without_anything_to_paste_that_is_said(tools: Path, script: str | None, said: str) -> None:
    if script is not None:
        program(tools, script)
    with keyboard() as board:
        board.type("typed<c-v>")
        seen = board.when(said, then="<c-c><c-c>")
        assert reader_at(board).read() == Interrupted()
    assert seen[0] == ">>> typed"


def test_a_program_that_hangs_is_ended(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clipboard, "SECONDS", 0.2)
    program(tools, "exec sleep 600")
    assert clipboard.read() == ""


def test_a_picture_is_handed_over_as_it_is(tools: Path) -> None:
    holds(tools, picture=PNG)
    taken: list[bytes] = []
    with keyboard() as board:

        def take(data: bytes) -> None:
            taken.append(data)
            board.type("x<enter>")

        board.type("<c-v>")
        reader = reader_at(board, options=ReaderOptions(take_picture=take))
        assert reader.read() == TypedLine("x")
    assert taken == [PNG]
