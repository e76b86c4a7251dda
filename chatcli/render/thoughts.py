"""Thinking while it comes: dim, plain lines, of which only the last one can still change."""

from __future__ import annotations

from collections import deque

from chatcli.render.lines import Line, Span, to_line, wrap
from chatcli.render.theme import Palette


class Thoughts:
    """feed() gives the lines that are final; glimpse() the end of it all, which still moves."""

    def __init__(self, palette: Palette, width: int, keep: int) -> None:
        self._palette, self._width = palette, width
        self._last: deque[Line] = deque(maxlen=keep)
        self._open = ""

    def feed(self, text: str) -> list[Line]:
        *whole, self._open = (self._open + text.expandtabs(4)).split("\n")
        lines = [line for part in whole for line in self._wrapped(part.rstrip())]
        *full, rest = wrap([Span(self._open)], self._width)
        lines += [self._dim(line) for line in full]
        space = " " if self._open.endswith(" ") else ""  # a full line has no room for it, yet the word has ended
        self._open = "".join(span.text for span in rest).rstrip(" ") + space
        self._last.extend(lines)
        return lines

    def finish(self) -> list[Line]:
        text, self._open = self._open.rstrip(), ""
        return self._wrapped(text) if text else []

    def glimpse(self) -> list[Line]:
        return [*self._last, *self._wrapped(self._open)]

    def open_line(self) -> list[Line]:
        return self._wrapped(self._open) if self._open else []

    def resize(self, width: int) -> None:
        self._width = width
        self._last.clear()

    def _wrapped(self, text: str) -> list[Line]:
        return [self._dim(line) for line in wrap([Span(text)], self._width)]

    def _dim(self, line: list[Span]) -> Line:
        return to_line([Span("".join(span.text for span in line), self._palette["thinking"])])
