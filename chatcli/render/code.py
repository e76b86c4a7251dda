"""Draws growing code line by line in the colors of its language, without box or padding, so it copies cleanly.

Without colors, fenced code stands between two short rules, the first of which names the language.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from chatcli.render.lines import BLANK, Line, Span, to_line
from chatcli.render.sanitize import one_line
from chatcli.render.theme import Palette

if TYPE_CHECKING:
    from chatcli.render.lexing import Lexed, Lexing


_RULE = "───"


class Highlighter:
    """Call line() for each line in order, without its newline."""

    def __init__(self, language: str, palette: Palette) -> None:
        self._palette = palette
        self._lexing = _lexing(language)

    def copy(self) -> Highlighter:
        twin = Highlighter("", self._palette)
        twin._lexing = self._lexing.copy() if self._lexing else None
        return twin

    def line(self, text: str) -> list[Span]:
        if self._lexing is None:
            return [Span(text, self._palette["block"])] if text else []
        try:
            return self._spans(self._lexing.line(text))
        except Exception:  # some lexers fail on odd code: the reply must not fail with them
            self._lexing = None
            return self.line(text)

    def _spans(self, lexed: Lexed) -> list[Span]:
        spans: list[Span] = []
        for kind, part in lexed:
            shown = part.rstrip("\n")
            sgr = self._palette.token(kind)
            if spans and (spans[-1].sgr == sgr or shown.isspace()):
                spans[-1] = Span(spans[-1].text + shown, spans[-1].sgr)
            elif shown:
                spans.append(Span(shown, sgr))
        return spans


def _lexing(language: str) -> Lexing | None:
    if not language:
        return None
    from chatcli.render.lexing import lexing

    try:
        return lexing(language)
    except Exception:  # ... nor with a lexer that cannot be made
        return None


class Code:
    """add() takes lines; take() returns each at once: a line of code is final. The terminal wraps long ones.
    `is_fenced`: it stands between rules where there are no colors.
    """

    def __init__(self, palette: Palette, language: str, is_fenced: bool = False) -> None:
        self._highlighter = Highlighter(language, palette)
        self._lines: list[Line] = []
        self._end: list[Line] = []
        if is_fenced and palette.frames_code:
            rule = palette["rule"]
            self._lines = [to_line([Span(f"{_RULE} {one_line(language)}".rstrip(), rule)])]
            self._end = [to_line([Span(_RULE, rule)])]
        self._blank = 0  # pending blank lines: shown when another line follows
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

    extend = add  # the rest of an overlong line gets its own line

    def lines(self) -> list[Line]:
        return self._lines + self._end

    def take(self) -> list[Line]:
        self._lines, final = [], self._lines
        return final

    def resize(self, width: int) -> None:
        """Code has no width of its own."""
