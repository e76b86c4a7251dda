"""Translates errors of SQLite and the file system: every failure of the store becomes a StoreError here."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chatcli.errors import Damaged, Locked, NoRoom, ReadOnly, StoreError
from chatcli.hints import Do, Hint
from chatcli.paths import why

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
# What SQLite says of a full disk; and of a quota or a limit on the size of files: that a write failed.
_NO_ROOM = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE}
_UNWRITTEN = {
    sqlite3.SQLITE_IOERR_WRITE,
    sqlite3.SQLITE_IOERR_FSYNC,
    sqlite3.SQLITE_IOERR_DIR_FSYNC,
    sqlite3.SQLITE_IOERR_TRUNCATE,
}


ELSEWHERE = Hint(
    "Set CHATCLI_HOME to a directory of your own, or keep nothing with ", Do("set", "save", "off"), "."
)

SAVE_THE_REST = Hint(Do("doctor"), " saves what can be read and keeps this file.")


@contextmanager
def translated(path: Path | None) -> Iterator[None]:
    """Turns any SQLite error raised inside into a StoreError about the store at `path`."""
    try:
        yield
    except sqlite3.Error as error:
        interrupted = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT
        if interrupted or str(error) == "user-defined function raised exception":
            # A Ctrl-C landed in a long statement, or in our one SQL function, `spaced`, which never fails: SQLite
            # hides the interrupt.
            raise KeyboardInterrupt from error
        raise store_error(error, path) from error
    except UnicodeDecodeError as error:  # for example in a name in the schema
        raise Damaged(f"The store {path} is damaged: {error}.", SAVE_THE_REST) from error
    except OSError as error:
        raise refused(error, path) from error
    except (OverflowError, MemoryError) as error:
        raise StoreError(
            f"The message is too large to be stored: {error}.", "Send a smaller message or file."
        ) from error


class Nonsense(Damaged):
    """A reader's finding that a value cannot be ours; checks.py decides whether the store is damaged."""


@contextmanager
def nonsense_is_damage() -> Iterator[None]:
    """Wraps the reading of rows: a value that chatcli never writes means damage, even where SQLite sees none."""
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise Nonsense(f"The store is damaged: a row makes no sense ({error}).", SAVE_THE_REST) from error


def store_error(error: sqlite3.Error, path: Path | None) -> StoreError:
    where = str(path) if path is not None else "memory"
    whole = getattr(error, "sqlite_errorcode", None) or 0
    # The low byte of an extended code is its family: SQLITE_BUSY_SNAPSHOT is a SQLITE_BUSY.
    code = whole & 0xFF
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return Locked(
            f"Another program is using the conversations in {where}.", "Try again when it is done with them."
        )
    if whole in _NO_ROOM | _UNWRITTEN:
        limit = (
            ": a quota or a limit on the size of files is reached, or it is full" if whole in _UNWRITTEN else ""
        )
        return NoRoom(
            f"There is no room left on the disk for {where}{limit}.",
            "Make room and try again; what was stored is safe.",
        )
    if code in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN}:
        return unwritable(where, str(error))
    if code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB} or "decode" in str(error):
        return Damaged(f"The store {where} is damaged: {error}.", SAVE_THE_REST)
    if code == sqlite3.SQLITE_TOOBIG or isinstance(error, sqlite3.DataError):
        return StoreError(f"The message is too large to be stored: {error}.", "Send a smaller message or file.")
    return StoreError(f"The store {where} failed: {error}.", Hint(Do("doctor"), " checks it."))


def refused(error: OSError, path: Path | None) -> StoreError:
    """Returns the StoreError for what the file system says about the store at `path`."""
    if error.errno in _FULL:
        return NoRoom(
            f"There is no room left for {path}: {why(error)}.", "Make room for a copy of it and try again."
        )
    return unwritable(str(path), why(error))


def unwritable(where: str, why: str) -> ReadOnly:
    return ReadOnly(f"Nothing can be stored in {where}: {why}.", ELSEWHERE)
