"""Answer: draws the events of one reply as they arrive. A Page decides the look: PlainPage only adds text,
LivePage (live.py) draws growing Markdown.

However its context is left, the complete text stays on the screen, once.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from types import TracebackType
from typing import Protocol

from chatcli.conversation.events import Awaited, Done, Event, Repeats, Retry, Text, Thinking, Tick, ToolCall
from chatcli.conversation.usage import in_tokens
from chatcli.render.paint import signals
from chatcli.render.sanitize import Cleaner, one_line
from chatcli.render.tool_calls import called


class Page(Protocol):
    """Where a reply is written. `tick` is called often, for whatever moves; `wait` before a pause; `warn` for what
    is to be known while the reply goes on.
    """

    def open(self) -> None: ...
    def think(self, piece: str) -> None: ...
    def thought(self, summary: str) -> None: ...
    def write(self, piece: str) -> None: ...
    def note(self, text: str) -> None: ...
    def wait(self, retry: Retry) -> None: ...
    def warn(self, text: str) -> None: ...
    def tick(self) -> None: ...
    def close(self) -> None: ...


class Answer:
    """`ended` is called when the reply is there, or an error has ended it, with the seconds that it took and
    whether it is whole. It is not called after Ctrl-C, when somebody is there.
    """

    def __init__(
        self,
        page: Page,
        clock: Callable[[], float] = monotonic,
        ended: Callable[[float, bool], object] = lambda _seconds, _is_whole: None,
    ) -> None:
        self._page, self._clock, self._ended = page, clock, ended
        self._began, self._is_whole = clock(), False
        self._thinking_since: float | None = None
        self.repeats = False
        self._thoughts = 0  # events; Ollama sends one for each token

    def __enter__(self) -> Answer:
        self._page.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with signals.hold():
            try:
                self._end_thinking()
            finally:
                self._page.close()
        if self._is_whole or isinstance(error, Exception):
            self._ended(self._clock() - self._began, self._is_whole)

    def feed(self, event: Event) -> None:
        match event:
            case Text(text):
                self._end_thinking()
                self._page.write(text)
            case Thinking(text):
                self._think(text)
            case Tick():
                self._page.tick()
            case Retry():
                self._page.wait(event)
            case Repeats():
                self.repeats = True
                self._page.warn(f"{event}: Ctrl-C stops it.")
            case ToolCall(use):
                self._end_thinking()
                self._page.note(f"calls {called(use)}")
            case Done():
                self._end_thinking()
                self._is_whole = True

    def _think(self, text: str) -> None:
        if self._thinking_since is None:
            self._thinking_since = self._clock()
        self._thoughts += 1
        self._page.think(text)

    def _end_thinking(self) -> None:
        if self._thinking_since is not None:
            seconds = self._clock() - self._thinking_since
            self._thinking_since = None
            self._page.thought(f"Thought for {_duration(seconds)} ({in_tokens(self._thoughts)})")
            self._thoughts = 0


def _duration(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60} s"


Write = Callable[[str], object]
_PATIENCE = 3.0  # seconds without a word, after which it is said what is waited for


class Patience:
    """What is waited for, where nothing can be redrawn: a line after a few seconds, and one when it changes."""

    def __init__(self, model: str, waits: Callable[[], Awaited], clock: Callable[[], float] = monotonic) -> None:
        self._model, self._waits, self._clock = one_line(model), waits, clock
        self._due = clock() + _PATIENCE
        self._said = ""

    def line(self) -> str:
        """The line to show now; "" for none."""
        awaited = self._waits()
        if not awaited or awaited.what == self._said or self._clock() < self._due:
            return ""
        self._said = awaited.what
        return f"{self._model} {one_line(str(awaited))}...\n"

    def end(self) -> None:
        """The reply has begun: nothing is awaited any more."""
        self._waits = Awaited


class PlainPage:
    """`aside` takes lines that are no part of the reply, among them what is `awaited` before it. `by_lines`: what
    reads the screen aloud gets whole lines, which are paragraphs, instead of tokens.
    """

    def __init__(
        self,
        write: Write,
        think: Write | None,
        note: Write | None,
        aside: Write,
        awaited: Patience | None = None,
        by_lines: bool = False,
    ) -> None:
        self._text, self._thinking = _Pen(write, by_lines), _Pen(think, by_lines) if think else None
        self._written, self._note, self._aside, self._awaited = write, note, aside, awaited

    def open(self) -> None:
        """Nothing is shown before the first word."""

    def think(self, piece: str) -> None:
        self._awaited = None
        if self._thinking:
            self._thinking.write(piece)

    def thought(self, summary: str) -> None:
        if self._thinking:
            self._thinking.end()
        if self._note:
            self._text.end()
            self._note(f"{summary}\n")

    def write(self, piece: str) -> None:
        self._awaited = None
        self._text.write(piece)

    def note(self, text: str) -> None:
        if self._note:
            self._text.end()
            self._note(f"({text})\n")

    def warn(self, text: str) -> None:
        if self._aside == self._written:
            self._text.end()
        self._aside(f"({text})\n")

    def wait(self, retry: Retry) -> None:
        self._aside(one_line(str(retry)) + "\n")

    def tick(self) -> None:
        if self._awaited is not None and (line := self._awaited.line()):
            self._aside(line)

    def close(self) -> None:
        if self._thinking:
            self._thinking.end()
        self._text.end()


class _Pen:
    """Writes clean pieces, and ends the text with a newline."""

    def __init__(self, write: Write, by_lines: bool) -> None:
        self._write, self._cleaner, self._last = write, Cleaner(), "\n"
        self._by_lines, self._held = by_lines, ""

    def write(self, piece: str) -> None:
        text = self._held + self._cleaner.feed(piece)
        whole = text.rfind("\n") + 1 if self._by_lines else len(text)
        self._held = text[whole:]
        self._put(text[:whole])

    def _put(self, text: str) -> None:
        if text:
            self._write(text)
            self._last = text[-1]

    def end(self) -> None:
        held, self._held = self._held + self._cleaner.finish(), ""
        self._put(held)
        if self._last != "\n":
            self._write("\n")
            self._last = "\n"
