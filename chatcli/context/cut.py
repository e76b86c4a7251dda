"""The stable cut: where the verbatim part of the history begins, moved rarely so that the prompt's front stays
the same from request to request and the server's prompt cache works.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from chatcli.conversation.context_state import State
from chatcli.conversation.message import Role
from chatcli.conversation.tree import Node

# Once history has outgrown its room, cut it to this share of it. With a summary, 0.6 has the server read 153
# tokens again a turn (ten LoCoMo conversations at 3,072 tokens); a little less stays below 150. Trimming: 2,117.
LOW_WATER = 0.57


@dataclass(frozen=True, slots=True)
class Stretch:
    """The newest part of the history, oldest first, with what each message costs. `at_cut`: it begins where the
    state says that the verbatim part begins; else at the root, or where there was more than was asked for.
    """

    nodes: tuple[Node, ...]
    costs: tuple[int, ...]
    at_cut: bool

    @property
    def tokens(self) -> int:
        return sum(self.costs)

    def since(self, index: int) -> Stretch:
        return Stretch(self.nodes[index:], self.costs[index:], False) if index else self


def since_cut(earlier: Iterator[Node], cost: Callable[[Node], int], state: State, most: int) -> Stretch:
    """The history from the cut on, or from behind the summary where that reaches further. `earlier` yields the
    newest first and is asked for no more than what makes the sum larger than `most`. Forgotten messages stay out.
    """
    nodes: list[Node] = []
    costs: list[int] = []
    used, at_cut = 0, False
    for node in earlier:
        if state.summary is not None and node.id == state.summary.upto:
            at_cut = True
            break
        if node.id not in state.forgotten:
            nodes.append(node)
            costs.append(cost(node))
            used += costs[-1]
        at_cut = node.id == state.cut
        if at_cut or used > most:
            break
    return Stretch(tuple(nodes[::-1]), tuple(costs[::-1]), at_cut)


def newest_that_fit(history: Sequence[Node], costs: Sequence[int], room: int) -> int:
    """Index of the first node to send so that the rest fits into `room` tokens, beginning at a user message where
    there is one; len(history) when nothing fits.
    """
    used, first = 0, len(history)
    for index in range(len(history) - 1, -1, -1):
        used += costs[index]
        if used > room:
            break
        if history[index].message.role is Role.USER:
            first = index
    return first


def stable_cut(stretch: Stretch, low: int, room: int) -> int:
    """Index of the message at which at most `low` tokens are left; where the last exchange alone has more, at most
    `room`.
    """
    first = newest_that_fit(stretch.nodes, stretch.costs, low)
    return first if first < len(stretch.nodes) else newest_that_fit(stretch.nodes, stretch.costs, room)
