"""The row of a conversation: title, settings, state, names, shared by programs. nodes.py has its messages."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from chatcli.conversation.context_state import State
from chatcli.conversation.message import Message
from chatcli.conversation.tree import Conversation
from chatcli.errors import Gone
from chatcli.hints import Do, Hint
from chatcli.reading.json_toml import read_json
from chatcli.store import nodes
from chatcli.store.codec import Column, pack, pack_json, state_to_plain, unpack, unpack_state
from chatcli.store.failures import nonsense_is_damage


def name(
    connection: sqlite3.Connection, conversation: int, known: Mapping[str, int], name: str, node: int | None
) -> dict[str, int]:
    """Gives `node` that name (None removes the name). Returns all names as stored now, but a name that this
    program has in `known` keeps the place it has here: what /back returns to, above all, is each program's own.
    """
    names: dict[str, int] = _stored(connection, conversation, "names")
    names.pop(name, None)
    if node is not None:
        names[name] = node
    change(connection, conversation, "names", pack_json(names))
    return {each: known[each] if each in known and each != name else at for each, at in names.items()}


def keep_state(connection: sqlite3.Connection, conversation: int, before: State, state: State) -> State:
    """Applies the difference between `before` and `state` to the stored state. Returns the state that this program
    continues with.

    Cut, summary and reserve belong to the path that a program is on, and another program may be on another path.
    So this program keeps its own, unless more messages are forgotten by now than its summary left out.
    """
    there = _stored_state(connection, conversation)
    merged = State(
        cut=there.cut if state.cut == before.cut else state.cut,
        summary=there.summary if state.summary == before.summary else state.summary,
        pins=(there.pins | (state.pins - before.pins)) - (before.pins - state.pins),
        forgotten=(there.forgotten | (state.forgotten - before.forgotten)) - (before.forgotten - state.forgotten),
        reserve=there.reserve if state.reserve == before.reserve else state.reserve,
    )
    change(connection, conversation, "state", pack_json(state_to_plain(merged)))
    if merged.forgotten - state.forgotten:
        return merged
    return replace(state, pins=merged.pins, forgotten=merged.forgotten)


def keep_settings(
    connection: sqlite3.Connection, conversation: int, before: Mapping[str, str], settings: Mapping[str, str]
) -> None:
    kept: dict[str, str] = _stored(connection, conversation, "settings")
    kept = {each: value for each, value in kept.items() if each in settings or each not in before}
    changed = {each: value for each, value in settings.items() if before.get(each) != value}
    change(connection, conversation, "settings", pack_json(kept | changed))


@nonsense_is_damage()
def _stored_state(connection: sqlite3.Connection, conversation: int) -> State:
    return unpack_state(_column(connection, conversation, "state"))


@nonsense_is_damage()
def _stored(connection: sqlite3.Connection, conversation: int, column: str) -> dict[str, Any]:
    return dict(read_json(_column(connection, conversation, column)))


def _column(connection: sqlite3.Connection, conversation: int, column: str) -> Column:
    query = f"SELECT {column} FROM conversations WHERE id = ?"  # noqa: S608 - columns named above
    row = connection.execute(query, (conversation,)).fetchone()
    if row is None:
        raise missing(conversation)
    value: Column = row[0]
    return value


LONGEST = 60


def title_of(message: Message) -> str:
    """Returns the first words, at most LONGEST characters; of a message without text, its first file's name."""
    words = clean_title(message.text[: LONGEST * 20])
    if not words and message.attachments:
        words = clean_title(message.attachments[0].name)
    if len(words) <= LONGEST:
        return words
    whole, _, _ = words[:LONGEST].rpartition(" ")
    # A single very long word (a URL, or a script without spaces) is cut inside.
    return (whole if len(whole) > LONGEST // 2 else words[: LONGEST - 1]).rstrip(" ,;:-") + "…"


def clean_title(text: str) -> str:
    """Returns one line without control characters and lone surrogates."""
    if not text.isprintable():  # letter by letter takes long, and /tree cleans three texts of every message
        text = "".join(each if each.isprintable() else " " for each in text)
    return " ".join(text.split()) if "  " in text else text.strip()


def create(
    connection: sqlite3.Connection,
    *,
    title: str,
    demo: bool,
    settings: Mapping[str, str],
    created: int,
    id: int | None = None,  # noqa: A002
) -> int:
    """Returns its id: the next one, or `id`, when it had that before."""
    conversation = connection.execute(
        "INSERT INTO conversations (id, created, updated, demo, title, settings) VALUES (?, ?, ?, ?, ?, ?)",
        (id, created, created, demo, pack(title), pack_json(settings)),
    ).lastrowid
    assert conversation is not None
    return conversation


def read(
    connection: sqlite3.Connection,
    conversation: int,
    load: nodes.Load,
    find: nodes.Find,
) -> Conversation:
    """Returns the conversation with the end of its path loaded; it fetches the rest with `load` and `find`."""
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
    """Returns the settings stored with a conversation, without opening it."""
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
    """Whether the conversation still exists, and in it the message `tip` that a program is at."""
    row = connection.execute("SELECT 1 FROM conversations WHERE id = ?", (conversation,)).fetchone()
    node = tip is None or connection.execute("SELECT 1 FROM nodes WHERE id = ?", (tip,)).fetchone()
    return bool(row and node)


def missing(conversation: int) -> Gone:
    return Gone(f"There is no conversation {conversation}.", Hint(Do("chats"), " lists them."))
