"""Cells in columns that fit a width: for Markdown's tables and for chatcli's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from chatcli.render.lines import Line, Span, cells, to_line, wrap

Cell = list[Span]
Align = Literal["left", "right", "center"]

_GAP = "  "


class Row:
    """One row of cells, which remembers how it was drawn last."""

    def __init__(self, row: Sequence[Cell], aligns: Sequence[Align]) -> None:
        self._row, self._aligns = row, aligns
        self.needs = [_widest(cell) for cell in row]
        self._widths: Sequence[int] = ()
        self._drawn: list[Line] = []

    def draw(self, widths: Sequence[int]) -> list[Line]:
        if widths != self._widths:
            self._widths, self._drawn = widths, _draw(self._row, widths, self._aligns)
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


def _draw(row: Sequence[Cell], widths: Sequence[int], aligns: Sequence[Align]) -> list[Line]:
    columns = [wrap(cell, width) for cell, width in zip(row, widths, strict=True)]
    drawn: list[Line] = []
    for at in range(max(map(len, columns))):
        line: list[Span] = []
        for column, width, align in zip(columns, widths, aligns, strict=True):
            line += _padded(column[at] if at < len(column) else [], width, align)
            line.append(Span(_GAP))
        drawn.append(to_line(_trimmed(line)))
    return drawn


def _widest(cell: Cell) -> int:
    return max(cells(part) for part in "".join(span.text for span in cell).split("\n"))


def _padded(cell: Cell, width: int, align: Align) -> Cell:
    space = max(0, width - sum(cells(span.text) for span in cell))
    left = space if align == "right" else space // 2 if align == "center" else 0
    return [Span(" " * left), *cell, Span(" " * (space - left))]


def _trimmed(line: list[Span]) -> list[Span]:
    while line and not line[-1].text.strip():
        line.pop()
    if line and line[-1].text.endswith(" "):
        line[-1] = line[-1]._replace(text=line[-1].text.rstrip())
    return line
