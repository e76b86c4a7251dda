"""Keeps what a tool prints away from standard output, where the reply stands."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any, TextIO, cast


class _ByThread:
    """Standard output, but for the threads that print elsewhere."""

    def __init__(self, usual: TextIO) -> None:
        self.usual = usual
        self.elsewhere = threading.local()

    def __getattr__(self, name: str) -> Any:
        return getattr(getattr(self.elsewhere, "now", self.usual), name)


@contextmanager
def printed_apart() -> Iterator[StringIO]:
    """Gives what this thread prints in the block. Standard output stays as it is for all others, also after it: a
    tool that does not end may print at any time.
    """
    if not isinstance(sys.stdout, _ByThread):
        sys.stdout = cast(TextIO, _ByThread(sys.stdout))
    elsewhere = cast(_ByThread, sys.stdout).elsewhere
    elsewhere.now = apart = StringIO()
    try:
        yield apart
    finally:
        del elsewhere.now
