"""The account of a plan: one part for each message or range of messages, and one for everything else
that is sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from chatcli.context.outgoing import Copies, less, text_files
from chatcli.context.retrieved_passages import LookedUp
from chatcli.context.strategies import LeftOut
from chatcli.context.system_message import Front
from chatcli.conversation.context_state import Summary
from chatcli.conversation.message import Role
from chatcli.conversation.plan import Fate, Part, PartKind
from chatcli.conversation.tree import Node
from chatcli.conversation.usage import NOTHING
from chatcli.dataclass import dataclass

FORGOTTEN = "forgotten"
PINS_ROOM = "pinned messages may take half of the room for history"


@dataclass(frozen=True, slots=True)
class Unsent:
    """Why messages are not sent word for word. `marked`: those that were forgotten, or are too large to be pinned,
    by number; `left_out`: what the strategy leaves out, in order; `summary`: the one that is sent.
    """

    marked: Mapping[int, str]
    left_out: Sequence[LeftOut]
    summary: Summary | None


def account(begin: Front, unsent: Unsent, spoken: Sequence[Part], looked_up: LookedUp) -> tuple[Part, ...]:
    """The parts in order: system prompt, facts, summary, every message of the path by its number, with the files
    that go with it, and what was looked up. `spoken`: the parts of the messages sent word for word, the question
    included.
    """
    special = {number: part for number, why in unsent.marked.items() for part in _out(number, number, why)}
    for number, why in looked_up.quoted.items():
        special[number] = Part(PartKind.VERBATIM, Fate.RECALLED, NOTHING, why, number, number)
    for number, why in looked_up.unquoted.items():
        (usual,) = _range(number, number, unsent)
        special[number] = replace(usual, kind=PartKind.RECALLED, why=f"{usual.why}; {why}" if usual.why else why)
    special |= begin.pinned
    return (*begin.system, *begin.facts, *begin.summary, *_by_number(spoken, special, unsent), *looked_up.parts)


def word_for_word(kind: PartKind, nodes: Iterable[Node], copies: Copies) -> Iterator[Part]:
    """The parts of messages that are sent: each message, and the files sent whole with it."""
    why = "always sent" if kind is PartKind.QUESTION else ""
    for node in nodes:
        cost, lacks = copies.cost(node.message), copies.lacks(node.message)
        if node.message.calls or node.message.role is Role.TOOL:
            kind_here = PartKind.CALLS if node.message.calls else PartKind.RESULTS
            yield Part(kind_here, Fate.SENT, cost, why, node.number, node.number, node.id, lacks)
        elif copies.sends_whole(node.message):
            files = copies.files_cost(node.message)
            names = ", ".join(file.name for file in text_files(node.message))
            yield Part(kind, Fate.SENT, less(cost, files), why, node.number, node.number, node.id, lacks)
            whole = f"{names}: whole, in message {node.number}"
            yield Part(PartKind.DOCUMENTS, Fate.SENT, files, whole, node=node.id)
        else:
            yield Part(kind, Fate.SENT, cost, why, node.number, node.number, node.id, lacks)


def _by_number(spoken: Sequence[Part], special: Mapping[int, Part], unsent: Unsent) -> Iterator[Part]:
    """Each message once: as it is sent, else by itself where that says more, else in a range."""
    at = 1
    for part in spoken:
        if part.first > at:
            yield from _gap(at, part.first - 1, special, unsent)
        yield part
        at = max(at, part.last + 1)


def _gap(first: int, last: int, special: Mapping[int, Part], unsent: Unsent) -> Iterator[Part]:
    """Messages `first` to `last`, none of which is sent word for word from its place."""
    at = first
    for number in sorted(number for number in special if first <= number <= last):
        yield from _range(at, number - 1, unsent)
        yield special[number]
        at = number + 1
    yield from _range(at, last, unsent)


def _range(start: int, end: int, unsent: Unsent) -> Iterator[Part]:
    """The range split into the messages that the summary covers, and those before and after."""
    summary = unsent.summary
    low, high = (summary.first or 1, summary.last or end) if summary else (end + 1, end)
    yield from _left_out(start, min(end, low - 1), unsent.left_out)
    if max(start, low) <= min(end, high):
        yield Part(PartKind.VERBATIM, Fate.SUMMARIZED, NOTHING, "in the summary", max(start, low), min(end, high))
    yield from _left_out(max(start, low, high + 1), end, unsent.left_out)


def _left_out(start: int, end: int, reasons: Sequence[LeftOut]) -> Iterator[Part]:
    """The range, which may be empty, split by the reasons that the strategy gives; a message may have none."""
    for each in reasons:
        if each.last < start:
            continue
        yield from _out(start, min(end, each.first - 1), "")
        yield from _out(max(start, each.first), min(end, each.last), each.why)
        start = each.last + 1
    yield from _out(start, end, "")


def _out(first: int, last: int, why: str) -> Iterator[Part]:
    """A part for these messages, if there is at least one."""
    if first <= last:
        yield Part(PartKind.VERBATIM, Fate.OUT, NOTHING, why, first, last)
