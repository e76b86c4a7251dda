"""Reads SQLite's write-ahead log (-wal) without SQLite, which deletes one whose database is empty.

The log is a header of 32 bytes and then frames: 24 bytes and a page each. A frame counts up to the last commit,
while its salt is the header's and its checksum follows from all before it (sqlite.org/fileformat2.html, part 4).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

_HEADER, _FRAME = 32, 24
_MAGIC = {0x377F0682: "little", 0x377F0683: "big"}  # with the byte order of the checksums


def is_orphaned(path: Path) -> bool:
    """Whether the file at `path` is empty, and has a log that is not: what was in it is only there now."""
    log = path.with_name(path.name + "-wal")
    return path.stat().st_size == 0 and log.exists() and log.stat().st_size > 0


def put_pages(log: Path, file: Path) -> None:
    """Write the pages that the log has into `file`, each in its place, up to the last commit that is whole."""
    with file.open("r+b") as target:
        held: list[tuple[int, bytes]] = []
        for page, is_commit, data in _frames(log.read_bytes()):
            held.append((page, data))
            if is_commit:
                for number, content in held:
                    target.seek((number - 1) * len(content))
                    target.write(content)
                held.clear()


def _frames(log: bytes) -> Iterator[tuple[int, bool, bytes]]:
    """(page, counted from 1; whether it ends a transaction; its content)"""
    if len(log) < _HEADER:
        return
    magic, _, size = struct.unpack_from(">III", log)
    order = _MAGIC.get(magic)
    sums = _summed(log[:24], (0, 0), order) if order else None
    if order is None or sums != struct.unpack_from(">II", log, 24):
        return
    salt, size = log[16:24], 65536 if size == 1 else size
    for at in range(_HEADER, len(log) - _FRAME - size + 1, _FRAME + size):
        data = log[at + _FRAME : at + _FRAME + size]
        sums = _summed(log[at : at + 8] + data, sums, order)
        if log[at + 8 : at + 16] != salt or sums != struct.unpack_from(">II", log, at + 16):
            return
        page, commit = struct.unpack_from(">II", log, at)
        yield page, commit > 0, data


def _summed(data: bytes, sums: tuple[int, int], order: str) -> tuple[int, int]:
    first, second = sums
    words = struct.unpack(f"{'<' if order == 'little' else '>'}{len(data) // 4}I", data)
    for one, other in zip(islice(words, 0, None, 2), islice(words, 1, None, 2), strict=True):
        first = (first + one + second) & 0xFFFFFFFF
        second = (second + other + first) & 0xFFFFFFFF
    return first, second
