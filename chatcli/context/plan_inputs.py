"""What a plan is made from besides the conversation's path: settings, counts, the state, and what may be
recalled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Literal

from chatcli.context.budget import Budget, Rooms, rooms
from chatcli.context.outgoing import Copies, Counting
from chatcli.context.system_message import Front, front
from chatcli.context.tool_results import Shares, as_sent, with_share
from chatcli.conversation.context_state import State, Summary
from chatcli.conversation.reading_speed import Patience
from chatcli.conversation.retrieval import Asked, Retrieved
from chatcli.conversation.tree import Node
from chatcli.dataclass import dataclass
from chatcli.settings.strategies import AUTO, Strategy

ENDLESS = 1 << 40  # tokens: more than any conversation has

Spans = Sequence[tuple[datetime, datetime]]
Search = Callable[[Sequence[str], int | None, Spans, str, int, Asked | None], Retrieved]
LookUp = Callable[[Iterable[int], int], Sequence[Node]]
Files = Callable[[int], Sequence[Node]]


@dataclass(frozen=True, slots=True)
class Memory:
    """The three functions are the store's. Each takes the node up to which it looks on the path to it.
    `search(terms, upto, spans, text, limit, asked)` finds passages of up to `limit` messages that have the terms,
    or were said in the spans of time, or are near in meaning to the text where that is known (upto None: in other
    conversations only), and in a second round those that have the clues of what it found; only the few best, where
    `asked` says that these are enough. `look_up(ids, upto)` gives those of the nodes that exist; `files(upto)`
    gives the nodes with text files. None: there is no such function.

    `recall`: on (when the question asks for it), off, or always (in other conversations too, if the search looks
    there); `patience`: what it may take of the server's time. The shares are shares of the room for history,
    `tool_share` of the window: for one result of a tool.
    `preset`: the Modelfile's system prompt, which a system prompt in the request would replace. `facts`: what the
    person wants known in every conversation.
    """

    search: Search | None = None
    look_up: LookUp | None = None
    files: Files | None = None
    recall: Literal["on", "off", "always"] = "on"
    patience: Patience = Patience()
    recall_share: float = 0.2
    document_share: float = 0.5
    tool_share: float = 0.25
    keep_recent: int = 6
    preset: str = ""
    facts: tuple[str, ...] = ()

    @property
    def recalls(self) -> bool:
        return self.recall != "off" and self.search is not None


@dataclass(frozen=True, slots=True)
class Basis:
    """`system`: the system prompt, "" for none. `window_messages`: how many messages strategy window keeps.

    `sees`: whether the model accepts images. If it does not, the images of earlier messages are not sent.
    `tools`: whether it knows tools.
    """

    system: str
    budget: Budget
    count: Counting
    state: State = State()
    strategy: Strategy = AUTO
    window_messages: int = 20
    sees: bool = True
    tools: bool = True
    memory: Memory = Memory()

    @property
    def limits(self) -> Budget:
        """The budget that the plan keeps to: without an end where the server cuts."""
        return replace(self.budget, window=ENDLESS, history=None) if self.strategy.server_cuts else self.budget

    @property
    def copies(self) -> Copies:
        """The share of documents is taken of an amount that does not change from request to request."""
        whole = max(0, self.limits.window - self.limits.reserve)
        return Copies(self.count, self.sees, self.tools, int(whole * self.memory.document_share))

    @property
    def shares(self) -> Shares:
        """What results of tools may have. All of one turn get no more than half of the window, so that the next
        question can be asked about them.
        """
        whole = max(0, self.budget.window - self.budget.reserve)
        one = int(whole * self.memory.tool_share)
        return Shares(one, max(one, whole // 2))

    def sent(self, back: Iterable[Node]) -> Iterator[Node]:
        """The nodes, newest first, with the calls and results of tools as they are sent."""
        return as_sent(back, self.count, self.shares)

    def front(self, pinned: Sequence[Node] = (), summary: Summary | None = None) -> Front:
        return front(self.system, self.memory.preset, self.memory.facts, pinned, summary, self.copies)

    @property
    def recalls(self) -> bool:
        return self.strategy.recalls and self.memory.recalls

    def at(self, parent: int | None) -> Basis:
        """The same for the path to `parent`, with the newest summary made of messages on it. A summary of another
        branch, or of messages that were dropped, is not used.
        """
        summary = self.state.summary
        while summary is not None and self.memory.look_up is not None:
            if parent is not None and self.memory.look_up([summary.upto], parent):
                break
            summary = summary.replaces
        return replace(self, state=replace(self.state, summary=summary))

    def standing(self, parent: int | None) -> tuple[Sequence[Node], Summary | None]:
        """The pinned messages on the path to `parent`, and the summary; each only if it takes no more than half of
        the room.
        """
        budget = self.limits
        room = max(0, budget.room if budget.history is None else min(budget.room, budget.history)) // 2
        bare = self.front().tokens
        summary = self.state.summary if self.strategy.summarizes else None
        if summary and self.front((), summary).tokens - bare > room:
            summary = None
        pinned: list[Node] = []
        if self.state.pins and self.memory.look_up is not None and parent is not None:
            for found in self.memory.look_up(self.state.pins, parent):
                node = with_share(found, self.count, self.shares.one)
                if self.front([*pinned, node]).tokens - bare > room:
                    continue
                pinned.append(node)
        return pinned, summary

    def rooms(self, most: Front) -> Rooms:
        """`most`: the front with all pinned messages and the summary."""
        bare = self.front().tokens
        return rooms(self.limits, bare, most.tokens - bare, self.memory.recall_share if self.recalls else 0.0)
