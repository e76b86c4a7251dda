"""Reads the tables of a damaged store: by queries where SQLite can, row by row where it must, and page by page.

SQLite gives up a whole query at the first bad page. So tables are read in ranges of ids, and a range that cannot
be read is halved until only the bad rows are left out. Rows on pages that no tree leads to any more are then read
page by page, by SQLite as well. `python -m tests.bench.damage` keeps that here: with twenty bad pages of 260, 991
of 1,000 messages come back with a backup instead of 986 (at worst 967 instead of 900), and 923 without one instead
of 873.
"""

from __future__ import annotations

import os
import sqlite3
import struct
from collections import deque
from collections.abc import Collection, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import IO, Any

from chatcli.dataclass import dataclass
from chatcli.store.checks import NEVER

Row = dict[str, Any]

# The size of a page, and what it begins with where it holds rows of a table, or of one WITHOUT ROWID.
_PAGE = 4096
_TABLE_LEAF, _LEAVES = 13, {"attachments": 10}
_INNER = 5

# The columns of each table.
TABLES = {
    table: names.split()
    for table, names in {
        "conversations": "id created updated trashed demo tip latest model title settings state names",
        "branches": "id conversation origin fork",
        "nodes": "id branch number parent created size role ended text thinking tool_uses turn",
        "pieces": "id node text thinking",
        "blobs": "id digest data",
        "attachments": "node place blob kind name media_type",
    }.items()
}

_RANGE = 1000
_HUGE = 1 << 32  # no store has such an id
_PATIENCE = 3000  # failed queries; what is left out is found page by page


# A view in the place of a table may never end. The schema is then taken from elsewhere, as when it is lost.
_FOREIGN = """SELECT 1 FROM sqlite_master WHERE (type IN ('view', 'trigger') AND name <> 'passage_texts')
    OR (sql LIKE 'CREATE VIRTUAL%' AND name <> 'search')"""


@dataclass(frozen=True, slots=True)
class Salvaged:
    """The rows of each table ordered by id, text as bytes. `known`: ids of all nodes, read or not. `unsure`: the
    tables in which more rows may have been.
    """

    tables: dict[str, list[Row]]
    known: set[int]
    unsure: set[str]


def salvage(copy: Path, sound: Path, unsure: Collection[str] = ()) -> Salvaged:
    """Returns all that can be read of `copy`, and modifies `copy`; a lost schema is taken from `sound`. `unsure`:
    tables that may have more rows than they seem to have.
    """
    salvaged = read(copy)
    if salvaged is None:
        _transplant_schema(sound, copy)
        salvaged = read(copy)
    if salvaged is None:
        salvaged = Salvaged({table: [] for table in TABLES}, set(), set(TABLES))
    salvaged.unsure.update(unsure)
    if salvaged.unsure:
        _add_unreachable(salvaged, copy)
    return salvaged


def read(path: Path, how: str = "mode=rw") -> Salvaged | None:
    """Returns all that can be read of that file; None when it cannot be opened."""
    with closing(_opened(path, how)) as connection:
        try:
            connection.execute("SELECT 1 FROM nodes LIMIT 0")
            if connection.execute(_FOREIGN).fetchone():
                return None
        except sqlite3.Error:
            return None
        salvaged = Salvaged({}, _known_ids(connection), set())
        for table in TABLES:
            salvaged.tables[table], whole = _read(connection, table)
            salvaged.unsure.update(() if whole else {table})
        return salvaged


def _opened(path: Path, how: str) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True, isolation_level=None)
    connection.text_factory = bytes
    with suppress(sqlite3.Error):
        connection.execute("PRAGMA writable_schema=ON")  # lets SQLite open a file that ends too early
    return connection


def _transplant_schema(sound: Path, copy: Path) -> None:
    """The schema says where the tables are. A store made by the same steps has them at the same pages."""
    with sound.open("rb") as source, copy.open("r+b") as target:
        first = bytearray(_page(source, 1))
        first[18:20] = b"\x02\x02"  # it has a log; a backup has none
        first[28:32] = max(1, os.fstat(target.fileno()).st_size // _PAGE).to_bytes(
            4, "big"
        )  # how long the file is
        first[32:40] = bytes(8)  # and that no page in it is free
        target.write(first)
        for number in _below(bytes(first)):
            page = _page(source, number)
            target.seek((number - 1) * _PAGE)
            target.write(page)


