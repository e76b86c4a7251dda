"""From what has been said to what is sent: a pure function of path, system prompt, budget, counts and state.

In the order of the prompt, what changes least first: the front (front.py), the messages word for word from the cut
on, and the question, whose copy alone carries what was looked up for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from chatcli.context.account import account
from chatcli.context.budget import Budget, Rooms, rooms
from chatcli.context.copies import Copies, Counting
from chatcli.context.front import Front, front
from chatcli.context.lookup import MOST, LookedUp, look_up
from chatcli.context.memory import Memory
from chatcli.context.strategies import RECALLS, STRATEGIES, SUMMARISES, Choice, Need
from chatcli.conversation.message import Message, Role
from chatcli.conversation.plan import Plan
from chatcli.conversation.state import State, Summary
from chatcli.conversation.tree import Node
from chatcli.errors import ContextTooLong


def assemble(  # noqa: PLR0913, PLR0917 - the last three are wishes and will become one
    back: Iterable[Node],
    system: str,
    budget: Budget,
    count: Counting,
    state: State,
    strategy: str = "auto",
    window_messages: int = 20,
    sees: bool = True,
    memory: Memory = Memory(),  # noqa: B008 - frozen
) -> tuple[Plan, State]:
    """Plan the next request. `back` yields the path's nodes from the tip to the root; only as many are asked for
    as the strategy needs, so that the cost does not grow with the conversation.

    `sees`: whether the model takes pictures; for one that does not, those of earlier messages stay out.

    The system prompt, and everything from the last question on, are always sent; ContextTooLong when those
    alone do not fit.
    """
    nodes = iter(back)
    question = from_last_question(nodes)
    copies = copies_for(budget, count, sees, memory)
    bare = front(system, "", (), None, copies)
    asked = _asked(question, bare.tokens, budget, copies)
    pinned, summary = standing(question[0].parent, system, budget, copies, state, strategy, memory)
    most = front(system, memory.preset, pinned, summary, copies)
    room = rooms_for(budget, bare, most, strategy, memory)
    spoken = sum(asked.cost(node.message).tokens for node in question)
    space = max(0, min(budget.room - most.tokens - spoken, room.history))
    need = Need(question[0], nodes, space, room.share, copies.tokens, state, window_messages)
    choice = STRATEGIES[strategy](need)
    first = (choice.sent or question)[0]
    summary = summary if summary and _stands(summary, first, choice, memory) else None
    begin = front(system, memory.preset, [node for node in pinned if node.number < first.number], summary, copies)
    verbatim = sum(copies.cost(node.message).tokens for node in choice.sent)
    looked_up = look_up(
        question[0],
        asked,
        [node for node in choice.sent if not copies.sends_whole(node.message)],
        first,
        memory if strategy in RECALLS else replace(memory, recall="off"),
        state,
        budget.room - begin.tokens - verbatim - spoken,
        min(room.history - verbatim, int(room.history * MOST)),
    )
    parts = account(begin, summary, choice, question, copies, asked, looked_up, budget.fixed)
    messages = _in_order(begin, choice, looked_up, question[1:], copies, asked)
    return Plan(messages, parts, budget.window, budget.reserve, budget.margin), choice.state


def _in_order(
    begin: Front, choice: Choice, looked_up: LookedUp, onward: Sequence[Node], copies: Copies, asked: Copies
) -> tuple[Message, ...]:
    """What is sent: the front, the history, the question's copy, and a reply to it that is to be continued."""
    return (
        *((begin.message,) if begin.message else ()),
        *(copies.of(node.message) for node in choice.sent),
        looked_up.message,
        *(asked.of(node.message) for node in onward),
    )


def from_last_question(nodes: Iterator[Node]) -> tuple[Node, ...]:
    """The last question and what follows it (a reply that is to be continued), oldest first."""
    tail: list[Node] = []
    for node in nodes:
        tail.append(node)
        if node.message.role is Role.USER:
            break
    return tuple(tail[::-1])


def copies_for(budget: Budget, count: Counting, sees: bool, memory: Memory) -> Copies:
    """The share of documents is taken of what does not change from request to request."""
    return Copies(count, sees, int(max(0, budget.window - budget.reserve) * memory.document_share))


def standing(
    parent: int | None,
    system: str,
    budget: Budget,
    copies: Copies,
    state: State,
    strategy: str,
    memory: Memory,
) -> tuple[Sequence[Node], Summary | None]:
    """The pinned messages on the path to `parent`, and the summary, as far as either takes no more than half of
    the room.
    """
    room = max(0, budget.room if budget.history is None else min(budget.room, budget.history)) // 2
    summary = state.summary if strategy in SUMMARISES else None
    bare = front(system, memory.preset, (), None, copies).tokens
    if summary and front(system, memory.preset, (), summary, copies).tokens - bare > room:
        summary = None
    pinned: list[Node] = []
    if state.pins and memory.look_up is not None and parent is not None:
        for node in memory.look_up(state.pins, parent):
            if front(system, memory.preset, [*pinned, node], None, copies).tokens - bare > room:
                break
            pinned.append(node)
    return pinned, summary


def rooms_for(budget: Budget, bare: Front, most: Front, strategy: str, memory: Memory) -> Rooms:
    share = memory.recall_share if strategy in RECALLS and memory.recalls else 0.0
    return rooms(budget, bare.tokens, most.tokens - bare.tokens, share)


def _stands(summary: Summary, first: Node, choice: Choice, memory: Memory) -> bool:
    """Is what the summary stands for on this path, before the first message that is sent?"""
    if choice.at_cut:
        return True
    if memory.look_up is None or first.parent is None:
        return first.parent is not None and summary.upto < first.id
    return bool(memory.look_up([summary.upto], first.parent))


def _asked(question: Sequence[Node], system: int, budget: Budget, copies: Copies) -> Copies:
    """How the question is copied: its files whole if they are small enough, and fit; ContextTooLong when even
    without them it does not.
    """
    for largest in (copies.largest, 0):
        asked = replace(copies, largest=largest)
        if system + sum(asked.cost(node.message).tokens for node in question) <= budget.most:
            return asked
    said = sum(asked.cost(node.message).tokens for node in question)
    sizes = (
        ("system prompt", system),
        ("this message" if len(question) == 1 else "this message and the reply so far", said),
        ("the model's own template", budget.fixed.tokens if budget.fixed.tokens > budget.window // 8 else 0),
    )
    biggest = sorted(sizes, key=lambda row: -row[1])
    raise _too_long(budget, system + said, [row for row in biggest if row[1]])


def _too_long(budget: Budget, needed: int, biggest: Sequence[tuple[str, int]]) -> ContextTooLong:
    sizes = ", ".join(f"{name} {tokens} tokens" for name, tokens in biggest)
    return ContextTooLong(
        f"This does not fit the context window of {budget.window} tokens even without any history: {sizes}; "
        f"there is room for {max(0, budget.most)}.",
        "Shorten it, or take a larger window with /set num_ctx (--num-ctx in the shell).",
        needed=needed,
        available=max(0, budget.most),
        biggest=tuple(biggest),
    )
