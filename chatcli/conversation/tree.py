"""The tree of what has been said: nodes by parent, and a tip. Append-only: a retry or an edit is a sibling."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from chatcli.conversation.context_state import State
from chatcli.conversation.message import Message, Role
from chatcli.conversation.usage import Turn


class Ended(StrEnum):
    """How a message came to its end. All but COMPLETE are for replies."""

    COMPLETE = "complete"
    LENGTH = "length"  # num_predict or the window ended it
    STOPPED = "stopped"  # Ctrl-C
    BROKEN = "broken"  # the server or the stream failed
    INTERRUPTED = "interrupted"  # chatcli itself was killed


@dataclass(frozen=True, slots=True)
class Node:
    """One message in its place. `number` is its 1-based place on the path from the root."""

    id: int
    parent: int | None
    number: int
    message: Message
    created: datetime
    ended: Ended = Ended.COMPLETE
    turn: Turn | None = None


@dataclass(slots=True)
class Conversation:
    """What one conversation holds in memory: the nodes met so far, and the tip.

    `load(id)` fetches a node together with some of its ancestors, so that opening a long conversation costs
    what its end costs; without it all nodes are here already. `find(tip, number)` gives the id of the message of
    that number on the path to `tip`, without walking there. `latest` is the newest node known of, on any branch:
    where the store has a newer one, another program has gone on with this conversation.
    """

    id: int
    title: str = ""
    demo: bool = False
    tip: int | None = None
    settings: dict[str, str] = field(default_factory=dict)
    state: State = State()
    names: dict[str, int] = field(default_factory=dict)  # branches and places that were given a name
    nodes: dict[int, Node] = field(default_factory=dict)
    load: Callable[[int], Iterable[Node]] | None = None
    find: Callable[[int, int], int | None] | None = None
    latest: int = 0

    def node(self, node_id: int) -> Node:
        if node_id not in self.nodes and self.load is not None:
            self.nodes.update((node.id, node) for node in self.load(node_id))
        return self.nodes[node_id]

    @property
    def last(self) -> Node | None:
        return self.node(self.tip) if self.tip is not None else None

    @property
    def unanswered(self) -> Node | None:
        """The last message, when it is a question that has no reply."""
        last = self.last
        return last if last is not None and last.message.role is Role.USER else None

    def back(self) -> Iterator[Node]:
        """The nodes from the tip to the root, newest first; fetched as they are asked for."""
        at = self.tip
        while at is not None:
            node = self.node(at)
            yield node
            at = node.parent

    def path(self) -> list[Node]:
        """All nodes from the root to the tip, oldest first."""
        return list(self.back())[::-1]

    def message(self, number: int) -> Node | None:
        """The message of that number on the path."""
        if self.find is None or self.tip is None:
            return next((node for node in self.back() if node.number == number), None)
        found = self.find(self.tip, number)
        return self.node(found) if found is not None else None

    def add(self, node: Node) -> None:
        """Put `node` in its place and the tip on it."""
        self.nodes[node.id] = node
        self.tip = node.id
        self.latest = max(self.latest, node.id)

    def go_to(self, node_id: int | None) -> None:
        """Move the tip: what is said next is a child of that node (None: of nothing, a new root)."""
        if node_id is not None:
            self.node(node_id)
        self.tip = node_id
