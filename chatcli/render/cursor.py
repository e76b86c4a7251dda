"""The cursor, hidden while a reply is drawn, and back whenever somebody else has the terminal."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

from chatcli.suspension import lent

_HIDE, _SHOW = "\x1b[?25l", "\x1b[?25h"


class Cursor:
    """`displaced` becomes true when the process was stopped (Ctrl-Z) and goes on: the shell has written."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._loan = ExitStack()
        self.displaced = False

    def hide(self) -> None:
        self._loan.enter_context(lent(lambda: self._write(_SHOW), self._hide_again))
        self._write(_HIDE)

    def show(self) -> None:
        self._loan.close()
        self._write(_SHOW)

    def _hide_again(self) -> None:
        self.displaced = True
        self._write(_HIDE)
