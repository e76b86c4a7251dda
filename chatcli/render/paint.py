"""Writes a growing reply to the screen: final lines go into the scrollback, live lines are redrawn below them.

The cursor rests at the beginning of the row below the live lines. Only rows that changed are written again.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import Protocol

from chatcli.render.lines import Line, chop, plain
from chatcli.suspension import lent
from chatcli.text import is_sure

_WAITING = [
    number for name in ("SIGINT", "SIGTSTP", "SIGCONT") if (number := getattr(signal, name, None)) is not None
]


class Signals:
    """Takes SIGINT, SIGTSTP and SIGCONT from open() to close() and passes them on to their handlers: at once, or
    at the end of a hold() that they come in. A second SIGINT comes at once even there: the block may never end.

    Handlers are not set for each hold(), because that would take a third of the time of drawing.
    """

    def __init__(self) -> None:
        self._before: dict[int, Callable[[int, FrameType | None], object]] = {}
        self._came: list[tuple[int, FrameType | None]] = []
        self._taken = self._note  # one object, to be recognized
        self._is_open = self._holds = False

    def open(self) -> None:
        if self._is_open or threading.current_thread() is not threading.main_thread():
            return
        self._is_open = True
        found = {number: signal.getsignal(number) for number in _WAITING}
        for number, handler in found.items():
            if callable(handler) and handler is not self._taken:
                self._before[number] = handler
                signal.signal(number, self._taken)

    def close(self) -> None:
        """Gives the signals back to their handlers; inside a hold(), at its end."""
        self._is_open = False
        if not self._holds:
            self._give_back()

    @contextmanager
    def hold(self) -> Iterator[None]:
        if self._holds or threading.current_thread() is not threading.main_thread():
            yield
            return
        was_open = self._is_open
        self.open()
        self._holds = True
        try:
            yield
        finally:
            self._holds = False
            if not was_open or not self._is_open:
                self.close()
            came, self._came = self._came, []
            for number, frame in came:
                self._before[number](number, frame)

    def _give_back(self) -> None:
        for number, handler in self._before.items():
            if signal.getsignal(number) is self._taken:  # otherwise somebody else has replaced it meanwhile
                signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        is_again = any(number == earlier for earlier, _ in self._came)
        if not self._holds or (is_again and number == signal.SIGINT):
            self._came = [each for each in self._came if each[0] != number]
            self._before[number](number, frame)
        elif not is_again:
            self._came.append((number, frame))


signals = Signals()


_HIDE, _SHOW = "\x1b[?25l", "\x1b[?25h"


class Cursor:
    """`displaced` becomes true when the process was stopped (Ctrl-Z) and continues: the shell has written."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._loan = ExitStack()
        self.displaced = False

    def hide(self) -> None:
        self._loan.enter_context(lent(lambda: self._write(_SHOW), self._hide_again))
        with signals.hold():
            self._write(_HIDE)

    def show(self) -> None:
        self._loan.close()
        with signals.hold():
            self._write(_SHOW)

    def _hide_again(self) -> None:
        self.displaced = True
        self._write(_HIDE)


_ERASE = "\x1b[K\x1b[C\x1b[J\r"  # all below; from the screen's first cell, tmux would move it into its history
_BEGIN, _END = "\x1b[?2026h", "\x1b[?2026l"  # terminals that know it show what is between at once


class Below(Protocol):
    """What somebody else draws below the live lines, such as a line being typed."""

    @property
    def reserved(self) -> int:
        """The rows that are left to it however many live lines there are."""

    @property
    def rows(self) -> int:
        """The rows that it takes now."""

    def around(self, text: str, marks: tuple[str, str], moves: bool, room: int) -> None:
        """Writes `text` with the cursor at the beginning of its first row. `marks`: what is written before all of
        it, and after. `moves`: the row is another afterwards, or what is below has been erased. `room`: the most
        rows that it may take from then on.
        """

    def resized(self, width: int, reflows: bool | None) -> tuple[int, int] | None:
        """Erases itself after the terminal got another width, and draws itself again later. Returns how many rows
        it had become, and how many of them were new; None when it cannot find its first row again.
        """

    def tell(self, status: str) -> None:
        """Notes what the reply is doing, to be drawn together with its next rows, or by the next poll."""

    def poll(self, status: str) -> None:
        """Takes keys. Called often, with what the reply is doing."""


