"""LivePage: draws a reply as Markdown while it grows, with a spinner before it and thinking above it.

Nothing here waits or runs by itself: it draws when something arrives, and only as often as drawing is cheap.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Sequence
from time import monotonic

from chatcli.conversation.events import Awaited, Retry
from chatcli.conversation.usage import in_tokens
from chatcli.render.lines import BLANK, ESCAPE, Line, Span, plain, prose_width, to_line, wrap
from chatcli.render.markdown import USUAL, Blocks, Layout
from chatcli.render.paint import Painter, signals
from chatcli.render.sanitize import Cleaner, one_line
from chatcli.render.theme import Palette
from chatcli.text import cells

_DELAY = 0.05  # minimum seconds between two refreshes
_SHARE = 5  # ... and at least this many times the last one's duration: drawing takes a bounded share of the time
_KEYS = 0.02  # minimum seconds between two looks at the keys
_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_GLIMPSE = 5  # lines of thinking shown while it lasts, when it is folded


class LivePage:
    def __init__(
        self,
        painter: Painter,
        palette: Palette,
        size: Callable[[], tuple[int, int]],
        model: str,
        thinking: str,
        clock: Callable[[], float] = monotonic,
        waits: Callable[[], Awaited] | None = None,
        layout: Layout = USUAL,
    ) -> None:
        self._below = painter.below
        self._painter, self._palette, self._size, self._clock = painter, palette, size, clock
        self._layout = layout
        self._model, self._mode, self._waits = one_line(model), thinking, waits or Awaited
        self._cleaner = Cleaner()
        self._pending: list[str] = []
        self._final: list[Line] = []
        self._thoughts: Thoughts | None = None  # None: not thinking
        self._blocks: Blocks | None = None  # None: no text yet
        self._began = self._due = self._keys_due = clock()
        self._painted = size()  # the screen size at the last refresh
        self._left = ""  # text already above: a resize made it final early
        self._pause, self._pause_ends = "", self._began
        self._warning = ""  # below what comes, to the end
        self._busy = True  # no text yet, or the model thinks: the spinner turns
        self._tokens = 0  # pieces of text and thinking; Ollama sends one for each token

    def open(self) -> None:
        """Nothing is drawn yet: what comes next is drawn at once."""
        self._painter.open()

    def think(self, piece: str) -> None:
        self._tokens += 1
        if self._thoughts is None:
            self._break_off()
            self._thoughts = Thoughts(self._palette, self._thought_width(), _GLIMPSE)
            self._due = self._clock() - _DELAY
        self._pending.append(piece)
        self._refresh_when_late()

    def thought(self, summary: str) -> None:
        with signals.hold():
            self._take_pending()
            if self._mode == "show" and self._thoughts:
                self._final += self._thoughts.finish()
            if self._mode != "hide":
                self._final += [self._quiet(summary), BLANK]
            self._thoughts = None

    def write(self, piece: str) -> None:
        self._tokens += 1
        if self._blocks is None:
            if not piece.strip("\n"):
                return  # empty lines before the first word
            self._blocks = Blocks(self._palette, self._painted[0], self._layout)
            self._due = self._clock() - _DELAY  # nobody waits longer for the first word than it takes to draw it
        self._busy = False
        self._pending.append(piece)
        self._refresh_when_late()

    def note(self, text: str) -> None:
        self._break_off()
        self._final += [self._quiet(text), BLANK]
        self._refresh()

    def wait(self, retry: Retry) -> None:
        self._pause, self._pause_ends = f"is {retry.when}: {retry.why}", self._clock() + retry.seconds
        self._refresh()

    def warn(self, text: str) -> None:
        self._warning = text
        self._refresh()

    def tick(self) -> None:
        self._refresh_when_due()

    def close(self) -> None:
        self._busy = False
        try:
            self._heed_size()
            self._end_text()
            while self._final and self._final[-1] == BLANK:
                self._final.pop()
            self._paint([])
        finally:
            self._painter.close()

    def _refresh_when_due(self) -> None:
        now = self._clock()
        if now >= self._due:
            self._refresh()
        elif now >= self._keys_due and self._size() == self._painted and not self._painter.is_displaced:
            with signals.hold():
                self._take_keys()

    def _refresh_when_late(self) -> None:
        """More may be there already, to be drawn together; where there is always more, it is drawn anyway."""
        if self._clock() >= self._due + _DELAY:
            self._refresh()

    def _refresh(self) -> None:
        start = self._clock()
        with signals.hold():
            self._heed_size()
            self._take_pending()
            if self._below is not None:
                self._below.tell(self._status())
            self._paint([*self._open_lines(), *self._warned()])
            self._take_keys()
        now = self._clock()
        self._due = start + max(_DELAY, _SHARE * (now - start))

    def _take_keys(self) -> None:
        if self._below is not None:
            self._below.poll(self._status())
            self._keys_due = self._clock() + _KEYS

    def _paint(self, live: list[Line]) -> None:
        final, self._final = self._final, []
        if self._left:
            final, self._left = after(final, self._left)
            live = after(live, self._left)[0]
        self._painter.paint(final, live, self._painted)

    def _heed_size(self) -> None:
        """Redraws the open part at the new width; final lines keep the old one."""
        size = self._size()
        if size == self._painted and not self._painter.is_displaced:
            return
        is_cut, kept = self._painter.is_cut, ink(self._painter.resize(size))
        if not is_cut:  # otherwise the visible part begins in the middle: it is drawn again
            text = ink(self._blocks.open_lines()) if self._blocks else ""
            self._left = text[: max(0, len(text) - len(kept))]
        self._painted = size
        if self._blocks:
            self._blocks.resize(size[0])
        if self._thoughts:
            self._thoughts.resize(self._thought_width())

    def _thought_width(self) -> int:
        """Returns the width of thinking; what is only glimpsed takes no more rows than it is given."""
        width = prose_width(self._painted[0], self._layout.prose)
        return width if self._mode == "show" else min(width, self._painted[0])

    def _take_pending(self) -> None:
        text = self._cleaner.feed("".join(self._pending))
        self._pending.clear()
        if self._thoughts is not None:
            lines = self._thoughts.feed(text)
            if self._mode == "show":
                self._final += lines
        elif self._blocks:
            self._final += self._blocks.feed(text)

    def _end_text(self) -> None:
        self._pending.append(self._cleaner.finish())
        self._take_pending()
        if self._blocks:
            self._final += self._blocks.finish()
            self._blocks = None

    def _break_off(self) -> None:
        """Ends the text so far, because something else follows; the spinner turns again."""
        with signals.hold():
            if self._blocks:
                self._end_text()
                self._final.append(BLANK)
            self._busy = True

    def _open_lines(self) -> list[Line]:
        if self._blocks:
            return self._blocks.open_lines()
        if not self._busy:
            return []
        spinner = [self._spinner()] if self._below is None else []  # it turns below, too
        if self._thoughts is None or self._mode == "hide":
            return spinner
        shown = self._thoughts.open_line() if self._mode == "show" else self._thoughts.glimpse()
        return [*shown, *spinner]

    def _warned(self) -> list[Line]:
        return [self._quiet(self._warning)] if self._warning else []

    def _spinner(self) -> Line:
        seconds = int(self._clock() - self._began)
        return self._quiet(f"{self._turn()} {self._model} {self._doing()}".rstrip() + f", {seconds} s")

    def _turn(self) -> str:
        return _SPINNER[int((self._clock() - self._began) * 10) % len(_SPINNER)]

    def _doing(self) -> str:
        """Returns what the model does before it answers; "" where that is not known."""
        pause = self._pause if self._clock() < self._pause_ends else ""
        return "thinks" if self._thoughts is not None else one_line(pause or str(self._waits()))

    def _stage(self) -> str:
        return self._doing() or "waits" if self._busy else "answers"

    def _status(self) -> str:
        return f"{self._turn()} {self._stage()}, {self._spent()}"

    def _spent(self) -> str:
        seconds = int(self._clock() - self._began)
        return f"{seconds} s, {in_tokens(self._tokens)}" if self._tokens else f"{seconds} s"

    def _quiet(self, text: str) -> Line:
        """Returns one line of chatcli's own; text that does not fit is left out."""
        return to_line(wrap([Span(text, self._palette["quiet"])], self._painted[0])[0])


