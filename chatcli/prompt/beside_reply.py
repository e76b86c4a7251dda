"""The line that is typed while a reply comes: the usual prompt, below the growing reply, in the same thread.

Loads prompt_toolkit. The prompt runs in an event loop that takes a few turns whenever `poll` is called. Whoever
writes the reply does so inside `around`, so that both never draw at once.
"""

from __future__ import annotations

import signal
import sys
from asyncio import AbstractEventLoop, Runner, SelectorEventLoop, Task
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from selectors import BaseSelector, DefaultSelector
from time import monotonic
from typing import Any

from prompt_toolkit.application import Application
from prompt_toolkit.data_structures import Size
from prompt_toolkit.layout import Layout
from prompt_toolkit.layout.containers import Window
from prompt_toolkit.layout.screen import Screen

from chatcli.prompt.as_drawn import as_drawn
from chatcli.prompt.terminal_io import Terminal
from chatcli.suspension import lent, take_again, taking_again

_TURNS = 4  # of the loop: a key is read, handled, and drawn
_LEAST, _MOST, _SHARE = 3, 6, 4  # rows kept free: one of so many; an empty one, the line and the toolbar at least
_STATUS = 0.25  # seconds between two drawings of the status
_LIVELY = 0.3  # seconds for what a key sets in motion: a menu is filled, an Escape waits for what may follow it
_CALM = 0.1  # seconds between two turns of the loop while nothing comes
_ERASE = "\r\x1b[K\x1b[C\x1b[J\r"  # all below; from the screen's first cell, tmux would move it into its history
_HIDE, _SHOW = "\x1b[?25l", "\x1b[?25h"


