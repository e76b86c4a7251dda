"""Standard output and error as they are written to: UTF-8, whatever the locale says, with a failure of their own.

Only what fails here is an error of the output. Any other OSError is one of a file or a socket, and told as that.
"""

from __future__ import annotations

import io
import os
import sys
from typing import Any, TextIO


class OutputFailed(OSError):
    """Nothing can be written to standard output or error: a full disk, a reader that has gone."""


class _Output(io.FileIO):
    """The file behind a stream of ours."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            raise OutputFailed(error.errno, error.strerror) from None


def open_streams() -> None:
    """A reply in any script can be written, and half a character does no harm. A stream that was closed
    (`chatcli >&-`) leads nowhere.
    """
    sys.stdin = sys.stdin or open(os.devnull)  # noqa: SIM115, PTH123 - open for as long as the program runs
    sys.stdout, sys.stderr = _opened(sys.stdout), _opened(sys.stderr)


def silence(stream: TextIO) -> None:
    """Let what it still has to write go nowhere."""
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
