"""What is looked up for one question and sent with it: passages of attached files, and earlier messages."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence, Set
from dataclasses import field, replace
from typing import TYPE_CHECKING

from chatcli.context.outgoing import Copies, less, text_files
from chatcli.context.plan_inputs import Basis
from chatcli.conversation.message import Message, Role
from chatcli.conversation.plan import Fate, Part, PartKind
from chatcli.conversation.retrieval import Candidate, Retrieved
from chatcli.conversation.tree import Node
from chatcli.conversation.usage import Count
from chatcli.dataclass import dataclass

if TYPE_CHECKING:
    from chatcli.context.query import Dates, Terms

# What recall may take of the room for history when the question looks back, where else it has its usual share:
# messages sent word for word give way. Measured: docs/explanation.md.
WIDE = 0.9
# The same for any other bare question, but of what is free only.
HALF = 0.5
# How many messages there are to choose from, at least and at most: as many of SHORT tokens as there is room for.
# With fewer, evidence was lost on the conversations that docs/explanation.md tells of.
LEAST, MOST, SHORT = 100, 150, 40


@dataclass(frozen=True, slots=True)
class LookedUp:
    """The question's copy with everything that goes with it, what that costs, and for each quoted message why it
    is quoted. `unquoted`: why not, of messages that there is room for, but no time to read. `looks_back`: the
    question asks for what was said, so that more may be quoted. `again`, `gave_way`: as in Plan.
    """

    message: Message
    parts: tuple[Part, ...] = ()
    quoted: dict[int, str] = field(default_factory=dict)
    unquoted: dict[int, str] = field(default_factory=dict)
    again: int = 0
    gave_way: bool = False
    looks_back: bool = False

    @property
    def recalled(self) -> int:
        """The tokens of what is quoted of earlier messages."""
        return sum(part.count.tokens for part in self.parts if part.kind is PartKind.RECALLED)


@dataclass(frozen=True, slots=True)
class Sought:
    """What to look up, for a question that is copied as `copies` say. `upto`: the newest message that is left out,
    None where none is. `sent`: the nodes sent word for word. `gives_way`: nothing is to be quoted yet if the
    question looks back, as some of these may give way. `again`: the tokens of `sent` that the server reads again
    because of quotes.
    """

    question: Node
    copies: Copies
    upto: int | None
    sent: Sequence[Node]
    basis: Basis
    gives_way: bool = False
    again: int = 0

    @property
    def kept_out(self) -> Set[int]:
        """The nodes of which nothing is looked up: those that are sent, and those that were forgotten."""
        return self.basis.state.forgotten.union(node.id for node in self.sent)


@dataclass(frozen=True, slots=True)
class Free:
    """In tokens: `room` is all that is free, `history` how much of it history may take; `whole`: what history may
    have in all. `share`: the part of that which recall usually takes.
    """

    room: int
    history: int
    whole: int
    share: float

    def for_recall(self, words: Terms, looks_back: bool) -> int:
        share = WIDE if looks_back else HALF if words.asks_only else 0.0
        return min(self.room, self.history, int(self.whole * max(share, self.share)))


def look_up(sought: Sought, free: Free) -> LookedUp:
    memory = sought.basis.memory
    found = LookedUp(sought.copies.of(sought.question.message), again=sought.again)
    room = free.room
    if room > 0:
        found = _with_documents(found, sought, room)
        room -= sum(part.count.tokens for part in found.parts)
    free = replace(free, room=room)
    searched = sought.upto is not None or memory.recall == "always"
    if searched and sought.basis.recalls:
        from chatcli.context.query import terms

        words = terms(sought.question.message.text)
        if words and free.for_recall(words, looks_back=True) > 0:
            found = _with_recall(found, sought, words, free)
    return found


def _with_documents(found: LookedUp, sought: Sought, room: int) -> LookedUp:
    question, copies, memory = sought.question, sought.copies, sought.basis.memory
    own = () if copies.sends_whole(question.message) else text_files(question.message)
    out = memory.files(sought.upto) if memory.files is not None and sought.upto is not None else ()
    kept_out, sends_whole = sought.kept_out, sought.basis.copies.sends_whole
    nodes = [node for node in out if node.id not in kept_out]
    nodes += [node for node in sought.sent if not sends_whole(node.message)]
    files = [file for node in sorted(nodes, key=lambda node: node.number) for file in text_files(node.message)]
    if not own and not files:
        return found
    from chatcli.context import documents
    from chatcli.context.query import terms

    words = terms(question.message.text)
    chosen = documents.choose(files, own, words, min(room, copies.largest), _measure(copies))
    block = documents.quote(chosen)
    while block and _added(found, block, copies).tokens > room:
        chosen = chosen[:-1]
        block = documents.quote(chosen)
    if not block:
        return found
    return _with(found, block, PartKind.PASSAGES, documents.describe(chosen), copies)


def _with_recall(found: LookedUp, sought: Sought, words: Terms, free: Free) -> LookedUp:
    from chatcli.context import query, recall

    question, copies, memory = sought.question, sought.copies, sought.basis.memory
    if memory.search is None:
        return found
    named = query.dates(question.message.text)
    spans = named.spans(question.created)
    always = memory.recall == "always" or bool(named and words.asks)
    sent = tuple(node.message.text for node in sought.sent)
    asked = _Asked(words, named, always, sent, sought.gives_way)
    limit = min(MOST, max(LEAST, free.for_recall(words, looks_back=True) // SHORT))
    results = memory.search(words.sought, sought.upto, spans, question.message.text, limit, asked)
    if not asked.fires(results):
        return found
    found = replace(found, looks_back=asked.looks_back(results))
    if found.looks_back and sought.gives_way:
        return found
    room = free.for_recall(words, found.looks_back)
    kept_out = sought.kept_out | sought.basis.state.pins

    def may_be_quoted(candidate: Candidate) -> bool:
        return candidate.node not in kept_out

    ranking, here, patience = recall.rank(results, words, named), results.conversation, memory.patience
    readable = int(min(room, patience.tokens - sought.again))
    chosen = recall.choose(ranking, readable, _measure(copies), may_be_quoted)
    block = recall.quote(chosen, here)
    while block and _added(found, block, copies).tokens > readable:
        worst = next(each.candidate for each in reversed(ranking) if each.candidate in chosen)
        chosen = [each for each in chosen if each is not worst]
        block = recall.quote(chosen, here)
    quoted = recall.messages_quoted([each for each in chosen if each.conversation == here], words, results)
    if readable < room:
        fitting = recall.choose(ranking, room, _measure(copies), may_be_quoted)
        late = {each.number for each in fitting if each.conversation == here}.difference(quoted)
        found = replace(found, unquoted=dict.fromkeys(late, f"recall_patience: {patience.limit}"))
    if not block:
        return found
    some = f"{len({each.node for each in chosen})} earlier messages that fit the question"
    some += f", by words, and by meaning among the newest {results.compared:,} passages" if results.near else ""
    some += patience.price(_added(found, block, copies).tokens)
    return replace(_with(found, block, PartKind.RECALLED, some, copies), quoted=quoted)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question, with the texts `sent` word for word; `gives_way`: some of these do if it looks back. A value, so
    that a search for the same is known to be the same.
    """

    words: Terms
    named: Dates
    always: bool
    sent: tuple[str, ...]
    gives_way: bool

    def may_fire(self, found: Retrieved, sets: Collection[frozenset[str]]) -> bool:
        from chatcli.context import recall

        return recall.may_fire(found, sets, self.words, self.always)

    def fires(self, found: Retrieved) -> bool:
        from chatcli.context import recall

        return recall.fires(found, self.words, self.always)

    def looks_back(self, found: Retrieved) -> bool:
        from chatcli.context import recall

        return recall.looks_back(found, self.words, self.named, self.sent)

    @property
    def few_may_do(self) -> bool:
        return self.gives_way

    def enough(self, few: Retrieved) -> bool:
        """Whether nothing is to be quoted yet."""
        return self.gives_way and self.fires(few) and self.looks_back(few)

    def clues(self, first: Retrieved) -> Mapping[str, int]:
        """What a second round looks for, where there is something to quote."""
        from chatcli.context import recall

        if not self.fires(first) or self.enough(first):
            return {}
        return recall.clues(first, self.words, self.named)