class LineBesideReply:
    """What render/ draws a reply above: it knows it as Below. `status` is what the reply does, for the toolbar.
    `fit` is called when there are more rows or less.
    """

    def __init__(self, app: Application[Any], output: Terminal, fit: Callable[[], object]) -> None:
        self.status = ""
        self._fit = fit
        self._app, self._output = app, output
        self._loop: AbstractEventLoop | None = None
        self._begin: Callable[[], object] = bool
        self._task: Task[Any] | None = None
        self._failure: BaseException | None = None
        self._selector: BaseSelector | None = None  # the loop's: it has keys, and what other threads want done
        self._status_due = self._lively_until = self._turn_due = 0.0
        self._drawn_in: Window | None = None  # where the cursor was when the screen was drawn last
        self._drawn_at: Size | None = None
        self._is_told = True  # whether the status is drawn
        self._is_least = False  # whether it takes no more rows than it needs: after a menu it does, until erased

    @contextmanager
    def running(self, prompt: Callable[[], Coroutine[Any, Any, None]]) -> Iterator[LineBesideReply]:
        """`prompt` makes the prompt's coroutine. It begins with the first `poll`, so that a first word which is
        there already need not wait until the line is drawn; it is over when this block is left. Raises what went
        wrong in it, once the block has come to its own end.
        """
        app = self._app
        polls, postpones = app.terminal_size_polling_interval, app.max_render_postpone_time
        app.erase_when_done, app.terminal_size_polling_interval = True, None
        app.max_render_postpone_time = None  # it waits for a loop with nothing to do, and ours has its stop to do
        app.after_render += self._note_drawing
        self._take(self.reserved)
        try:
            self._selector = DefaultSelector()
            with Runner(loop_factory=partial(SelectorEventLoop, self._selector)) as runner:
                self._loop = runner.get_loop()
                self._loop.set_exception_handler(self._fail)
                self._begin = partial(self._start, prompt, taking_again())
                try:
                    with lent(self._erase, self._erase):
                        yield self
                finally:
                    self._end()
        finally:
            app.erase_when_done, app.terminal_size_polling_interval = False, polls
            app.max_render_postpone_time = postpones
            app.after_render -= self._note_drawing
            self._take(None)
            take_again()
        if self._failure is not None and not isinstance(self._failure, EOFError):  # the next prompt meets it, too
            raise self._failure

    @property
    def reserved(self) -> int:
        return min(_MOST, max(_LEAST, self._output.all_rows // _SHARE))

    @property
    def rows(self) -> int:
        return self._screen.height if self._is_drawn else 0

    def _start(self, prompt: Callable[[], Coroutine[Any, Any, None]], quieten: Callable[[], None]) -> None:
        """Draws the line for the first time. `quieten` undoes the prompt's own settings, which would turn Ctrl-C
        from a signal into a key: before anything is drawn, so that whoever sees the line can stop the reply.
        """

        def drawing(_: object) -> None:
            quieten()

        assert self._loop is not None
        self._task = self._loop.create_task(prompt())
        self._app.before_render += drawing
        self._turn()
        self._app.before_render -= drawing
        if sys.platform != "win32":
            self._loop.remove_signal_handler(signal.SIGWINCH)  # `resized` does it, in its turn

    def tell(self, status: str) -> None:
        now = monotonic()
        if status != self.status and (self._task is None or now >= self._status_due):
            self.status, self._status_due, self._is_told = status, now + _STATUS, False

    def poll(self, status: str) -> None:
        self.tell(status)
        if self._task is None:
            self._begin()
            return
        if not self._is_told:
            self._draw_status()
        now = monotonic()
        if self._selector is not None and self._selector.select(0):
            self._lively_until = now + _LIVELY
        if now < self._lively_until or now >= self._turn_due:
            self._turn_due = now + _CALM
            self._turn()

    def around(self, text: str, marks: tuple[str, str], moves: bool, room: int) -> None:
        begin, end = marks
        self._take(max(self.reserved, room))
        if moves or not self._is_drawn:
            layout = self._as_drawn() if self._is_least else None
            self._output.write_raw(begin)
            if self._is_drawn:
                self._app.renderer.erase()
            self._output.write_raw(text)
            self._draw(layout)
            self._write(end)
            self._is_least = True
        else:
            column, row = self._cursor
            up, down = (f"\x1b[{row}A", f"\x1b[{row}B") if row else ("", "")
            back = f"\x1b[{column}C" if column else ""
            self._write(f"{begin}{_HIDE}\r{up}{text}{down}{back}{_SHOW}{end}")

    def resized(self, width: int, reflows: bool | None) -> tuple[int, int] | None:
        if not self._is_drawn:
            return 0, 0
        screen, (column, row) = self._screen, self._cursor
        used = [_used(screen, at) for at in range(screen.height)]
        is_known = reflows is not None or all(cells <= width for cells in used[: row + 1])
        rows = [max(1, -(-cells // width)) if reflows else 1 for cells in used]
        up = sum(rows[:row]) + (column // width if reflows else 0) if is_known else 0
        self._write((f"\x1b[{up}A" if up else "") + _ERASE)
        self._app.renderer.reset()
        self._app.invalidate()
        return (sum(rows), sum(rows) - len(rows)) if is_known else None

    def _take(self, rows: int | None) -> None:
        """Sets how many rows may be drawn on; None: all of them."""
        self._output.most_rows = rows
        self._fit()

    @property
    def _is_drawn(self) -> bool:
        return self._app.renderer.last_rendered_screen is not None

    @property
    def _screen(self) -> Screen:
        screen = self._app.renderer.last_rendered_screen
        assert screen is not None
        return screen

    @property
    def _cursor(self) -> tuple[int, int]:
        """A key may have moved the focus since, as Ctrl-R does."""
        at = self._screen.get_cursor_position(self._drawn_in or self._app.layout.current_window)
        return at.x, at.y

    def _note_drawing(self, app: Application[Any]) -> None:
        self._is_least = False
        self._note_cursor(app)

    def _note_cursor(self, app: Application[Any]) -> None:
        self._drawn_in, self._drawn_at = app.layout.current_window, self._output.get_size()
        self._is_told = True

    def _draw(self, layout: Layout | None = None) -> None:
        if self._app.is_running and self._app.context is not None:
            self._app.context.copy().run(self._app.renderer.render, self._app, layout or self._app.layout)
            self._note_cursor(self._app)

    def _draw_status(self) -> None:
        layout = self._as_drawn()
        if layout is None:
            self._app.invalidate()
        else:
            self._draw(layout)

    def _as_drawn(self) -> Layout | None:
        """Returns what draws the last screen again, with the status of now. None where something else is to be
        seen: something has changed, or there are more rows or fewer, which may be used otherwise.
        """
        app, size, at = self._app, self._output.get_size(), self._drawn_at
        is_as_it_was = self._is_drawn and not app.invalidated and self._drawn_in is app.layout.current_window
        if at is None or not is_as_it_was:
            return None
        buffer = app.current_buffer
        has_menu = buffer.complete_state is not None or buffer.complete_while_typing()
        fits = self._screen.height < min(at.rows, size.rows) and not has_menu
        if size.columns != at.columns or not (fits or size == at):
            return None
        if not self._is_told:
            app.render_counter += 1  # what was made of the toolbar's text is out of date
        return as_drawn(self._screen, with_toolbar=not self._is_told)

    def _turn(self) -> None:
        if self._loop is None or self._task is None or self._task.done():
            return
        for _ in range(_TURNS):
            self._loop.call_soon(self._loop.stop)
            self._loop.run_forever()

    def _end(self) -> None:
        """Ends the prompt, and takes it off the screen."""
        self._begin = bool
        if self._loop is None or self._task is None:
            return
        if self._app.is_running and not self._app.is_done:
            self._app.exit()
        while not self._task.done():
            self._loop.run_until_complete(self._task)
        if self._failure is None and not self._task.cancelled():
            self._failure = self._task.exception()

    def _fail(self, _: AbstractEventLoop, context: Mapping[str, Any]) -> None:
        self._failure = self._failure or context.get("exception")

    def _erase(self) -> None:
        if self._is_drawn:
            self._app.renderer.erase()

    def _write(self, text: str) -> None:
        self._output.write_raw(text)
        self._output.flush()


def _used(screen: Screen, row: int) -> int:
    """Returns the cells of a row up to its last visible character."""
    cells = screen.data_buffer[row]
    return max((at + max(1, cell.width) for at, cell in cells.items() if cell.char.strip()), default=0)
