"""How history is chosen: full, window, trim, summary, auto. One table; each row is a pure function."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from chatcli.conversation.context_state import State
from chatcli.conversation.message import Role
from chatcli.conversation.tree import Node
from chatcli.conversation.usage import in_tokens
from chatcli.errors import ContextTooLong

# Once history has outgrown its room, cut it to this share of the room. With a summary and 0.6, the server reads
# 153 tokens again per turn (ten LoCoMo conversations at 3,072 tokens); a little less: below 150. Trimming: 2,117.
LOW_WATER = 0.57


@dataclass(frozen=True, slots=True)
class Stretch:
    """The newest part of the history, oldest first, with the cost of each message. `at_cut`: it begins at the
    state's cut; else it begins at the root, or where more was found than was asked for.
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
    """The history from the cut on, or from after the summary if that is later. `earlier` yields the newest first;
    it is read only until the sum exceeds `most`. Forgotten messages are left out.
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
    """Index of the message from which at most `low` tokens are left; at most `room` where the last exchange alone
    has more than `low`.
    """
    first = newest_that_fit(stretch.nodes, stretch.costs, low)
    return first if first < len(stretch.nodes) else newest_that_fit(stretch.nodes, stretch.costs, room)


@dataclass(frozen=True, slots=True)
class Choice:
    """The history to send, oldest first, why the rest is left out, and the new state. `at_cut`: it begins at the
    state's cut.
    """

    sent: tuple[Node, ...]
    why: str
    state: State
    at_cut: bool = False


@dataclass(frozen=True, slots=True)
class Need:
    """What a strategy may look at. `earlier` yields the nodes before the question, newest first, lazily. `room` is
    in tokens, and so is `share`, the part of it that a new cut may fill. `messages`: how many messages strategy
    window keeps.
    """

    question: Node
    earlier: Iterator[Node]
    room: int
    share: int
    cost: Callable[[Node], int]
    state: State
    messages: int


def full(need: Need) -> Choice:
    """Everything, as long as it fits; else an error that names the choices."""
    history = tuple(node for node in need.earlier if node.id not in need.state.forgotten)[::-1]
    needed = sum(map(need.cost, history))
    if needed > need.room:
        raise ContextTooLong(
            f"The whole conversation no longer fits: history has {in_tokens(needed)}, the window has room for "
            f"{max(0, need.room)}.",
            "/set strategy auto goes on without the oldest messages, /set num_ctx takes a larger window, "
            "/clear starts a new conversation.",
            needed=needed,
            available=max(0, need.room),
        )
    return Choice(history, "", need.state)


def window(need: Need) -> Choice:
    """The last N messages before the question (fewer when they do not fit)."""
    sent: list[Node] = []
    used = 0
    for node in need.earlier:
        if node.id in need.state.forgotten:
            continue
        used += need.cost(node)
        if len(sent) == need.messages or used > need.room:
            break
        sent.append(node)
    return Choice(tuple(sent[::-1]), f"strategy window keeps {need.messages} messages", need.state)


def trim(need: Need) -> Choice:
    """The newest exchanges that fit; on every turn the oldest ones are left out again."""
    stretch = since_cut(need.earlier, need.cost, State(forgotten=need.state.forgotten), need.room)
    first = newest_that_fit(stretch.nodes, stretch.costs, need.room)
    return Choice(stretch.nodes[first:], "older than what fits", need.state)


def summary(need: Need) -> Choice:
    """Everything that the summary does not cover. The summary is updated before it is needed; if that failed and
    the history no longer fits, a stable cut leaves the oldest messages out until the next summary.
    """
    return _from_cut(need, "older than what fits; not in the summary yet")


def auto(need: Need) -> Choice:
    """Everything from a cut on; when that outgrows its room, the cut moves far enough to stay for many turns."""
    return _from_cut(need, "older than the window keeps")


def _from_cut(need: Need, why: str) -> Choice:
    stretch = since_cut(need.earlier, need.cost, need.state, need.room)
    if stretch.tokens > need.room:
        low = int(min(need.room, need.share) * LOW_WATER)
        stretch = stretch.since(stable_cut(stretch, low, need.room))
    begin = stretch.nodes[0] if stretch.nodes else need.question
    cut = None if begin.parent is None else begin.id
    return Choice(stretch.nodes, why, replace(need.state, cut=cut), stretch.at_cut)


STRATEGIES: Mapping[str, Callable[[Need], Choice]] = {
    "full": full,
    "window": window,
    "trim": trim,
    "summary": summary,
    "auto": auto,
}

# Those that send the summary, and those that quote what they left out.
SUMMARISES = frozenset({"summary", "auto"})
RECALLS = frozenset({"auto"})
