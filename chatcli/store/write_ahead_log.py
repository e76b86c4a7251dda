"""Reads SQLite's write-ahead log (-wal) where SQLite loses it: that of an empty file, or behind a bad frame.

The log is a header of 32 bytes and then frames: 24 bytes and a page each. A frame begins with the number of its
page, and is the end of a transaction when the next number is not 0; behind these is the salt. A log that was begun
anew has another salt, and behind its own frames those of the log before (sqlite.org/fileformat2.html, part 4).

`python -m tests.bench.damage` keeps this here. Of 1,000 messages 966 come back from the log of an empty file and
a backup, and 66 without one; without this module 900 and none. With one bad page in a log all come back, not 992.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from chatcli.dataclass import dataclass

_HEADER, _FRAME, _PAGE = 32, 24, 4096


def is_orphaned(path: Path) -> bool:
    """Whether the file at `path` is empty and its log is not: then its content is only in the log."""
    log = path.with_name(path.name + "-wal")
    return path.stat().st_size == 0 and log.exists() and log.stat().st_size > 0


def put_pages(log: Path, file: Path, end: int) -> None:
    """Writes the pages of the log into `file`, each at its offset: those of all complete transactions, without bad
    frames; and from byte `end` on, where the damaged file has nothing, those of the log before.
    """
    seen = look(log)
    last = max(seen.ends, default=0)
    before, now = [], []
    for number, frame in enumerate(_frames(log), start=1):
        (page,) = struct.unpack_from(">I", frame)
        if frame[8:16] == seen.salt and number <= last:
            now.append((number, page))
        elif _follows(seen.salt, frame[8:16]) and page * _PAGE > end:
            before.append((number, page))
    with log.open("rb") as source, file.open("r+b") as target:
        for number, page in before + now:
            source.seek(_HEADER + number * _FRAME + (number - 1) * _PAGE)
            target.seek((page - 1) * _PAGE)
            target.write(source.read(_PAGE))


@dataclass(frozen=True, slots=True)
class Log:
    """A log's header, the salt of its frames, and the numbers (from 1) of those that end transactions."""

    header: bytes = b""
    salt: bytes = b""
    ends: tuple[int, ...] = ()


def look(log: Path) -> Log:
    """Reads a few bytes of each frame; verifies no checksums."""
    with suppress(OSError), log.open("rb") as file:
        header = file.read(_HEADER)
        first = next(_frames(log), b"")[8:16]
        # A header with another salt is bad, unless the log has just been begun anew.
        salt = header[16:24] if _follows(header[16:24], first) else first
        ends = (
            number
            for number, frame in enumerate(_frames(log), start=1)
            if frame[8:16] == salt and frame[4:8] != bytes(4)
        )
        return Log(header, salt, tuple(ends))
    return Log()


def passes_over(log: Path, before: Log) -> bool:
    """Whether SQLite, which has opened the log by now, does not read some of its transactions, behind a bad frame.
    The -shm says how far it reads. The last transaction may be what a killed program left incomplete.
    """
    with suppress(OSError):
        with log.with_name(log.name.removesuffix("-wal") + "-shm").open("rb") as file:
            shared = file.read(48)
        if len(shared) < 48 or _follows(shared[32:40], before.salt):
            return False
        (read,) = struct.unpack_from("=I", shared, 16)
        # With another header, another program has begun the log anew.
        return sum(end > read for end in before.ends) > 1 and look(log).header == before.header
    return False


def _frames(log: Path) -> Iterator[bytes]:
    """Yields the beginning of each frame."""
    with log.open("rb") as file:
        file.seek(_HEADER)
        while len(frame := file.read(16)) == 16:
            yield frame
            file.seek(_FRAME - 16 + _PAGE, 1)


def _follows(salt: bytes, before: bytes) -> bool:
    """Whether a log with that salt was begun anew over the other: the first half then counts on."""
    if len(salt) < 8 or len(before) < 8:
        return False
    one, other = struct.unpack_from(">I", salt)[0], struct.unpack_from(">I", before)[0]
    return bool(one == (other + 1) & 0xFFFFFFFF)
