"""The cursor, hidden while a reply is drawn, and back whenever somebody else has the terminal."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

_HIDE, _SHOW = "\x1b[?25l", "\x1b[?25h"


class Cursor:
    """`displaced` becomes true when the process was stopped (Ctrl-Z) and goes on: the shell has written."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._before: Any = None
        self.displaced = False

    def hide(self) -> None:
        self._write(_HIDE)
        if hasattr(signal, "SIGTSTP") and threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGTSTP, self._stop)

    def show(self) -> None:
        if self._before is not None:
            signal.signal(signal.SIGTSTP, self._before)
            self._before = None
        self._write(_SHOW)

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        self._write(_SHOW)
        signal.signal(number, self._before)
        os.kill(os.getpid(), number)  # here the process stands still, until it is continued
        signal.signal(number, self._stop)
        self.displaced = True
        self._write(_HIDE)
