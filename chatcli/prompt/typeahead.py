"""Quiets the keyboard while a reply is written: keys are not echoed, and wait for the next prompt.

Keys are kept as they were pressed, so an Enter among them sends what was typed before it. Ctrl+C stays a signal.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

from chatcli.suspension import lent

# Keeps a paste in one piece: without marks, every line of it would end in an Enter.
MARK_PASTES = "\x1b[?2004h"
DO_NOT_MARK_PASTES = "\x1b[?2004l"


def can_mark_pastes() -> bool:
    """Whether the terminal may be asked to mark pastes. A dumb terminal would print the request."""
    return sys.stdout.isatty() and os.environ.get("TERM", "").lower() not in {"dumb", "unknown"}


@contextmanager
def quiet_keyboard(keyboard: TextIO | None = None, *, marks_pastes: bool = True) -> Iterator[None]:
    """Does nothing if `keyboard` (standard input) is not a terminal, and on Windows.

    A paste stays one paste if the terminal can mark it; `marks_pastes` is off when no reader would know the marks.
    """
    descriptor = _terminal(keyboard or sys.stdin)
    if sys.platform == "win32" or descriptor is None:
        yield
        return
    import termios

    before = termios.tcgetattr(descriptor)
    marks = marks_pastes and can_mark_pastes()

    def quieten() -> None:
        set_terminal(descriptor, quietened(before), MARK_PASTES if marks else "")

    def restore() -> None:
        set_terminal(descriptor, before, DO_NOT_MARK_PASTES if marks else "")

    try:
        try:
            quieten()
            with lent(restore, quieten):
                yield
        finally:
            restore()
    finally:
        restore()  # a second Ctrl+C may have interrupted the first call


def _terminal(keyboard: TextIO | None) -> int | None:
    """Returns the descriptor of `keyboard`, if it is a terminal whose settings can be changed."""
    if sys.platform == "win32" or keyboard is None:
        return None
    try:
        return keyboard.fileno() if keyboard.isatty() else None
    except (OSError, ValueError):  # not a real file, or closed
        return None


def quietened(attributes: list[Any]) -> list[Any]:
    """Returns the settings of a terminal that keeps keys as they are pressed, and echoes none."""
    if sys.platform == "win32":
        raise NotImplementedError
    import termios

    quiet = [*attributes[:6], list(attributes[6])]
    # Enter stays "\r", which the prompt reads as Enter; "\n" would begin a new line.
    quiet[0] &= ~(termios.ICRNL | termios.INLCR | termios.IGNCR)
    # Ctrl+C must flush neither typed keys nor output in the middle of an escape sequence.
    quiet[3] |= termios.ISIG | termios.NOFLSH
    # The terminal does no line editing, so that keys such as Backspace and the arrows are kept as they are.
    quiet[3] &= ~(termios.ECHO | termios.ICANON | termios.IEXTEN)
    quiet[6][termios.VMIN], quiet[6][termios.VTIME] = 1, 0
    return quiet


def set_terminal(descriptor: int, attributes: list[Any], sequence: str = "") -> None:
    """Changes nothing from the background, where that would stop the process, nor on a terminal that is gone."""
    if sys.platform == "win32":
        raise NotImplementedError
    import termios

    with suppress(OSError, ValueError, termios.error):
        if _is_in_background(descriptor):
            return
        termios.tcsetattr(descriptor, termios.TCSANOW, attributes)
        # Bypasses every buffer: this may be a signal handler.
        os.write(sys.stdout.fileno(), sequence.encode())


def _is_in_background(descriptor: int) -> bool:
    if sys.platform == "win32":
        raise NotImplementedError
    try:
        return os.tcgetpgrp(descriptor) != os.getpgrp()
    except OSError:  # not our controlling terminal
        return False
