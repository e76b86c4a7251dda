"""Empties the trash: removes deleted conversations from disk and index, in portions so short that nobody waits."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

from chatcli.conversation.usage import counted
from chatcli.errors import StoreError
from chatcli.store import nodes
from chatcli.store.database import Database

# Nodes per transaction, and pages of the index or the file per step: milliseconds each.
PORTION = 200

_DAY = 24 * 60 * 60 * 1_000_000
# In the trash; or unlisted for more than a day, such as the rest of an interrupted import.
_CONDEMNED = "(trashed IS NOT NULL OR (latest = 0 AND created < ?))"


def purge(database: Database, now: int) -> Generator[int, None, int]:
    """Deletes what is in the trash at time `now`, in microseconds. Yields how many messages were deleted since,
    and returns how many conversations.

    The backups are deleted, too: they have the text, and the next turn makes a new one. A backup may be of an
    earlier store, in which the conversations have other ids, so that deleting rows inside it could miss some.
    Raises StoreError when a backup cannot be deleted.
    """
    before = now - _DAY
    with database.reading() as connection:
        found = connection.execute(f"SELECT id FROM conversations WHERE {_CONDEMNED}", (before,))  # noqa: S608
        condemned = [conversation for (conversation,) in found]
    if not condemned:
        return 0
    gone = 0
    _delete_backups(database)
    with _zeroing(database):
        for conversation in condemned:
            while some := _remove_some(database, conversation, before):
                yield some
            gone += _remove_emptied(database, conversation, before)
        if gone:
            yield from _give_back(database)
    left = _delete_backups(database)  # again: another program may have made one meanwhile
    if left:
        raise StoreError(
            f"{counted(gone, 'conversation')} removed from the store, but not from {', '.join(map(str, left))}.",
            "Remove what is named here yourself: it has their text.",
        )
    return gone


def _delete_backups(database: Database) -> list[Path]:
    """Returns those that cannot be deleted."""
    from chatcli.store.backups import clear  # not before the first prompt

    return clear(database.path) if database.path is not None else []


def _remove_some(database: Database, conversation: int, before: int) -> int:
    """Deletes its newest nodes, children before parents; none if it was taken out of the trash meanwhile. Returns
    how many.
    """
    with database.writing() as connection:
        some = connection.execute(
            f"""SELECT nodes.id FROM branches JOIN nodes ON branch = branches.id
                WHERE conversation = (SELECT id FROM conversations WHERE id = ? AND {_CONDEMNED})
                ORDER BY branches.id DESC, number DESC LIMIT ?""",  # noqa: S608
            (conversation, before, PORTION),
        ).fetchall()
        for (node,) in some:
            nodes.remove(connection, node)
    return len(some)


def _remove_emptied(database: Database, conversation: int, before: int) -> int:
    with database.writing() as connection:
        removal = f"DELETE FROM conversations WHERE id = ? AND {_CONDEMNED}"  # noqa: S608
        return connection.execute(removal, (conversation, before)).rowcount


def _give_back(database: Database) -> Iterator[int]:
    """Frees files that no message uses, words that are only in the index, and the free pages."""
    with database.writing() as connection:
        connection.execute("DELETE FROM blobs WHERE id NOT IN (SELECT blob FROM attachments)")
    pages = -PORTION  # negative: begin a merge of the whole index, which the next steps continue
    while _merge(database, pages):
        pages = PORTION
        yield 0
    with database.reading() as connection:
        while (free := _free_pages(connection)) > 0:
            connection.execute(f"PRAGMA incremental_vacuum({PORTION})").fetchall()
            if _free_pages(connection) == free:  # a store made without auto_vacuum keeps them for later
                break
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _merge(database: Database, pages: int) -> bool:
    """Does one step of merging the index into one piece, which drops deleted entries. Returns False when done."""
    with database.writing() as connection:
        before = connection.total_changes
        connection.execute("INSERT INTO search (search, rank) VALUES ('merge', ?)", (pages,))
        return connection.total_changes - before >= 2


@contextmanager
def _zeroing(database: Database) -> Iterator[None]:
    """Overwrites with zeros what is deleted inside, not only unlinks it."""
    with database.reading() as connection:
        connection.execute("PRAGMA secure_delete=ON")
    try:
        yield
    finally:
        with database.reading() as connection:
            connection.execute("PRAGMA secure_delete=OFF")


def _free_pages(connection: sqlite3.Connection) -> int:
    (pages,) = connection.execute("PRAGMA freelist_count").fetchone()
    return int(pages)
