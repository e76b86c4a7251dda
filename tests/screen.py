"""What a person would see: a terminal of a given size (pyte) that reads what the program writes."""

from __future__ import annotations

import io
from functools import cache

import pyte
from pyte.charsets import LAT1_MAP
from pyte.modes import DECAWM, DECTCEM, IRM

# Character, its color and the one behind it; bold, italic, underlined, struck through, reversed.
Cell = tuple[str, str, str, bool, bool, bool, bool, bool]


class Scrollback(pyte.Screen):
    """A screen that keeps the rows that leave it at the top. pyte's own can also page through them, and asks with
    each look at an attribute whether it does.
    """

    def __init__(self, columns: int, rows: int) -> None:
        self.above: list[dict[int, pyte.screens.Char]] = []
        super().__init__(columns, rows)

    def reset(self) -> None:
        super().reset()
        self.above.clear()

    def draw(self, data: str) -> None:
        """As pyte draws, but what stands in a row is written at once where each character is one cell wide."""
        usual = self.charset == 0 and self.g0_charset is LAT1_MAP and DECAWM in self.mode and IRM not in self.mode
        if not (usual and data.isascii() and data.isprintable()):
            super().draw(data)
            return
        while data:
            if self.cursor.x == self.columns:
                self.carriage_return()
                self.linefeed()
            x, row = self.cursor.x, self.buffer[self.cursor.y]
            part, data = data[: self.columns - x], data[self.columns - x :]
            row.update((x + at, _char(self.cursor.attrs, letter)) for at, letter in enumerate(part))
            self.cursor.x += len(part)

    def index(self) -> None:
        top, bottom = self.margins or (0, self.lines - 1)
        if self.cursor.y == bottom:
            self.above.append(self.buffer[top])
        super().index()

    def erase_in_display(self, how: int = 0, *args: int, **named: bool) -> None:
        super().erase_in_display(how, *args, **named)
        if how == 3:
            self.above.clear()

    def rows(self) -> list[dict[int, pyte.screens.Char]]:
        """All rows from the first, each with the columns that something was written to."""
        return [*self.above, *(self.buffer[at] for at in range(self.lines))]


class Seen(io.StringIO):
    """A terminal to write to, with a long scrollback. Newlines act as a tty in cooked mode makes them."""

    def __init__(self, columns: int = 80, rows: int = 24) -> None:
        super().__init__()
        self.columns, self.rows = columns, rows
        self.written: list[str] = []
        self._screen = Scrollback(columns, rows)
        self._stream = pyte.Stream(self._screen)

    def isatty(self) -> bool:
        return True

    def write(self, text: str, /) -> int:
        self.written.append(text)
        self._stream.feed(text.replace("\r\n", "\n").replace("\n", "\r\n"))
        return len(text)

    def resize(self, columns: int, rows: int, *, reflow: bool = True) -> None:
        """Lines too long now go on in the next row, as in most terminals; or they are cut, as in xterm."""
        self.columns, self.rows = columns, rows
        self._screen = resized(self._screen, columns, rows, reflow=reflow)
        self._stream = pyte.Stream(self._screen)

    @property
    def display(self) -> list[str]:
        """The rows of the screen, without spaces at their ends."""
        return [row.rstrip() for row in self._screen.display]

    @property
    def text(self) -> list[str]:
        """Scrollback and screen, from the first row to the last that has something in it."""
        return _without_empty_end([written(row) for row in self._screen.rows()])

    @property
    def cells(self) -> list[list[Cell]]:
        """Scrollback and screen with their looks."""
        return [[_cell(row[at]) for at in range(self.columns)] for row in self._screen.rows()]

    @property
    def cursor_is_hidden(self) -> bool:
        return DECTCEM not in self._screen.mode


def resized(screen: Scrollback, columns: int, rows: int, *, reflow: bool) -> Scrollback:
    """What becomes of a screen; colours are lost. The cursor stays at its character."""
    whole = [written(row) for row in screen.rows()]
    at, column = len(screen.above) + screen.cursor.y, screen.cursor.x
    while len(whole) > at + 1 and not whole[-1]:
        whole.pop()
    whole[at] = whole[at].ljust(column)
    new = Scrollback(columns, rows)
    size = columns if reflow else max(1, *map(len, whole))
    parts = [[row[cut : cut + size][:columns] for cut in range(0, max(1, len(row)), size)] for row in whole]
    above = sum(map(len, parts[:at])) + min(column // size, len(parts[at]) - 1)
    shown = [part for row in parts for part in row]
    up, right = len(shown) - 1 - above, column % size
    stream = pyte.Stream(new)
    stream.feed("\r\n".join(shown) + "\r" + (f"\x1b[{up}A" if up else "") + (f"\x1b[{right}C" if right else ""))
    return new


def written(row: dict[int, pyte.screens.Char]) -> str:
    """The characters of a row, without blanks at its end."""
    return "".join([row[at].data for at in range(max(row, default=-1) + 1)]).rstrip()


@cache
def _char(like: pyte.screens.Char, letter: str) -> pyte.screens.Char:
    return like._replace(data=letter)


@cache
def _cell(char: pyte.screens.Char) -> Cell:
    looks = (char.bold, char.italics, char.underscore, char.strikethrough, char.reverse)
    return (char.data, str(char.fg), str(char.bg), *looks)


def _without_empty_end(rows: list[str]) -> list[str]:
    while rows and not rows[-1]:
        rows.pop()
    return rows
