from __future__ import annotations

import io
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from chatcli.prompt.typeahead import quiet_keyboard
from tests.starting import end

pexpect = pytest.importorskip("pexpect")
termios = pytest.importorskip("termios")

# A reply that comes until `over` exists, then one prompt after the other until Ctrl+D.
PROGRAM = """
import fcntl, struct, sys, termios, time
from pathlib import Path
from chatcli.prompt.line import ReaderOptions, TypedLine
from chatcli.prompt.typeahead import quiet_keyboard
from chatcli.prompt.reader import Closed, Reader
from chatcli.prompt.toolbar import Toolbar

over, plain = Path(sys.argv[1]), "plain" in sys.argv
reader = Reader(None, lambda _: [], lambda: Toolbar("m", "0", 0, 0), ReaderOptions(plain=plain))
before = termios.tcgetattr(0)

def typed():  # bytes that the kernel has ready to be read
    return struct.unpack("i", fcntl.ioctl(0, termios.FIONREAD, b"    "))[0]

try:
    with quiet_keyboard(marks_pastes=reader.marks_pastes):
        print("REPLY", flush=True)
        while not over.exists() or typed() < int(over.read_text() or 0):
            time.sleep(0.01)
        if "fail" in sys.argv:
            raise ValueError
except (KeyboardInterrupt, ValueError) as end:
    print(type(end).__name__, flush=True)
print("RESTORED" if termios.tcgetattr(0) == before else "CHANGED", flush=True)
while not isinstance(line := reader.read(), Closed):
    print("GOT", repr(line), flush=True)
print("BYE", flush=True)
"""


@contextmanager
def reply(tmp_path: Path, *words: str) -> Iterator[tuple[Any, Path]]:
    """The program in the middle of a reply, and the file that ends the reply."""
    over = tmp_path / "over"
    child = pexpect.spawn(
        sys.executable,
        ["-c", PROGRAM, str(over), *words],
        cwd=str(Path(__file__).parent.parent),
        timeout=20,
        encoding="utf-8",
        dimensions=(24, 80),
    )
    try:
        child.expect("REPLY")
        yield child, over
        child.expect("BYE")
        child.expect(pexpect.EOF)
    finally:
        end(child)


def leave(child: Any) -> None:
    """Ctrl+D counts once the prompt stands: before, nothing is ended by it."""
    if not str(child.after).startswith(">>> "):
        child.expect_exact(">>> ")
    child.send("\x04")


def type_during_reply(child: Any, over: Path, keys: str) -> None:
    """The reply ends when all these keys are in the kernel's hands, which takes it a moment."""
    child.send(keys)
    sent = over.with_suffix(".sent")
    sent.write_text(str(len(keys.encode())))
    sent.rename(over)


def test_what_is_typed_into_a_reply_is_the_next_line_and_is_not_echoed(tmp_path: Path) -> None:
    with reply(tmp_path) as (child, over):
        type_during_reply(child, over, "next qustion\x1b[D\x1b[D\x1b[D\x1b[D\x1b[De\r")
        child.expect("RESTORED")
        assert "question" not in child.before
        assert "next" not in child.before
        child.expect_exact("GOT TypedLine(text='next question', pasted=False)")
        leave(child)


def test_what_is_not_ended_by_enter_waits_in_the_line(tmp_path: Path) -> None:
    with reply(tmp_path) as (child, over):
        type_during_reply(child, over, "next quesx\x7f")
        child.expect("RESTORED")
        child.expect_exact("next ques")
        child.send("tion\r")
        child.expect_exact("GOT TypedLine(text='next question', pasted=False)")
        leave(child)


def test_a_paste_into_a_reply_is_one_line(tmp_path: Path) -> None:
    with reply(tmp_path) as (child, over):
        assert "\x1b[?2004h" in child.before
        type_during_reply(child, over, "\x1b[200~one\rtwo\r\x1b[201~")
        child.expect_exact("two")
        child.send("\r")
        child.expect_exact(r"GOT TypedLine(text='one\ntwo\n', pasted=True)")
        leave(child)


def test_ctrl_c_interrupts_and_keeps_what_was_typed(tmp_path: Path) -> None:
    with reply(tmp_path) as (child, _):
        child.send("next")
        child.send("\x03")
        child.expect("KeyboardInterrupt")
        child.expect("RESTORED")
        child.expect_exact("next")
        child.send("\r")
        child.expect_exact("GOT TypedLine(text='next', pasted=False)")
        leave(child)


def test_an_error_leaves_the_terminal_as_it_was(tmp_path: Path) -> None:
    with reply(tmp_path, "fail") as (child, over):
        over.touch()
        child.expect("ValueError")
        child.expect("RESTORED")
        child.expect_exact(">>> ")
        leave(child)


def test_after_a_suspension_it_is_quiet_again(tmp_path: Path) -> None:
    with reply(tmp_path) as (child, over):
        child.kill(signal.SIGSTOP)
        os.waitpid(child.pid, os.WUNTRACED)
        attributes = termios.tcgetattr(child.child_fd)
        attributes[3] |= termios.ECHO | termios.ICANON
        termios.tcsetattr(child.child_fd, termios.TCSANOW, attributes)
        child.kill(signal.SIGCONT)
        deadline = time.monotonic() + 20
        while termios.tcgetattr(child.child_fd)[3] & (termios.ECHO | termios.ICANON):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        over.touch()
        child.expect("RESTORED")
        child.expect_exact(">>> ")
        leave(child)


def test_in_the_background_the_terminal_is_left_alone(tmp_path: Path) -> None:
    program = "from chatcli.prompt.typeahead import quiet_keyboard\nwith quiet_keyboard(): print('DONE')"
    script = tmp_path / "script.py"
    script.write_text(program)
    shell = pexpect.spawn(
        "/bin/bash",
        ["--norc", "-i", "-c", f"set -m; '{sys.executable}' '{script}' </dev/tty & wait; jobs; echo END"],
        cwd=str(Path(__file__).parent.parent),
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
        timeout=20,
        encoding="utf-8",
    )
    try:
        shell.expect("DONE")
        shell.expect("END")
        assert "Stopped" not in shell.before
        shell.expect(pexpect.EOF)
    finally:
        end(shell)


@pytest.mark.parametrize("keys", ["\x04", "next\x04", "\x04\x04next"])
@pytest.mark.parametrize("words", [["usual"], ["plain"]])
def test_ctrl_d_in_a_reply_ends_nothing(tmp_path: Path, keys: str, words: list[str]) -> None:
    with reply(tmp_path, *words) as (child, over):
        type_during_reply(child, over, keys)
        child.expect("RESTORED")
        child.expect_exact("next" if "next" in keys else ">>> ")
        child.send("!\r")
        child.expect_exact(f"GOT TypedLine(text='{keys.strip(chr(4))}!', pasted=False)")
        leave(child)


def test_plain_lines_work_too_and_a_dumb_terminal_gets_no_marks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    with reply(tmp_path, "plain") as (child, over):
        type_during_reply(child, over, "next\r")
        child.expect("RESTORED")
        assert "\x1b" not in child.before
        child.expect_exact("GOT TypedLine(text='next', pasted=False)")
        leave(child)


def test_where_there_is_no_terminal_nothing_happens() -> None:
    with quiet_keyboard(io.StringIO("text")):
        pass
    closed = io.StringIO()
    closed.close()
    with quiet_keyboard(closed):
        pass
