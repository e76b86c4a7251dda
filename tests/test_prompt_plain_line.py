from __future__ import annotations

import io
import os
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from chatcli.prompt.history import LineHistory
from chatcli.prompt.line import Closed, Interrupted, ReaderOptions, TypedLine
from chatcli.prompt.reader import Reader
from chatcli.prompt.toolbar import Toolbar
from tests.faults import Engine
from tests.starting import end

# Reads line after line until the end; a line `ask` asks, and `edit this` prefills the next one.
PROGRAM = """
from pathlib import Path
from chatcli.prompt.history import LineHistory
from chatcli.prompt.line import ReaderOptions
from chatcli.prompt.reader import Closed, Reader
from chatcli.prompt.toolbar import Toolbar

options = ReaderOptions(from_terminal={from_terminal}, plain={plain})
reader = Reader(LineHistory(Path({history!r})), lambda _: [], lambda: Toolbar("m", "0", 0, 0), options)
reader.on_first_render(lambda: print("READY", flush=True))
prefill = ""
while not isinstance(line := reader.read(prefill), Closed):
    print("GOT", repr(line), flush=True)
    prefill = "to be edited" if "edit this" in repr(line) else ""
    if "ask" in repr(line):
        print("ANSWER", reader.ask("Sure?"), reader.choose("Which?", ["a", "b"]), flush=True)
reader.close()
print("BYE", flush=True)
"""


def reader() -> Reader:
    return Reader(None, lambda _: [], lambda: Toolbar("m", "0", 0, 0), ReaderOptions(plain=True))


def read_all(monkeypatch: pytest.MonkeyPatch, typed: str, prefill: str = "") -> list[object]:
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    lines: list[object] = []
    plain = reader()
    while not isinstance(line := plain.read(prefill), Closed):
        lines.append(line)
        prefill = ""
    return lines


