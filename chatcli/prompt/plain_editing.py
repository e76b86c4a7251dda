"""Uses readline, the editor behind input(), if Python has it: earlier lines, a prefill, paste marks.

GNU readline's own paste handling waits for an end mark that may never come, and ignores Ctrl-C. So the marks are
bound to two of its completions, which report them: the lines of a paste are read like any others.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from types import ModuleType
from typing import Any

_BEGUN, _ENDED = ord("%"), ord("*")  # the kinds of completion, as readline calls them
_BINDINGS = (
    '"\\e[200~": menu-complete',
    '"\\e[201~": insert-completions',
    "set bell-style none",  # it would ring for what cannot be completed
)


class LineEdit:
    """`is_open`: a paste has begun and has not ended. `leads`: it began at the beginning of a line."""

    def __init__(self, readline: ModuleType) -> None:
        self._readline: Any = readline
        self.marks_pastes = "GNU" in (readline.__doc__ or "")
        self.is_open = self.is_marked = self.leads = False
        readline.set_auto_history(False)
        if self.marks_pastes:
            for binding in _BINDINGS:
                readline.parse_and_bind(binding)
            readline.set_completer(self._complete)

    def recall(self, lines: list[str]) -> None:
        """Offers these as earlier lines; the newest comes first."""
        self._readline.clear_history()
        for line in reversed(lines):
            self._readline.add_history(line)

    def begin(self) -> None:
        """Begins a new entry, with no paste seen."""
        self.is_open = self.is_marked = self.leads = False

    def input(self, prompt: str, prefill: str, begun: Callable[[], object]) -> str:
        """Returns one line, edited from `prefill`. Calls `begun` when the terminal is ready for it."""

        def begin() -> None:
            if prefill:
                self._readline.insert_text(prefill)
            begun()

        self._readline.set_startup_hook(begin)
        try:
            return input(prompt)
        finally:
            self._readline.set_startup_hook(None)

    @property
    def buffer(self) -> str:
        return str(self._readline.get_line_buffer())

    def _complete(self, text: str, state: int) -> str | None:
        kind = self._readline.get_completion_type()
        if state == 0 and kind == _BEGUN:
            self.leads = self.leads or (not self.is_marked and self._readline.get_endidx() == 0)
            self.is_open = self.is_marked = True
            return text  # completed to itself: nothing changes
        if kind == _ENDED:
            self.is_open = False
        return None


def line_edit() -> LineEdit | None:
    """Returns None without readline, or without a terminal for it."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return None
    with suppress(ImportError):
        import readline

        return LineEdit(readline)
    return None
