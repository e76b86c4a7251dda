"""Locates stored messages: their conversation, whether they are on its path, and the messages around them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from chatcli.dataclass import dataclass
from chatcli.store import nodes
from chatcli.store.failures import nonsense_is_damage
from chatcli.store.outline import TWIG, Twig, twig_of


@dataclass(frozen=True, slots=True)
class Place:
    """`before` is the message above; `after` is one below: the one on the path, else the newest.

    `on_path`: whether it is on the current path of its conversation.
    """

    conversation: int
    on_path: bool
    before: Twig | None
    after: Twig | None


def home(connection: sqlite3.Connection, node: int) -> int | None:
    """Returns the conversation that holds the message; None when there is none, or when it is in the trash."""
    row = connection.execute(
        """SELECT conversations.id FROM nodes JOIN branches ON branches.id = branch
               JOIN conversations ON conversations.id = conversation
           WHERE nodes.id = ? AND trashed IS NULL AND latest > 0""",
        (node,),
    ).fetchone()
    return row[0] if row else None


@nonsense_is_damage()
def places(connection: sqlite3.Connection, ids: Iterable[int]) -> dict[int, Place]:
    """Returns the place of each message by its id. Reads a few rows for each, not the rest of its path."""
    ways: dict[int, dict[int, int]] = {}
    found = {}
    for node in ids:
        row = connection.execute(
            """SELECT conversation, tip, branch, number, parent FROM nodes JOIN branches ON branches.id = branch
                   JOIN conversations ON conversations.id = conversation
               WHERE nodes.id = ?""",
            (node,),
        ).fetchone()
        if row is None:
            continue
        conversation, tip, branch, number, parent = row
        if conversation not in ways:
            ways[conversation] = nodes.way(connection, conversation, tip) if tip is not None else {}
        way = ways[conversation]
        before = _twigs(connection, "nodes.id = ?", parent)
        after = _twigs(connection, "parent = ?", node)
        on_path = [twig for twig, its in after if twig.number <= way.get(its, 0)] or [twig for twig, _ in after]
        found[node] = Place(
            conversation,
            number <= way.get(branch, 0),
            before[0][0] if before else None,
            on_path[-1] if on_path else None,
        )
    return found


def at_number(connection: sqlite3.Connection, conversation: int, upto: int, number: int) -> int | None:
    """Returns the message with that number on the path to node `upto`."""
    found = ids_between(connection, conversation, upto, number, number)
    return found[0] if found else None


def ids_between(connection: sqlite3.Connection, conversation: int, upto: int, first: int, last: int) -> list[int]:
    """Returns the messages with these numbers on the path to node `upto`."""
    query = f"""{nodes.WAY} SELECT id FROM way JOIN nodes USING (branch)
        WHERE number <= upto AND number BETWEEN ? AND ? ORDER BY number"""  # noqa: S608
    return [node for (node,) in connection.execute(query, (upto, conversation, first, last))]


def letters_between(connection: sqlite3.Connection, conversation: int, upto: int, first: int, last: int) -> int:
    """Counts their characters of text, thinking included, attachments not. Does not read the text."""
    query = f"""{nodes.WAY} SELECT total(size - coalesce((
            SELECT sum(length(data)) FROM attachments JOIN blobs ON blobs.id = blob WHERE node = nodes.id
        ), 0)) FROM way JOIN nodes USING (branch) WHERE number <= upto AND number BETWEEN ? AND ?"""  # noqa: S608
    (letters,) = connection.execute(query, (upto, conversation, first, last)).fetchone()
    return int(letters)


@nonsense_is_damage()
def newest(connection: sqlite3.Connection, conversation: int) -> Twig | None:
    """Returns the newest message of that conversation, on any branch."""
    found = _twigs(connection, "nodes.id = (SELECT latest FROM conversations WHERE id = ?)", conversation)
    return found[0][0] if found else None


@nonsense_is_damage()
def ending(connection: sqlite3.Connection, conversation: int) -> list[Twig]:
    """Returns the last question and the last reply on the path, as far as they exist."""
    query = "SELECT tip FROM conversations WHERE id = ?"
    (tip,) = connection.execute(query, (conversation,)).fetchone() or (None,)
    last = _twigs(connection, "nodes.id = ?", tip)
    return [twig for twig, _ in (*_twigs(connection, "nodes.id = ?", last[0][0].parent if last else None), *last)]


def _twigs(connection: sqlite3.Connection, which: str, node: int | None) -> list[tuple[Twig, int]]:
    """Returns each with its branch, oldest first."""
    query = f"SELECT {TWIG}, branch FROM nodes WHERE {which} ORDER BY nodes.id"  # noqa: S608 - `which` is ours
    return [(twig_of(row[:-1]), row[-1]) for row in connection.execute(query, (node,))]
