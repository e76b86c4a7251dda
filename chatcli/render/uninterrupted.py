"""Ctrl-C waits for a moment: so that what is being drawn is neither lost nor drawn twice."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def uninterrupted() -> Iterator[None]:
    """SIGINT in this block is delivered at its end. Outside the main thread there is nothing to hold back."""
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    came: list[tuple[int, FrameType | None]] = []
    signal.signal(signal.SIGINT, lambda number, frame: came.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if came:
            _deliver(before, *came[0])


def _deliver(handler: Callable[[int, FrameType | None], object], number: int, frame: FrameType | None) -> None:
    handler(number, frame)
