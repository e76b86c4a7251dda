"""Backups of the store: a checked copy a day, made in the background; the newest three are kept beside it.

A copy is a snapshot taken by SQLite itself, a few pages at a time, under a name that no reader takes for a backup.
It gets its name when it is complete, has passed the check that finds damage, and is on the disk. So neither a kill
nor a damaged store costs an earlier backup.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from chatcli.dataclass import dataclass
from chatcli.errors import StoreError
from chatcli.paths import backups_of, private_directory
from chatcli.store.checks import problems
from chatcli.store.codec import unpack_time
from chatcli.store.database import Database, connect

KEPT = 3
DAY = timedelta(days=1)
# The age at which a store gets its first backup, and the time between two attempts of one program.
HOUR = timedelta(hours=1)
# Pages for each step: about a megabyte, a few milliseconds. Between two steps the copy can be given up.
STEP = 256
# Instructions of SQLite for each step of the check.
CHECK_STEP = 100_000
# Seconds that who leaves waits for a step to end.
LEAVING = 0.2
# Bytes that a backup leaves free on the disk, besides room for one more copy.
SPARE = 100_000_000

_NAME = "chatcli-%Y%m%dT%H%M%SZ.db"
_UNFINISHED = "unfinished.db"


@dataclass(frozen=True, slots=True)
class Backup:
    """`size` in bytes."""

    path: Path
    made: datetime
    size: int

    def messages(self) -> int:
        """How many messages it has. Raises StoreError when it cannot be read."""
        try:
            with closing(_reader(self.path)) as connection:
                (count,) = connection.execute("SELECT count(*) FROM nodes").fetchone()
        except sqlite3.Error as error:
            raise StoreError(f"The backup {self.path} cannot be read: {error}.") from error
        return int(count)


def backups(store: Path) -> list[Backup]:
    """Returns the backups of the store at that path, newest first."""
    found = []
    with suppress(OSError):
        for file in backups_of(store).glob("chatcli-*Z.db"):
            with suppress(ValueError, OSError):  # no backup by its name; or it has just been removed
                made = datetime.fromisoformat(file.stem.removeprefix("chatcli-"))
                found.append(Backup(file, made, file.stat().st_size))
    return sorted(found, key=lambda each: each.made, reverse=True)


def clear(store: Path) -> list[Path]:
    """Removes all backups of that store, also one that another program is making. Returns those that are left
    because they cannot be removed.
    """
    left = _without_unfinished(backups_of(store))  # first: without it, no program can complete a backup
    return left + [each.path for each in backups(store) if not _removed(each.path)]


def _without_unfinished(directory: Path) -> list[Path]:
    """Removes what is left of a copy, and SQLite's files beside it. Returns what cannot be removed."""
    return [file for file in directory.glob(f"{_UNFINISHED}*") if not _removed(file)]


def _removed(file: Path) -> bool:
    try:
        file.unlink(missing_ok=True)
    except OSError:
        return False
    return True


class Backups:
    """Makes the backups of an open store, one attempt an hour at most. An attempt that fails says nothing."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._tried: datetime | None = None

    def start(self) -> None:
        """Begins a backup in the background if one is due: the newest is older than a day, or there is none and
        the store is older than an hour.
        """
        path, now = self._database.path, self._now()
        if path is None or self._database.read_only is not None:
            return
        if self._tried is not None and now - self._tried < HOUR:
            return
        self._tried = now
        with suppress(StoreError):  # whoever needs the store gets the error
            if is_due(path, now, self._born):
                work = partial(back_up, path, now, self._stopped.is_set)
                self._thread = threading.Thread(target=work, name="chatcli-backup", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """Gives up a backup that is being made, which takes milliseconds. Only the wait for the disk cannot be
        given up; it ends by itself, or with the program.
        """
        self._stopped.set()
        self.wait(LEAVING)

    def wait(self, most: float | None = None) -> None:
        """Waits for the backup that is being made, for at most that many seconds."""
        if self._thread is not None and self._thread.is_alive():
            self._thread.join(most)

    def _born(self) -> datetime | None:
        with self._database.reading() as connection:
            row = connection.execute("SELECT created FROM conversations ORDER BY id LIMIT 1").fetchone()
        return unpack_time(row[0]) if row else None


def is_due(store: Path, now: datetime, born: Callable[[], datetime | None]) -> bool:
    """`born` tells when the store began. A backup from the future is one made while the clock was wrong."""
    made = backups(store)
    if made:
        return abs(now - made[0].made) >= DAY
    began = born()
    return began is not None and abs(now - began) >= HOUR


def back_up(store: Path, now: datetime, stopped: Callable[[], bool] = lambda: False) -> bool:
    """Makes a backup of the store at that path. Returns False when none is made: it was stopped, another program
    is making one or has just made one, the disk is short of room, or the store is damaged.
    """
    try:
        with closing(_reader(store)) as source:
            source.execute("BEGIN")  # a snapshot: what is written meanwhile neither waits nor begins the copy anew
            pages = source.execute("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")
            (size,) = pages.fetchone()
            directory = private_directory(backups_of(store))
            if shutil.disk_usage(directory).free < size + max(size, SPARE):
                return False
            with _alone(directory):
                return _made(source, directory, store, now, stopped)
    except (OSError, sqlite3.Error, OverflowError, MemoryError, _Stopped):
        return False


class _Stopped(Exception):
    """Ends a copy between two steps."""


def _made(
    source: sqlite3.Connection, directory: Path, store: Path, now: datetime, stopped: Callable[[], bool]
) -> bool:
    unfinished, name = directory / _UNFINISHED, directory / f"{now:{_NAME}}"
    if any(abs(now - each.made) < HOUR for each in backups(store)):  # another program was faster
        return False
    try:
        _without_unfinished(directory)  # of a program that was killed
        os.close(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        _copy(source, unfinished, stopped)
        _to_disk(unfinished)
        unfinished.replace(name)
        with suppress(OSError):  # only POSIX opens directories
            _to_disk(directory)
    finally:
        _without_unfinished(directory)
    for older in backups(store)[KEPT:]:
        older.path.unlink(missing_ok=True)
    return True


def _copy(source: sqlite3.Connection, target: Path, stopped: Callable[[], bool]) -> None:
    """Copies all of `source` and checks the copy. Raises _Stopped, also for a copy that is damaged."""

    def go_on(*_: int) -> None:
        if stopped():
            raise _Stopped

    with closing(connect(str(target))) as copy:
        copy.execute("PRAGMA journal_mode=OFF")  # a copy that is not completed is thrown away
        copy.execute("PRAGMA synchronous=OFF")  # and one that is waits for the disk once
        source.backup(copy, pages=STEP, progress=go_on)
    with closing(connect(str(target))) as copy:
        copy.execute("PRAGMA journal_mode=DELETE")  # one file, without a log, that a read-only disk can hold
        copy.set_progress_handler(stopped, CHECK_STEP)
        if problems(copy) or stopped():
            raise _Stopped


def _to_disk(file: Path) -> None:
    handle = os.open(file, os.O_RDONLY if file.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """A lock that ends with its program, however that ends. Raises sqlite3.Error when another program has it."""
    file = directory / "lock"
    with suppress(FileExistsError):  # opened only when new: to close a file is to lose this program's locks on it
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    with closing(sqlite3.connect(file, timeout=0, isolation_level=None)) as lock:
        lock.execute("BEGIN EXCLUSIVE")
        yield


def _reader(path: Path) -> sqlite3.Connection:
    return connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
