"""ImportedChat: a conversation read from a file, in no store yet; and how its messages become a tree."""

from __future__ import annotations

from collections.abc import Container, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from chatcli.conversation.message import Message, Role
from chatcli.conversation.tree import Conversation, Ended, Node
from chatcli.conversation.usage import Turn
from chatcli.store.codec import renumbered
from chatcli.store.title import clean_title


@dataclass(slots=True)
class ImportedChat:
    """`conversation` has all its nodes (ids from 1, in the file's order); `repairs` says what was guessed."""

    conversation: Conversation
    repairs: list[str] = field(default_factory=list)

    @property
    def title(self) -> str:
        return self.conversation.title

    @property
    def messages(self) -> tuple[Message, ...]:
        """What is on the path."""
        return tuple(node.message for node in self.conversation.path())


def chat_of(messages: Iterable[Message], title: str = "") -> ImportedChat:
    """Messages one after the other (of a saved model, say) as a conversation that a store can take in."""
    conversation = Conversation(id=0, title=title)
    plant([Seed(place, place - 1 or None, each) for place, each in enumerate(messages, start=1)], conversation, [])
    return ImportedChat(conversation)


@dataclass(frozen=True, slots=True)
class Seed:
    """A message that knows its parent by the name the file gives it. None: it is a beginning."""

    name: Hashable
    parent: Hashable | None
    message: Message
    created: datetime | None = None
    ended: Ended = Ended.COMPLETE
    turn: Turn | None = None


def seeds_of(conversation: Conversation) -> list[Seed]:
    """The loaded nodes, by their ids and in their order."""
    nodes = sorted(conversation.nodes.values(), key=lambda node: node.id)
    return [Seed(node.id, node.parent, node.message, node.created, node.ended, node.turn) for node in nodes]


def loaded_part(conversation: Conversation) -> Conversation:
    """What of it is in memory, complete in itself: the oldest messages there are its beginnings."""
    part = Conversation(id=0, title=conversation.title, demo=conversation.demo, settings=conversation.settings)
    ids = plant(seeds_of(conversation), part, [])
    if conversation.tip is None or conversation.tip in ids:
        part.tip = ids.get(conversation.tip)
    numbers = {old: new for old, new in ids.items() if isinstance(old, int)}
    part.state = renumbered(conversation.state, numbers)
    part.names = {name: numbers[node] for name, node in conversation.names.items() if node in numbers}
    return part


def turn_of(message: Message, model: Any) -> Turn | None:
    """Of a reply from elsewhere: all that is known is who made it."""
    return Turn(model) if message.role is Role.ASSISTANT and isinstance(model, str) and model else None


def grown(title: Any, seeds: Sequence[Seed], tip: Any, began: datetime | None, repairs: list[str]) -> ImportedChat:
    """The conversation that these messages are, in the order of their times. One without a time was said when its
    parent was; `began` is the time of one that has no parent either.
    """
    conversation = Conversation(id=0, title=clean_title(str(title or "")))
    ids = plant(sorted(_timed(seeds, began), key=_when), conversation, repairs)
    if isinstance(tip, str) and tip in ids:
        conversation.tip = ids[tip]
    return ImportedChat(conversation, repairs)


def _timed(seeds: Sequence[Seed], began: datetime | None) -> Iterator[Seed]:
    by_name = {seed.name: seed for seed in seeds}
    known = [seed.created for seed in seeds if seed.created is not None]
    first = began or min(known, default=datetime.now(UTC))
    times: dict[Hashable, datetime] = {}
    for seed in seeds:
        unknown = _not_planted(seed, by_name, times)
        for each in reversed(unknown):
            above = times.get(each.parent) if each.parent is not None else None
            times[each.name] = each.created or above or first
        yield replace(seed, created=times[seed.name])


def _when(seed: Seed) -> datetime:
    return seed.created or datetime.now(UTC)


def plant(seeds: Sequence[Seed], conversation: Conversation, repairs: list[str]) -> dict[Hashable, int]:
    """Add `seeds` to `conversation`; the tip is the last one. Returns the new ids by name.

    A message whose parent is not in the file, or is its own descendant, becomes a beginning.
    """
    by_name = {seed.name: seed for seed in seeds}
    ids: dict[Hashable, int] = {}
    now = datetime.now(UTC)
    for seed in seeds:
        for each in reversed(_not_planted(seed, by_name, ids)):
            parent = ids.get(each.parent) if each.parent is not None else None
            if parent is None and each.parent is not None:
                repairs.append(f"message {each.name}: its parent is missing; taken as a beginning")
            number = conversation.nodes[parent].number + 1 if parent is not None else 1
            ids[each.name] = len(ids) + 1
            created = each.created or now
            node = Node(ids[each.name], parent, number, each.message, created, each.ended, each.turn)
            conversation.add(node)
    return ids


def _not_planted(seed: Seed, by_name: dict[Hashable, Seed], ids: Container[Hashable]) -> list[Seed]:
    """`seed` and its ancestors that have no place yet, nearest first; a circle ends where it closes."""
    chain: dict[Hashable, Seed] = {}
    at: Seed | None = seed
    while at is not None and at.name not in ids and at.name not in chain:
        chain[at.name] = at
        at = by_name.get(at.parent) if at.parent is not None else None
    return list(chain.values())
