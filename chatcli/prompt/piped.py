"""Reads what is piped into standard input."""

from __future__ import annotations

import sys

from chatcli.paths import readable
from chatcli.reading.files import read_stream


def read_stdin() -> str:
    """Returns all of standard input when it is not a terminal. Bytes that are not UTF-8 become the replacement
    character. Raises BadFile, also when there is more than can be sent: a pipe may never end.
    """
    if sys.stdin is None or sys.stdin.isatty():
        return ""
    with readable("What is piped in", "Pipe in text, and no more of it than a message can have."):
        return read_stream(sys.stdin.buffer).decode("utf-8", errors="replace")
