"""The prompt line for simple terminals and screen readers: nothing is ever drawn twice.

The terminal (or readline, if Python has it) does the editing. A paste is one message and never a command: its
marks tell where it begins and ends. A terminal without marks sends all of its lines at once, so what waits already
when Enter arrives belongs to the same message.
"""

from __future__ import annotations

import os
import select
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import cached_property
from typing import Any, TextIO

from chatcli.prompt import multiline
from chatcli.prompt.history import LineHistory
from chatcli.prompt.line import Outcome, ReaderOptions, TypedLine
from chatcli.prompt.menu import Detail, Find, pick
from chatcli.prompt.plain_editing import LineEdit, line_edit
from chatcli.prompt.typeahead import (
    DO_NOT_MARK_PASTES,
    MARK_PASTES,
    can_mark_pastes,
    quiet_keyboard,
    quietened,
    set_terminal,
)
from chatcli.suspension import lent
from chatcli.text import clean

# readline searches line by line and nothing needs more.
_HISTORY_LINES = 1000
_AT_ONCE = 0.05  # the next line of a paste without marks comes within these seconds
_SILENCE = 1.0  # seconds after which the end mark of a paste is given up
_PAUSE = 0.3  # seconds without a key, after which a question counts as read
_WORDS = {"yes", "always", "no", "quit"}


