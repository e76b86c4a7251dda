"""Notices a reply that repeats itself: the same text, again and again, as a model writes it that is stuck."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from chatcli.conversation.events import LOOP, Done, Event, Repeats, Text, Thinking
from chatcli.dataclass import dataclass
from chatcli.pattern import pattern

# A reply repeats itself when it ends with the same text at least TIMES in a row, LEAST characters in all. Shorter
# runs are rules of tables, rows of zeros, refrains.
LEAST = 1200
TIMES = 4
# The longest text that is known when it comes again, in characters; TIMES of it are kept.
LONGEST = 4000
# To be looked up, the last characters of the reply: few other texts have the same within LONGEST.
_PROBE = 32
# The numbers of numbered lines: "12. ", "12) ", "## Step 12: ". They grow where nothing else changes.
_NUMBERED = pattern(r"^([ \t>#*-]*(?:[^\W\d_]+ )?)\d+(?=[.):][ \t])", re.MULTILINE)

# A few sentences that come again and again in changing order: of the sequences of GRAM words in the last RECENT
# characters, at most this share are different ones. Prose, code and data have 20 % or more.
NEW = 0.12
GRAM = 6
RECENT = 4000
# That is for sentences: grids of "yes" and "no" have fewer words, rows of numbers fewer letters than this share.
_WORDS = 8
_LETTERS = 0.6
_EVERY = 8  # steps between two looks at it


@dataclass(slots=True)
class Repetition:
    """Takes a text in pieces and notices that it repeats itself. What it says does not depend on the pieces.

    Each `least` / 8 characters the end of the text is looked up in what came before it: the cost for a character
    is constant, and so is the memory.
    """

    least: int = LEAST
    found: bool = False
    _tail: str = ""
    _unread: str = ""
    _steps: int = 0

    def add(self, piece: str) -> bool:
        """Whether the text repeats itself, or has done so before."""
        step, text = self.least // 8, self._unread + piece
        whole = len(text) // step * step
        for at in range(0, 0 if self.found else whole, step):
            self._tail = (self._tail + text[at : at + step])[-TIMES * LONGEST :]
            self._steps += 1
            self.found = self.found or self._repeats(self._tail) or self._counts() or self._varies()
        self._unread = text[whole:]
        return self.found

    def _counts(self) -> bool:
        """Whether only the numbers of its lines change."""
        near = self._tail[-self.least :]
        return bool(_NUMBERED.search(near)) and self._repeats(_NUMBERED.sub(r"\1", self._tail))

    def _varies(self) -> bool:
        """Whether the same sentences come in changing order."""
        if self._steps % _EVERY or len(self._tail) < RECENT:
            return False
        words = re.findall(r"\w+", self._tail[-RECENT:])
        if sum(len(word) for word in words if word.isalpha()) < _LETTERS * RECENT or len(set(words)) < _WORDS:
            return False
        grams = len(words) - GRAM + 1
        return len({tuple(words[at : at + GRAM]) for at in range(grams)}) <= NEW * grams

    def _repeats(self, text: str) -> bool:
        """Whether the text ends with a part that comes TIMES in a row. The part is as long as the way back to
        where its last characters came before.
        """
        probe = text[-_PROBE:]
        end = len(text) - 1
        while (at := text.rfind(probe, 0, end)) >= 0:
            period = len(text) - _PROBE - at
            needed = max(self.least, TIMES * period)
            if needed > len(text):
                return False
            if text[-needed:-period] == text[period - needed :]:
                return True
            end = at + _PROBE - 1
        return False


def watched(events: Iterable[Event], stops: bool) -> Iterator[Event]:
    """The events, and a Repeats where the text or the thinking begins to repeat itself; with `stops` a Done
    instead, and nothing more.
    """
    text, thinking = Repetition(), Repetition()
    for event in events:
        yield event
        if not isinstance(event, Text | Thinking):
            continue
        seen = text if isinstance(event, Text) else thinking
        if not seen.found and seen.add(event.text):
            if stops:
                yield Done(LOOP)
                return
            yield Repeats("reply" if seen is text else "thinking")


def repeats(text: str, least: int = LEAST) -> bool:
    """Whether the text repeats itself somewhere."""
    return Repetition(least).add(text)
