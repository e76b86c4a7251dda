"""The one hand that writes while a reply grows: final lines go into the scrollback, live ones are redrawn below.

The cursor rests at the beginning of the row under the live lines. Only rows that changed are written again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from chatcli.render.cursor import Cursor
from chatcli.render.lines import Line, chop

_BEGIN, _END = "\x1b[?2026h", "\x1b[?2026l"  # terminals that know it show what lies between in one go


class Painter:
    def __init__(self, write: Callable[[str], object], reflows: Callable[[], bool | None] = lambda: None) -> None:
        self._write, self._reflows = write, reflows
        self._cursor = Cursor(write)
        self._live: list[Line] = []
        self._over: int | None = None  # rows that the live lines take after a resize, where it is not one each

    def open(self) -> None:
        self._cursor.hide()

    def close(self) -> None:
        self._cursor.show()

    def paint(self, final: Sequence[Line], live: Sequence[Line], size: tuple[int, int]) -> None:
        """Write `final` for good, and `live` below it (of which only the end is shown where it is too tall)."""
        width, height = size
        new = [*final, *_rows(live, width, max(1, height - 2))]
        old, over, self._over = self._live, self._over, None
        if over is not None:
            self._live = new[len(final) :]
            self._write(f"{_BEGIN}\x1b[{over}A\r\x1b[J{_change([], new, width)}{_END}")
            return
        same = 0
        while same < len(old) and same < len(new) and old[same] == new[same]:
            same += 1
        self._live = new[len(final) :]
        if same < len(old) or same < len(new):
            self._write(_change(old[same:], new[same:], width))

    @property
    def is_displaced(self) -> bool:
        """Somebody else has written on the screen since the last refresh."""
        return self._cursor.displaced

    def stands(self, size: tuple[int, int]) -> bool:
        """Whether it is known where the live lines are on a screen of this size now, with nothing below them.

        Terminals differ in what they do to lines that are too long now: where that is not known, no step up is
        taken over those.
        """
        if self._cursor.displaced:
            return False
        rows = [-(-line.cells // size[0]) or 1 for line in self._live]
        if max(rows, default=1) > 1:
            reflows = self._reflows()
            if reflows is None or sum(rows) >= size[1]:
                return False
            self._over = sum(rows) if reflows else len(rows)
        return len(self._live) < size[1]

    def leave(self) -> list[Line]:
        """Let the live lines stand as they are, for good, and give them."""
        self._live, left, self._cursor.displaced, self._over = [], self._live, False, None
        return left


def _change(old: Sequence[Line], new: Sequence[Line], width: int) -> str:
    over = [f"\x1b[{len(old)}A\r"] if old else []
    full = any(line.cells >= width for line in (*old, *new))
    if old and full:
        over.append("\x1b[J")
    # After a full row an erasure would take its last cell: there it is done beforehand.
    erase = "\x1b[K\r\n" if old and not full else "\r\n"
    over += [line.text + erase for line in new]
    if len(old) > len(new) and not full:
        over.append("\x1b[J")
    text = "".join(over)
    return f"{_BEGIN}{text}{_END}" if len(old) + len(new) > 2 else text


def _rows(live: Sequence[Line], width: int, height: int) -> list[Line]:
    """The last of the lines that fit into `height` rows, one for each row: so it is known where they stand."""
    rows = [row for line in live[-height:] for row in ([line] if line.cells <= width else chop(line, width))]
    return rows[-height:]