def read_again(sent: Sequence[Node], cost: Callable[[Node], int]) -> int:
    """The tokens of the last question and of all after it, if its copy had quotes: without them it is another
    message, which the server has not read. All tokens, if messages gave way to these quotes.
    """
    tokens, had_quotes, gave_way = 0, False, False
    for node in reversed(sent):
        tokens += cost(node)
        if node.turn is not None and not had_quotes:
            had_quotes, gave_way = node.turn.quoted > 0, node.turn.gave_way
        if node.message.role is Role.USER and not gave_way:
            break
    return tokens if had_quotes else 0


def _with(found: LookedUp, block: str, kind: PartKind, why: str, copies: Copies) -> LookedUp:
    part = Part(kind, Fate.SENT, _added(found, block, copies), why)
    return replace(found, message=_before(found.message, block), parts=(*found.parts, part))


def _added(found: LookedUp, block: str, copies: Copies) -> Count:
    """What the block adds to the question's copy."""
    return less(copies.count(_before(found.message, block)), copies.count(found.message))


def _before(message: Message, block: str) -> Message:
    return replace(message, text=f"{block}\n\n{message.text}")


def _measure(copies: Copies) -> Callable[[str], int]:
    """What a text costs inside a message."""
    empty = copies.count(Message.user("")).tokens
    return lambda text: copies.count(Message.user(text)).tokens - empty