class Thoughts:
    """feed() returns the final lines; glimpse() the last lines, which still change."""

    def __init__(self, palette: Palette, width: int, keep: int) -> None:
        self._palette, self._width = palette, width
        self._last: deque[Line] = deque(maxlen=keep)
        self._open = ""

    def feed(self, text: str) -> list[Line]:
        *whole, self._open = (self._open + text.expandtabs(4)).split("\n")
        lines = [line for part in whole for line in self._wrapped(part.rstrip())]
        *full, rest = wrap([Span(self._open)], self._width)
        lines += [self._dim(line) for line in full]
        space = " " if self._open.endswith(" ") else ""  # a full line has no room for it, but the word has ended
        self._open = "".join(span.text for span in rest).rstrip(" ") + space
        self._last.extend(lines)
        return lines

    def finish(self) -> list[Line]:
        text, self._open = self._open.rstrip(), ""
        return self._wrapped(text) if text else []

    def glimpse(self) -> list[Line]:
        return [*self._last, *self._wrapped(self._open)]

    def open_line(self) -> list[Line]:
        return self._wrapped(self._open) if self._open else []

    def resize(self, width: int) -> None:
        self._width = width
        self._last.clear()

    def _wrapped(self, text: str) -> list[Line]:
        return [self._dim(line) for line in wrap([Span(text)], self._width)]

    def _dim(self, line: list[Span]) -> Line:
        return to_line([Span("".join(span.text for span in line), self._palette["thinking"])])


