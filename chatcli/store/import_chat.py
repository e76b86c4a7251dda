"""ImportedChat: a conversation read from a file and not yet stored, and how its messages become a tree."""

from __future__ import annotations

import sqlite3
from collections.abc import Container, Generator, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from chatcli.conversation.message import Message, Role
from chatcli.conversation.tree import Conversation, Ended, Node
from chatcli.conversation.usage import Turn
from chatcli.dataclass import dataclass
from chatcli.store import nodes
from chatcli.store.codec import pack, pack_json, pack_time, renumbered, state_to_plain
from chatcli.store.conversations import clean_title, title_of
from chatcli.store.database import Database
from chatcli.store.import_calls import link_results


@dataclass(slots=True)
class ImportedChat:
    """`conversation` has all its nodes (ids from 1, in the file's order); `repairs` lists what was guessed.
    `dated`: the times are the file's own, and the same whenever it is read.
    """

    conversation: Conversation
    repairs: list[str] = field(default_factory=list)
    dated: bool = False

    @property
    def title(self) -> str:
        return self.conversation.title

    @property
    def messages(self) -> tuple[Message, ...]:
        """The messages on the path."""
        return tuple(node.message for node in self.conversation.path())


def chat_of(messages: Iterable[Message], title: str = "") -> ImportedChat:
    """Returns messages in sequence (of a saved model, for example) as a conversation that a store can import."""
    conversation = Conversation(id=0, title=title)
    plant([Seed(place, place - 1 or None, each) for place, each in enumerate(messages, start=1)], conversation, [])
    return ImportedChat(conversation)


@dataclass(frozen=True, slots=True)
class Seed:
    """A message that knows its parent by the name in the file. Parent None: the message is a root."""

    name: Hashable
    parent: Hashable | None
    message: Message
    created: datetime | None = None
    ended: Ended = Ended.COMPLETE
    turn: Turn | None = None


def seeds_of(conversation: Conversation) -> list[Seed]:
    """Returns the loaded nodes as seeds, named by their ids, in their order."""
    nodes = sorted(conversation.nodes.values(), key=lambda node: node.id)
    return [Seed(node.id, node.parent, node.message, node.created, node.ended, node.turn) for node in nodes]


def loaded_part(conversation: Conversation) -> Conversation:
    """Returns the part that is in memory, complete in itself: its oldest messages are the roots."""
    part = Conversation(id=0, title=conversation.title, demo=conversation.demo, settings=conversation.settings)
    ids = plant(seeds_of(conversation), part, [])
    if conversation.tip is None or conversation.tip in ids:
        part.tip = ids.get(conversation.tip)
    numbers = {old: new for old, new in ids.items() if isinstance(old, int)}
    part.state = renumbered(conversation.state, numbers)
    part.names = {name: numbers[node] for name, node in conversation.names.items() if node in numbers}
    return part


def turn_of(message: Message, model: Any) -> Turn | None:
    """Returns the turn of an imported reply: only its model is known."""
    return Turn(model) if message.role is Role.ASSISTANT and isinstance(model, str) and model else None


def chained(before: Sequence[Message], seed: Seed, model: Any) -> Iterator[Seed]:
    """`seed`, after the messages that were in the same item of the file before it."""
    parent = seed.parent
    for place, message in enumerate(before):
        name = ("before", seed.name, place)
        yield Seed(name, parent, message, seed.created, turn=turn_of(message, model))
        parent = name
    yield replace(seed, parent=parent)


def grown(title: Any, seeds: Sequence[Seed], tip: Any, began: datetime | None, repairs: list[str]) -> ImportedChat:
    """Builds the conversation from these messages, ordered by time. A message without a time gets its parent's;
    without a parent either, it gets `began`.
    """
    conversation = Conversation(id=0, title=clean_title(str(title or "")))
    ids = plant(sorted(with_times(seeds, began), key=_when), conversation, repairs)
    link_results(conversation)
    if isinstance(tip, str) and tip in ids:
        conversation.tip = ids[tip]
    return ImportedChat(conversation, repairs, began is not None or any(seed.created for seed in seeds))


