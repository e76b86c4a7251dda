"""Reads SQLite's write-ahead log (-wal) without SQLite, which deletes the log of an empty database.

The log is a header of 32 bytes and then frames: 24 bytes and a page each. A frame is valid up to the last commit,
as long as its salt is the header's and its checksum follows from everything before it
(sqlite.org/fileformat2.html, part 4).
"""

from __future__ import annotations

import struct
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

_HEADER, _FRAME = 32, 24
_MAGIC = {0x377F0682: "little", 0x377F0683: "big"}  # with the byte order of the checksums


def is_orphaned(path: Path) -> bool:
    """Whether the file at `path` is empty and its log is not: then its content is only in the log."""
    log = path.with_name(path.name + "-wal")
    return path.stat().st_size == 0 and log.exists() and log.stat().st_size > 0


def put_pages(log: Path, file: Path) -> None:
    """Writes the pages of the log into `file`, each at its offset, up to the last complete commit.

    A log that was restarted still has the end of the previous log behind its own frames: pages that went into the
    file.
    """
    content = log.read_bytes()
    header = _header(content)
    if header is None:
        return
    order, size, salt, sums = header
    now, end = _committed(content, _HEADER, salt, sums, order, size)
    before = struct.pack(">I", (struct.unpack_from(">I", salt)[0] - 1) & 0xFFFFFFFF)
    pages: dict[int, bytes] = {}
    if content[end + 8 : end + 12] == before and len(content) >= end + _FRAME + size:
        sums = struct.unpack_from(">II", content, end + 16)  # the data before the first of them is overwritten
        pages, _ = _committed(content, end + _FRAME + size, content[end + 8 : end + 16], sums, order, size)
    with file.open("r+b") as target:
        for page, data in (pages | now).items():
            target.seek((page - 1) * size)
            target.write(data)


@dataclass(frozen=True, slots=True)
class Looks:
    """What a log looks like before SQLite opens it: its salt, and which frame (from 1) is the last commit."""

    salt: bytes = b""
    last: int = 0


def looks(log: Path) -> Looks:
    """Reads a few bytes of each frame; verifies no checksums."""
    try:
        with log.open("rb") as file:
            header = file.read(_HEADER)
            if len(header) < _HEADER:
                return Looks()
            if _header(header) is None:  # then SQLite reads none of it
                return Looks(header[16:24], 1 if file.read(1) else 0)
            (size,) = struct.unpack_from(">I", header, 8)
            salt, last, number = header[16:24], 0, 1
            while len(frame := file.read(16)) == 16:
                if frame[8:16] == salt and frame[4:8] != bytes(4):
                    last = number
                number += 1
                file.seek(_HEADER + (number - 1) * (_FRAME + size))
    except OSError:
        return Looks()
    return Looks(salt, last)


def drops_some(log: Path, before: Looks) -> bool:
    """Whether SQLite, which has opened the log by now, skips complete transactions in it, behind a bad frame.

    The -shm says how far SQLite reads. The frame that a killed program was writing is no loss.
    """
    with suppress(OSError):
        with log.with_name(log.name.removesuffix("-wal") + "-shm").open("rb") as file:
            shared = file.read(48)
        if not before.last or len(shared) < 48:
            return False
        is_same, (read,) = shared[32:40] == before.salt, struct.unpack_from("=I", shared, 16)
        if is_same and read >= before.last:
            return False
        content = log.read_bytes()
        if content[16:24] != before.salt:  # another program has restarted the log meanwhile
            return False
        header = _header(content)
        if header is None:
            return True
        order, size, salt, sums = header
        return before.last > _sound(content, salt, sums, order, size) + 1
    return False


def _header(log: bytes) -> tuple[str, int, bytes, tuple[int, int]] | None:
    """Returns byte order of the checksums, page size, salt and checksum; None when this is not a log."""
    if len(log) < _HEADER:
        return None
    magic, _, size = struct.unpack_from(">III", log)
    order = _MAGIC.get(magic)
    if order is None or (sums := _summed(log[:24], (0, 0), order)) != struct.unpack_from(">II", log, 24):
        return None
    return order, 65536 if size == 1 else size, log[16:24], sums


def _committed(
    log: bytes, at: int, salt: bytes, sums: tuple[int, int], order: str, size: int
) -> tuple[dict[int, bytes], int]:
    """Returns the newest form of each page (from 1) in the frames from `at` on, and where the last commit ends."""
    pages: dict[int, bytes] = {}
    held: dict[int, bytes] = {}
    end = at
    for frame in range(at, len(log) - _FRAME - size + 1, _FRAME + size):
        data = log[frame + _FRAME : frame + _FRAME + size]
        sums = _summed(log[frame : frame + 8] + data, sums, order)
        if log[frame + 8 : frame + 16] != salt or sums != struct.unpack_from(">II", log, frame + 16):
            break
        page, commit = struct.unpack_from(">II", log, frame)
        held[page] = data
        if commit:
            pages |= held
            held.clear()
            end = frame + _FRAME + size
    return pages, end


def _sound(log: bytes, salt: bytes, sums: tuple[int, int], order: str, size: int) -> int:
    """Returns how many frames come before the first bad one."""
    for number, at in enumerate(range(_HEADER, len(log) - _FRAME - size + 1, _FRAME + size)):
        sums = _summed(log[at : at + 8] + log[at + _FRAME : at + _FRAME + size], sums, order)
        if log[at + 8 : at + 16] != salt or sums != struct.unpack_from(">II", log, at + 16):
            return number
    return (len(log) - _HEADER) // (_FRAME + size)


def _summed(data: bytes, sums: tuple[int, int], order: str) -> tuple[int, int]:
    first, second = sums
    words = struct.unpack(f"{'<' if order == 'little' else '>'}{len(data) // 4}I", data)
    for one, other in zip(islice(words, 0, None, 2), islice(words, 1, None, 2), strict=True):
        first = (first + one + second) & 0xFFFFFFFF
        second = (second + other + first) & 0xFFFFFFFF
    return first, second
