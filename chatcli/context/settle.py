"""What is decided after a reply: whether the cut moves. It takes effect with the next request."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import chain

from chatcli.context.budget import reserve_like
from chatcli.context.cut import LOW_WATER, since_cut, stable_cut
from chatcli.context.inputs import Basis
from chatcli.conversation.context_state import State
from chatcli.conversation.message import Role
from chatcli.conversation.tree import Node


def settle_cut(back: Iterable[Node], basis: Basis) -> State:
    """The state to go on with after the reply at the tip: strategy auto moves the cut once history has passed its
    share. Then the reserve adapts to the replies, too, for the prompt changes anyway.

    `back` as in assemble.
    """
    state = basis.state
    nodes = iter(back)
    tip = next(nodes, None)
    if basis.strategy != "auto" or tip is None:
        return state
    here = basis.at(tip.id)
    room = here.rooms(here.front(*here.standing(tip.id)))
    high = room.whole if state.cut is None else room.share
    stretch = since_cut(chain([tip], nodes), here.copies.tokens, here.state, room.whole)
    if stretch.tokens <= high:
        return state
    first = stable_cut(stretch, int(room.share * LOW_WATER), room.history)
    if first in {0, len(stretch.nodes)}:
        return state  # one exchange alone has more: assembly sees whether it still fits beside the next question
    replies = [
        basis.count(node.message.without_thinking).tokens
        for node in stretch.nodes
        if node.message.role is Role.ASSISTANT and node.message.text
    ]
    reserve = reserve_like(replies, basis.budget.window) if replies else state.reserve
    return replace(state, cut=stretch.nodes[first].id, reserve=reserve)
