"""Tracks the pastes in the line being typed: whether it begins with one, and which ones are folded into a chip.

In the buffer a folded paste is one private-use character, so that it is deleted, cut and undone as a unit.
"""

from __future__ import annotations

from asyncio import get_running_loop
from collections.abc import AsyncGenerator, Iterable
from typing import TYPE_CHECKING

from prompt_toolkit.history import History

from chatcli.pattern import pattern
from chatcli.prompt.history import LineHistory
from chatcli.text import is_long, lines_in

if TYPE_CHECKING:
    from prompt_toolkit.buffer import Buffer

# A line of the history as long as this is recalled folded.
_LONG_LINES, _LONG_CHARACTERS = 100, 10_000
_FIRST_CHIP = 0x10F000
_CHIP = pattern("[\U0010f000-\U0010f8ff]")


class Pastes:
    """Tracks one buffer. `reset` begins a new line."""

    def __init__(self, buffer: Buffer) -> None:
        self._buffer = buffer
        self._folded: dict[str, str] = {}
        self._head = ""
        buffer.on_text_changed += self._forget_head_of_empty_line

    @property
    def are_folded(self) -> bool:
        return bool(self._folded)

    def reset(self) -> None:
        self._folded.clear()
        self._head = ""

    def insert(self, text: str) -> None:
        """Inserts a paste at the cursor."""
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        at_the_start = self._buffer.cursor_position == 0
        self._buffer.insert_text(self.folded(text), fire_event=False)
        if at_the_start and text.strip():
            self._head = text.split(maxsplit=1)[0]

    def folded(self, text: str) -> str:
        """Returns `text` as it is put into the line: as a chip when it is long."""
        return self._fold(text) if is_long(text) else text

    def recalled(self, line: str) -> str:
        """Returns a line of the history as it is put into the line: as a chip when it is very long."""
        if lines_in(line) < _LONG_LINES and len(line) < _LONG_CHARACTERS:
            return line
        known = next((chip for chip, text in self._folded.items() if text is line), None)
        return known or self._fold(line)

    def first_in(self, text: str, *, last: bool = False) -> int:
        """Returns where the first chip (or the last one) of the buffer's `text` is, -1 without any."""
        found = [chip.start() for chip in _CHIP.finditer(text) if chip[0] in self._folded] if self._folded else []
        return -1 if not found else found[-1] if last else found[0]

    def expand(self, text: str) -> str:
        """Returns the buffer's `text` with every chip replaced by its paste."""
        return _CHIP.sub(lambda chip: self._folded.get(chip[0], chip[0]), text)

    def begin(self, text: str) -> bool:
        """Whether the (expanded) `text` begins with a paste, even if the paste was shortened since."""
        text = text.lstrip()
        return bool(self._head and text) and (text.startswith(self._head) or self._head.startswith(text))

    def label(self, character: str) -> str | None:
        """Returns what is shown for `character` of the buffer, if it is a chip."""
        pasted = self._folded.get(character)
        return _label(pasted, ord(character) - _FIRST_CHIP + 1) if pasted is not None else None

    def _fold(self, text: str) -> str:
        chip = chr(_FIRST_CHIP + len(self._folded))
        if not _CHIP.match(chip):
            return text
        self._folded[chip] = text
        return chip

    def _forget_head_of_empty_line(self, buffer: Buffer) -> None:
        if not buffer.text:
            self._head = ""


def label_of(text: str) -> str:
    """Returns what is shown for a `text` that is sent: itself, or a label when it is long."""
    return _label(text) if is_long(text) else text


def _label(pasted: str, number: int = 1) -> str:
    lines = lines_in(pasted)
    size = f"+{lines} lines" if lines > 1 else f"+{len(pasted)} characters"
    return f"[Pasted text #{number} {size}]"


class RecalledLines(History):
    """The line history in prompt_toolkit's form, with what was pasted folded. Reader adds the lines, because it
    knows what was meant.
    """

    def __init__(self, history: LineHistory) -> None:
        super().__init__()
        self._history = history
        self.pastes: Pastes | None = None

    async def load(self) -> AsyncGenerator[str, None]:
        if not self._history.is_loaded:
            await get_running_loop().run_in_executor(None, self._history.lines)
        for line in self._history.lines():
            yield self.pastes.recalled(line) if self.pastes is not None else line

    def get_strings(self) -> list[str]:
        return self._history.lines()[::-1]

    def load_history_strings(self) -> Iterable[str]:
        return self._history.lines()

    def append_string(self, string: str) -> None:
        pass

    def store_string(self, string: str) -> None:
        pass
