"""What is looked up for one question and sent with it: passages of attached files, and earlier messages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from chatcli.context import documents, recall
from chatcli.context.inputs import Memory
from chatcli.context.outgoing import Copies, less, text_files
from chatcli.context.query import Terms, dates, terms
from chatcli.conversation.context_state import State
from chatcli.conversation.message import Message
from chatcli.conversation.plan import Fate, Part, PartKind
from chatcli.conversation.retrieval import Candidate
from chatcli.conversation.tree import Node

# Recall uses what is free, but no more than this share of the room for history: the model hardly reads more.
MOST = 0.5


@dataclass(frozen=True, slots=True)
class LookedUp:
    """The question's copy with everything that goes with it, what that costs, and for each quoted message why it
    is quoted.
    """

    message: Message
    parts: tuple[Part, ...] = ()
    quoted: dict[int, str] = field(default_factory=dict)


def look_up(
    question: Node,
    copies: Copies,
    beside: Sequence[Node],
    first: Node,
    memory: Memory,
    state: State,
    room: int,
    history: int,
) -> LookedUp:
    """`beside`: nodes sent word for word, except for files that are too long; `first`: the first of these nodes.
    `room`: all tokens that are free; `history`: how many of them recall may take.
    """
    said = copies.of(question.message)
    sought = terms(question.message.text)
    found = LookedUp(said)
    if room > 0:
        found = _with_documents(found, question, sought, copies, beside, first, memory, room)
        room -= sum(part.count.tokens for part in found.parts)
    if min(room, history) > 0 and memory.recalls and (first.number > 1 or memory.recall == "always"):
        found = _with_recall(found, question, sought, copies, first, memory, state, min(room, history))
    return found


def _with_documents(
    found: LookedUp,
    question: Node,
    sought: Terms,
    copies: Copies,
    beside: Sequence[Node],
    first: Node,
    memory: Memory,
    room: int,
) -> LookedUp:
    own = () if copies.sends_whole(question.message) else text_files(question.message)
    out = memory.files(first.parent) if memory.files is not None and first.parent is not None else ()
    files = [file for node in (*out, *beside) for file in text_files(node.message)]
    chosen = documents.choose(files, own, sought, min(room, copies.largest), _measure(copies))
    block = documents.quote(chosen)
    while block and less(copies.count(_before(found.message, block)), copies.count(found.message)).tokens > room:
        chosen = chosen[:-1]
        block = documents.quote(chosen)
    if not block:
        return found
    return _with(found, block, PartKind.DOCUMENTS, documents.describe(chosen), copies)


def _with_recall(
    found: LookedUp,
    question: Node,
    sought: Terms,
    copies: Copies,
    first: Node,
    memory: Memory,
    state: State,
    room: int,
) -> LookedUp:
    if not sought or memory.search is None:
        return found
    named = dates(question.message.text)
    spans = named.spans(question.created)
    results = memory.search(sought.sought, first.parent, spans, question.message.text)
    if not recall.fires(results, sought, always=memory.recall == "always" or bool(named and sought.asks)):
        return found
    kept_out = state.forgotten | state.pins

    def may_be_quoted(candidate: Candidate) -> bool:
        return candidate.node not in kept_out

    ranking = recall.rank(results, sought, named)
    chosen = recall.choose(ranking, room, _measure(copies), may_be_quoted)
    here = results.conversation
    block = recall.quote(chosen, here)
    while block and less(copies.count(_before(found.message, block)), copies.count(found.message)).tokens > room:
        worst = next(each.candidate for each in reversed(ranking) if each.candidate in chosen)
        chosen = [each for each in chosen if each is not worst]
        block = recall.quote(chosen, here)
    if not block:
        return found
    quoted = recall.messages_quoted([each for each in chosen if each.conversation == here], sought, results)
    some = f"{len({each.node for each in chosen})} earlier messages that fit the question"
    some += ", by words and meaning" if results.near else ""
    return replace(_with(found, block, PartKind.RECALLED, some, copies), quoted=quoted)


def _with(found: LookedUp, block: str, kind: PartKind, why: str, copies: Copies) -> LookedUp:
    message = _before(found.message, block)
    cost = less(copies.count(message), copies.count(found.message))
    return replace(found, message=message, parts=(*found.parts, Part(kind, Fate.SENT, cost, why)))


def _before(message: Message, block: str) -> Message:
    return replace(message, text=f"{block}\n\n{message.text}")


def _measure(copies: Copies) -> Callable[[str], int]:
    """What a text costs inside a message."""
    empty = copies.count(Message.user("")).tokens
    return lambda text: copies.count(Message.user(text)).tokens - empty
