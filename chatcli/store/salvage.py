"""Reads the tables of a damaged store: by queries where SQLite can, row by row where it must, and by carving
pages.

SQLite gives up a whole query at the first bad page. So tables are read in ranges of ids, and a range that cannot
be read is halved until only the bad rows are left out. Rows that no tree points to any more are then carved.
"""

from __future__ import annotations

import os
import sqlite3
import struct
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Row = dict[str, Any]

_PAGE = 4096
# Kinds of pages that hold records (inner index pages do, too), and where their cell list begins.
_TABLE_LEAF, _INDEX_LEAF, _INDEX_INNER = 13, 10, 2
_CELLS = {_TABLE_LEAF: 8, _INDEX_LEAF: 8, _INDEX_INNER: 12}

# For each table its columns, and what each may hold: integer, text, blob, or none. An id is the rowid.
TABLES = {
    "conversations": (
        "id created updated trashed demo tip latest model title settings state names",
        "n i i in i in i t tb t t t",
    ),
    "branches": ("id conversation origin fork", "n i in i"),
    "nodes": (
        "id branch number parent created size role ended text thinking tool_uses turn",
        "n i i in i i t t tb tb tn tn",
    ),
    "pieces": ("id node text thinking", "n i tb tb"),
    "blobs": ("id digest data", "n t b"),
    "attachments": ("node place blob kind name media_type", "i i i t tb tb"),
}
_SHAPES = [(table, names.split(), kinds.split()) for table, (names, kinds) in TABLES.items()]


def carve(path: Path) -> Iterator[tuple[str, Row]]:
    """Returns (table, row) for all that looks like a row of ours, text as bytes; recently deleted rows, too."""
    with path.open("rb") as file:
        count = path.stat().st_size // _PAGE

        def page(number: int) -> bytes:
            if not 0 < number <= count:
                return b""
            file.seek((number - 1) * _PAGE)
            return file.read(_PAGE)

        for number in range(2, count + 1):  # page 1 has the schema
            content = page(number)
            if content[0] in _CELLS:
                yield from _rows(content, page)


def _rows(content: bytes, page: Callable[[int], bytes]) -> Iterator[tuple[str, Row]]:
    (cells,) = struct.unpack_from(">H", content, 3)
    for place in range(min(cells, _PAGE // 4)):
        try:
            (start,) = struct.unpack_from(">H", content, _CELLS[content[0]] + 2 * place)
            length, at = _varint(content, start + (4 if content[0] == _INDEX_INNER else 0))
            row_id = 0
            if content[0] == _TABLE_LEAF:
                row_id, at = _varint(content, at)
            values = list(_values(_payload(content, at, length, page)))
        except (IndexError, struct.error, ValueError):
            continue
        for table, names, kinds in _SHAPES:
            # A row from before the last column came (m003) ends without it.
            missing = table == "conversations" and len(values) == len(kinds) - 1
            if (len(values) == len(kinds) or missing) and all(map(_is_of_kind, values, kinds)):
                row = dict(zip(names, (value for _, value in values), strict=not missing))
                yield table, {**row, "id": row_id} if "id" in row else row


def _is_of_kind(value: tuple[str, Any], kinds: str) -> bool:
    return value[0] in kinds


def _payload(content: bytes, at: int, length: int, page: Callable[[int], bytes]) -> bytes:
    """Returns the record of `length` bytes that begins at `at`, including its overflow pages."""
    most = _PAGE - 35 if content[0] == _TABLE_LEAF else (_PAGE - 12) * 64 // 255 - 23
    here = length
    if length > most:
        least = (_PAGE - 12) * 32 // 255 - 23
        here = least + (length - least) % (_PAGE - 4)
        here = here if here <= most else least
    parts = [content[at : at + here]]
    missing = length - len(parts[0])
    if missing and length == here:
        raise ValueError("the record ends behind the page")
    follow = content[at + here : at + here + 4]
    while missing > 0:
        more = page(int.from_bytes(follow, "big"))
        if not more:
            raise ValueError("an overflow page is missing")
        parts.append(more[4 : 4 + missing])
        missing -= len(parts[-1])
        follow = more[:4]
    return b"".join(parts)


def _values(record: bytes) -> Iterator[tuple[str, Any]]:
    """Returns (kind, value) of each column: the header has a number for the kind and size of each."""
    end, at = _varint(record, 0)
    body = end
    while at < end:
        serial, at = _varint(record, at)
        size = (serial - 12) // 2 if serial >= 12 else _SIZES[serial]
        value = record[body : body + size]
        body += size
        if serial >= 12:
            yield "bt"[serial % 2], value
        elif serial == 0:
            yield "n", None
        elif serial in {8, 9}:
            yield "i", serial - 8
        else:
            yield ("f" if serial == 7 else "i"), int.from_bytes(value, "big", signed=True)
    if body != len(record):
        raise ValueError("the columns are not as long as the record")


# Bytes of a column by its serial type: null, integers, a float, 0 and 1; 10 and 11 are never in a file.
_SIZES = (0, 1, 2, 3, 4, 6, 8, 8, 0, 0)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Returns a number of one to nine bytes, and where it ends."""
    number = 0
    for place in range(8):
        byte = data[at + place]
        number = number << 7 | byte & 0x7F
        if byte < 0x80:
            return number, at + place + 1
    return number << 8 | data[at + 8], at + 9


_RANGE = 1000
_HUGE = 1 << 32  # no store has such an id
_PATIENCE = 3000  # failed queries; carving finds what is left out


@dataclass(frozen=True, slots=True)
class Salvaged:
    """The rows of each table ordered by id, text as bytes. `known`: ids of all nodes, read or not."""

    tables: dict[str, list[Row]]
    known: set[int]


def salvage(copy: Path, sound: Path) -> Salvaged:
    """Returns all that can be read of `copy`, and modifies `copy`; a lost first page is taken from `sound`."""
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
    """Page 1 says where the tables are. A store made by the same steps has them at the same pages."""
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
    """Returns the rows that can be read, and whether those are all.

    The large ranges come first: if very much is bad, the limit on failures is used up on the smallest ranges.
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
    return -1  # then nothing is queried


def _known_ids(connection: sqlite3.Connection) -> set[int]:
    """Returns the ids of all nodes, read from the indexes."""
    ids: set[int] = set()
    for index in ("nodes_place", "nodes_parent"):
        with suppress(sqlite3.Error):
            ids |= {node for (node,) in connection.execute(f"SELECT id FROM nodes INDEXED BY {index}")}  # noqa: S608
    return ids


def _add_carved(tables: dict[str, list[Row]], copy: Path, unsure: set[str]) -> None:
    """Adds carved rows. A row that SQLite could read is newer than its carved form and is kept."""
    found = {table: {_identity(table, row): row for row in tables.get(table, [])} for table in unsure}
    for table, row in carve(copy):
        if table in unsure:
            found[table].setdefault(_identity(table, row), row)
    for table, rows in found.items():
        tables[table] = [rows[identity] for identity in sorted(rows)]


def _identity(table: str, row: Row) -> tuple[int, ...]:
    return (row["node"], row["place"]) if table == "attachments" else (row["id"],)
