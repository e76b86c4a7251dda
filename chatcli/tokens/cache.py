"""Cache files: written atomically, readable by their owner only, pruned. Losing one never causes a failure.

Each begins with a line that has the SHA-256 of the rest, in hex: a damaged file is treated as missing.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Hashable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Generic, TypeVar

from chatcli.paths import private_directory
from chatcli.reading.files import read_bytes

KEPT_FILES = {".vocab": 8, ".template": 32, ".rates": 32, ".probes": 4}
KEPT_DAYS = 30
LARGEST = 256_000_000  # bytes


def file_for(directory: Path, model: str, ending: str) -> Path:
    """The file for what is known of `model` (its digest, or its name where there is none)."""
    return directory / f"{re.sub(r'[^A-Za-z0-9._-]', '-', model)[:100] or 'unknown'}{ending}"


def read(path: Path) -> bytes | None:
    """What was written, or None. Reading it counts as use: it is not pruned for another month."""
    try:
        seal, _, kept = read_bytes(path, LARGEST).partition(b"\n")
    except OSError:
        return None
    with suppress(OSError):
        os.utime(path)
    return kept if seal == _seal(kept) else None


def write(path: Path, data: bytes) -> None:
    """Replace the file's content by `data`, completely or not at all; a full or read-only disk raises nothing."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        private_directory(path.parent)
        temporary.unlink(missing_ok=True)
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(_seal(data) + b"\n" + data)
        temporary.replace(path)
    except OSError:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        return
    prune(path.parent, path.suffix)


def prune(directory: Path, ending: str) -> None:
    """Keep the few most recently used files of that ending, and none that was not used for a month."""
    longest_ago = time.time() - KEPT_DAYS * 86400
    with suppress(OSError):  # another chatcli may be pruning too
        dated = sorted(((p.stat().st_mtime, p) for p in directory.glob(f"*{ending}")), reverse=True)
        for place, (used, path) in enumerate(dated):
            if place >= KEPT_FILES[ending] or used < longest_ago:
                path.unlink(missing_ok=True)


def _seal(data: bytes) -> bytes:
    return sha256(data).hexdigest().encode()


V = TypeVar("V")
MOST = 4_000_000  # characters of all the keys


class Memo(Generic[V]):
    """A memo that empties itself when it is full: what is in use comes back with the next question."""

    def __init__(self) -> None:
        self._kept: dict[Hashable, V] = {}
        self._held = 0

    def get(self, key: Hashable, size: int, make: Callable[[], V]) -> V:
        """The value stored for `key`, whose text has `size` characters; `make` gives it when there is none."""
        if key in self._kept:
            return self._kept[key]
        value = make()
        self._held += size
        if self._held > MOST:
            self._kept, self._held = {}, size
        self._kept[key] = value
        return value
