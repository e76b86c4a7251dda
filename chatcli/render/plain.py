"""PlainPage: a reply as plain text that is only ever added to: for pipes, simple terminals and screen readers.

The Markdown comes out as it was written. Thinking goes to the side: stderr of a pipe, nowhere when it is hidden.
"""

from __future__ import annotations

from collections.abc import Callable

from chatcli.render.sanitize import Cleaner

Write = Callable[[str], object]


class PlainPage:
    def __init__(self, write: Write, think: Write | None, note: Write | None) -> None:
        self._text, self._thinking = _Pen(write), _Pen(think) if think else None
        self._note = note

    def open(self) -> None:
        """Nothing stands there before the first word."""

    def think(self, piece: str) -> None:
        if self._thinking:
            self._thinking.write(piece)

    def thought(self, summary: str) -> None:
        if self._thinking:
            self._thinking.end()
        self.note(summary)

    def write(self, piece: str) -> None:
        self._text.write(piece)

    def note(self, text: str) -> None:
        if self._note:
            self._text.end()
            self._note(f"({text})\n")

    def tick(self) -> None:
        """Nothing moves here."""

    def close(self) -> None:
        if self._thinking:
            self._thinking.end()
        self._text.end()


class _Pen:
    """Writes clean pieces, and ends what it wrote with a newline."""

    def __init__(self, write: Write) -> None:
        self._write, self._cleaner, self._last = write, Cleaner(), "\n"

    def write(self, piece: str) -> None:
        if text := self._cleaner.feed(piece):
            self._write(text)
            self._last = text[-1]

    def end(self) -> None:
        if rest := self._cleaner.finish():
            self.write(rest)
        if self._last != "\n":
            self._write("\n")
            self._last = "\n"
