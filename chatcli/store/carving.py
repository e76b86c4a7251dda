"""Finds rows in the pages of a SQLite file whose trees are broken, by the look of them alone.

The format is SQLite's own (sqlite.org/fileformat2.html): a leaf page lists its cells, a cell holds a record, and
what does not fit on the page goes on in a chain of overflow pages.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Row = dict[str, Any]

_PAGE = 4096
# Kinds of pages that hold records (inner pages of an index do, too), and where their list of cells begins.
_TABLE_LEAF, _INDEX_LEAF, _INDEX_INNER = 13, 10, 2
_CELLS = {_TABLE_LEAF: 8, _INDEX_LEAF: 8, _INDEX_INNER: 12}

# For each table its columns, and what each may hold: integer, text, blob, or none. An id is the row's own number.
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
    """(table, row) for all that looks like a row of ours, text as bytes. Rows deleted lately may be among them."""
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
    """The record of `length` bytes that begins at `at`, with what is on overflow pages."""
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
    """(kind, value) of each column: the header has a number for the kind and size of each."""
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
    """A number of one to nine bytes, and where it ends."""
    number = 0
    for place in range(8):
        byte = data[at + place]
        number = number << 7 | byte & 0x7F
        if byte < 0x80:
            return number, at + place + 1
    return number << 8 | data[at + 8], at + 9
