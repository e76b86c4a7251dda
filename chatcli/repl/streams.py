"""Standard output and error: UTF-8 whatever the locale, with OutputFailed as their own error.

So an OSError of the output differs from one of a file or a socket.
"""

from __future__ import annotations

import io
import os
import sys
from typing import Any, TextIO

from chatcli.errors import UserError


class OutputFailed(OSError):
    """Nothing can be written to standard output or error: a full disk, a reader that has gone."""


class _Output(io.FileIO):
    """The raw file of one of these streams."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            raise OutputFailed(error.errno, error.strerror) from None


def open_streams() -> None:
    """Make the streams able to write any script, and half characters. A closed stream (`chatcli >&-`) becomes
    os.devnull.
    """
    sys.stdin = sys.stdin or open(os.devnull)  # noqa: SIM115, PTH123 - open for as long as the program runs
    sys.stdout, sys.stderr = _opened(sys.stdout), _opened(sys.stderr)


def read_from_terminal() -> None:
    """Make the terminal the standard input, once a pipe has been read. Raises UserError where there is none."""
    try:
        # The terminal that is written to, by its own name: macOS cannot wait for keys of /dev/tty.
        if sys.platform == "win32":
            named = "CONIN$"
        else:
            named = os.ttyname(sys.stdout.fileno())
        terminal = os.open(named, os.O_RDWR)
    except OSError as error:
        raise UserError("There is no terminal to read from.", f"{error.strerror}.") from None
    os.dup2(terminal, 0)
    os.close(terminal)
    sys.stdin = open(0, encoding="utf-8", errors="surrogateescape", closefd=False)  # noqa: SIM115


def silence(stream: TextIO) -> None:
    """Send what it still has to write to os.devnull."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def _opened(stream: TextIO | None) -> TextIO:
    if stream is None:
        return open(os.devnull, "w", encoding="utf-8", errors="replace")  # noqa: PTH123
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    stream.reconfigure(encoding="utf-8", errors="replace")
    if type(getattr(stream.buffer, "raw", stream.buffer)) is not io.FileIO:  # python -u has no buffer
        return stream
    stream.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(_Output(stream.fileno(), "w", closefd=False)),
        encoding="utf-8",
        errors="replace",
        line_buffering=stream.line_buffering,
    )
