"""How history is chosen: full, window, trim, auto. One table; each row is a pure function."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from chatcli.context.cut import newest_that_fit, stable_cut
from chatcli.conversation.message import Message
from chatcli.conversation.state import State
from chatcli.conversation.tree import Node
from chatcli.conversation.usage import Count
from chatcli.errors import ContextTooLong

Counting = Callable[[Message], Count]


@dataclass(frozen=True, slots=True)
class Choice:
    """The history to send, oldest first, why the rest is left out, and what to remember."""

    sent: tuple[Node, ...]
    why: str
    state: State


@dataclass(frozen=True, slots=True)
class Need:
    """What a strategy may look at. `earlier` yields the nodes before the question, newest first, lazily;
    `room` is in tokens; `messages` is the number that strategy window keeps.
    """

    question: Node
    earlier: Iterator[Node]
    room: int
    count: Counting
    state: State
    messages: int


def full(need: Need) -> Choice:
    """Everything, as long as it fits; then an error that names the choices."""
    history = tuple(need.earlier)[::-1]
    needed = sum(need.count(node.message).tokens for node in history)
    if needed > need.room:
        raise ContextTooLong(
            f"The whole conversation no longer fits: history has {needed} tokens, the window has room for "
            f"{max(0, need.room)}.",
            "/set strategy auto goes on without the oldest messages, /set num_ctx takes a larger window, "
            "/clear begins anew.",
            needed=needed,
            available=max(0, need.room),
        )
    return Choice(history, "", replace(need.state, cut=None))


def window(need: Need) -> Choice:
    """The last N messages before the question (fewer when they do not fit)."""
    sent: list[Node] = []
    used = 0
    for node in need.earlier:
        used += need.count(node.message).tokens
        if len(sent) == need.messages or used > need.room:
            break
        sent.append(node)
    return Choice(
        tuple(sent[::-1]), f"strategy window keeps {need.messages} messages", replace(need.state, cut=None)
    )


def trim(need: Need) -> Choice:
    """The newest exchanges that fit; the oldest pairs are left out on every turn anew."""
    history, costs = _newest(need, until=None)
    first = newest_that_fit(history, costs, need.room)
    return Choice(tuple(history[first:]), "older than what fits", replace(need.state, cut=None))


def auto(need: Need) -> Choice:
    """Everything from a cut on; when that outgrows its room the cut moves far enough to stay for many turns."""
    history, costs = _newest(need, until=need.state.cut)
    first = stable_cut(history, costs, need.room)
    begin = history[first] if first < len(history) else need.question
    cut = None if begin.parent is None else begin.id
    return Choice(tuple(history[first:]), "before the cut", replace(need.state, cut=cut))


STRATEGIES: Mapping[str, Callable[[Need], Choice]] = {"full": full, "window": window, "trim": trim, "auto": auto}


def _newest(need: Need, until: int | None) -> tuple[list[Node], list[int]]:
    """The newest nodes with their costs, oldest first: back to node `until` (or the root), but no further than
    the first that makes the sum larger than the room.
    """
    history: list[Node] = []
    costs: list[int] = []
    used = 0
    for node in need.earlier:
        cost = need.count(node.message).tokens
        used += cost
        history.append(node)
        costs.append(cost)
        if used > need.room or node.id == until:
            break
    return history[::-1], costs[::-1]
