"""Code that grows, line by line, in the colours of its language: no box, no padding, so that it copies clean."""

from __future__ import annotations

import copy

from chatcli.render.highlight import Highlighter
from chatcli.render.lines import BLANK, Line, to_line
from chatcli.render.theme import Palette


class Code:
    """add() lines; take() gives each at once: a line of code is final. The terminal wraps long ones."""

    def __init__(self, palette: Palette, language: str) -> None:
        self._highlighter = Highlighter(language, palette)
        self._lines: list[Line] = []
        self._blank = 0  # blank lines since the last other one: shown when another line follows
        self._begun = False

    def copy(self, _references: object) -> Code:
        twin = copy.copy(self)
        twin._highlighter, twin._lines = self._highlighter.copy(), []
        return twin

    def add(self, line: str) -> None:
        shown = self._highlighter.line(line.expandtabs(4).rstrip())
        if not shown:
            self._blank += self._begun
            return
        self._begun = True
        self._lines += [BLANK] * self._blank
        self._blank = 0
        self._lines.append(to_line(shown))

    extend = add  # the rest of an endless line goes on a line of its own

    def lines(self) -> list[Line]:
        return self._lines

    def take(self) -> list[Line]:
        self._lines, final = [], self._lines
        return final

    def resize(self, width: int) -> None:
        """Code has no width of its own."""
