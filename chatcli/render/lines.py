"""Spans of styled text, and how they wrap into lines of a width. Widths are in cells, as terminals count them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from chatcli.text import cells, char_cells, clusters, joins

__all__ = ["BLANK", "ESCAPE", "Line", "Span", "both", "cells", "chop", "jump", "plain", "to_line", "wrap"]

# The escapes in a Line: looks, links, and the cursor moves of jump().
ESCAPE = re.compile(r"\x1b\[[0-9;]*[mCX]|\x1b\]8;;[^\x1b]*\x1b\\|\x1b[78]")
_PARTS = re.compile(rf"{ESCAPE.pattern}|[^\x1b]+")
_RESET = "\x1b[0m"
_DENSEST = 32  # characters in a cell, averaged over a line: endless combining marks must not make a line endless


class Span(NamedTuple):
    """A run of text with one look. `sgr`: codes such as "1;36"; `link`: the target of a click."""

    text: str
    sgr: str = ""
    link: str = ""


class Line(NamedTuple):
    """One line ready to be written: text with its escapes, and its width in cells."""

    text: str
    cells: int


BLANK = Line("", 0)


def both(outer: str, inner: str) -> str:
    """Joins two SGR codes."""
    return f"{outer};{inner}" if outer and inner else outer or inner


def to_line(spans: Iterable[Span]) -> Line:
    parts: list[str] = []
    width = 0
    for text, sgr, link in spans:
        width += cells(text)
        shown = f"\x1b[{sgr}m{text}\x1b[0m" if sgr else text
        parts.append(f"\x1b]8;;{link}\x1b\\{shown}\x1b]8;;\x1b\\" if link else shown)
    return Line("".join(parts), width)


def jump(text: Line, width: int) -> Line:
    """Puts `text` into `width` cells; what follows is aligned however wide the terminal draws `text`."""
    return Line(f"\x1b[{width}X\x1b7{text.text}\x1b8\x1b[{width}C", width)


def plain(line: Line) -> str:
    """Returns the visible text."""
    return ESCAPE.sub("", line.text)


def chop(line: Line, width: int) -> list[Line]:
    """Cuts the line anywhere into pieces of at most `width` cells; a look that continues begins again in each."""
    pieces: list[Line] = []
    shown, used, look = "", 0, ""
    for part in _parts(line.text, width):
        if part.startswith("\x1b"):
            if part[-1] in "m\\":
                look = "" if part == _RESET else look + part
            shown += part
            continue
        size = cells(part)
        if used + size > width:
            pieces.append(Line(shown + (_RESET if look else ""), used))
            shown, used = look, 0
        shown += part
        used += size
    return [*pieces, Line(shown, used)]


def _parts(text: str, width: int) -> Iterator[str]:
    """Returns whole escapes, and each visible character on its own if it fits `width` cells."""
    for part in _PARTS.findall(text):
        if part.startswith("\x1b"):
            yield part
        else:
            for cluster in clusters(part):
                yield from [cluster] if cells(cluster) <= width else cluster


def wrap(spans: Sequence[Span], width: int) -> list[list[Span]]:
    """Breaks `spans` into lines of at most `width` cells: at spaces, at newlines, between wide characters.

    A word longer than a line is cut. Returns at least one line, an empty one for no text.
    """
    text = "".join(span.text for span in spans)
    if "\n" not in text and (len(text) if text.isascii() else _cells_in_line(text, width)) <= width:
        return [list(spans)]
    return list(_slices(spans, _breaks(text, max(1, width))))


def _cells_in_line(text: str, width: int) -> int:
    """Same as cells(), but more than `width` when the text is too dense for one line."""
    return cells(text) if len(text) <= width * _DENSEST else width + 1


def _breaks(text: str, width: int) -> Iterator[tuple[int, int]]:
    start = 0
    for part in text.split("\n"):
        for begin, end in _breaks_in_line(part, width):
            yield start + begin, start + end
        start += len(part) + 1


def _breaks_in_line(text: str, width: int) -> Iterator[tuple[int, int]]:
    start, size = 0, len(text)
    ascii_only = text.isascii()
    while True:
        end = start + width if ascii_only else _reach(text, start, width)
        if end >= size:
            yield start, size
            return
        stop = end if text[end] == " " else text.rfind(" ", start, end)
        if not ascii_only and text[end] != " ":
            stop = max(stop, _wide_break(text, start, end))
        stop = stop if stop > start and text[start:stop].strip() else end
        yield start, start + len(text[start:stop].rstrip(" "))
        start = stop
        while start < size and text[start] == " ":
            start += 1
        if start >= size:
            return


def _reach(text: str, start: int, width: int) -> int:
    """Returns the first index that does not fit; a visible character stays whole if it fits at all."""
    at, used = start, 0
    most = min(len(text), start + width * _DENSEST)
    while at < most:
        end = at + 1
        while end < most and joins(text, end):
            end += 1
        used += cells(text[at:end])
        if used > width:
            break
        at = end
    return at if at > start else _reach_in_one(text, start, width)


def _reach_in_one(text: str, start: int, width: int) -> int:
    """Same inside a character too wide for a whole line; a base and its marks still stay together."""
    at, used = start, 0
    while at < min(len(text), start + width * _DENSEST) and (used := used + cells(text[at])) <= width:
        at += 1
    while at < len(text) and at > start + 1 and not char_cells(text[at]):
        at -= 1
    return max(at, start + 1)


def _wide_break(text: str, start: int, end: int) -> int:
    for at in range(end, start, -1):
        if (char_cells(text[at - 1]) == 2 or char_cells(text[at]) == 2) and not joins(text, at):
            return at
        if text[at - 1] == " ":
            break
    return -1


def _slices(spans: Sequence[Span], ranges: Iterable[tuple[int, int]]) -> Iterator[list[Span]]:
    index, offset = 0, 0  # `offset`: where spans[index] begins in the whole text
    for start, end in ranges:
        line: list[Span] = []
        while index < len(spans) and offset + len(spans[index].text) <= start:
            offset += len(spans[index].text)
            index += 1
        at, base = index, offset
        while at < len(spans) and base < end:
            span = spans[at]
            piece = span.text[max(0, start - base) : end - base]
            if piece:
                line.append(Span(piece, span.sgr, span.link))
            base += len(span.text)
            at += 1
        yield line
