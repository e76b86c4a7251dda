"""Lays out cells in columns that fit a width, for Markdown tables and for chatcli's own.

rich.table is not used. A table in a reply needs rows that are drawn once, and columns that align however wide the
terminal draws an emoji, so these rows would stay; for listings alone, rich.table takes 13 times as long (17 ms for
40 rows), adds 30 ms of imports, and counts 1,058 characters otherwise than wcwidth, which the toolbar goes by.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from chatcli.render.lines import Line, Span, jump, to_line, wrap
from chatcli.text import cells, is_sure

Cell = list[Span]
Align = Literal["left", "right", "center"]

_GAP = "  "
_READABLE = 10  # cells that a word may need, so that columns which break it are too narrow to read
_FEWEST = 6  # cells that a longer text needs even if its words are short, or have no spaces between them
_SHIFT = 12  # cells by which a row may shift its later columns, so that a cell need not be wrapped
_WORDS = re.compile(r"[\s\u2e80-\ua4cf\uac00-\ud7af\uf900-\ufaff\uff00-\uff60]+")  # between wide characters too
_SPACE = Line(_GAP, len(_GAP))


class Row:
    """One row of cells, which remembers how it was drawn last. `jumps`: it goes to a terminal whose cursor can be
    moved, so that columns align even if the width of emoji is unknown.
    """

    def __init__(self, row: Sequence[Cell], aligns: Sequence[Align], jumps: bool = False) -> None:
        self.cells, self._aligns, self._jumps = row, aligns, jumps
        self.needs = [_widest(cell) for cell in row]
        self._widths: Sequence[int] = ()
        self._drawn: list[Line] = []

    def draw(self, widths: Sequence[int], room: int = 0) -> list[Line]:
        """`room`: cells that the row may take; within it a cell wider than its column shifts the ones after it."""
        if any(need > width for need, width in zip(self.needs, widths, strict=True)):
            widths = self._eased(widths, room)
        if widths != self._widths:
            self._widths, self._drawn = widths, _draw(self.cells, widths, self._aligns, self._jumps)
        return self._drawn

    def _eased(self, widths: Sequence[int], room: int) -> Sequence[int]:
        """Returns `widths` for this row: no word is broken that can fit, and few cells are wrapped."""
        last = len(widths) - 1
        words = [(at, _longest_word(cell)) for at, cell in enumerate(self.cells)]
        whole = [(at, need) for at, need in enumerate(self.needs[:last]) if need <= widths[at] + _SHIFT]
        for wanted in (words, whole):
            for at, size in sorted(wanted, key=lambda each: each[1]):
                widths = self._widened(widths, at, size, room)
        return self._widened(widths, last, min(self.needs[last], widths[last] + room - total(widths)), room)

    def _widened(self, widths: Sequence[int], at: int, size: int, room: int) -> Sequence[int]:
        """Returns the widths with column `at` as wide as `size`, taken from empty space after it, if there is
        room.
        """
        new = list(widths)
        new[at] = max(size, widths[at])
        missing = new[at] - widths[at]
        for other in range(at + 1, len(new)):
            taken = min(missing, max(0, new[other] - max(1, self.needs[other])))
            new[other] -= taken
            missing -= taken
        return new if total(new) <= room else widths


def fit(rows: Sequence[Row], width: int) -> list[int]:
    """Returns column widths: what each needs, or less for the widest ones if they do not fit `width` together."""
    widths = [max(1, *needs) for needs in zip(*(row.needs for row in rows), strict=True)]
    room = max(len(widths), width - len(_GAP) * (len(widths) - 1))
    surplus = sum(widths) - room
    while surplus > 0:
        widest = max(widths)
        columns = [at for at, size in enumerate(widths) if size == widest]
        second = max((size for size in widths if size < widest), default=1)
        step = max(1, min(widest - second, surplus // len(columns)))
        for at in columns[: max(1, surplus // step)]:
            widths[at] -= step
        surplus = sum(widths) - room
    return widths


def is_readable(rows: Sequence[Row], widths: Sequence[int]) -> bool:
    """Whether these columns are wide enough for what `rows` have in them, though it may wrap."""
    for at, width in enumerate(widths):
        for row in rows:
            if row.needs[at] > width and width < max(_FEWEST, min(_READABLE, _longest_word(row.cells[at]))):
                return False
    return True


def total(widths: Sequence[int]) -> int:
    return sum(widths) + len(_GAP) * (len(widths) - 1)


def _draw(row: Sequence[Cell], widths: Sequence[int], aligns: Sequence[Align], jumps: bool) -> list[Line]:
    columns = [wrap(cell, width) for cell, width in zip(row, widths, strict=True)]
    drawn: list[Line] = []
    for at in range(max(map(len, columns))):
        line: list[Line] = []
        for column, width, align in zip(columns, widths, aligns, strict=True):
            line += _padded(column[at] if at < len(column) else [], width, align, jumps)
            line.append(_SPACE)
        drawn.append(_joined(line))
    return drawn


def _widest(cell: Cell) -> int:
    return max(cells(part) for part in "".join(span.text for span in cell).split("\n"))


def _longest_word(cell: Cell) -> int:
    """Returns the width of the longest part that wrap() would have to cut in a narrower column."""
    return max(map(cells, _WORDS.split("".join(span.text for span in cell))))


def _padded(cell: Cell, width: int, align: Align, jumps: bool) -> list[Line]:
    shown = to_line(_trimmed(cell))
    space = max(0, width - shown.cells)
    left = space if align == "right" else space // 2 if align == "center" else 0
    if jumps and not is_sure("".join(span.text for span in cell)):
        return [_spaces(left), jump(shown, width - left)]
    return [_spaces(left), shown, _spaces(space - left)]


def _spaces(count: int) -> Line:
    return Line(" " * count, count)


def _joined(line: list[Line]) -> Line:
    while line and not line[-1].text.strip():
        line.pop()
    return Line("".join(part.text for part in line), sum(part.cells for part in line))


def _trimmed(cell: Cell) -> Cell:
    """Returns the cell without trailing spaces."""
    shown = list(cell)
    while shown and not shown[-1].text.strip():
        shown.pop()
    if shown and shown[-1].text.endswith(" "):
        shown[-1] = shown[-1]._replace(text=shown[-1].text.rstrip())
    return shown
