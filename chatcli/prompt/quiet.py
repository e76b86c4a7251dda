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

# So that a paste stays one paste: without marks, every line of it would end in an Enter.
_MARK_PASTES = "\x1b[?2004h"
_DO_NOT_MARK_PASTES = "\x1b[?2004l"


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
    marks_pastes = not plain and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"

    def quieten() -> None:
        _set(descriptor, _quietened(before), _MARK_PASTES if marks_pastes else "")

    def restore() -> None:
        _set(descriptor, before, _DO_NOT_MARK_PASTES if marks_pastes else "")

    try:
        try:
            quieten()
            with _again_after_suspension(quieten):
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
def _again_after_suspension(quieten: Callable[[], None]) -> Iterator[None]:
    """After Ctrl+Z and fg the terminal is as the shell left it: make it quiet once more."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGCONT, lambda *_: quieten())
    try:
        yield
    finally:
        signal.signal(signal.SIGCONT, before or signal.SIG_DFL)


def _set(descriptor: int, attributes: list[Any], sequence: str) -> None:
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