_NOT_INK = re.compile(r"[\s─▎•]+")  # characters whose number depends on the width
_MARKUP = frozenset("`*_~[]()<>!\\|#")  # marks of emphasis, code or links that are visible until it ends


def ink(lines: Sequence[Line]) -> str:
    """Returns the visible text of these lines, the same at any width."""
    return _NOT_INK.sub("", "".join(map(plain, lines)))


def after(lines: Sequence[Line], shown: str) -> tuple[list[Line], str]:
    """Returns `lines` without what is shown already, and the part of `shown` that goes beyond them.

    If the text has changed meanwhile, the rest is drawn again: twice is better than not at all.
    """
    rest = list(lines)
    while rest and shown:
        text = ink(rest[:1])
        same, seen = _met(text, shown)
        shown = shown[seen:]
        if same < len(text):
            rest[0] = _cut(rest[0], same) if same else rest[0]
            return rest, ""
        del rest[0]
    return rest, shown


def _met(text: str, shown: str) -> tuple[int, int]:
    """Returns how far both are equal, as an index in each, whether or not emphasis and the like have ended."""
    at = seen = 0
    while at < len(text) and seen < len(shown):
        if text[at] == shown[seen]:
            at, seen = at + 1, seen + 1
        elif shown[seen] in _MARKUP:
            seen += 1
        elif text[at] in _MARKUP:
            at += 1
        else:
            break
    return at, seen


def _cut(line: Line, count: int) -> Line:
    """Returns `line` from the word in which its first `count` characters of ink end, with its looks."""
    seen = plain(line)
    places = [at for at, char in enumerate(seen) if not _NOT_INK.match(char)]
    start = places[count]
    while start and not seen[start - 1].isspace() and cells(seen[start - 1]) + cells(seen[start]) < 3:
        start -= 1
    looks: list[str] = []
    at = passed = 0
    while passed < start or ESCAPE.match(line.text, at):
        if escape := ESCAPE.match(line.text, at):
            looks += [escape[0]] if escape[0][-1] in "m\\" else []
            at = escape.end()
        else:
            at, passed = at + 1, passed + 1
    return Line("".join(looks) + line.text[at:], cells(seen[start:]))
