"""Cells in columns that fit a width: for Markdown's tables and for chatcli's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from chatcli.render.lines import Line, Span, jump, to_line, wrap
from chatcli.render.measure import cells, is_sure

Cell = list[Span]
Align = Literal["left", "right", "center"]

_GAP = "  "
_SPACE = Line(_GAP, len(_GAP))


class Row:
    """One row of cells, which remembers how it was drawn last. `jumps`: it goes to a terminal whose cursor can be
    set, so that columns stand under each other even where it is not known how wide an emoji is there.
    """

    def __init__(self, row: Sequence[Cell], aligns: Sequence[Align], jumps: bool = False) -> None:
        self._row, self._aligns, self._jumps = row, aligns, jumps
        self.needs = [_widest(cell) for cell in row]
        self._widths: Sequence[int] = ()
        self._drawn: list[Line] = []

    def draw(self, widths: Sequence[int]) -> list[Line]:
        if widths != self._widths:
            self._widths, self._drawn = widths, _draw(self._row, widths, self._aligns, self._jumps)
        return self._drawn


def fit(rows: Sequence[Row], width: int) -> list[int]:
    """Column widths: what each needs, or less for the widest ones where they do not fit `width` together."""
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
    """Without spaces at its end."""
    shown = list(cell)
    while shown and not shown[-1].text.strip():
        shown.pop()
    if shown and shown[-1].text.endswith(" "):
        shown[-1] = shown[-1]._replace(text=shown[-1].text.rstrip())
    return shown
