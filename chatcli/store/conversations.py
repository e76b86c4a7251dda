"""The row of a conversation itself: made, read, changed. What is said in it is nodes.py's."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping

from chatcli.conversation.tree import Conversation
from chatcli.errors import Gone
from chatcli.reading.json_toml import read_json
from chatcli.store import nodes
from chatcli.store.codec import Column, pack, pack_json, unpack, unpack_state
from chatcli.store.failures import nonsense_is_damage


def create(
    connection: sqlite3.Connection, *, title: str, demo: bool, settings: Mapping[str, str], created: int
) -> int:
    conversation = connection.execute(
        "INSERT INTO conversations (created, updated, demo, title, settings) VALUES (?, ?, ?, ?, ?)",
        (created, created, demo, pack(title), pack_json(settings)),
    ).lastrowid
    assert conversation is not None
    return conversation


def read(
    connection: sqlite3.Connection,
    conversation: int,
    load: nodes.Load,
    find: nodes.Find,
) -> Conversation:
    """The conversation with the end of its path; `load` and `find` are what it fetches the rest with."""
    row = connection.execute(
        "SELECT title, demo, tip, settings, state, names, latest FROM conversations WHERE id = ?", (conversation,)
    ).fetchone()
    if row is None:
        raise missing(conversation)
    title, demo, tip, settings, state, names, latest = row
    end = nodes.ancestors(connection, conversation, tip) if tip is not None else []
    with nonsense_is_damage():
        return Conversation(
            id=conversation,
            title=unpack(title),
            demo=bool(demo),
            tip=tip if end else None,
            settings=dict(read_json(settings)),
            state=unpack_state(state),
            names=dict(read_json(names)),
            nodes={node.id: node for node in end},
            load=load,
            find=find,
            latest=latest,
        )


@nonsense_is_damage()
def settings_of(connection: sqlite3.Connection, conversation: int) -> dict[str, str]:
    """The settings kept with a conversation, without opening it."""
    row = connection.execute("SELECT settings FROM conversations WHERE id = ?", (conversation,)).fetchone()
    return dict(read_json(row[0])) if row else {}


def change(connection: sqlite3.Connection, conversation: int, column: str, value: Column | int | None) -> None:
    changing = f"UPDATE conversations SET {column} = ? WHERE id = ?"  # noqa: S608 - columns named in our code only
    if not connection.execute(changing, (value, conversation)).rowcount:
        raise missing(conversation)


def remove_unused(connection: sqlite3.Connection, conversations: Iterable[int]) -> None:
    for conversation in conversations:
        connection.execute("DELETE FROM conversations WHERE id = ? AND latest = 0", (conversation,))


def stands(connection: sqlite3.Connection, conversation: int, tip: int | None) -> bool:
    """Whether the conversation is there, and the message at which a program is in it."""
    row = connection.execute("SELECT 1 FROM conversations WHERE id = ?", (conversation,)).fetchone()
    node = tip is None or connection.execute("SELECT 1 FROM nodes WHERE id = ?", (tip,)).fetchone()
    return bool(row and node)


def missing(conversation: int) -> Gone:
    return Gone(f"There is no conversation {conversation}.", "/chats lists them.")
