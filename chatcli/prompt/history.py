"""The line history: entered lines, newest first, in an SQLite file that several chatcli may share.

It never keeps anybody from typing: a file that is locked, read-only or damaged is silently given up, and the lines
live in memory only.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import TypeVar

from chatcli.paths import private_directory

LIMIT = 10_000
_LOCK_SECONDS = 0.25
_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_T = TypeVar("_T")


class LineHistory:
    """`path` None: in memory only. The file is read at the first use, which may be in another thread."""

    def __init__(self, path: Path | None, limit: int = LIMIT) -> None:
        self._path = path
        self._limit = limit
        self._lines: list[str] | None = None
        self._remembers = True
        self._lock = threading.Lock()

    @property
    def is_loaded(self) -> bool:
        return self._lines is not None

    def lines(self) -> list[str]:
        """Returns the lines, newest first, each complete with its line breaks."""
        with self._lock:
            return list(self._load())

    def add(self, line: str) -> None:
        """Stores `line`, unless it is blank, equal to the last one, or remembering is off."""
        from chatcli.attachments.files import as_kept

        line = as_kept(line)
        with self._lock:
            lines = self._load()
            if not self._remembers or not line.strip() or lines[:1] == [line]:
                return
            lines.insert(0, line)
            del lines[self._limit :]
            self._attempt(lambda database: self._write(database, line), None)

    def remember(self, on: bool) -> None:
        """Sets whether lines are stored from now on, in memory and on disk. Lines stored before stay."""
        self._remembers = on

    def _load(self) -> list[str]:
        if self._lines is None:
            there = self._path is not None and self._path.exists()
            self._lines = self._attempt(self._read, list[str]()) if there else []
        return self._lines

    def _read(self, database: sqlite3.Connection) -> list[str]:
        rows = database.execute("SELECT text FROM lines ORDER BY id DESC LIMIT ?", (self._limit,))
        return [text for (text,) in rows]

    def _write(self, database: sqlite3.Connection, line: str) -> None:
        row = database.execute("INSERT INTO lines (text) VALUES (?)", (line,)).lastrowid or 0
        database.execute("DELETE FROM lines WHERE id <= ?", (row - self._limit,))

    def _attempt(self, work: Callable[[sqlite3.Connection], _T], otherwise: _T) -> _T:
        """Does `work` in a transaction; at the first failure the file is given up permanently."""
        if self._path is None:
            return otherwise
        try:
            with closing(_open(self._path)) as database, database:
                return work(database)
        except (sqlite3.Error, OSError) as error:
            if getattr(error, "sqlite_errorcode", None) in _DAMAGE:
                _set_aside(self._path)
            self._path = None
            return otherwise


def _open(path: Path) -> sqlite3.Connection:
    private_directory(path.parent)
    if not path.exists():
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    elif sys.platform != "win32" and path.stat().st_mode & 0o077:
        path.chmod(0o600)
    database = sqlite3.connect(path, timeout=_LOCK_SECONDS)
    try:
        # Enter does not wait for the disk: a power failure may cost lines, and a damaged file is replaced.
        database.execute("PRAGMA synchronous = OFF")
        database.execute("CREATE TABLE IF NOT EXISTS lines (id INTEGER PRIMARY KEY, text TEXT NOT NULL)")
    except BaseException:
        database.close()
        raise
    return database


def _set_aside(path: Path) -> None:
    """Renames the damaged file, so that the next start has a history again."""
    with suppress(OSError):
        path.replace(path.with_name(path.name + ".damaged"))
