"""Restores the terminal while the program is stopped (Ctrl-Z, `kill -TSTP`, `kill -STOP`) or a child uses it, and
sets it up again afterwards. Whatever changes the terminal registers with `lent`.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from types import FrameType
from typing import Any, NamedTuple

_STOP, _GO_ON = getattr(signal, "SIGTSTP", None), getattr(signal, "SIGCONT", None)

Step = Callable[[], object]


class _Loan(NamedTuple):
    give_back: Step
    take_again: Step
    later: Callable[[Step], object] | None


_loans: list[_Loan] = []


@contextmanager
def lent(give_back: Step, take_again: Step, later: Callable[[Step], object] | None = None) -> Iterator[None]:
    """In this block `give_back` is called before the program stops, and `take_again` when it continues.
    `take_again` is also called when nothing was given back, because SIGSTOP cannot be noticed in advance; so it
    may find everything in order.

    Both are called between any two instructions of the main thread. `later` is for callers that cannot stop just
    anywhere: it gets the whole stopping as a function, to call at a suitable time. Outside the main thread, and on
    Windows, this does nothing.
    """
    if _STOP is None or _GO_ON is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    loan = _Loan(give_back, take_again, later)
    _listen()
    _loans.append(loan)
    try:
        yield
    finally:
        _loans.remove(loan)
        if not _loans:
            _stop_listening()


@contextmanager
def handed_over() -> Iterator[None]:
    """In this block a child uses the terminal. It gets Ctrl-Z like this program, which then stops without calling
    anything.
    """
    loans, _loans[:] = list(_loans), []
    _give_back(loans)
    with _by_default():
        try:
            yield
        finally:
            _loans[:] = loans
    take_again()


def take_again() -> None:
    """Set up again what this program changed on the terminal, whoever used it in between."""
    _take_again(_loans)


def taking_again() -> Callable[[], None]:
    """A function that sets up again what is changed on the terminal now, and nothing that is changed later."""
    return partial(_take_again, list(_loans))


def stop_all() -> None:
    """Stop this program, and the programs it is piped together with, as Ctrl-Z does where no prompt takes it."""
    if _STOP is not None:
        os.kill(0, _STOP)


def stop() -> None:
    """Stop until somebody continues the program."""
    _give_back(_loans)
    with _by_default():
        if _STOP is not None:
            signal.raise_signal(_STOP)  # here it stands still
    take_again()


def _take_again(loans: list[_Loan]) -> None:
    for loan in loans:
        with suppress(OSError):  # a terminal that disappears also continues the program
            loan.take_again()


def _give_back(loans: list[_Loan]) -> None:
    for loan in reversed(loans):
        with suppress(OSError):
            loan.give_back()


@contextmanager
def _by_default() -> Iterator[None]:
    """In this block both signals have their default effect."""
    numbers = [each for each in (_STOP, _GO_ON) if each is not None]
    before: dict[signal.Signals, Any] = {number: signal.getsignal(number) for number in numbers}
    for number in numbers:
        if before[number] is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, before[number] or signal.SIG_DFL)


def _listen() -> None:
    """Handle both signals, unless they are ignored or handled by somebody else."""
    for number, heed in _OURS.items():
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, heed)


def _stop_listening() -> None:
    for number, heed in _OURS.items():
        if signal.getsignal(number) is heed:
            signal.signal(number, signal.SIG_DFL)


def _heed_stop(_number: int, _frame: FrameType | None) -> None:
    later = _loans[-1].later if _loans else None
    if later is not None:
        later(stop)
    else:
        stop()


def _heed_going_on(_number: int, _frame: FrameType | None) -> None:
    take_again()


_OURS = {number: heed for number, heed in ((_STOP, _heed_stop), (_GO_ON, _heed_going_on)) if number is not None}
