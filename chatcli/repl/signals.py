"""Signals that end a reply or the program: they set a flag, since an exception could interrupt anything."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

# The system shuts down, the terminal's window was closed, or Ctrl-\\ was pressed.
_ENDS = tuple(
    number for name in ("SIGTERM", "SIGHUP", "SIGQUIT") if (number := getattr(signal, name, None)) is not None
)

_Handler = Callable[[int, FrameType | None], Any]


class Interrupt:
    """Inside the block, the first SIGINT only sets `asked`; a second one raises KeyboardInterrupt, in case nothing
    checks the flag. Inside `orderly_end`, the signals that end the program do the same, and the program ends when
    the block is left. Outside the main thread it does nothing.
    """

    def __init__(self) -> None:
        self.asked = False
        self._before: dict[int, _Handler] = {}
        self._end: int | None = None

    def __enter__(self) -> Interrupt:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, *_ENDS):
                before = signal.getsignal(number)
                if callable(before):
                    self._before[number] = before
                    signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        before, self._before = self._before, {}
        for number, handler in before.items():
            signal.signal(number, handler)
        if self._end is not None:
            before[self._end](self._end, None)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            if number == signal.SIGINT:
                raise KeyboardInterrupt
            self._before[number](number, frame)
        self.asked = True
        if number != signal.SIGINT:
            self._end = number


@contextmanager
def raised() -> Iterator[None]:
    """Inside the block SIGINT raises KeyboardInterrupt at once, whoever else listens: for a question."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def orderly_end() -> Iterator[None]:
    """Turn signals that end the program into SystemExit, so that terminal and store are left in order.

    A signal that is ignored (nohup) stays ignored.
    """
    came: list[int] = []

    def leave(number: int, _frame: FrameType | None) -> None:
        came.append(number)
        raise SystemExit(128 + number)

    in_main = threading.current_thread() is threading.main_thread()
    taken = [number for number in _ENDS if in_main and signal.getsignal(number) is signal.SIG_DFL]
    for number in taken:
        signal.signal(number, leave)
    try:
        yield
    except OSError:
        if not came:
            raise
        raise SystemExit(128 + came[0]) from None  # nothing can be written to a terminal that is gone
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)
