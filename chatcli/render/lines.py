"""Spans of styled text, and how they wrap into lines of a width. Widths are in cells, as terminals count them.

wcwidth finds the visible characters and their widths. Its wrap() is not used: it takes and returns strings, so it
knows no spans, it counts joined emoji as one terminal shows them, and it takes 24 times as long for plain English.

A Line is text with its escapes, not Rich's segments: it is compared, measured and written as it is; Rich decides
what the escapes are (theme.py). To print finished lines through its Console would add 2 % to streaming, and the
live ones would need their text all the same.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from chatcli.pattern import pattern
from chatcli.text import cells, cluster_cells, clusters

__all__ = [
    "BLANK",
    "ESCAPE",
    "Line",
    "Span",
    "both",
    "cells",
    "chop",
    "jump",
    "plain",
    "prose_width",
    "to_line",
    "wrap",
]

# The escapes in a Line: looks, links, and the cursor moves of jump().
_ESCAPE = r"\x1b\[[0-9;]*[mCX]|\x1b\]8;;[^\x1b]*\x1b\\|\x1b[78]"
ESCAPE = pattern(_ESCAPE)
_PARTS = pattern(rf"{_ESCAPE}|[^\x1b]+")
_RESET = "\x1b[0m"
_LONGEST_WORD = 2048  # characters that are left whole
_UNBROKEN = 8192  # cells of a line that is not broken: more than a paragraph has, and cheap to draw while it grows
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


def prose_width(width: int, prose: int) -> int:
    """Returns the cells of a line of running text on a screen of `width`: at most `prose` of them; if that is 0,
    lines are not broken at all, and the terminal continues them in its next row.
    """
    return min(width, prose) if prose else _UNBROKEN


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
    """Returns whole escapes, and each visible character on its own."""
    for part in _PARTS.findall(text):
        yield from [part] if part.startswith("\x1b") else _pieces(part, width)


def _pieces(text: str, width: int) -> Iterator[str]:
    """Returns the visible characters; one that does not fit a line of `width` cells is taken apart."""
    for cluster in clusters(text):
        fits = cluster_cells(cluster) <= width and len(cluster) <= width * _DENSEST
        yield from [cluster] if fits else cluster


def wrap(spans: Sequence[Span], width: int, whole: bool = False) -> list[list[Span]]:
    """Breaks `spans` into lines of at most `width` cells: at spaces, at newlines, between wide characters.

    A word longer than a line is cut, or left `whole` on a line of its own, which the terminal wraps: so it can be
    copied and clicked. Returns at least one line, an empty one for no text.
    """
    text = "".join(span.text for span in spans)
    if "\n" not in text and len(text) <= width * _DENSEST and cells(text) <= width:
        return [list(spans)]
    return list(_slices(spans, _breaks(text, max(1, width), whole)))


def _breaks(text: str, width: int, whole: bool) -> Iterator[tuple[int, int]]:
    start = 0
    for part in text.split("\n"):
        for begin, end in _breaks_in_line(part, width, whole):
            yield start + begin, start + end
        start += len(part) + 1


def _breaks_in_line(text: str, width: int, whole: bool) -> Iterator[tuple[int, int]]:
    pieces, ends, used = _measured(text, width)
    at, last = 0, len(pieces)
    word, is_endless = 0, False  # the end of the last word that is too long for a line
    while True:
        dense = bisect_right(ends, ends[at] + width * _DENSEST) - 1
        end = max(at + 1, min(dense, bisect_right(used, used[at] + width) - 1))
        if end >= last:
            yield ends[at], len(text)
            return
        stop = _stop(pieces, used, at, end)
        if whole and stop == end:
            if word <= at:
                word = _word_end(pieces, used, end)
                is_endless = ends[word] - ends[at] > _LONGEST_WORD
            stop = end if is_endless else word
        yield ends[at], ends[at] + len(text[ends[at] : ends[stop]].rstrip(" "))
        at = stop
        while at < last and pieces[at] == " ":
            at += 1
        if at == last:
            return


def _measured(text: str, width: int) -> tuple[Sequence[str], Sequence[int], Sequence[int]]:
    """Returns the visible characters, and for each number of them the characters and the cells that they take."""
    if text.isascii():
        return text, range(len(text) + 1), range(len(text) + 1)
    pieces = list(_pieces(text, width))
    return pieces, [0, *accumulate(map(len, pieces))], [0, *accumulate(map(cluster_cells, pieces))]


def _stop(pieces: Sequence[str], used: Sequence[int], start: int, end: int) -> int:
    """Returns the last index up to `end` at a space or beside a wide character; `end` if there is none."""
    stop = end
    if isinstance(pieces, str):  # ASCII
        stop = pieces.rfind(" ", start + 1, end + 1)
    else:
        while stop > start and pieces[stop] != " " and used[stop + 1] - used[stop - 1] < 3:
            stop -= 1
    return stop if "".join(pieces[start : max(start, stop)]).strip() else end


def _word_end(pieces: Sequence[str], used: Sequence[int], at: int) -> int:
    """Returns the next index from `at` on where a word ends."""
    if isinstance(pieces, str):  # ASCII
        stop = pieces.find(" ", at)
        return stop if stop >= 0 else len(pieces)
    while at < len(pieces) and pieces[at] != " " and used[at + 1] - used[at - 1] < 3:
        at += 1
    return at


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
