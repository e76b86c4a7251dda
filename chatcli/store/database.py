"""The one SQLite file: opens it with private permissions, migrates it, and reads and writes it in transactions.

It runs in WAL mode. A commit with `synchronous=NORMAL` hands the data to the kernel: a killed or crashed process
loses nothing, and the file stays sound through a power failure, which can only lose what the kernel had not
written yet, about half a minute. That is enough for a question, or for a reply that still grows. The end of a
reply commits with FULL, which waits for the disk and writes the whole log up to there: one wait in a turn of
seconds or minutes, and a finished turn survives a power failure, too.

Calls may come from any thread: a lock makes them take turns on one connection. Several programs take turns through
BEGIN IMMEDIATE, and each waits for at most WAIT seconds.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from chatcli.conversation.message import Message
from chatcli.conversation.tree import Ended
from chatcli.errors import Damaged, Locked, NoRoom, Replaced, StoreError
from chatcli.paths import is_file, private_directory, size_of
from chatcli.store import conversations, nodes
from chatcli.store.checks import doubted, problems
from chatcli.store.failures import SAVE_THE_REST, refused, translated
from chatcli.store.migrations import check_schema, from_newer, is_empty, migrate, too_new
from chatcli.store.passages import spaced
from chatcli.store.write_ahead_log import is_orphaned, look, passes_over

# After so many steps of a statement, a few milliseconds, Python looks whether Ctrl-C was pressed.
INSTRUCTIONS = 100_000
# A transaction takes milliseconds; the limit is for many of them at once, or for a disk that has to spin up.
WAIT = 3.0


class Database:
    """An open store file. `read_only` is the reason why nothing can be written, or None; every write raises it."""

    def __init__(self, connection: sqlite3.Connection, path: Path | None, read_only: StoreError | None) -> None:
        self.path = path
        self.read_only = read_only
        self._connection = connection
        self._lock = threading.RLock()
        self._file = _identity(path)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock, translated(self.path), doubted(self._connection):
            yield self._connection

    @contextmanager
    def writing(self, *, lasting: bool = False) -> Iterator[sqlite3.Connection]:
        """One transaction: all of it is stored, or nothing. With `lasting` it waits until the disk has it."""
        if self.read_only is not None:
            raise type(self.read_only)(self.read_only.message, self.read_only.advice)
        with self._lock, translated(self.path), doubted(self._connection):
            self._check_place()
            connection = self._connection
            connection.execute(f"PRAGMA synchronous={'FULL' if lasting else 'NORMAL'}")
            try:
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:  # SQLite itself has rolled back when the disk was full
                    connection.execute("ROLLBACK")
                raise

    def _check_place(self) -> None:
        """Raises when the file is no longer where it was. A file that just cannot be looked up counts as open."""
        try:
            there = _identity(self.path)
        except (FileNotFoundError, NotADirectoryError):
            raise Replaced(f"The store {self.path} was removed; there is a new one now.", SAVE_THE_REST) from None
        except OSError:
            return
        if there != self._file:
            raise Replaced(f"Another program has put a new store in the place of {self.path}.", SAVE_THE_REST)

    def check(self) -> list[str]:
        """Reads everything; returns what is wrong with the store. See checks.py."""
        with self.reading() as connection:
            found = problems(connection)
        if self.read_only is None:
            with self.writing() as connection:
                connection.execute("INSERT INTO search (search) VALUES ('integrity-check')")
        return found

    def close(self) -> None:
        with self._lock, suppress(sqlite3.Error):
            self._connection.close()


def _identity(path: Path | None) -> tuple[int, int] | None:
    """Identifies the file whatever its name is; None for a store in memory. Raises OSError."""
    if path is None:
        return None
    found = path.stat()
    return found.st_dev, found.st_ino


def open_database(path: Path | None) -> Database:
    """Opens the store; None opens one in memory. Raises StoreError if nothing can be read and nothing written."""
    if path is None:
        return _bring_up_to_date(connect(":memory:"), None)
    try:
        _make_private(path)
    except OSError as error:
        reason = refused(error, path)
        if not is_file(path):
            raise reason from error
        return _open_to_read(path, reason)
    try:
        with translated(path):
            if is_orphaned(path):
                raise Damaged(f"The store {path} is empty, and its log is not: it was cut off.", SAVE_THE_REST)
            if _has_bad_log(path):
                raise Damaged(f"The log of the store {path} is damaged.", SAVE_THE_REST)
            return _bring_up_to_date(connect(str(path)), path)
    except (NoRoom, Locked) as reason:
        if not size_of(path):
            raise
        return _open_to_read(path, reason)


def connect(name: str, *, uri: bool = False) -> sqlite3.Connection:
    connection = sqlite3.connect(name, timeout=WAIT, isolation_level=None, check_same_thread=False, uri=uri)
    connection.set_progress_handler(lambda: 0, INSTRUCTIONS)
    connection.execute("PRAGMA foreign_keys=ON")
    connection.create_function("spaced", 1, spaced, deterministic=True)
    return connection


def _make_private(path: Path) -> None:
    """Sets the directory to 0700 and the file to 0600 before it has content; SQLite does so for -wal and -shm."""
    private_directory(path.parent)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    if sys.platform != "win32":
        for file in (path, *(path.with_name(path.name + end) for end in ("-wal", "-shm"))):
            with suppress(FileNotFoundError):
                if file.stat().st_mode & 0o077:
                    file.chmod(0o600)


def _bring_up_to_date(connection: sqlite3.Connection, path: Path | None) -> Database:
    try:
        check_schema(connection, path)
        if from_newer(connection):
            connection.execute("PRAGMA query_only=ON")
            return Database(connection, path, too_new(path))
        if path is None or not path.stat().st_size:
            connection.execute("PRAGMA auto_vacuum=INCREMENTAL")  # for a new file; see trash.py
        _use_wal(connection)
        connection.execute("PRAGMA journal_size_limit=16000000")  # a huge message must not leave a huge log behind
        migrate(connection)
    except BaseException:
        connection.close()
        raise
    return Database(connection, path, None)


def _has_bad_log(path: Path) -> bool:
    """Looks at it through a reader: a writer that closes the file puts into it what is before the bad frame, and
    deletes the log.
    """
    log = _log_of(path)
    before = look(log)
    if not before.ends:
        return False
    with closing(connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        return not from_newer(connection) and passes_over(log, before)


def _log_of(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def _use_wal(connection: sqlite3.Connection) -> None:
    """Two programs may open a new store at the same moment, and this switch alone does not wait for its turn."""
    deadline = time.monotonic() + WAIT
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if (error.sqlite_errorcode & 0xFF) != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _open_to_read(path: Path, reason: StoreError) -> Database:
    """Opens for reading a store that cannot be written; if even its log cannot be opened, without the log. A full
    disk may have no room for the shared file (-shm): then this program reads alone, which needs none.
    """
    settled = not size_of(_log_of(path))
    with translated(path):
        try:
            return _reader(path, "mode=ro", reason)
        except sqlite3.OperationalError:
            if isinstance(reason, NoRoom):
                return _reader(path, "mode=rw", reason, alone=True)
            if not settled or isinstance(reason, Locked):
                raise
            return _reader(path, "mode=ro&immutable=1", reason)


def _reader(path: Path, how: str, reason: StoreError, *, alone: bool = False) -> Database:
    connection = connect(f"{path.absolute().as_uri()}?{how}", uri=True)
    try:
        if alone:
            connection.execute("PRAGMA locking_mode=EXCLUSIVE")
            connection.execute("PRAGMA query_only=ON")
        check_schema(connection, path)
        if is_empty(connection):  # made, and no room for a table: there is nothing to read
            raise reason
        return Database(connection, path, too_new(path) if from_newer(connection) else reason)
    except BaseException:
        connection.close()
        raise


# A larger store, in bytes, is not copied to memory.
MOST = 1_000_000_000


def copied_to_memory(database: Database) -> Database:
    """Returns an empty store when this one is too large, or when a newer chatcli's takes no messages of ours."""
    copy = open_database(None)
    if database.path is None or database.path.stat().st_size > MOST:
        return copy
    with database.reading() as source, copy.reading() as target:
        source.backup(target)
        if not from_newer(target):
            migrate(target)  # an earlier chatcli's store, on a read-only disk
    if _takes_messages(copy):
        return copy
    copy.close()
    return open_database(None)


def _takes_messages(database: Database) -> bool:
    """Tries to insert a message, and rolls it back."""
    try:
        with database.writing() as connection:
            conversation = conversations.create(connection, title="", demo=False, settings={}, created=0)
            message = Message.user("?")
            node = nodes.insert(connection, conversation, None, message, created=0, ended=Ended.COMPLETE)
            nodes.move_tip(connection, conversation, node)
            raise _Tried
    except _Tried:
        return True
    except StoreError:
        return False


class _Tried(Exception):
    """Rolls the trial back."""
