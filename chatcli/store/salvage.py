"""Reads the tables of a damaged store: as SQLite gives them, row by row where it must, and by carving.

SQLite gives up a whole query at the first bad page. So tables are read in ranges of ids, and a range that cannot
be read is halved until only the bad rows are left out. Rows that no tree leads to any more are then carved.
"""

from __future__ import annotations

import os
import sqlite3
from collections import deque
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from chatcli.store.carving import TABLES, Row, carve

_RANGE = 1000
_HUGE = 1 << 32  # no store has such an id
_PATIENCE = 3000  # failed queries; carving finds what is left out


@dataclass(frozen=True, slots=True)
class Salvaged:
    """The rows of each table in the order of their ids, text as bytes. `known`: ids of all nodes, read or not."""

    tables: dict[str, list[Row]]
    known: set[int]


def salvage(copy: Path, sound: Path) -> Salvaged:
    """All that can be read of `copy`, which is changed by it; a beginning that is lost is taken from `sound`."""
    tables: dict[str, list[Row]] = {}
    known: set[int] = set()
    unsure = set(TABLES)
    connection = _open(copy)
    if connection is None:
        _transplant_first_page(sound, copy)
        connection = _open(copy)
    if connection is not None:
        with closing(connection):
            known = _known_ids(connection)
            for table in TABLES:
                tables[table], whole = _read(connection, table)
                unsure -= {table} if whole else set()
    if unsure:
        _add_carved(tables, copy, unsure)
    return Salvaged(tables, known)


def _open(copy: Path) -> sqlite3.Connection | None:
    connection = sqlite3.connect(copy, isolation_level=None)
    connection.text_factory = bytes
    try:
        connection.execute("PRAGMA writable_schema=ON")  # lets SQLite open a file that ends too early
        connection.execute("SELECT 1 FROM nodes LIMIT 0")
    except sqlite3.Error:
        connection.close()
        return None
    return connection


def _transplant_first_page(sound: Path, copy: Path) -> None:
    """Page 1 says where the tables are. A store made by the same steps has them in the same places."""
    with sound.open("rb") as file:
        size = int.from_bytes(file.read(18)[16:18], "big")
        file.seek(0)
        page = bytearray(file.read(size))
    with copy.open("r+b") as file:
        pages = max(1, os.fstat(file.fileno()).st_size // size)
        page[28:32] = pages.to_bytes(4, "big")  # how long the file is
        page[32:40] = bytes(8)  # and that no page in it is free
        file.write(page)


def _read(connection: sqlite3.Connection, table: str) -> tuple[list[Row], bool]:
    """The rows that can be read, and whether those are all.

    The large ranges come first, so that where very much is bad, patience ends with what is least worth it.
    """
    key = "node" if table == "attachments" else "id"
    names = TABLES[table][0].split()
    query = f"SELECT {', '.join(names)} FROM {table} WHERE {key} BETWEEN ? AND ?"  # noqa: S608
    highest = _highest(connection, table, key)
    ranges = deque((low, low + _RANGE - 1) for low in range(0, highest + 1, _RANGE))
    found: list[Row] = []
    failures = 0
    while ranges:
        low, high = ranges.popleft()
        try:
            found += [dict(zip(names, row, strict=True)) for row in connection.execute(query, (low, high))]
        except (sqlite3.Error, UnicodeDecodeError, OverflowError, MemoryError):
            failures += 1
            if low < high and failures < _PATIENCE:
                middle = (low + high) // 2
                ranges += [(low, middle), (middle + 1, high)]
    return sorted(found, key=lambda row: int(row[key])), highest >= 0 and not failures


def _highest(connection: sqlite3.Connection, table: str, key: str) -> int:
    queries = (
        f"SELECT max({key}) FROM {table}",  # noqa: S608
        f"SELECT seq FROM sqlite_sequence WHERE name = '{table}'",  # noqa: S608
        "SELECT max(seq) * 4 FROM sqlite_sequence",  # a few files for each message
    )
    for query in queries:
        with suppress(sqlite3.Error):
            row = connection.execute(query).fetchone()
            if row is not None and (row[0] is None or (isinstance(row[0], int) and row[0] < _HUGE)):
                return row[0] or 0
    return -1  # nothing is asked for, then


def _known_ids(connection: sqlite3.Connection) -> set[int]:
    """The ids of all nodes as the indexes tell them."""
    ids: set[int] = set()
    for index in ("nodes_place", "nodes_parent"):
        with suppress(sqlite3.Error):
            ids |= {node for (node,) in connection.execute(f"SELECT id FROM nodes INDEXED BY {index}")}  # noqa: S608
    return ids


def _add_carved(tables: dict[str, list[Row]], copy: Path, unsure: set[str]) -> None:
    """What SQLite did read is the newer form of a row, so that one stays."""
    found = {table: {_identity(table, row): row for row in tables.get(table, [])} for table in unsure}
    for table, row in carve(copy):
        if table in unsure:
            found[table].setdefault(_identity(table, row), row)
    for table, rows in found.items():
        tables[table] = [rows[identity] for identity in sorted(rows)]


def _identity(table: str, row: Row) -> tuple[int, ...]:
    return (row["node"], row["place"]) if table == "attachments" else (row["id"],)
