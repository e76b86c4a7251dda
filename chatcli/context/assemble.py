"""Makes the Plan of a request: a pure function of path, system prompt, budget, counts and state.

The parts come in the order of the prompt, those that change least first: the system message (system_message.py),
the messages sent word for word from the cut on, and the question. Only the question's copy carries what was looked
up for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import replace
from itertools import chain, pairwise

from chatcli.context.budget import Budget, Rooms, reserve_like
from chatcli.context.explain import FORGOTTEN, PINS_ROOM, Unsent, account, word_for_word
from chatcli.context.outgoing import Copies
from chatcli.context.plan_inputs import Basis, Memory
from chatcli.context.retrieved_passages import WIDE, Free, LookedUp, Sought, look_up, read_again
from chatcli.context.strategies import (
    CHOOSERS,
    LOW_WATER,
    Choice,
    LeftOut,
    Need,
    giving_way,
    since_cut,
    stable_cut,
)
from chatcli.context.system_message import Front
from chatcli.context.tool_results import Shares, of_turn
from chatcli.conversation.context_state import State, Summary
from chatcli.conversation.message import Message, Role
from chatcli.conversation.plan import Fate, Part, PartKind, Plan
from chatcli.conversation.tree import Node
from chatcli.conversation.usage import in_tokens
from chatcli.dataclass import dataclass
from chatcli.errors import ContextTooLong
from chatcli.settings.strategies import Strategy


def assemble(back: Iterable[Node], basis: Basis) -> tuple[Plan, State]:
    """Plan the next request. `back` yields the path's nodes from the tip to the root; only as many are read as the
    strategy needs, so the cost does not grow with the conversation.

    The system prompt, and everything from the last question on, are always sent. Raises ContextTooLong when those
    alone do not fit.
    """
    kept = basis.state.summary
    nodes = iter(back)
    turn = from_last_question(nodes)
    basis = basis.at(turn[0].parent)
    budget, copies, memory, state = basis.limits, basis.copies, basis.memory, basis.state
    question, asked = _asked(turn, basis)
    pinned, summary = basis.standing(question[0].parent)
    most = basis.front(pinned, summary)
    room = basis.rooms(most)
    said = sum(asked.cost(node.message).tokens for node in question)
    space = max(0, min(budget.room - most.tokens - said, room.history))
    need = Need(question[0], basis.sent(nodes), space, room.share, copies.tokens, state, basis.window_messages)
    choice, passed = _chosen(basis.strategy, need)
    draft = _Draft(basis, question[0], asked, pinned, summary, room, said)
    choice, looked_up = draft.with_looked_up(choice)
    begin, summary = draft.before(choice)
    marked = dict.fromkeys(passed, FORGOTTEN) | _marked(state, {node.id for node in pinned}, question[0], memory)
    spoken = (
        *word_for_word(PartKind.VERBATIM, choice.sent, copies),
        *word_for_word(PartKind.QUESTION, question, asked),
    )
    parts = account(begin, Unsent(marked, choice.left_out, summary), spoken, looked_up)
    messages = _in_order(begin, choice, looked_up, question[1:], copies, asked)
    template = Part(PartKind.TEMPLATE, Fate.SENT, budget.fixed)
    plan = Plan(
        messages,
        (template, *parts),
        basis.budget.window,
        budget.reserve,
        budget.margin,
        basis.strategy.server_cuts,
        again=looked_up.again,
        gave_way=looked_up.gave_way,
    )
    return plan, replace(choice.state, summary=kept)


@dataclass(frozen=True, slots=True)
class _Draft:
    """What a plan has besides its choice of messages. `summary`: the one that stands if the choice begins behind
    it; `said`: the tokens of the question and what follows it.
    """

    basis: Basis
    question: Node
    asked: Copies
    pinned: Sequence[Node]
    summary: Summary | None
    room: Rooms
    said: int

    def with_looked_up(self, choice: Choice) -> tuple[Choice, LookedUp]:
        """The choice, and what is looked up for the question. If that looks back, the oldest messages give way to
        quotes, as far as there are any, if there is time to read the others again, now and for the next question.
        """
        wide = int(self.room.history * WIDE)
        fewer = giving_way(choice, self.basis.copies.tokens, self.room.history - wide)
        if fewer is choice or self._tokens(choice) > self.basis.memory.patience.tokens:
            return choice, self._look_up(choice)
        looked_up = self._look_up(choice, gives_way=True)
        if not looked_up.looks_back:
            return choice, looked_up
        more = replace(self._look_up(fewer, again=self._tokens(fewer)), gave_way=True)
        enough = more.recalled <= self.room.history - self._tokens(choice)
        return (choice, self._look_up(choice)) if enough else (fewer, more)

    def before(self, choice: Choice) -> tuple[Front, Summary | None]:
        """What comes before the messages of the choice, and the summary in it."""
        memory, state, summary = self.basis.memory, self.basis.state, self.summary
        first = self._first(choice)
        summary = summary if summary and _stands(summary, first, choice, memory) else None
        elsewhere = state.forgotten.union(node.id for node in choice.sent)
        return self.basis.front([node for node in self.pinned if node.id not in elsewhere], summary), summary

    def _first(self, choice: Choice) -> Node:
        return _after(choice.left_out, [*choice.sent, self.question])

    def _tokens(self, choice: Choice) -> int:
        return sum(map(self.basis.copies.tokens, choice.sent))

    def _look_up(self, choice: Choice, gives_way: bool = False, again: int | None = None) -> LookedUp:
        """`again`: how many tokens are read again because of quotes; None: those that earlier quotes cost."""
        history, verbatim = self.room.history, self._tokens(choice)
        room = self.basis.limits.room - self.before(choice)[0].tokens - verbatim - self.said
        if again is None:
            again = read_again(choice.sent, self.basis.copies.tokens) if self.basis.recalls else 0
        parent = self._first(choice).parent
        sought = Sought(self.question, self.asked, parent, choice.sent, self.basis, gives_way, again)
        return look_up(sought, Free(room, history - verbatim, history, self.basis.memory.recall_share))


def _chosen(strategy: Strategy, need: Need) -> tuple[Choice, Set[int]]:
    """What the strategy chooses, and the numbers of the forgotten messages it came past: those are no part of what
    it leaves out.
    """
    passed: set[int] = set()
    choice = CHOOSERS[strategy.name](replace(need, earlier=_noting(need.earlier, need.state.forgotten, passed)))
    left_out = tuple(chain.from_iterable(_without(each, passed) for each in choice.left_out))
    return replace(choice, left_out=left_out), passed


def _noting(nodes: Iterator[Node], forgotten: Set[int], passed: set[int]) -> Iterator[Node]:
    """The nodes; the numbers of those that were forgotten are added to `passed`."""
    for node in nodes:
        if node.id in forgotten:
            passed.add(node.number)
        yield node


def _without(left_out: LeftOut, numbers: Set[int]) -> Iterator[LeftOut]:
    """The range without these messages."""
    inside = sorted(number for number in numbers if left_out.first <= number <= left_out.last)
    for before, after in pairwise([left_out.first - 1, *inside, left_out.last + 1]):
        if after - before > 1:
            yield replace(left_out, first=before + 1, last=after - 1)


def _after(left_out: Sequence[LeftOut], sent: Sequence[Node]) -> Node:
    """The first message sent after the newest that the strategy leaves out; the last of `sent` is the question."""
    newest = max((each.last for each in left_out), default=0)
    return next(node for node in sent if node.number > newest)


def _marked(state: State, pinned: Set[int], question: Node, memory: Memory) -> dict[int, str]:
    """For each pinned or forgotten message before the question, by number, why it is not sent, where it is not: it
    was forgotten, or is too large to be pinned.
    """
    marked = state.forgotten | (state.pins - pinned)
    if not marked or memory.look_up is None or question.parent is None:
        return {}
    nodes = memory.look_up(marked, question.parent)
    return {node.number: FORGOTTEN if node.id in state.forgotten else PINS_ROOM for node in nodes}


def _in_order(
    begin: Front, choice: Choice, looked_up: LookedUp, onward: Sequence[Node], copies: Copies, asked: Copies
) -> tuple[Message, ...]:
    """The messages of the request: the front, the history, the question's copy, and a reply to it that is to be
    continued.
    """
    return (
        *((begin.message,) if begin.message else ()),
        *(copies.of(node.message) for node in choice.sent),
        looked_up.message,
        *(asked.of(node.message) for node in onward),
    )


def from_last_question(nodes: Iterator[Node]) -> tuple[Node, ...]:
    """The last question and what follows it (a reply that is to be continued, calls of tools and their results),
    oldest first.
    """
    tail: list[Node] = []
    for node in nodes:
        tail.append(node)
        if node.message.role is Role.USER:
            break
    return tuple(tail[::-1])


def _stands(summary: Summary, first: Node, choice: Choice, memory: Memory) -> bool:
    """Whether the messages that the summary covers are on this path, before the first message sent."""
    if choice.at_cut:
        return True
    if memory.look_up is None or first.parent is None:
        return first.parent is not None and summary.upto < first.id
    return bool(memory.look_up([summary.upto], first.parent))


def _asked(turn: Sequence[Node], basis: Basis) -> tuple[Sequence[Node], Copies]:
    """The turn that goes on, and how it is copied: with the question's files whole and the whole share of each
    result, if that fits. Raises ContextTooLong when it does not fit even without the files and with short results.
    """
    budget, copies, system = basis.limits, basis.copies, basis.front().tokens
    tries = [(copies.largest, basis.shares.one), *((0, share) for share in basis.shares.halves)]
    if not any(node.message.role is Role.TOOL for node in turn):
        tries = tries[:2]
    for largest, share in tries:
        asked = replace(copies, largest=largest, goes_on=True)
        sent = of_turn(turn, basis.count, Shares(share, basis.shares.turn))
        costs = {node.id: asked.cost(node.message).tokens for node in sent}
        said = sum(costs.values())
        if system + said <= budget.most:
            return sent, asked
    results = sum(costs[node.id] for node in sent if node.message.role is Role.TOOL)
    facts = sum(part.count.tokens for part in basis.front().facts)
    sizes = (
        ("system prompt", system - facts),
        ("your facts", facts),
        ("this message" if len(turn) == 1 else "this message and the reply so far", said - results),
        ("results of tools", results),
        ("the model's own template", budget.fixed.tokens if budget.fixed.tokens > budget.window // 8 else 0),
    )
    biggest = sorted(sizes, key=lambda row: -row[1])
    raise _too_long(budget, system + said, [row for row in biggest if row[1]])


def _too_long(budget: Budget, needed: int, biggest: Sequence[tuple[str, int]]) -> ContextTooLong:
    sizes = ", ".join(f"{name} {in_tokens(tokens)}" for name, tokens in biggest)
    return ContextTooLong(
        f"This does not fit the context window of {budget.window} tokens even without any history: {sizes}; "
        f"there is room for {max(0, budget.most)}.",
        "Shorten it.",
        needed=needed,
        available=max(0, budget.most),
        biggest=tuple(biggest),
    )


def settle_cut(back: Iterable[Node], basis: Basis) -> State:
    """The state after the reply at the tip. A strategy may move the cut once the history has passed its share; the
    reserve then adapts to the replies as well, because the prompt changes anyway.

    `back` as in assemble.
    """
    state = basis.state
    nodes = basis.sent(back)
    tip = next(nodes, None)
    if not basis.strategy.moves_cut or tip is None:
        return state
    here = basis.at(tip.id)
    room = here.rooms(here.front(*here.standing(tip.id)))
    high = room.whole if state.cut is None else room.share
    stretch = since_cut(chain([tip], nodes), here.copies.tokens, here.state, room.whole)
    if stretch.tokens <= high:
        return state
    first = stable_cut(stretch, int(room.share * LOW_WATER), room.history)
    if first in {0, len(stretch.nodes)}:
        return state  # the last exchange alone exceeds it: assembly checks whether it fits with the next question
    replies = [
        basis.count(node.message.without_thinking).tokens
        for node in stretch.nodes
        if node.message.role is Role.ASSISTANT and node.message.text
    ]
    reserve = reserve_like(replies, basis.budget.window) if replies else state.reserve
    return replace(state, cut=stretch.nodes[first].id, reserve=reserve)
