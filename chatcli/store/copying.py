"""Puts a whole conversation from elsewhere (a file, another store) into the store, its tree as it was."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

from chatcli.conversation.message import Role
from chatcli.conversation.tree import Conversation, Node
from chatcli.store import nodes
from chatcli.store.codec import pack, pack_json, pack_time, renumbered, state_to_plain
from chatcli.store.database import Database
from chatcli.store.title import title_of

# A portion is one transaction: short enough that another chatcli waits for no more than a moment.
PORTION = 200


def copy_into(database: Database, source: Conversation, target: int) -> None:
    """Copy all loaded nodes of `source` into the empty conversation `target`, which shows when it is complete."""
    ids: dict[int, int] = {}
    everything = sorted(source.nodes.values(), key=lambda node: node.id)
    for portion in _portions(everything):
        with database.writing() as connection:
            for node in portion:
                parent = ids[node.parent] if node.parent is not None else None
                ids[node.id] = nodes.insert_copy(connection, target, parent, node).id
    if everything:
        with database.writing() as connection:
            _show(connection, source, target, ids)


def _show(connection: sqlite3.Connection, source: Conversation, target: int, ids: Mapping[int, int]) -> None:
    """Tip and state as they were; in lists it stands by its time, so that old things do not come up as new."""
    everything = source.nodes.values()
    newest = max(everything, key=lambda node: node.id)
    models = [node.turn.model for node in everything if node.turn is not None]
    first = next((node.message for node in everything if node.message.role is Role.USER), newest.message)
    updated = pack_time(max(node.created for node in everything))
    connection.execute(
        """UPDATE conversations SET tip = ?, updated = ?, model = ?, state = ?, names = ?, title = ?,
               latest = (SELECT max(1, max(latest)) FROM conversations WHERE updated <= ? OR id = ?)
           WHERE id = ?""",
        (
            *(ids[source.tip] if source.tip is not None else None, updated, models[-1] if models else ""),
            pack_json(state_to_plain(renumbered(source.state, ids))),
            pack_json({name: ids[node] for name, node in source.names.items() if node in ids}),
            pack(source.title or title_of(first)),
            *(updated, target, target),
        ),
    )


def _portions(everything: Iterable[Node]) -> Iterator[list[Node]]:
    rest = iter(everything)
    while portion := list(islice(rest, PORTION)):
        yield portion