def with_times(seeds: Sequence[Seed], began: datetime | None) -> Iterator[Seed]:
    """Yields each with a time: its own, else its parent's, else `began`, else the earliest that is known."""
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
    """Adds `seeds` to `conversation`; the tip is the last one. Returns the new ids by name.

    A message whose parent is not in the file, or is its own descendant, becomes a root.
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
    """Returns `seed` and its ancestors that are not in the tree yet, nearest first; a cycle is cut."""
    chain: dict[Hashable, Seed] = {}
    at: Seed | None = seed
    while at is not None and at.name not in ids and at.name not in chain:
        chain[at.name] = at
        at = by_name.get(at.parent) if at.parent is not None else None
    return list(chain.values())


_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)

# A portion is one transaction, short enough that another chatcli hardly waits.
PORTION = 200


def copying(
    database: Database, source: Conversation, target: int, *, same_ids: bool = False
) -> Generator[int, None, None]:
    """Copies all loaded nodes of `source` into the empty conversation `target`, which is listed when complete.
    Yields the size of each portion that is stored. `same_ids`: they are of this store, and get back the ids that
    they had in it.
    """
    ids: dict[int, int] = {}
    everything = sorted(source.nodes.values(), key=lambda node: node.id)
    for portion in _portions(everything):
        with database.writing() as connection:
            for node in portion:
                parent = ids[node.parent] if node.parent is not None else None
                own = node.id if same_ids else None
                ids[node.id] = nodes.insert_copy(connection, target, parent, node, own).id
        yield len(portion)
    if everything:
        with database.writing() as connection:
            _show(connection, source, target, ids, everything[-1].id if same_ids else None)


def add_into(
    connection: sqlite3.Connection,
    source: Conversation,
    target: Conversation,
    same: Mapping[int, int],
    *,
    keep_times: bool,
) -> None:
    """Adds the messages that are not in `same` to the stored conversation; see Store.add_imported."""
    ids = dict(same)
    for node in sorted(source.nodes.values(), key=lambda each: each.id):
        if node.id in ids:
            continue
        parent = ids[node.parent] if node.parent is not None else None
        if parent is not None and not keep_times:
            node = replace(node, created=_EARLIEST)  # noqa: PLW2901  no message is stored before its parent
        ids[node.id] = nodes.insert_copy(connection, target.id, parent, node).id
    was_continued = target.tip is not None and target.tip not in same.values()
    tip = ids[source.tip] if source.tip is not None and not was_continued else target.tip
    updated = pack_time(max(node.created for node in source.nodes.values()))
    connection.execute(
        """UPDATE conversations SET tip = ?, updated = max(updated, ?), latest = max(
               latest, (SELECT max(latest) FROM conversations WHERE updated <= ? OR id = ?)
           ) WHERE id = ?""",
        (tip, updated if keep_times else 0, updated if keep_times else 0, target.id, target.id),
    )


def _show(
    connection: sqlite3.Connection,
    source: Conversation,
    target: int,
    ids: Mapping[int, int],
    latest: int | None,
) -> None:
    """Copies tip and state. Without `latest`, the id of its newest node, the conversation is listed by its own
    time, so that an old one does not appear as new.
    """
    everything = source.nodes.values()
    newest = max(everything, key=lambda node: node.id)
    models = [node.turn.model for node in everything if node.turn is not None]
    first = next((node.message for node in everything if node.message.role is Role.USER), newest.message)
    updated = pack_time(max(node.created for node in everything))
    connection.execute(
        """UPDATE conversations SET tip = ?, updated = ?, model = ?, state = ?, names = ?, title = ?,
               latest = coalesce(
                   ?, (SELECT max(1, max(latest)) FROM conversations WHERE updated <= ? OR id = ?)
               )
           WHERE id = ?""",
        (
            *(ids[source.tip] if source.tip is not None else None, updated, models[-1] if models else ""),
            pack_json(state_to_plain(renumbered(source.state, ids))),
            pack_json({name: ids[node] for name, node in source.names.items() if node in ids}),
            pack(source.title or title_of(first)),
            *(latest, updated, target, target),
        ),
    )


def _portions(everything: Iterable[Node]) -> Iterator[list[Node]]:
    rest = iter(everything)
    while portion := list(islice(rest, PORTION)):
        yield portion
