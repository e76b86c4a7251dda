"""Highlighting line by line: the lexer's state is kept from line to line, so that it never starts over."""

from __future__ import annotations

import copy
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from chatcli.render.lines import Span
from chatcli.render.theme import Palette

if TYPE_CHECKING:
    from pygments.lexer import Lexer


class Highlighter:
    """line() by line(), each without its newline, in order."""

    def __init__(self, language: str, palette: Palette) -> None:
        self._palette = palette
        self._lexer = _lexer(language)
        self._stack: tuple[str, ...] = ("root",)

    def copy(self) -> Highlighter:
        return copy.copy(self)

    def line(self, text: str) -> list[Span]:
        if self._lexer is None:
            return [Span(text, self._palette["block"])] if text else []
        spans: list[Span] = []
        for kind, part in self._lexer.get_tokens(text):
            shown = part.rstrip("\n")
            if shown:
                spans.append(Span(shown, self._palette.token(kind)))
        return spans


@lru_cache(maxsize=16)
def _lexer(language: str) -> Lexer | None:
    if not language:
        return None
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    options: dict[str, Any] = {"stripnl": False, "ensurenl": True}
    try:
        return get_lexer_by_name(language, **options)
    except ClassNotFound:
        return None
