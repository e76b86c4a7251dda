"""The terminal while the program is stopped (Ctrl-Z, `kill -TSTP`, `kill -STOP`) or a child has it: given back as
it was, and taken again afterwards. Who changes anything on the terminal lends it from here.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType
from typing import Any

_STOP, _GO_ON = getattr(signal, "SIGTSTP", None), getattr(signal, "SIGCONT", None)

Step = Callable[[], object]


@dataclass(frozen=True, slots=True)
class _Loan:
    give_back: Step
    take_again: Step
    later: Callable[[Step], object] | None


_loans: list[_Loan] = []


@contextmanager
def lent(give_back: Step, take_again: Step, later: Callable[[Step], object] | None = None) -> Iterator[None]:
    """In here `give_back` is called before the program stops, and `take_again` when it goes on: the latter also
    where nothing was given back, as nobody hears of SIGSTOP beforehand. So it may find everything in order.

    Both are called between any two instructions of the main thread. `later` is for who cannot stop just anywhere:
    it gets the whole of stopping, to call it when it suits. Outside the main thread, and on Windows, this does
    nothing.
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
    """A child has the terminal in here. It gets Ctrl-Z like this program, and this one stops without ado."""
    loans, _loans[:] = list(_loans), []
    _give_back(loans)
    with _by_default():
        try:
            yield
        finally:
            _loans[:] = loans
    take_again()


def take_again() -> None:
    """What was changed on the terminal is as it has to be once more, whoever had it."""
    for loan in _loans:
        with suppress(OSError):  # a terminal that is gone also makes the program go on
            loan.take_again()


def stop() -> None:
    """Stand still until somebody continues the program."""
    _give_back(_loans)
    with _by_default():
        if _STOP is not None:
            signal.raise_signal(_STOP)  # here it stands still
    take_again()


def _give_back(loans: list[_Loan]) -> None:
    for loan in reversed(loans):
        with suppress(OSError):
            loan.give_back()


@contextmanager
def _by_default() -> Iterator[None]:
    """Both signals do in here what they do to any program."""
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
    """Heed both signals, unless they are ignored or somebody else's."""
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
