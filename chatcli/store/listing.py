"""Lists conversations: entries for lists, the last used one, and which ones a name may mean. Read-only."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime

from chatcli.dataclass import dataclass
from chatcli.store.codec import unpack, unpack_time
from chatcli.store.failures import nonsense_is_damage


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of a list. `messages`: how many are on the path to the tip; `model`: the last that replied, or ""."""

    id: int
    title: str
    updated: datetime
    messages: int
    model: str
    demo: bool


@nonsense_is_damage()
def entries(
    connection: sqlite3.Connection,
    *,
    limit: int | None = None,
    demo: bool | None = None,
    trashed: bool = False,
    unanswered: bool = False,
) -> list[Entry]:
    """Those in which nothing came of any question (their tip is before the first) only if `unanswered` or in the
    trash. One whose messages were all undone had a reply once, and is among the others.
    """
    rows = connection.execute(
        """SELECT conversations.id, title, updated, coalesce(number, 0), model, demo
           FROM conversations LEFT JOIN nodes ON nodes.id = tip
           WHERE latest > 0 AND (trashed IS NOT NULL) = ? AND demo IN (?, ?)
               AND (? OR trashed IS NOT NULL OR tip IS NOT NULL OR EXISTS (
                   SELECT 1 FROM branches JOIN nodes AS replies ON replies.branch = branches.id
                   WHERE branches.conversation = conversations.id AND replies.role = 'assistant'))
           ORDER BY latest DESC, updated DESC LIMIT ?""",
        (trashed, *((0, 1) if demo is None else (demo, demo)), unanswered, -1 if limit is None else limit),
    )
    return [
        Entry(number, unpack(title), unpack_time(updated), messages, model, bool(of_demo))
        for number, title, updated, messages, model, of_demo in rows
    ]


@nonsense_is_damage()
def titles(connection: sqlite3.Connection, demo: bool) -> list[tuple[str, int]]:
    """Title and number of messages of each conversation with a message, last used first."""
    rows = connection.execute(
        """SELECT title, coalesce(number, 0) FROM conversations JOIN nodes ON nodes.id = tip
           WHERE latest > 0 AND trashed IS NULL AND demo = ? ORDER BY latest DESC, updated DESC""",
        (demo,),
    )
    return [(unpack(title), messages) for title, messages in rows]


def last(connection: sqlite3.Connection, demo: bool) -> int | None:
    row = connection.execute(
        """SELECT id FROM conversations
           WHERE latest > 0 AND trashed IS NULL AND demo = ? AND tip IS NOT NULL
           ORDER BY latest DESC, updated DESC LIMIT 1""",
        (demo,),
    ).fetchone()
    return row[0] if row else None


def find(among: Sequence[Entry], name: str) -> list[Entry]:
    wanted = name.strip()
    folded = wanted.casefold()
    if not wanted:
        return []
    ways: tuple[Callable[[Entry], bool], ...] = (
        lambda entry: entry.title == wanted,
        lambda entry: str(entry.id) == wanted,
        lambda entry: entry.title.casefold().startswith(folded),
        lambda entry: folded in entry.title.casefold(),
    )
    for fits in ways:
        found = [entry for entry in among if fits(entry)]
        if found:
            return found
    return []