class Painter:
    """`below`: what stands below the live lines."""

    def __init__(
        self,
        write: Callable[[str], object],
        reflows: Callable[[], bool | None] = lambda: None,
        below: Below | None = None,
    ) -> None:
        self._write, self._reflows, self.below = write, reflows, below
        self._cursor = Cursor(write)
        self._live: list[Line] = []
        self._over: int | None = None  # rows of the live lines after a resize, if not one each
        self._above = 0  # minimum number of rows above the cursor on the screen
        self.is_cut = False  # there are more live lines than rows: their beginning is not on the screen

    def open(self) -> None:
        self._cursor.hide()
        signals.open()

    def close(self) -> None:
        signals.close()
        self._cursor.show()

    @signals.hold()
    def paint(self, final: Sequence[Line], live: Sequence[Line], size: tuple[int, int]) -> None:
        """Writes `final` permanently, and `live` below it (only its end if it is too tall)."""
        width, height = size
        self._heed_below(height)
        reserved = self.below.reserved if self.below is not None else 0
        rows, room = _rows(live, width), max(1, height - 2 - reserved)
        new = [*final, *rows[-room:]]
        old, over, self._over = self._live, self._over, None
        gone = len(old) if over is None else over
        self._live, self.is_cut = new[len(final) :], len(rows) > room
        self._above = max(0, min(self._above - gone + len(new), height - 1))
        if over is not None:
            up = f"\x1b[{over}A\r" if over else ""
            self._put(f"{up}{_ERASE}{_change([], new, width)}", height, is_much=True, moves=True)
            return
        same = 0
        while same < len(old) and same < len(new) and old[same] == new[same]:
            same += 1
        if same < len(old) or same < len(new):
            text = _change(old[same:], new[same:], width)
            moves = len(old) != len(new) or _ERASE in text
            self._put(text, height, is_much=len(old) + len(new) - 2 * same > 2, moves=moves)

    @property
    def is_displaced(self) -> bool:
        """Whether somebody else has written on the screen since the last refresh."""
        return self._cursor.displaced

    def resize(self, size: tuple[int, int]) -> list[Line]:
        """Finds which of the live lines can still be redrawn; the others stay as they are, permanently.

        Returns the lines at the end that will be redrawn. Terminals differ in what they do to lines that are too
        long now: where that is unknown, the cursor never moves up over them. Nor does it move up beyond the rows
        that must be on the screen: tmux pushes lines that grow into its history, even if there is room below.
        """
        width, height = size
        is_lost = self._cursor.displaced
        if self.below is not None and not is_lost:
            became = self.below.resized(width, self._reflows())
            is_lost = became is None
            height -= max(0, became[0] - 1) if became else 0
            self._above -= became[1] if became else 0
        self._above = max(0, min(self._above, height - 1))
        taken = kept = 0
        for line in [] if is_lost else reversed(self._live):
            rows = self._rows_now(line, width)
            if rows is None or taken + rows > self._above:
                break
            taken, kept = taken + rows, kept + 1
        if is_lost:
            self._above, self._cursor.displaced = 0, False
        whole = kept == len(self._live)
        self._live = self._live[len(self._live) - kept :]
        self._over = taken if self._live or not whole else None
        return list(self._live)

    def _put(self, text: str, height: int, *, is_much: bool, moves: bool) -> None:
        """Writes `text`; the terminal shows it at once with what stands below, or where it `is_much`."""
        if self.below is None:
            self._write(f"{_BEGIN}{text}{_END}" if is_much else text)
            return
        self.below.around(text, (_BEGIN, _END), moves, height - 1 - len(self._live))
        self._heed_below(height)

    def _heed_below(self, height: int) -> None:
        """What stands below may have pushed rows off the screen."""
        if self.below is not None:
            self._above = max(0, min(self._above, height - self.below.rows))

    def _rows_now(self, line: Line, width: int) -> int | None:
        """Returns how many rows the terminal makes of `line` at this width, None if unknown."""
        if line.cells <= width:
            return 1
        reflows = self._reflows()
        if not reflows:
            return None if reflows is None else 1
        return len(chop(line, width)) if is_sure(plain(line)) else None


def _change(old: Sequence[Line], new: Sequence[Line], width: int) -> str:
    over = [f"\x1b[{len(old)}A\r"] if old else []
    dirty = bool(old)  # the rows from here on still have content
    for line in new:
        if dirty and line.cells > width:  # the terminal continues in rows below, and erases nothing there
            over.append(_ERASE)
            dirty = False
        # Erased before the text, not after it: a full row would lose its last cell, and tmux would still count
        # the erased cells after a text as part of its row when the window becomes narrower.
        over.append(f"\x1b[K{line.text}\r\n" if dirty else f"{line.text}\r\n")
    if dirty and len(old) > len(new):
        over.append(_ERASE)
    return "".join(over)


def _rows(live: Sequence[Line], width: int) -> list[Line]:
    """Splits the lines into one for each row, so that their positions are known."""
    return [row for line in live for row in ([line] if line.cells <= width else chop(line, width))]
