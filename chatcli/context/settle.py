"""What is decided after a reply: whether the cut moves. It takes effect with the next request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from chatcli.context.assemble import copies_for, rooms_for, standing
from chatcli.context.budget import Budget, reserve_like
from chatcli.context.copies import Counting
from chatcli.context.cut import LOW_WATER, since_cut, stable_cut
from chatcli.context.front import front
from chatcli.context.memory import Memory
from chatcli.conversation.message import Role
from chatcli.conversation.state import State
from chatcli.conversation.tree import Node


def settle_cut(
    back: Iterable[Node],
    system: str,
    budget: Budget,
    count: Counting,
    state: State,
    strategy: str = "auto",
    sees: bool = True,
    memory: Memory = Memory(),  # noqa: B008 - frozen
) -> State:
    """The state to go on with after the reply at the tip: strategy auto moves the cut once history has passed its
    share. Then the reserve adapts to the replies, too, for the prompt changes anyway.

    `back` and `budget` as in assemble.
    """
    if strategy != "auto":
        return state
    nodes = iter(back)
    tip = next(nodes, None)
    if tip is None:
        return state
    copies = copies_for(budget, count, sees, memory)
    pinned, summary = standing(tip.id, system, budget, copies, state, strategy, memory)
    most = front(system, memory.preset, pinned, summary, copies)
    room = rooms_for(budget, front(system, "", (), None, copies), most, strategy, memory)
    high = room.whole if state.cut is None else room.share
    stretch = since_cut(_with(tip, nodes), lambda node: copies.cost(node.message).tokens, state, room.whole)
    if stretch.tokens <= high:
        return state
    first = stable_cut(stretch, int(room.share * LOW_WATER), room.history)
    if first in {0, len(stretch.nodes)}:
        return state  # one exchange alone has more: assembly sees whether it still fits beside the next question
    replies = [
        count(node.message).tokens
        for node in stretch.nodes
        if node.message.role is Role.ASSISTANT and node.message.text
    ]
    reserve = reserve_like(replies, budget.window) if replies else state.reserve
    return replace(state, cut=stretch.nodes[first].id, reserve=reserve)


def _with(tip: Node, nodes: Iterable[Node]) -> Iterator[Node]:
    yield tip
    yield from nodes
