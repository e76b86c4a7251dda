"""Ctrl-C and Ctrl-Z wait for a moment: so that what is being drawn is neither lost, torn nor drawn twice."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_WAITING = [
    number for name in ("SIGINT", "SIGTSTP", "SIGCONT") if (number := getattr(signal, name, None)) is not None
]


@contextmanager
def uninterrupted() -> Iterator[None]:
    """SIGINT, SIGTSTP and SIGCONT in this block are delivered at its end; a second SIGINT at once, for the case
    that it never ends.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    found = {number: signal.getsignal(number) for number in _WAITING}
    before = {number: handler for number, handler in found.items() if callable(handler)}
    came: list[tuple[int, FrameType | None]] = []

    def note(number: int, frame: FrameType | None) -> None:
        is_again = any(number == earlier for earlier, _ in came)
        if is_again and number == signal.SIGINT:
            came[:] = [each for each in came if each[0] != number]
            before[number](number, frame)
        elif not is_again:
            came.append((number, frame))

    for number in before:
        signal.signal(number, note)
    try:
        yield
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) is note:  # else somebody has let go of it meanwhile
                signal.signal(number, handler)
        for number, frame in came:
            before[number](number, frame)
