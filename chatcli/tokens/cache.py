"""Files that may vanish: written atomically and for their owner only, pruned, never the reason of a failure."""

from __future__ import annotations

import os
import re
import tempfile
import time
from pathlib import Path

from chatcli.paths import private_directory

KEPT_FILES = {".vocab": 8, ".json": 64}
KEPT_DAYS = 30


def file_for(directory: Path, model: str, ending: str) -> Path:
    """Where what is known of `model` (its digest, or its name where there is none) is kept."""
    return directory / f"{re.sub(r'[^A-Za-z0-9._-]', '-', model)[:100] or 'unknown'}{ending}"


def read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def write(path: Path, data: bytes) -> None:
    """Put `data` in place of what was there, whole or not at all; a full or read-only disk is no error here."""
    try:
        handle, temporary = tempfile.mkstemp(dir=private_directory(path.parent), prefix=".", suffix=path.suffix)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            Path(temporary).replace(path)
        except OSError:
            Path(temporary).unlink(missing_ok=True)
    except OSError:
        return
    prune(path.parent, path.suffix)


def prune(directory: Path, ending: str) -> None:
    """Keep the newest few files of that ending, and none that was not written for a month."""
    oldest = time.time() - KEPT_DAYS * 86400
    dated = sorted(((p.stat().st_mtime, p) for p in directory.glob(f"*{ending}")), reverse=True)
    for place, (written, path) in enumerate(dated):
        if place >= KEPT_FILES.get(ending, 8) or written < oldest:
            path.unlink(missing_ok=True)
