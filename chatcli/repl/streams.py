"""Standard output and error: UTF-8 whatever the locale, with OutputFailed as their own error.

So an OSError of the output differs from one of a file or a socket.
"""

from __future__ import annotations

import io
import os
import sys
from typing import Any, TextIO


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


def silence(stream: TextIO) -> None:
    """Send what it still has to write to os.devnull."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def _opened(stream: TextIO | None) -> TextIO:
    stream = stream or open(os.devnull, "w")  # noqa: SIM115, PTH123
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
