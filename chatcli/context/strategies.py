"""How history is chosen: a pure function for each strategy, bound by its name to the row in
settings/strategies.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from chatcli.context.tool_results import untorn
from chatcli.conversation.context_state import State
from chatcli.conversation.message import Role
from chatcli.conversation.tree import Node
from chatcli.conversation.usage import in_tokens
from chatcli.dataclass import dataclass
from chatcli.errors import ContextTooLong
from chatcli.hints import Do, Either, Hint
from chatcli.settings.strategies import AUTO

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
class LeftOut:
    """Messages `first` to `last` (their numbers) are not sent, and why, as a phrase."""

    first: int
    last: int
    why: str


@dataclass(frozen=True, slots=True)
class Choice:
    """The history to send, oldest first; why each other message is left out, but for those that the user has
    forgotten; and the new state. `at_cut`: it begins at the state's cut.
    """

    sent: tuple[Node, ...]
    left_out: tuple[LeftOut, ...]
    state: State
    at_cut: bool = False


def giving_way(choice: Choice, cost: Callable[[Node], int], room: int) -> Choice:
    """The choice with only as many of the newest messages as fit into `room` tokens, and at least those since the
    last of the user's; its state stays, so that the next request can send the others again.
    """
    sent = choice.sent
    last = max((at for at, node in enumerate(sent) if node.message.role is Role.USER), default=0)
    first = min(last, newest_that_fit(sent, list(map(cost, sent)), room))
    if not first:
        return choice
    out = LeftOut(sent[0].number, sent[first].number - 1, "gives way to earlier messages that fit the question")
    return replace(choice, sent=sent[first:], left_out=(*choice.left_out, out), at_cut=False)


@dataclass(frozen=True, slots=True)
class Need:
    """What a strategy may look at. `earlier` yields the nodes before the question, newest first, lazily; those in
    the state's `forgotten` are not to be sent. `room` is in tokens, and so is `share`, the part of it that a new
    cut may fill. `messages`: how many messages strategy window keeps.
    """

    question: Node
    earlier: Iterator[Node]
    room: int
    share: int
    cost: Callable[[Node], int]
    state: State
    messages: int

    def all_but(self, sent: Sequence[Node], why: str) -> tuple[LeftOut, ...]:
        """Every message before the question that is not among `sent`, which is in order, for one reason."""
        numbers = [0, *(node.number for node in sent), self.question.number]
        gaps = [(before + 1, after - 1) for before, after in pairwise(numbers)]
        return tuple(LeftOut(first, last, why) for first, last in gaps if first <= last)

    def whole(self) -> tuple[Node, ...]:
        """The whole history, without what was forgotten."""
        return tuple(node for node in self.earlier if node.id not in self.state.forgotten)[::-1]


Chooser = Callable[[Need], Choice]
CHOOSERS: dict[str, Chooser] = {}


def chooser(function: Chooser) -> Chooser:
    """Bind the function to the strategy of its name."""
    CHOOSERS[function.__name__] = function
    return function


@chooser
def full(need: Need) -> Choice:
    """Everything, as long as it fits; else an error that names the choices."""
    history = need.whole()
    needed = sum(map(need.cost, history))
    if needed > need.room:
        raise ContextTooLong(
            f"The whole conversation no longer fits: history has {in_tokens(needed)}, the window has room for "
            f"{max(0, need.room)}.",
            Hint(
                Do("set", "strategy", AUTO.name),
                " goes on without the oldest messages, ",
                Do("set", "num_ctx"),
                " takes a larger window, ",
                Either(Hint(Do("clear"), " starts a new conversation."), "a new conversation has room, too."),
            ),
            needed=needed,
            available=max(0, need.room),
        )
    return Choice(history, (), need.state)


@chooser
def server(need: Need) -> Choice:
    """Everything, whether it fits or not."""
    return Choice(need.whole(), (), need.state)


@chooser
def window(need: Need) -> Choice:
    """The last N messages before the question; fewer when they do not fit, or begin with the result of a call."""
    sent: list[Node] = []
    used, why = 0, f"window_messages is {need.messages}"
    for node in need.earlier:
        if node.id in need.state.forgotten:
            continue
        if len(sent) == need.messages:
            break
        used += need.cost(node)
        if used > need.room:
            why = "older than what fits"
            break
        sent.append(node)
    sent.reverse()
    sent = sent[untorn(sent) :]
    return Choice(tuple(sent), need.all_but(sent, why), need.state)


@chooser
def trim(need: Need) -> Choice:
    """The newest exchanges that fit; on every turn the oldest ones are left out again."""
    stretch = since_cut(need.earlier, need.cost, State(forgotten=need.state.forgotten), need.room)
    sent = stretch.nodes[newest_that_fit(stretch.nodes, stretch.costs, need.room) :]
    return Choice(sent, need.all_but(sent, "older than what fits"), need.state)


@chooser
def summary(need: Need) -> Choice:
    """Everything that the summary does not cover. The summary is updated before it is needed; if that failed and
    the history no longer fits, a stable cut leaves the oldest messages out until the next summary.
    """
    return _from_cut(need, "older than what fits; not in the summary yet")


@chooser
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
    state = replace(need.state, cut=cut)
    return Choice(stretch.nodes, need.all_but(stretch.nodes, why), state, stretch.at_cut)
