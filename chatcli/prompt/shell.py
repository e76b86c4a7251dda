"""Runs a command in the user's own shell: the terminal is lent to it, and what it prints is recorded."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple, TextIO

from chatcli.errors import NotFound
from chatcli.paths import in_shell
from chatcli.reading.terminal_codes import as_shown
from chatcli.suspension import handed_over

MOST = 20_000  # characters that are kept of the output: its beginning and its end
_RECORDED = 4_000_000  # bytes of it that are held; what comes in between is only shown
_PAUSE = 0.1  # seconds of silence after which it is asked whether the program has ended
_FULL_SCREEN = b"\x1b[?1049h"  # an editor or a pager: what it draws is no output


class Ran(NamedTuple):
    """`output`: what was printed, without terminal codes; "" for a program that filled the screen. `left_out`:
    characters missing in its middle.
    """

    status: int
    output: str
    left_out: int = 0


def run(command: str, keyboard: TextIO | None = None) -> Ran:
    """Raises NotFound when the shell does not start. `keyboard`: the terminal, when it is not standard input."""
    words = in_shell(command)
    source = keyboard or sys.stdin
    with handed_over():
        if sys.platform != "win32" and source.isatty() and sys.stdout.isatty():
            status, recorded = _in_terminal(words, source.fileno(), sys.stdout.fileno())
        else:
            status, recorded = _through_pipe(words)
    text = as_shown(recorded.decode("utf-8", "replace").replace("\r\n", "\n")).strip("\n")
    return Ran(status, *_bounded("" if _FULL_SCREEN in recorded else text))


def _bounded(text: str) -> tuple[str, int]:
    if len(text) <= MOST:
        return text, 0
    left = len(text) - MOST
    return f"{text[: MOST // 2]}\n[{left} characters are left out here]\n{text[-MOST // 2 :]}", left


def _through_pipe(words: list[str]) -> tuple[int, bytes]:
    try:
        ran = subprocess.run(  # noqa: S603  the person's own command
            words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
        )
    except OSError as error:
        raise NotFound(
            f"The shell {words[0]} did not start: {error.strerror}.", "Set SHELL to one you have."
        ) from None
    sys.stdout.write(ran.stdout.decode("utf-8", "replace"))
    sys.stdout.flush()
    return ran.returncode, ran.stdout


def _in_terminal(words: list[str], source: int, sink: int) -> tuple[int, bytes]:
    """Runs it in a terminal of its own, which passes keys and output on: so it may ask, page and color."""
    if sys.platform == "win32":
        raise NotImplementedError
    import pty

    child, master = pty.fork()
    if child == 0:  # nothing but the program may run here
        with suppress(OSError):
            os.execvp(words[0], words)  # noqa: S606  the person's own shell
        os.write(2, f"{words[0]} did not start. Set SHELL to a shell you have.\n".encode())
        os._exit(127)
    recorded = bytearray()
    ended: int | None = None
    try:
        with _as_large(master, source), _raw(source):
            ended = _pass_on(child, master, source, sink, recorded)
    finally:
        os.close(master)
        if ended is None:
            _, ended = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(ended), bytes(recorded)


def _pass_on(child: int, master: int, source: int, sink: int, recorded: bytearray) -> int | None:
    """Passes on keys and output until the program has ended, or nobody has its terminal any more. What it has
    left in the background is not waited for. Returns how it ended, None if that is not known yet.
    """
    if sys.platform == "win32":
        raise NotImplementedError
    while True:
        ready, _, _ = select.select([master, source], [], [], _PAUSE)
        if not ready:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                return status
        if source in ready:
            keys = os.read(source, 1024)
            if keys:
                os.write(master, keys)
        if master in ready:
            try:
                came = os.read(master, 65536)
            except OSError:  # Linux says so when no program has it any more
                came = b""
            if not came:
                return None
            os.write(sink, came)
            if len(recorded) < _RECORDED:
                recorded += came


@contextmanager
def _as_large(master: int, source: int) -> Iterator[None]:
    """Gives the terminal of the program the size of the real one, now and whenever that changes."""
    if sys.platform == "win32":
        raise NotImplementedError
    import signal
    import termios

    def take_size(*_: object) -> None:
        with suppress(termios.error):
            termios.tcsetwinsize(master, termios.tcgetwinsize(source))

    take_size()
    before: Callable[..., Any] | int | None = signal.signal(signal.SIGWINCH, take_size)
    try:
        yield
    finally:
        signal.signal(signal.SIGWINCH, before)


@contextmanager
def _raw(source: int) -> Iterator[None]:
    """Every key goes to the program, Ctrl-C among them."""
    if sys.platform == "win32":
        raise NotImplementedError
    import termios
    import tty

    before = termios.tcgetattr(source)
    tty.setraw(source, termios.TCSANOW)
    try:
        yield
    finally:
        with suppress(termios.error):  # the terminal is gone
            termios.tcsetattr(source, termios.TCSANOW, before)
