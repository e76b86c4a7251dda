"""Checks whether a store is sound: by SQLite's own check, and by values that only chatcli can have written."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from chatcli.conversation.message import Role
from chatcli.conversation.tree import Ended
from chatcli.errors import StoreError, TooNew
from chatcli.hints import Do, Hint
from chatcli.store.failures import Nonsense
from chatcli.store.migrations import from_newer


def problems(connection: sqlite3.Connection) -> list[str]:
    """Returns what is wrong, mostly in SQLite's words. Reads everything. It shares no code with the readers: what
    they fail on counts as damage only if this check finds a problem, too.
    """
    found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(20)")]
    loose = connection.execute("PRAGMA foreign_key_check").fetchall()
    return [
        *(each for each in found if each != "ok"),
        *(f"a row of {row[0]} refers to nothing" for row in loose),
        *(() if from_newer(connection) else _impossible(connection)),
    ]


@contextmanager
def doubted(connection: sqlite3.Connection) -> Iterator[None]:
    """Wraps readers. A reader that finds nonsense in a sound store has a bug of its own: then nobody is told that
    the store is damaged, because that message leads to a rewrite of the store.
    """
    try:
        yield
    except Nonsense as error:
        if problems(connection):
            raise
        if from_newer(connection):
            unread = "This was stored by a newer chatcli, and cannot be read by this one."
            raise TooNew(unread, "Update chatcli.") from error
        raise StoreError(
            f"chatcli cannot read something that it has stored ({error.__cause__!r}). The store is sound and is "
            "left as it is: this is a fault of chatcli.",
            Hint("Please report this line. Another conversation goes on", Hint(": ", Do("clear")), "."),
        ) from error


def _impossible(connection: sqlite3.Connection) -> Iterator[str]:
    for table, conditions in NEVER.items():
        query = f"SELECT 1 FROM {table} WHERE {' OR '.join(conditions)} LIMIT 1"  # noqa: S608 - names of this module
        if connection.execute(query).fetchone():
            yield f"a row of {table} has a value that is never stored"
    for table, column in _OBJECTS:
        wrong = f"typeof({column}) = 'text' AND NOT json_valid({column})"
        rows = connection.execute(f"SELECT {column} FROM {table} WHERE {wrong}")  # noqa: S608
        if any(not _is_json(text) for (text,) in rows):
            yield f"{column} of a row of {table} cannot be read"


def _is_json(text: str) -> bool:
    """Python writes and reads NaN; SQLite does not accept it as JSON. A value nested too deeply to be checked is
    not taken for damaged.
    """
    try:
        json.loads(text)
    except ValueError:
        return False
    except RecursionError:
        return True
    return True


def _listed(names: type[Role] | type[Ended]) -> str:
    return ", ".join(f"'{each.value}'" for each in names)


def _is_no(kinds: str, *columns: str) -> list[str]:
    return [f"typeof({column}) NOT IN ({kinds})" for column in columns]


# The years 1 to 9999 in microseconds since 1970.
_TIME = "NOT BETWEEN -62135596800000000 AND 253402300799999999"
_TEXT, _PLAIN, _NUMBER = "'text', 'blob'", "'text'", "'integer'"

NEVER = {
    "conversations": [
        *_is_no(_TEXT, "title"),
        *_is_no(_PLAIN, "model", "settings", "state", "names"),
        *_is_no(_NUMBER, "latest", "demo"),
        *(f"updated {_TIME}", f"created {_TIME}"),
    ],
    "nodes": [
        *_is_no(_TEXT, "text", "thinking"),
        *_is_no("'text', 'null'", "tool_uses", "turn"),
        *_is_no(_NUMBER, "number", "size", "created"),
        *(f"role NOT IN ({_listed(Role)})", f"ended NOT IN ({_listed(Ended)})", f"created {_TIME}"),
        *("number < 1", "parent >= id"),
    ],
    "pieces": _is_no(_TEXT, "text", "thinking"),
    "attachments": [*_is_no(_TEXT, "name", "media_type"), "kind NOT IN ('image', 'text')"],
    "blobs": _is_no("'blob'", "data"),
}
_OBJECTS = [
    *(("nodes", "tool_uses"), ("nodes", "turn")),
    *(("conversations", column) for column in ("settings", "state", "names")),
]
