"""Template: how a model writes a conversation as one prompt. template_learning.py learns it from the server.

The text between two messages' texts (a gap) depends on the kinds of the messages on both sides, on any empty ones
between them, on whether they are the last, and on whether a system message comes first. Each gap is looked up in
one table. If a conversation needs one that is not there, its prompt is known only approximately, and rather too
long than too short.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field
from itertools import pairwise
from typing import NamedTuple

from chatcli.conversation.message import Attachment, Message, Role
from chatcli.dataclass import dataclass
from chatcli.pattern import pattern

# Places in a gap where the template shows the system message, or the thinking of the reply that follows (at the
# end, of the last one, which has no text then).
SYSTEM, THINKING = "\x00", "\x01"
_SHOWN = pattern(f"[{SYSTEM}{THINKING}]")
_MARKS = str.maketrans("", "", "+!?")


STRIPS: Mapping[str, Callable[[str], str]] = {
    "": lambda text: text,
    "both": str.strip,
    "left": str.lstrip,
    "right": str.rstrip,
    "lines": lambda text: text.strip("\n"),
}


class Piece(NamedTuple):
    """A part of a prompt: text, and the images before it."""

    text: str
    images: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class Template:
    """`gaps`: by kinds, as in "s user assistant" or "- assistant user! $" (s: a system message comes first; ^: the
    beginning, $: the end, !: the user's last message, +: with thinking, ?: without a text). `joint`: the text
    between two system messages at the front. `strips`: by role, which blanks are stripped from its texts.
    `forgets`: thinking is not written, unless the last message has some. `even`: a message without a text is
    written like any other. `apart`: a history that begins with a reply is written differently; its gaps are those
    of "sa" and "-a".
    """

    gaps: Mapping[str, str]
    joint: str | None = None
    strips: Mapping[str, str] = field(default_factory=dict)
    forgets: bool = False
    even: bool = False
    apart: bool = False

    def write(self, messages: Sequence[Message]) -> tuple[list[Piece], bool]:
        """The prompt of `messages`, and whether all of it is certain."""
        if self.forgets:
            messages = [*(message.without_thinking for message in messages[:-1]), *messages[-1:]]
        texts = [STRIPS[self.strips.get(message.role, "")](message.text) for message in messages]
        lead = leading(messages)
        system = (self.joint or "\n\n").join(texts[:lead])
        certain = lead < 2 or self.joint is not None
        pieces: list[Piece] = []
        times = 0  # the system text was written
        for kinds, at in gaps_of(messages, texts, lead, self.even, self.apart):
            gap, sure = self.gap(kinds)
            certain, times = certain and sure, times + gap.count(SYSTEM)
            shown = {SYSTEM: system, THINKING: messages[at if at is not None else -1].thinking}
            pieces.append(Piece(_SHOWN.sub(lambda found, shown=shown: shown[found[0]], gap)))  # type: ignore[misc]
            if at is not None:
                pieces.append(Piece(texts[at], messages[at].images))
        if lead and not certain:
            most = max((gap.count(SYSTEM) for gap in self.gaps.values()), default=1)
            pieces[:0] = [Piece(system)] * (most - times)
        return pieces, certain and not any(message.tool_uses for message in messages)

    def gap(self, kinds: Sequence[str]) -> tuple[str, bool]:
        """The text for this gap, and True. If it was not learnt: one that is hardly shorter, and False, namely the
        longest between messages of those kinds, without the system message. Each empty message is treated as one
        with a text.
        """
        if " ".join(kinds) in self.gaps:
            return self.gaps[" ".join(kinds)], True
        return "".join(self._longest(step) for step in steps_of(kinds)), False

    def _longest(self, step: Sequence[str]) -> str:
        """The longest gap between messages of these kinds, else in such a place; in this mode, else in any."""
        mode, *wanted = " ".join(step).translate(_MARKS).split()
        best = (False, False, False), ""
        for key, gap in self.gaps.items():
            of, *kinds = key.translate(_MARKS).split()
            if "?" in key or _place(kinds) != _place(wanted):
                continue
            fit = of[0] == mode[0], kinds == wanted, of == mode
            text = gap.replace(SYSTEM, "")
            if (fit, len(text)) >= (best[0], len(best[1])):
                best = fit, text
        return best[1]


def steps_of(kinds: Sequence[str]) -> list[list[str]]:
    """The gaps there would be if each empty message in between had a text."""
    mode, *among = kinds
    end = among.pop() if among[-1] == "$" else ""
    steps = [[mode, *pair] for pair in pairwise(kind.replace("?", "") for kind in among)]
    if end and steps:
        steps[-1].append(end)
    if end and (not steps or "?" in among[-1]):
        steps.append([mode, among[-1].replace("?", ""), end])
    return steps


def _place(kinds: Sequence[str]) -> tuple[bool, bool, int]:
    return kinds[0] == "^", kinds[-1] == "$", len(kinds)


def gaps_of(
    messages: Sequence[Message], texts: Sequence[str], lead: int, even: bool = False, apart: bool = True
) -> Iterator[tuple[list[str], int | None]]:
    """The kinds around each gap, and the index of the message whose text follows it (None: the end)."""
    mode = "s" if lead else "-"
    if apart and lead < len(messages) and messages[lead].role == Role.ASSISTANT:
        mode += "a"
    question = _last_question(messages)
    kinds = [mode, "^"]
    for at in range(lead, len(messages)):
        shown = even or texts[at] != "" or messages[at].images != ()
        thinking = messages[at].thinking != ""
        kinds.append(f"{messages[at].role}{'!' * (at in question)}{'+' * thinking}{'?' * (not shown)}")
        if shown:
            yield ([*kinds, "$"] if at == len(messages) - 1 else kinds), at
            kinds = [mode, kinds[-1]]
    yield [*kinds, "$"], None


def _last_question(messages: Sequence[Message]) -> range:
    """The indices of the user's last message and of the user's messages directly before it."""
    end = next((at for at in range(len(messages), 0, -1) if messages[at - 1].role == Role.USER), 0)
    start = next((at for at in range(end, 0, -1) if messages[at - 1].role != Role.USER), 0)
    return range(start, end)


def leading(messages: Sequence[Message]) -> int:
    """How many system messages are at the front."""
    return next((at for at, message in enumerate(messages) if message.role != Role.SYSTEM), len(messages))
