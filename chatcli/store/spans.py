"""Which messages of a path were said in a span of time: found by halving, since times grow along a path."""

from __future__ import annotations

import sqlite3
from datetime import datetime

from chatcli.store.codec import pack_time
from chatcli.store.search import Scope

MOST = 2000  # messages of one span


def said_in(connection: sqlite3.Connection, path: Scope, span: tuple[datetime, datetime]) -> list[int]:
    """The nodes of the path that were made in that time, up to MOST of them: times grow along a path."""
    branches = path.path or {}
    found: list[int] = []
    for branch, upto in branches.items():
        least = _first_since(connection, branch, upto, pack_time(span[0]))
        end = _first_since(connection, branch, upto, pack_time(span[1]))
        query = "SELECT id FROM nodes WHERE branch = ? AND number >= ? AND number < ? ORDER BY number LIMIT ?"
        found += [row[0] for row in connection.execute(query, (branch, least, end, MOST))]
    return found


def _first_since(connection: sqlite3.Connection, branch: int, upto: int, moment: int) -> int:
    """The number of the branch's first message at or after that time; `upto` + 1 when there is none."""
    low, high = _begins(connection, branch), upto + 1
    while low < high:
        middle = (low + high) // 2
        place = "SELECT created FROM nodes WHERE branch = ? AND number = ?"
        (created,) = connection.execute(place, (branch, middle)).fetchone()
        low, high = (low, middle) if created >= moment else (middle + 1, high)
    return low


def _begins(connection: sqlite3.Connection, branch: int) -> int:
    (number,) = connection.execute("SELECT min(number) FROM nodes WHERE branch = ?", (branch,)).fetchone()
    return int(number or 1)
