"""The keyboard while a reply comes: nothing is echoed into it, and what is typed waits for the next prompt.

Keys are kept as they were pressed, so an Enter among them sends what was typed before it. Ctrl+C stays a signal.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

_PASTES_ARE_MARKED = "\x1b[?2004h"
_PASTES_ARE_NOT_MARKED = "\x1b[?2004l"


@contextmanager
def quiet_keyboard(keyboard: TextIO | None = None, *, plain: bool = False) -> Iterator[None]:
    """Does nothing where `keyboard` (standard input) is no terminal, and on Windows.

    A paste stays one paste, unless the terminal is `plain` and has no marks for it.
    """
    descriptor = _terminal(keyboard or sys.stdin)
    if descriptor is None:
        yield
        return
    import termios

    before = termios.tcgetattr(descriptor)

    def restore() -> None:
        termios.tcsetattr(descriptor, termios.TCSANOW, before)

    def quiet() -> None:
        termios.tcsetattr(descriptor, termios.TCSANOW, _quietened(before))

    try:
        try:
            quiet()
            with _again_after_suspension(quiet), _pastes_marked(plain):
                yield
        finally:
            restore()
    finally:
        restore()  # a second Ctrl+C may have struck during the first


def _terminal(keyboard: TextIO | None) -> int | None:
    """The descriptor of `keyboard`, when it is a terminal whose manners can be changed."""
    if os.name != "posix" or keyboard is None:
        return None
    try:
        return keyboard.fileno() if keyboard.isatty() else None
    except (OSError, ValueError):  # no real file, or closed
        return None


def _quietened(attributes: list[Any]) -> list[Any]:
    import termios

    quiet = [*attributes[:6], list(attributes[6])]
    # Enter stays "\r", which is what the prompt takes for Enter; as "\n" it would begin a new line.
    quiet[0] &= ~(termios.ICRNL | termios.INLCR | termios.IGNCR)
    # Ctrl+C must not flush: neither what was typed, nor output in the middle of an escape sequence.
    quiet[3] |= termios.ISIG | termios.NOFLSH
    # Without line editing by the terminal, keys such as Backspace and the arrows are kept as they are.
    quiet[3] &= ~(termios.ECHO | termios.ICANON | termios.IEXTEN)
    quiet[6][termios.VMIN], quiet[6][termios.VTIME] = 1, 0
    return quiet


@contextmanager
def _again_after_suspension(quiet: Callable[[], None]) -> Iterator[None]:
    """After Ctrl+Z and fg the terminal is as the shell left it: make it quiet once more."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGCONT, lambda *_: quiet())
    try:
        yield
    finally:
        signal.signal(signal.SIGCONT, before)


@contextmanager
def _pastes_marked(plain: bool) -> Iterator[None]:
    """Have the terminal mark pastes, as it does at the prompt: or else every pasted line would end in an Enter."""
    if plain or not sys.stdout.isatty() or os.environ.get("TERM") == "dumb":
        yield
        return
    _write(_PASTES_ARE_MARKED)
    try:
        yield
    finally:
        _write(_PASTES_ARE_NOT_MARKED)


def _write(sequence: str) -> None:
    with suppress(OSError, ValueError):  # the terminal is gone; that shows elsewhere
        sys.stdout.write(sequence)
        sys.stdout.flush()