class PlainLine:
    """`keyboard`: the terminal to read, if it is not standard input."""

    def __init__(self, history: LineHistory, options: ReaderOptions, keyboard: TextIO | None) -> None:
        self._history = history
        self._options = options
        self._keyboard = keyboard
        self.queue: list[TypedLine] = []
        self._starting: list[Callable[[], None]] = []
        self._lines: list[str] = []  # the lines of the entry so far
        self._between: list[Any] | None = None  # the terminal's settings between two lines of readline
        self._manners: list[Any] | None = None  # ... and within one
        self._prompt = ""
        self._ahead = ""  # typed before a question, and not ended by Enter

    def read(self, prefill: str) -> Outcome:
        prefill, self._ahead = prefill + self._ahead, ""
        while self._starting:
            self._starting.pop(0)()
        if self._edit is not None:
            self._edit.begin()
            self._edit.recall(self._history.lines()[:_HISTORY_LINES])
        self._lines = []
        with self._terminal():
            self._lines.append(self._first_line(prefill))
            came_at_once = self._further_lines()
        text, self._lines = "\n".join(self._lines), []
        if self._leads or (came_at_once and not text.startswith(multiline.QUOTES)):
            return TypedLine(text, pasted=True)
        return multiline.close(text)

    def take_queued(self) -> TypedLine:
        entry = self.queue.pop(0)
        self.say(self._options.prompt + entry.retyped)
        return entry

    def beside_reply(self) -> AbstractContextManager[None]:
        """Shows nothing: a line would stand in the middle of the reply."""
        return nullcontext()

    def ask(self, question: str) -> str:
        with self._terminal():
            return self._input(question)

    def key(self, told: str, letters: str) -> str | None:
        """Asks for a line with one of these letters, or a word that begins with it."""
        self._put_aside()
        while answer := self.ask(f"{told}: ").strip().lower():
            if answer in letters or (answer[0] in letters and answer in _WORDS):
                return answer[0]
        return ""

    @contextmanager
    def ahead_kept(self) -> Iterator[None]:
        """What was typed ahead of a question is in the next line, or in the queue where Enter ended it."""
        yield

    def choose(
        self, question: str, choices: Sequence[str], detail: Detail | None, find: Find | None
    ) -> int | None:
        """Asks line by line: see menu.py."""
        return pick(self, lambda asking: self.ask(asking).strip(), question, choices, detail, find)

    def say(self, text: str) -> None:
        print(text, flush=True)  # noqa: T201

    def size(self) -> tuple[int, int]:
        """Columns and rows."""
        size = shutil.get_terminal_size()
        return size.columns, size.lines

    def refresh(self) -> None:
        """Does nothing: there is no toolbar."""

    def show_above(self, show: Callable[[], None]) -> None:
        """Shows nothing: it would stand in the middle of the line being typed."""

    @property
    def marks_pastes(self) -> bool:
        return self._edit is not None and self._edit.marks_pastes

    @property
    def typed(self) -> str:
        """Returns the lines of the entry so far, and the content of the last line as far as it is known."""
        return "\n".join([*self._lines, self._edit.buffer] if self._edit is not None else self._lines)

    @property
    def unsent(self) -> list[str]:
        return [*(entry.retyped for entry in self.queue), *filter(None, [self._ahead])]

    def idle(self) -> float:
        """The terminal handles keys here, and shows them at once whatever else happens."""
        return float("inf")

    def on_first_render(self, callback: Callable[[], None]) -> None:
        self._starting.append(callback)

    def inquire(self, questions: str, heed: Callable[[str], str]) -> None:
        """Does not ask: a terminal that is read line by line would answer with lines."""

    def close(self) -> None:
        """Does nothing: nothing is held open."""

    @cached_property
    def _edit(self) -> LineEdit | None:
        return line_edit() if self._keyboard is None else None

    @property
    def _leads(self) -> bool:
        return self._edit is not None and self._edit.leads

    def _first_line(self, prefill: str) -> str:
        if self._edit is not None or not prefill:
            return self._input(self._options.prompt, prefill)
        self.say(f"{prefill}\n(Enter alone sends this as it is.)")
        return self._input(self._options.prompt) or prefill

    def _further_lines(self) -> bool:
        """Reads on while the entry is incomplete; returns whether lines came faster than anybody can type."""
        came_at_once = False
        while True:
            if self._edit is not None and self._edit.is_marked:
                goes_on = self._edit.is_open and self._goes_on(self._edit)
            else:
                goes_on = self._is_waiting(_AT_ONCE)
                came_at_once = came_at_once or goes_on
            if not goes_on and (self._leads or not multiline.is_open("\n".join(self._lines))):
                return came_at_once
            self._lines.append(self._input(self._options.continuation))

    def _goes_on(self, edit: LineEdit) -> bool:
        """Whether more of a paste comes."""
        try:
            return self._is_waiting(_SILENCE)
        except KeyboardInterrupt:
            edit.is_open = False  # Ctrl-C ends the paste and keeps it: there is a line to continue
            return True

    def _input(self, prompt: str, prefill: str = "") -> str:
        """Returns a line. Ctrl-D ends nothing if it was pressed before the prompt appeared or after other keys.
        What is written after Ctrl-D or Ctrl-C begins a line of its own.
        """
        while True:
            was_typed_ahead = self._waiting() > 0
            try:
                return self._line(prompt, prefill)
            except EOFError:
                is_there = self._is_there()
                if is_there:
                    self.say("")
                if not was_typed_ahead and not (self._lines and is_there):
                    raise
            except KeyboardInterrupt:
                self.say("")
                if self._edit is None or not self._edit.is_open:
                    raise
                self._edit.is_open = False  # Ctrl-C ends the paste and keeps it
                prefill = self._edit.buffer

    def _line(self, prompt: str, prefill: str) -> str:
        self._prompt = prompt
        if self._edit is not None:
            return self._edited(self._edit, prompt, prefill)
        if self._keyboard is None:
            return input(prompt)
        print(prompt, end="", flush=True)  # noqa: T201
        line = self._keyboard.readline()
        if not line:
            raise EOFError
        return line.removesuffix("\n")

    def _edited(self, edit: LineEdit, prompt: str, prefill: str) -> str:
        """Returns a line read by readline, which echoes keys only where the terminal would. The terminal does not
        echo what comes between two lines of a paste: the next line does.
        """
        descriptor, between = self._descriptor, self._between
        if sys.platform == "win32" or descriptor is None or between is None:
            return edit.input(prompt, prefill, lambda: None)
        import termios

        def note() -> None:
            self._manners = termios.tcgetattr(descriptor)

        set_terminal(descriptor, [*between[:3], between[3] | termios.ECHO, *between[4:]])
        try:
            return edit.input(prompt, prefill, note)
        finally:
            set_terminal(descriptor, between)
            self._manners = None

    @property
    def _descriptor(self) -> int | None:
        """Returns the terminal that is read, None if there is none."""
        source = self._keyboard or sys.stdin
        with suppress(OSError, ValueError):
            return source.fileno() if sys.platform != "win32" and source.isatty() else None
        return None

    def _is_waiting(self, seconds: float) -> bool:
        return self._descriptor is not None and bool(select.select([self._descriptor], [], [], seconds)[0])

    def _put_aside(self) -> None:
        """Takes what was typed ahead out of the terminal, until nothing more comes."""
        if self._descriptor is None:
            return
        came = b""
        with quiet_keyboard(self._keyboard, marks_pastes=self.marks_pastes):
            while self._is_waiting(_PAUSE) and (more := os.read(self._descriptor, 1 << 16)):
                came += more
        text = came.decode("utf-8", "replace").replace("\x1b[200~", "").replace("\x1b[201~", "")
        *whole, rest = clean(text.replace("\r", "\n")).split("\n")
        for line in whole:
            self.queue += [TypedLine(self._ahead + line)] if (self._ahead + line).strip() else []
            self._ahead = ""
        self._ahead += rest

    def _waiting(self) -> int:
        """Returns how many bytes were typed and not read yet."""
        if sys.platform == "win32" or self._descriptor is None:
            return 0
        import fcntl
        import termios

        with suppress(OSError):
            return int.from_bytes(fcntl.ioctl(self._descriptor, termios.FIONREAD, bytes(4)), sys.byteorder)
        return 0

    def _is_there(self) -> bool:
        """Whether the terminal still exists: a closed one only returns end of file."""
        if sys.platform == "win32" or self._descriptor is None:
            return False
        import termios

        with suppress(termios.error):
            termios.tcgetattr(self._descriptor)
            return True
        return False

    @contextmanager
    def _terminal(self) -> Iterator[None]:
        """Turns on paste marks inside; a stop of the program leaves the terminal in order."""
        descriptor = self._descriptor
        if sys.platform == "win32" or descriptor is None:
            yield
            return
        import termios

        before = termios.tcgetattr(descriptor)
        self._between = quietened(before) if self._edit is not None else None
        marks = self.marks_pastes and can_mark_pastes()

        def give_back() -> None:
            set_terminal(descriptor, before, DO_NOT_MARK_PASTES if marks else "")

        def take_again() -> None:
            drawn = self._prompt + (self._edit.buffer if self._edit is not None else "")
            manners = self._manners or self._between or before
            set_terminal(descriptor, manners, (MARK_PASTES if marks else "") + drawn)

        set_terminal(descriptor, self._between or before, MARK_PASTES if marks else "")
        try:
            with lent(give_back, take_again):
                yield
        finally:
            give_back()
            self._between = None
