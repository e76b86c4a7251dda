"""Reads files that a person, a setting or an export names, up to a size limit. What is not a regular file is
refused by its kind and never waited for: a named pipe may have no writer, a device no end.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import IO

from chatcli.errors import BadData, BadFile
from chatcli.hints import Do, Hint
from chatcli.paths import path_of, readable, shown
from chatcli.pattern import pattern
from chatcli.reading.raw import LARGEST

STDIN = "-"
# A file that the shell opened for us, as in `--file <(git log)`: a pipe with a writer at its other end.
_OPENED_BY_THE_SHELL = pattern(r"/dev/(fd/\d+|stdin)|/proc/self/fd/\d+")
_WHAT = (
    (stat.S_ISDIR, errno.EISDIR, "it is a folder"),
    (stat.S_ISFIFO, errno.EINVAL, "it is a named pipe"),
    (stat.S_ISSOCK, errno.EINVAL, "it is a socket"),
    (stat.S_ISCHR, errno.EINVAL, "it is a device"),
    (stat.S_ISBLK, errno.EINVAL, "it is a device"),
)
PATIENCE = 1.0  # s until it is said that a pipe is waited for
# If a pipe replaces the file after the check, opening it does not wait. Not every system has these flags.
OPENING = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)


def read_bytes(path: Path, most: int = LARGEST) -> bytes:
    """The content of a regular file. Raises OSError, whose `strerror` says why in words, also for what is not a
    regular file or has more than `most` bytes; ValueError for a name that no file can have.
    """
    mode = path.stat().st_mode
    if stat.S_ISFIFO(mode) and _OPENED_BY_THE_SHELL.fullmatch(str(path)):
        with path.open("rb") as pipe:
            return read_pipe(pipe, str(path), most)
    refuse_irregular(mode)
    handle = os.open(path, OPENING)
    try:
        return read_handle(handle, most)
    finally:
        os.close(handle)


def read_handle(handle: int, most: int = LARGEST) -> bytes:
    """The same for a file that is open."""
    about = os.fstat(handle)
    refuse_irregular(about.st_mode)
    if about.st_size > most:
        raise _too_large(most)
    with os.fdopen(handle, "rb", closefd=False) as file:
        return read_stream(file, most)


def not_regular(path: Path) -> str | None:
    """What is at `path` where it is no file, as in "it is a folder"; None for a file, and where nothing is."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return None
    return next((what for is_it, _, what in _WHAT if is_it(mode)), None)


def read_named(named: str, most: int = LARGEST) -> bytes:
    """The content of the file that a person named; "-" is standard input. Raises as read_bytes."""
    return read_stdin(most) if named == STDIN else read_bytes(path_of(named), most)


def text_named(named: str, encoding: str = "") -> str:
    """The text of the file that a person named, without the blanks around it. `encoding`: "" is told by its bytes.
    Raises BadFile.
    """
    from chatcli.reading.encoding import decode_as, python_name
    from chatcli.reading.json_toml import text_of

    with readable(named, "Name a text file."):
        data = read_named(named)
    try:
        return (decode_as(data, encoding).text if python_name(encoding) else text_of(data)).strip()
    except BadData as error:
        advice = Hint("Name a text file, or its encoding: ", Do("set", "encoding", "VALUE"), ".")
        raise BadFile(f"{shown(named)} cannot be read: {error.why}.", advice) from None
    except UnicodeDecodeError:
        raise BadFile(f"{shown(named)} is not text in {encoding}.", "Name another encoding.") from None


def read_stdin(most: int = LARGEST) -> bytes:
    """All of standard input: nothing once it has been read. Raises OSError, also if it is the terminal."""
    if sys.stdin is None or sys.stdin.isatty():
        raise OSError(errno.EINVAL, "it is the terminal, and nothing is piped in")
    return read_pipe(sys.stdin.buffer, "standard input", most)


def in_words(size: int) -> str:
    """50000000 -> "50 MB"."""
    return f"{size / 1e6:g} MB"


def refuse_irregular(mode: int) -> None:
    """Raise OSError for the mode of what is no regular file."""
    for is_it, number, what in _WHAT:
        if is_it(mode):
            raise OSError(number, what)


def read_stream(stream: IO[bytes], most: int = LARGEST) -> bytes:
    """The whole stream. Raises OSError if it has more than `most` bytes or cannot be read."""
    data = stream.read(most + 1)
    if len(data) > most:
        raise _too_large(most)
    return data


def read_pipe(stream: IO[bytes], name: str, most: int = LARGEST) -> bytes:
    """The same for what another program writes. While it does not end, a line on standard error says that it is
    waited for, and Ctrl-C ends that.
    """
    came = b""

    def say() -> None:
        state = "it has not ended yet" if came else "it is open, but nothing has come yet"
        with suppress(OSError, ValueError):  # nobody reads it
            sys.stderr.write(f"Waiting for {name}: {state}. Ctrl-C stops this.\n")
            sys.stderr.flush()

    waiting = threading.Timer(PATIENCE, say)
    waiting.daemon = True
    waiting.start()
    try:
        came = stream.read(1)
        return came and came + read_stream(stream, most - 1)
    finally:
        waiting.cancel()
        waiting.join(PATIENCE)  # Python aborts at its end while a thread is writing to standard error


def _too_large(most: int) -> OSError:
    return OSError(errno.EFBIG, f"it has more than {in_words(most)}")
