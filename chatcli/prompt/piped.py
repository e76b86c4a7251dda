"""What came through a pipe instead of the keyboard."""

from __future__ import annotations

import sys


def read_stdin() -> str:
    """All of standard input when it is no terminal. Bytes that are not UTF-8 become the replacement character."""
    if sys.stdin is None or sys.stdin.isatty():
        return ""
    return sys.stdin.buffer.read().decode("utf-8", errors="replace")
