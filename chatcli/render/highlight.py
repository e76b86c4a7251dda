"""Code in colours, line by line: what has been shown is never looked at again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatcli.render.lines import Span
from chatcli.render.theme import Palette

if TYPE_CHECKING:
    from chatcli.render.lexing import Lexed, Lexing


class Highlighter:
    """line() by line(), each without its newline, in order."""

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
        except Exception:  # some lexers stumble over odd code: that must not cost the reply
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

    return lexing(language)
