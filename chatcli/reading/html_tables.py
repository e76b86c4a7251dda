"""Tables of a page as lines of text: each cell in its column, also where cells cover several columns or rows."""

from __future__ import annotations

from dataclasses import field

from chatcli.dataclass import dataclass

_WIDEST = 100  # columns that a cell may cover, and up to which cells are covered from above
_TALLEST = 65_500  # rows that a cell may cover
_LONGEST_AGAIN = 80  # characters of a cell that are said again in each row that it covers
_LONGEST_CELL = 300  # characters of a paragraph in a cell of a table of data


@dataclass(frozen=True, slots=True)
class Block:
    """`group`: blocks of the same list or table, with no empty line between them; 0 for a block of its own."""

    text: str
    group: int = 0


@dataclass(slots=True)
class Table:
    """The table being read. A cell is open until the next one begins; what covers others says itself again in each
    row, and leaves the other columns empty.
    """

    group: int
    padding: list[int]  # characters that all tables of the page may still add: the work stays linear
    cell: bool = False
    begun: bool = False  # the row has begun
    spans: tuple[int | None, int | None] = (1, 1)  # columns and rows of the open cell
    covered: dict[int, tuple[int, str]] = field(default_factory=dict)  # by column: up to which row, by which words
    _row: list[list[Block]] = field(default_factory=list)
    _line: list[str | None] = field(default_factory=list)  # the row's columns; None: nothing of its own
    _rows: list[tuple[list[list[Block]], str]] = field(default_factory=list)

    def add(self, blocks: list[Block]) -> None:
        """Add a cell, or words that are in none, in their order."""
        self._cover()
        columns, rows = self.spans
        columns = min(max(1, columns or 1), _WIDEST)
        rows = _TALLEST if rows == 0 else min(max(1, rows or 1), _TALLEST)  # 0: all rows of the group
        self.spans = 1, 1
        words = " / ".join(block.text.replace("\n", " ") for block in blocks)
        again = words if len(words) <= _LONGEST_AGAIN else ""
        for column in range(len(self._line), min(len(self._line) + columns, _WIDEST) if rows > 1 else 0):
            self.covered[column] = len(self._rows) + rows, again
            again = ""
        self._row.append(blocks)
        self._line.append(words)
        if columns > 1 and self._pay(3 * columns):
            self._line += [None] * (columns - 1)

    def end_group(self) -> None:
        """What begins now is covered by no cell before it."""
        self.end_row()
        self.covered.clear()

    def end_row(self) -> None:
        if not self.begun and not self._row:
            return
        if any(self._row):
            self._cover()
        while self._line and self._line[-1] is None:
            self._line.pop()
        self._rows.append((self._row, " | ".join(each or "" for each in self._line)))
        self._row, self._line, self.begun = [], [], False

    def blocks(self) -> list[Block]:
        """Its rows, cells side by side; a table used only for layout is read cell by cell."""
        cells = [cell for row, _ in self._rows for cell in row]
        is_data = sum(len(row) > 1 for row, _ in self._rows) > 1 and not any(
            block.group or len(block.text) > _LONGEST_CELL for cell in cells if len(cell) > 1 for block in cell
        )
        found: list[Block] = []
        for row, line in self._rows:
            if not is_data and any(len(cell) > 1 for cell in row):
                found += [block for cell in row for block in cell]
            elif any(row):
                found.append(Block(line, self.group))
        return found

    def _cover(self) -> None:
        """Fill the columns that cells of earlier rows cover, up to the next free one."""
        while (until := self.covered.get(len(self._line), (0, "")))[0] > len(self._rows):
            if not self._pay(len(until[1]) + 3):
                return
            self._line.append(until[1] or None)

    def _pay(self, characters: int) -> bool:
        self.padding[0] -= characters
        return self.padding[0] >= 0