def _below(first: bytes) -> Iterator[int]:
    """Yields the numbers of the pages below the first one, of the same tree; none if it is all of the tree."""
    kind, _, cells, _, _, last = struct.unpack_from(">BHHHBI", first, 100)
    if kind == _INNER:
        for (cell,) in struct.iter_unpack(">H", first[112 : 112 + 2 * cells]):
            yield int.from_bytes(first[cell : cell + 4], "big")
        yield last


def _read(connection: sqlite3.Connection, table: str) -> tuple[list[Row], bool]:
    """Returns the rows that can be read, and whether those are all.

    The large ranges come first: if very much is bad, the limit on failures is used up on the smallest ranges.
    """
    key = "node" if table == "attachments" else "id"
    names = TABLES[table]
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
    return -1  # then nothing is queried


def _known_ids(connection: sqlite3.Connection) -> set[int]:
    """Returns the ids of all nodes, read from the indexes."""
    ids: set[int] = set()
    for index in ("nodes_place", "nodes_parent"):
        with suppress(sqlite3.Error):
            ids |= {node for (node,) in connection.execute(f"SELECT id FROM nodes INDEXED BY {index}")}  # noqa: S608
    return ids


def _add_unreachable(salvaged: Salvaged, copy: Path) -> None:
    """Adds rows on pages that no tree leads to any more. A row that was found in its tree is newer, and stays."""
    tables = salvaged.unsure & NEVER.keys()
    found = {table: {_identity(table, row): row for row in salvaged.tables[table]} for table in tables}
    for table, row in _page_by_page(copy, tables):
        found[table].setdefault(_identity(table, row), row)
    for table, rows in found.items():
        salvaged.tables[table] = [rows[identity] for identity in sorted(rows)]


def _page_by_page(copy: Path, wanted: set[str]) -> Iterator[tuple[str, Row]]:
    """Yields (table, row) from each page that has rows, modifying `copy`: the page is written over the first page
    of a table, and SQLite reads that table. A row of another table is told by a value that this one never has.
    """
    with copy.open("r+b", buffering=0) as file:
        roots = {table: root for table, root in _roots(copy).items() if table in wanted}
        firsts = {number: _page(file, number) for number in roots.values()}
        for number in range(2, os.fstat(file.fileno()).st_size // _PAGE + 1):
            page = firsts.get(number) or _page(file, number)
            tables = [table for table in roots if page[0] == _LEAVES.get(table, _TABLE_LEAF)]
            for table in tables:
                file.seek((roots[table] - 1) * _PAGE)
                file.write(page)
            if tables:
                with closing(_opened(copy, "immutable=1")) as connection:
                    yield from ((table, row) for table in tables for row in _rows(connection, table))


def _roots(copy: Path) -> dict[str, int]:
    """Returns the number of each table's first page, from 1; nothing when the schema is lost."""
    with closing(_opened(copy, "immutable=1")) as connection, suppress(sqlite3.Error):
        roots = connection.execute("SELECT CAST(name AS BLOB), rootpage FROM sqlite_master").fetchall()
        return {name.decode(errors="replace"): root for name, root in roots}
    return {}


def _page(file: IO[bytes], number: int) -> bytes:
    file.seek((number - 1) * _PAGE)
    return file.read(_PAGE)


def _rows(connection: sqlite3.Connection, table: str) -> Iterator[Row]:
    names = TABLES[table]
    # The shorter rows of other tables are completed by defaults, and look like conversations without messages.
    never = [*NEVER[table], *(["latest = 0"] if table == "conversations" else [])]
    query = f"SELECT {', '.join(names)} FROM {table} NOT INDEXED WHERE ({' OR '.join(never)}) IS NOT TRUE"  # noqa: S608
    ids: list[tuple[int, ...]] = [()]
    if table != "attachments":  # one by one: the rest of a long row may be on a bad page
        with suppress(sqlite3.Error):
            ids = connection.execute(f"SELECT id FROM {table} NOT INDEXED").fetchall()  # noqa: S608
        query += " AND id = ?"
    for each in ids:
        with suppress(sqlite3.Error, OverflowError, MemoryError):
            yield from (dict(zip(names, row, strict=True)) for row in connection.execute(query, each))


def _identity(table: str, row: Row) -> tuple[int, ...]:
    return (row["node"], row["place"]) if table == "attachments" else (row["id"],)
