"""Draws a growing Markdown table: its first rows set the column widths, so that later rows only add lines.

A later cell that is wider than its column extends beyond it, as long as its row has room. Where the columns would
be too narrow to read, each row becomes a block: a line for each cell, after the name of its column.
"""

from __future__ import annotations

import copy
import re

from chatcli.render import inline
from chatcli.render.columns import Align, Row, fit, is_readable, total
from chatcli.render.inline import References
from chatcli.render.lines import BLANK, Line, Span, to_line
from chatcli.render.theme import Palette

_ROWS = 16  # rows that decide the widths; up to them the table is redrawn, after them it is not
_DELIMITERS = re.compile(r"\s*\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*\Z")
_CELL_END = re.compile(r"(?<!\\)\|")


class Table:
    def __init__(self, palette: Palette, width: int, references: References, head: str, delimiters: str) -> None:
        self._palette, self._width, self._references = palette, width, references
        self._aligns = [_align(cell) for cell in _cells(delimiters)]
        self._head = self._row(head, palette["strong"])
        self._rows = [self._head]  # rows that are not final yet
        self._widths: list[int] | None = None  # none of them: rows are blocks
        self._final: list[Line] = []

    def copy(self, references: References) -> Table:
        twin = copy.copy(self)
        twin._references = references
        twin._rows, twin._final = list(self._rows), list(self._final)
        return twin

    def add(self, line: str) -> None:
        row = self._row(line, "")
        if self._widths is not None:
            self._final += row.draw(self._widths, self._width) if self._widths else [BLANK, *self._block(row)]
            return
        self._rows.append(row)
        widths = self._columns()
        if len(self._rows) > _ROWS or not widths:
            self._final, self._widths, self._rows = self._drawn(widths), widths, []

    extend = add

    def lines(self) -> list[Line]:
        return self._final if self._widths is not None else self._drawn(self._columns())

    def take(self) -> list[Line]:
        self._final, final = [], self._final
        return final

    def resize(self, width: int) -> None:
        self._width = width  # settled columns keep their widths

    def _columns(self) -> list[int]:
        """Returns the widths, none if rows are to be blocks: more rows only make columns narrower."""
        widths = fit(self._rows, self._width)
        return widths if is_readable(self._rows, widths) else []

    def _drawn(self, widths: list[int]) -> list[Line]:
        if not widths:
            blocks = [self._block(row) for row in self._rows[1:] or [self._row("", "")]]
            return [line for block in blocks for line in [BLANK, *block]][1:]
        drawn = list(self._head.draw(widths, self._width))
        drawn.append(to_line([Span("─" * total(widths), self._palette["rule"])]))
        for row in self._rows[1:]:
            drawn += row.draw(widths, self._width)
        return drawn

    def _block(self, row: Row) -> list[Line]:
        name = min(max(self._head.needs), self._width // 3)
        widths = [name, max(1, self._width - total([name, 0]))]
        pairs = [[*each] for each in zip(self._head.cells, row.cells, strict=True)]
        jumps = self._palette.has_links
        return [line for pair in pairs for line in Row(pair, ["left", "left"], jumps).draw(widths)]

    def _row(self, line: str, sgr: str) -> Row:
        texts = _cells(line)[: len(self._aligns)]
        inline.mention(line, self._references)
        row = [inline.spans(text, self._palette, sgr, self._references) for text in texts]
        row += [[] for _ in range(len(self._aligns) - len(row))]
        return Row(row, self._aligns, jumps=self._palette.has_links)


def starts_table(head: str, delimiters: str) -> bool:
    """Whether these two lines are the beginning of a table."""
    return (
        "|" in head
        and ("|" in delimiters or ":" in delimiters)
        and _DELIMITERS.match(delimiters) is not None
        and len(_cells(head)) == len(_cells(delimiters))
    )


def _cells(line: str) -> list[str]:
    line = line.strip()
    parts = _CELL_END.split(line)
    if line.startswith("|"):
        del parts[0]
    if parts and not parts[-1].strip() and line.endswith("|"):
        del parts[-1]
    return [part.strip().replace("\\|", "|") for part in parts]


def _align(cell: str) -> Align:
    left, right = cell.startswith(":"), cell.endswith(":")
    return "center" if left and right else "right" if right else "left"
