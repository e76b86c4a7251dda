"""Simulates a person at a terminal: keys go in through a pipe, and the drawing is read from a pyte screen."""

from __future__ import annotations

import io
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import pyte
from prompt_toolkit.data_structures import Size
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import ColorDepth

from chatcli.prompt.completer import Suggestion
from chatcli.prompt.history import LineHistory
from chatcli.prompt.line import ReaderOptions
from chatcli.prompt.reader import Reader
from chatcli.prompt.terminal_io import Terminal
from chatcli.prompt.toolbar import Toolbar

PATIENCE = 60.0
_MOMENT = 0.05  # seconds until a person presses a key: one that comes while a question is being drawn is no answer
USUAL = ReaderOptions()
NAMED = {
    "enter": "\r",
    "tab": "\t",
    "escape": "\x1b",
    "backspace": "\x7f",
    "alt-enter": "\x1b\r",
    "alt-backspace": "\x1b\x7f",
    "alt-up": "\x1b\x1b[A",
    "alt-down": "\x1b\x1b[B",
    "up": "\x1b[A",
    "down": "\x1b[B",
    "right": "\x1b[C",
    "left": "\x1b[D",
    "home": "\x1b[H",
    "end": "\x1b[F",
    "c-_": "\x1f",
} | {f"alt-{letter}": f"\x1b{letter}" for letter in "bdf"}
NAMED |= {f"c-{letter}": chr(ord(letter) - ord("a") + 1) for letter in "abcdefghijklmnopqrstuvwxyz"}


def keys(text: str) -> str:
    """What a terminal sends for "hi<enter>"; names that are no key stay as they stand."""
    return re.sub(r"<([a-z_-]+)>", lambda name: NAMED.get(name[1], name[0]), text)


def pasted(text: str) -> str:
    """What a terminal sends for a paste of `text`."""
    return "\x1b[200~" + text.replace("\n", "\r") + "\x1b[201~"


@dataclass
class Keyboard:
    """The keys, and the screen in front of them."""

    input: PipeInput
    output: Terminal
    columns: int
    rows: int
    recorded: io.BytesIO
    _watchers: list[threading.Thread] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)

    def type(self, text: str) -> None:
        self.input.send_text(keys(text))

    def paste(self, text: str) -> None:
        self.input.send_text(pasted(text))

    def screen(self) -> list[str]:
        """The rows of the screen as they are now, without what is blank at the ends."""
        screen = pyte.Screen(self.columns, self.rows)
        pyte.Stream(screen).feed(self.recorded.getvalue().decode("utf-8", "replace"))
        return [row.rstrip() for row in "\n".join(screen.display).rstrip().split("\n")]

    def when(self, text: str, then: str) -> list[str]:
        """Once `text` is on the screen, type `then`. The list returned gets the screen of that moment."""
        seen: list[str] = []

        def watch() -> None:
            deadline = time.monotonic() + PATIENCE
            while not any(text in row for row in self.screen()):
                if self._over.wait(0.01):
                    return
                if time.monotonic() > deadline:
                    self.type("<c-c><c-c>")
                    return
            seen.extend(self.screen())
            self._over.wait(_MOMENT)
            self.type(then)

        watcher = threading.Thread(target=watch)
        self._watchers.append(watcher)
        watcher.start()
        return seen

    def in_turn(self, *steps: tuple[tuple[str, ...], str]) -> None:
        """For each step: once all of its texts are on the screen, type its keys."""

        def press() -> None:
            deadline = time.monotonic() + PATIENCE
            for texts, then in steps:
                while not all(any(text in row for row in self.screen()) for text in texts):
                    if self._over.wait(0.01):
                        return
                    if time.monotonic() > deadline:
                        self.type("<c-c><c-c>")
                        return
                self._over.wait(_MOMENT)
                self.type(then)

        watcher = threading.Thread(target=press)
        self._watchers.append(watcher)
        watcher.start()

    def leave(self) -> None:
        """Nobody waits for the screen any more."""
        self._over.set()
        for watcher in self._watchers:
            watcher.join()


@contextmanager
def keyboard(columns: int = 80, rows: int = 24, *, encoding: str = "utf-8") -> Iterator[Keyboard]:
    recorded = io.BytesIO()
    written = io.TextIOWrapper(recorded, encoding=encoding, newline="")
    output = Terminal(
        written, lambda: Size(rows, columns), term="xterm", default_color_depth=ColorDepth.from_env()
    )
    with create_pipe_input() as input_:
        board = Keyboard(input_, output, columns, rows, recorded)
        try:
            yield board
        finally:
            board.leave()


def reader_at(
    board: Keyboard,
    *,
    history: LineHistory | None = None,
    suggestions: Sequence[Suggestion] = (),
    toolbar: Callable[[], Toolbar] = lambda: Toolbar("llama3.2", "~120", 4096, 120, "trim"),
    options: ReaderOptions = USUAL,
) -> Reader:
    """A reader at that keyboard, with what a test does not care about left usual."""

    def suggest(typed: str) -> list[Suggestion]:
        return [each for each in suggestions if each.text.startswith(typed)]

    return Reader(history, suggest, toolbar, options, board.input, board.output)
