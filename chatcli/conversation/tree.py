"""Conversation: the tree of messages, as nodes with parents, and its tip. Append-only: a retry or an edit adds a
sibling.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import field
from datetime import UTC, datetime
from enum import StrEnum
from itertools import islice

from chatcli.conversation.context_state import State
from chatcli.conversation.message import Message, Role
from chatcli.conversation.usage import Turn
from chatcli.dataclass import dataclass

# How many messages count as the last ones: a reply before them tells nothing of the next request.
RECENT = 100


class Ended(StrEnum):
    """How a message ended: COMPLETE, or for replies one of the next four. Of a tool's message, how far its call
    has come: COMPLETE, or one of the last five.
    """

    COMPLETE = "complete"
    LENGTH = "length"  # num_predict or the window ended it
    STOPPED = "stopped"  # Ctrl-C
    BROKEN = "broken"  # the server or the stream failed
    INTERRUPTED = "interrupted"  # chatcli itself was killed
    ASKED = "asked"  # the model asks for it; nobody has allowed it
    ALLOWED = "allowed"  # it has leave to run
    RUNNING = "running"  # it runs, or ran when chatcli was killed
    REFUSED = "refused"  # it was not run
    FAILED = "failed"  # it ran, and raised an error


@dataclass(frozen=True, slots=True)
class Node:
    """One message in the tree. `number` is its 1-based position on the path from the root."""

    id: int
    parent: int | None
    number: int
    message: Message
    created: datetime
    ended: Ended = Ended.COMPLETE
    turn: Turn | None = None


@dataclass(slots=True)
class Conversation:
    """What is in memory of one conversation: the nodes loaded so far, and the tip.

    `load(id)` fetches a node together with some of its ancestors, so that the cost of opening a long conversation
    does not depend on its length; without `load`, all nodes are in memory already. `find(tip, number)` gives the
    id of the message with that number on the path to `tip`, without walking there. `latest` is the newest node
    known, on any branch: if the store has a newer one, another program has continued this conversation.
    """

    id: int
    title: str = ""
    demo: bool = False
    tip: int | None = None
    settings: dict[str, str] = field(default_factory=dict)
    state: State = State()
    names: dict[str, int] = field(default_factory=dict)  # branches and nodes that were given a name
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
        """The last message, if it is a question that has no reply."""
        last = self.last
        return last if last is not None and last.message.role is Role.USER else None

    @property
    def turn(self) -> Turn | None:
        """The turn of the last reply that came from a model here, looked for among the last messages."""
        return next((node.turn for node in islice(self.back(), RECENT) if node.turn is not None), None)

    @property
    def question(self) -> Node | None:
        """The last question on the path, answered or not."""
        return next((node for node in self.back() if node.message.role is Role.USER), None)

    def coming(self, message: Message, *, replacing: bool = False) -> Node:
        """The node that `message` would become if it were said now, with id 0; nothing is added. With
        `replacing`, it takes the place of a question that has no reply.
        """
        before, unanswered = self.last, self.unanswered
        if replacing and unanswered is not None:
            before = self.node(unanswered.parent) if unanswered.parent is not None else None
        parent, number = (before.id, before.number + 1) if before is not None else (None, 1)
        return Node(0, parent, number, message, datetime.now(UTC))

    def back(self, coming: Node | None = None) -> Iterator[Node]:
        """The nodes from the tip to the root, newest first, fetched lazily. With `coming`, that node and those
        before it.
        """
        at = self.tip
        if coming is not None:
            yield coming
            at = coming.parent
        while at is not None:
            node = self.node(at)
            yield node
            at = node.parent

    def path(self) -> list[Node]:
        """All nodes from the root to the tip, oldest first."""
        return list(self.back())[::-1]

    def message(self, number: int) -> Node | None:
        """The node of the message with that number on the path."""
        if self.find is None or self.tip is None:
            return next((node for node in self.back() if node.number == number), None)
        found = self.find(self.tip, number)
        return self.node(found) if found is not None else None

    def together(self, node: Node) -> list[Node]:
        """The node and what belongs to it, as one is not sent without the other: a reply and the results of its
        calls. Oldest first. The node is on the path.
        """
        first = node
        while first.message.role is Role.TOOL and first.parent is not None:
            first = self.node(first.parent)
        found = [first]
        if first.message.role is Role.ASSISTANT:
            while (after := self.message(found[-1].number + 1)) and after.message.role is Role.TOOL:
                found.append(after)
        return found if node in found else [node]

    def add(self, node: Node) -> None:
        """Add `node` to the tree and move the tip to it."""
        self.nodes[node.id] = node
        self.tip = node.id
        self.grew(node.id)

    def grew(self, newest: int) -> bool:
        """Whether that node of the conversation is newer than all that were known; it is known from now on."""
        known, self.latest = self.latest, max(self.latest, newest)
        return self.latest > known

    def go_to(self, node_id: int | None) -> None:
        """Move the tip: the next message becomes a child of that node (None: a new root)."""
        if node_id is not None:
            self.node(node_id)
        self.tip = node_id
