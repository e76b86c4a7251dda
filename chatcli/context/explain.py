"""The account of a plan: one part for each message or range of messages, and one for everything else
that is sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from chatcli.context.augment import LookedUp
from chatcli.context.outgoing import Copies, less, text_files
from chatcli.context.prefix import Front
from chatcli.context.strategies import Choice
from chatcli.conversation.context_state import Summary
from chatcli.conversation.plan import Fate, Part, PartKind
from chatcli.conversation.tree import Node
from chatcli.conversation.usage import NOTHING

FORGOTTEN = "forgotten"
PINS_ROOM = "pinned messages may take half of the room for history"


def account(
    begin: Front,
    summary: Summary | None,
    choice: Choice,
    question: Sequence[Node],
    copies: Copies,
    asked: Copies,
    looked_up: LookedUp,
    unsent: Mapping[int, str],
) -> tuple[Part, ...]:
    """The parts in order: system prompt, summary, messages not sent, messages sent, files, recall, question."""
    first = (choice.sent or question)[0].number
    special = {number: _out(number, number, why) for number, why in unsent.items()}
    for number, why in looked_up.quoted.items():
        if number < first:
            special[number] = Part(PartKind.VERBATIM, Fate.RECALLED, NOTHING, why, number, number)
    special |= begin.pinned
    sent = [part for node in choice.sent for part in _message(PartKind.VERBATIM, node, copies)]
    spoken = [part for node in question for part in _message(PartKind.QUESTION, node, asked)]
    return (
        *begin.system,
        *begin.summary,
        *_before(first, special, summary, choice.why),
        *_with_gaps([*sent, *spoken], first),
        *looked_up.parts,
    )


def _before(first: int, special: Mapping[int, Part], summary: Summary | None, why: str) -> Iterator[Part]:
    """Messages 1 to `first` - 1: each pinned or recalled one is a part, the others are ranges."""
    at = 1
    for number in (*sorted(special), first):
        if at < number:
            yield from _range(at, number - 1, summary, why)
        if number < first:
            yield special[number]
        at = number + 1


def _range(start: int, end: int, summary: Summary | None, why: str) -> Iterator[Part]:
    """The range split into the messages that the summary covers, and those before and after."""
    low, high = (summary.first or 1, summary.last or end) if summary else (1, 0)
    for fate, reason, first, last in (
        (Fate.OUT, why, start, min(end, low - 1)),
        (Fate.SUMMARISED, "in the summary", max(start, low), min(end, high)),
        (Fate.OUT, why, max(start, high + 1, low), end),
    ):
        if first <= last:
            yield Part(PartKind.VERBATIM, fate, NOTHING, reason, first, last)


def _message(kind: PartKind, node: Node, copies: Copies) -> Iterator[Part]:
    cost = copies.cost(node.message)
    why = "always sent" if kind is PartKind.QUESTION else ""
    if copies.sends_whole(node.message):
        files = copies.files_cost(node.message)
        names = ", ".join(file.name for file in text_files(node.message))
        yield Part(kind, Fate.SENT, less(cost, files), why, node.number, node.number, node.id)
        yield Part(PartKind.DOCUMENTS, Fate.SENT, files, f"{names}: whole, in message {node.number}")
    else:
        yield Part(kind, Fate.SENT, cost, why, node.number, node.number, node.id)


def _with_gaps(parts: Sequence[Part], first: int) -> Iterator[Part]:
    """A message that is missing between those sent was forgotten."""
    at = first
    for part in parts:
        if part.first > at:
            yield _out(at, part.first - 1, FORGOTTEN)
        yield part
        at = max(at, part.last + 1)


def _out(first: int, last: int, why: str) -> Part:
    return Part(PartKind.VERBATIM, Fate.OUT, NOTHING, why, first, last)
