"""The line for terminals that cannot move the cursor, and for screen readers: nothing is ever drawn twice.

The terminal (or readline, where Python has it) does the editing.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from contextlib import suppress
from types import ModuleType
from typing import TextIO

from chatcli.prompt import block
from chatcli.prompt.history import LineHistory
from chatcli.prompt.line import Line, Outcome, ReaderOptions

# readline searches line by line and nothing needs more.
_HISTORY_LINES = 1000


class PlainLine:
    """`keyboard`: the terminal to read, when it is not standard input."""

    def __init__(self, history: LineHistory, options: ReaderOptions, keyboard: TextIO | None) -> None:
        self._history = history
        self._options = options
        self._keyboard = keyboard
        self._starting: list[Callable[[], None]] = []

    def read(self, prefill: str) -> Outcome:
        while self._starting:
            self._starting.pop(0)()
        text = self._first_line(prefill)
        if "\n" in text:
            return Line(text, pasted=True)  # nobody can type a line break here, so it was pasted
        while block.is_open(text):
            text += "\n" + self._input(self._options.continuation)
        return block.close(text)

    def ask(self, question: str) -> str:
        return self._input(question)

    def say(self, text: str) -> None:
        print(text, flush=True)  # noqa: T201

    def size(self) -> tuple[int, int]:
        """Columns and rows."""
        size = shutil.get_terminal_size()
        return size.columns, size.lines

    def refresh(self) -> None:
        """There is nothing that could have changed."""

    @property
    def typed(self) -> str:
        """There is no toolbar to show anything of it."""
        return ""

    def idle(self) -> float:
        """Keys are the terminal's affair here, and show at once whatever else goes on."""
        return float("inf")

    def on_first_render(self, callback: Callable[[], None]) -> None:
        self._starting.append(callback)

    def inquire(self, questions: str, heed: Callable[[str], str]) -> None:
        """A terminal that is read line by line is not asked: its answers would come as lines."""

    def close(self) -> None:
        """Nothing is held here."""

    def _first_line(self, prefill: str) -> str:
        readline = _readline() if self._keyboard is None else None
        if readline is not None:
            _recall(readline, self._history.lines()[:_HISTORY_LINES])
            return _prefilled(readline, prefill, lambda: self._input(self._options.prompt))
        if not prefill:
            return self._input(self._options.prompt)
        self.say(f"{prefill}\n(Enter alone sends this as it is.)")
        return self._input(self._options.prompt) or prefill

    def _input(self, prompt: str) -> str:
        if self._keyboard is None:
            return input(prompt)
        print(prompt, end="", flush=True)  # noqa: T201
        line = self._keyboard.readline()
        if not line:
            raise EOFError
        return line.removesuffix("\n")


def _readline() -> ModuleType | None:
    """The module, once loaded also the editor behind input(); None where there is none, or no terminal."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return None
    with suppress(ImportError):
        import readline

        return readline
    return None


def _recall(readline: ModuleType, lines: list[str]) -> None:
    readline.set_auto_history(False)
    readline.clear_history()
    for line in reversed(lines):
        readline.add_history(line)


def _prefilled(readline: ModuleType, text: str, read: Callable[[], str]) -> str:
    readline.set_startup_hook(lambda: readline.insert_text(text))
    try:
        return read()
    finally:
        readline.set_startup_hook(None)