def test_lines_and_blocks_are_read(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    lines = read_all(monkeypatch, 'hello\n"""one\ntwo\n"""\n/help\n')
    assert lines == [TypedLine("hello"), TypedLine("one\ntwo", pasted=True), TypedLine("/help")]
    assert capsys.readouterr().out == ">>> >>> ... ... >>> >>> "


def test_a_prefill_is_shown_and_enter_sends_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert read_all(monkeypatch, "\n", prefill="what I said") == [TypedLine("what I said")]
    assert "what I said\n" in capsys.readouterr().out
    assert read_all(monkeypatch, "something else\n", prefill="what I said") == [TypedLine("something else")]


def test_a_dumb_terminal_is_read_plainly(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr("sys.stdin", io.StringIO("hello\n"))
    assert Reader(None, lambda _: [], lambda: Toolbar("m", "0", 0, 0)).read() == TypedLine("hello")
    assert capsys.readouterr().out == ">>> "


def test_lines_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    history = LineHistory(None)
    monkeypatch.setattr("sys.stdin", io.StringIO("one\ntwo\n"))
    plain = Reader(history, lambda _: [], lambda: Toolbar("m", "0", 0, 0), ReaderOptions(plain=True))
    plain.read()
    plain.read()
    plain.refresh()
    assert history.lines() == ["two", "one"]


def test_questions_are_asked_plainly(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n2\n"))
    plain = reader()
    assert plain.ask("Sure?") is True
    assert plain.choose("Which?", ["a", "b"]) == 1
    assert plain.choose("Which?", ["a", "b"]) is None
    assert "  1  a\n  2  b\n" in capsys.readouterr().out


def test_ctrl_c_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(prompt: str) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("builtins.input", interrupted)
    assert reader().read() == Interrupted()


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
class TestAtATerminal:
    @contextmanager
    def terminal(
        self, tmp_path: Path, term: str, command: str = "{python} -c {program}", *, plain: bool = False
    ) -> Iterator[Any]:
        import shlex

        import pexpect

        program = PROGRAM.format(
            history=str(tmp_path / "lines.db"), from_terminal="<" in command or "|" in command, plain=plain
        )
        line = command.format(python=shlex.quote(sys.executable), program=shlex.quote(program))
        child = pexpect.spawn(
            "/bin/sh",
            ["-c", line],
            cwd=str(Path(__file__).parent.parent),
            env={**os.environ, "TERM": term},
            timeout=20,
            encoding="utf-8",
            dimensions=(24, 80),
        )
        try:
            yield child
            child.expect("BYE")
            child.expect(pexpect.EOF)
        finally:
            end(child)

    def test_nothing_is_drawn_twice(self, tmp_path: Path) -> None:
        with self.terminal(tmp_path, "dumb") as child:
            child.expect("READY")
            child.expect_exact(">>> ")
            child.send("hello\r")
            child.expect_exact("hello\r\nGOT TypedLine(text='hello', pasted=False)")
            child.expect_exact(">>> ")
            child.send("ask\r")
            child.expect_exact("Sure? [y/N] ")
            child.send("y\r")
            child.expect_exact(" (Enter cancels): ")
            child.send("b\r")
            child.expect_exact("ANSWER True 1")
            assert not re.search(r"\x1b\[", child.before)
            child.expect_exact(">>> ")
            child.send("\x04")

    def test_up_recalls_and_a_prefill_can_be_edited(self, tmp_path: Path) -> None:
        LineHistory(tmp_path / "lines.db").add("edit this")
        with self.terminal(tmp_path, "dumb") as child:
            child.expect_exact(">>> ")
            child.send("\x10\r")
            child.expect_exact("GOT TypedLine(text='edit this', pasted=False)")
            child.expect_exact(">>> to be edited")
            child.send("!\r")
            child.expect_exact("GOT TypedLine(text='to be edited!', pasted=False)")
            child.expect_exact(">>> ")
            child.send("\x04")
        assert LineHistory(tmp_path / "lines.db").lines() == ["to be edited!", "edit this"]

    @pytest.mark.parametrize("term", ["dumb", "xterm"])
    def test_with_standard_input_taken_the_terminal_is_read(self, tmp_path: Path, term: str) -> None:
        with self.terminal(tmp_path, term, "echo piped | {python} -c {program}") as child:
            child.expect_exact(">>> ")
            child.send("typed\r")
            child.expect_exact("GOT TypedLine(text='typed', pasted=False)")
            child.expect_exact(">>> ")
            child.send("\x04")

    @pytest.mark.parametrize("term", ["dumb", "xterm"])
    @pytest.mark.parametrize(
        ("sent", "line"),
        [
            ("echo one\rtwo\r/clear\r", TypedLine("echo one\ntwo\n/clear", pasted=True)),
            ("echo one\ntwo\n/clear\n", TypedLine("echo one\ntwo\n/clear", pasted=True)),
            ("/clear\r/bye\r", TypedLine("/clear\n/bye", pasted=True)),
            ("one\rtwo", TypedLine("one\ntwo", pasted=True)),
            ("\x1b[200~echo one\rtwo\r/clear\x1b[201~", TypedLine("echo one\ntwo\n/clear", pasted=True)),
            ("\x1b[200~echo one\rtwo\r/clear\r\x1b[201~", TypedLine("echo one\ntwo\n/clear\n", pasted=True)),
            ("\x1b[200~/clear\x1b[201~", TypedLine("/clear", pasted=True)),
            ('\x1b[200~"""A\x1b[201~', TypedLine('"""A', pasted=True)),
            ("what is \x1b[200~this\x1b[201~", TypedLine("what is this")),
            ("say \x1b[200~this\rthat\x1b[201~", TypedLine("say this\nthat")),
            ("/set system \x1b[200~Be brief.\rVery.\x1b[201~", TypedLine("/set system Be brief.\nVery.")),
            ("\x1b[200~one\rtwo", TypedLine("one\ntwo", pasted=True)),
            ("\x1b[200~one\x1b[200~\rtwo\x1b[201~", TypedLine("one\ntwo", pasted=True)),
            ("one\x1b[201~ two", TypedLine("one two")),
            ("\x1b[200~x\x1b[201~ y \x1b[200~/bye\rz\x1b[201~", TypedLine("x y /bye\nz", pasted=True)),
        ],
    )
    def test_a_paste_is_one_message_and_no_command(
        self, tmp_path: Path, term: str, sent: str, line: TypedLine
    ) -> None:
        with self.terminal(tmp_path, term, plain=True) as child:
            child.expect_exact(">>> ")
            assert (b"\x1b[?2004h" in child.before.encode()) == (term == "xterm")
            child.send(sent)
            if not sent.endswith(("\r", "\n")):
                child.expect_exact(re.split(r"\r|\x1b\[20.~", sent.removesuffix("\x1b[201~"))[-1])
                child.send("\r")
            child.expect_exact(f"GOT {line!r}")
            child.expect_exact(">>> ")
            assert term == "xterm" or "\x1b" not in child.before
            child.send("\x04")

    def test_a_paste_of_many_lines_is_whole(self, tmp_path: Path) -> None:
        lines = [f"line {at}" for at in range(1500)]  # more than the system keeps for one who does not read
        with self.terminal(tmp_path, "dumb") as child:
            child.expect_exact(">>> ")
            child.delaybeforesend = None
            # Beside the reading: a program that nobody reads from stops reading, too, and the sending never ends.
            sending = threading.Thread(target=child.send, args=["\r".join(lines) + "\r"], daemon=True)
            sending.start()
            child.expect_exact(f"GOT {TypedLine(chr(10).join(lines), pasted=True)!r}")
            sending.join()
            child.expect_exact(">>> ")
            child.send("\x04")

    def test_ctrl_c_ends_a_paste_without_an_end_and_keeps_its_text(self, tmp_path: Path) -> None:
        with self.terminal(tmp_path, "xterm", plain=True) as child:
            child.expect_exact(">>> ")
            child.send("\x1b[200~/clear\rtwo")
            child.expect_exact("... two")
            child.send("\x03")
            child.expect_exact("... two")
            child.send("!\r")
            child.expect_exact(f"GOT {TypedLine(chr(10).join(['/clear', 'two!']), pasted=True)!r}")
            child.expect_exact(">>> ")
            child.send("\x04")

    def test_ctrl_d_in_an_open_block_ends_nothing(self, tmp_path: Path) -> None:
        with self.terminal(tmp_path, "dumb") as child:
            child.expect_exact(">>> ")
            child.send('"""one\r')
            child.expect_exact("... ")
            child.send("\x04")
            child.expect_exact("... ")
            child.send('two"""\r')
            child.expect_exact(f"GOT {TypedLine(chr(10).join(['one', 'two']), pasted=True)!r}")
            child.expect_exact(">>> ")
            child.send("\x04")


@pytest.mark.skipif(os.name != "posix", reason="a pty is POSIX's")
def test_what_is_said_after_ctrl_c_and_ctrl_d_begins_a_line_of_its_own() -> None:
    from tests.test_terminal import terminal

    with Engine() as engine, terminal("--plain", "-m", "demo", url=engine.url) as person:
        person.see('""" begins a text of several lines', ">>>")
        person.enter("hello")
        person.until(lambda: person.text.count(">>>") == 2)
        person.press("half a line")
        person.see(">>> half a line")
        person.settle()  # until readline has the line
        person.press("\x03")
        person.see("\nTo leave, press Ctrl-D")
        person.press("\x04")
        person.see("\nKept as")
