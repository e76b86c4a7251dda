"""What is kept as JSON with a conversation, changed beside other programs: what is there by now is read in the
same transaction, and only what this program has changed is changed in it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from chatcli.conversation.context_state import State
from chatcli.reading.json_toml import read_json
from chatcli.store import conversations
from chatcli.store.codec import Column, pack_json, state_to_plain, unpack_state
from chatcli.store.failures import nonsense_is_damage


def name(
    connection: sqlite3.Connection, conversation: int, known: Mapping[str, int], name: str, node: int | None
) -> dict[str, int]:
    """Give node that name (None: take the name away). Returns the names as they are by now, but for those that
    this program has `known` for another place: what /back goes back to, above all, is each program's own.
    """
    names: dict[str, int] = _stored(connection, conversation, "names")
    names.pop(name, None)
    if node is not None:
        names[name] = node
    conversations.change(connection, conversation, "names", pack_json(names))
    return {each: known[each] if each in known and each != name else at for each, at in names.items()}


def keep_state(connection: sqlite3.Connection, conversation: int, before: State, state: State) -> State:
    """What makes `state` of `before`, done to what is stored. Returns what this program goes on with.

    Cut, summary and reserve belong to the path that a program is on, which may be another one elsewhere: it goes
    on with its own, except where more is to be forgotten by now than what its summary was made without.
    """
    there = _stored_state(connection, conversation)
    merged = State(
        cut=there.cut if state.cut == before.cut else state.cut,
        summary=there.summary if state.summary == before.summary else state.summary,
        pins=(there.pins | (state.pins - before.pins)) - (before.pins - state.pins),
        forgotten=(there.forgotten | (state.forgotten - before.forgotten)) - (before.forgotten - state.forgotten),
        reserve=there.reserve if state.reserve == before.reserve else state.reserve,
    )
    conversations.change(connection, conversation, "state", pack_json(state_to_plain(merged)))
    if merged.forgotten - state.forgotten:
        return merged
    return replace(state, pins=merged.pins, forgotten=merged.forgotten)


def keep_settings(
    connection: sqlite3.Connection, conversation: int, before: Mapping[str, str], settings: Mapping[str, str]
) -> None:
    kept: dict[str, str] = _stored(connection, conversation, "settings")
    kept = {each: value for each, value in kept.items() if each in settings or each not in before}
    changed = {each: value for each, value in settings.items() if before.get(each) != value}
    conversations.change(connection, conversation, "settings", pack_json(kept | changed))


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
        raise conversations.missing(conversation)
    value: Column = row[0]
    return value
