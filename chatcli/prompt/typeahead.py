"""The keyboard while a reply comes: nothing is echoed into it, and what is typed waits for the next prompt.

Keys are kept as they were pressed, so an Enter among them sends what was typed before it. Ctrl+C stays a signal.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

from chatcli.suspension import lent

# So that a paste stays one paste: without marks, every line of it would end in an Enter.
MARK_PASTES = "\x1b[?2004h"
DO_NOT_MARK_PASTES = "\x1b[?2004l"


def can_mark_pastes() -> bool:
    """Whether the terminal may be asked to mark pastes. One that is dumb would show the request."""
    return sys.stdout.isatty() and os.environ.get("TERM", "").lower() not in {"dumb", "unknown"}


@contextmanager
def quiet_keyboard(keyboard: TextIO | None = None, *, marks_pastes: bool = True) -> Iterator[None]:
    """Does nothing where `keyboard` (standard input) is no terminal, and on Windows.

    A paste stays one paste, where the terminal can mark it; with `marks_pastes` off, nobody would know the marks.
    """
    descriptor = _terminal(keyboard or sys.stdin)
    if descriptor is None:
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
        restore()  # a second Ctrl+C may have struck during the first


def _terminal(keyboard: TextIO | None) -> int | None:
    """The descriptor of `keyboard`, when it is a terminal whose manners can be changed."""
    if os.name != "posix" or keyboard is None:
        return None
    try:
        return keyboard.fileno() if keyboard.isatty() else None
    except (OSError, ValueError):  # no real file, or closed
        return None


def quietened(attributes: list[Any]) -> list[Any]:
    """The manners of a terminal that keeps keys as they are pressed, and shows none."""
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


def set_terminal(descriptor: int, attributes: list[Any], sequence: str = "") -> None:
    """Nothing is touched from the background, where it would stop the process, nor on a terminal that is gone."""
    import termios

    with suppress(OSError, ValueError, termios.error):
        if _is_in_background(descriptor):
            return
        termios.tcsetattr(descriptor, termios.TCSANOW, attributes)
        # Past any buffer: this may be a signal handler.
        os.write(sys.stdout.fileno(), sequence.encode())


def _is_in_background(descriptor: int) -> bool:
    try:
        return os.tcgetpgrp(descriptor) != os.getpgrp()
    except OSError:  # not the terminal that controls us
        return False
