"""Ends what hangs, and names it: a test, a thread or a program that a test left, pytest itself.

A test has CEILING seconds for its setup, its call and its teardown each. Then its process ends with the stacks of
all threads, and xdist reports the test and starts another worker. A test that leaves a thread which would keep the
interpreter from ending fails. So does a run that leaves programs, which would hold open the pipe it writes to. The
process that hands out the tests ends when it has heard nothing for a long time.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from types import FrameType

import pytest

from tests import starting

CEILING = float(os.environ.get("TESTS_CEILING", "120"))  # seconds: generous, because the machine may be busy
SILENCE = max(3 * CEILING, 60.0)  # as long may nothing be heard of any test
LEAVING = CEILING / 12  # as long may a thread that was told to end still run
WORKER = "PYTEST_XDIST_WORKER" in os.environ
RUN = "TESTS_RUN"  # names the run, in the environment of every program that it starts
_blamed: set[threading.Thread] = set()


@cache
def _out() -> int:
    """Standard error as it is while pytest captures nothing."""
    return os.dup(sys.__stderr__.fileno()) if sys.__stderr__ is not None else 2


def pytest_configure() -> None:
    """Nothing is captured at this moment."""
    _out()
    _within(SILENCE)
    if not WORKER:
        os.environ[RUN] = str(os.getpid())


def pytest_collection_finish() -> None:
    _between_tests()


def pytest_runtest_logreport() -> None:
    _within(SILENCE)  # where the tests run elsewhere, this is all that is heard of them


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    _within(CEILING)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call() -> None:
    _within(CEILING)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown() -> Iterator[None]:
    _within(CEILING)
    yield
    left = _threads_left()
    assert not left, "\n".join(["this test left threads that keep Python from ending:", *left])


def pytest_runtest_logfinish() -> None:
    _between_tests()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Iterator[None]:
    _within(SILENCE)  # and until the interpreter has ended
    yield
    starting.stop()
    for line in [] if WORKER else _end_programs():
        session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED
        os.write(_out(), f"\nleft running by {line}\n".encode())


@contextmanager
def read_in_one_go(seconds: float) -> Iterator[None]:
    """Code that reads its input again for each part of it fails here when it has used so many seconds of the
    processor, however busy the machine is: many times of what one reading takes, and still far below CEILING, so
    that the input need not be huge. Does nothing where there is no such timer.
    """
    if sys.platform == "win32":
        yield
        return

    def stop(_: int, _frame: FrameType | None) -> None:
        raise AssertionError(f"this took {seconds} s of the processor")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _within(seconds: float) -> None:
    """End this process with the stacks of all threads if it does not ask again within so many seconds."""
    faulthandler.dump_traceback_later(seconds, exit=True, file=_out())


def _between_tests() -> None:
    """A worker may wait for work as long as it takes; the other process waits for the workers."""
    if WORKER:
        faulthandler.cancel_dump_traceback_later()
    else:
        _within(SILENCE)


def _threads_left() -> list[str]:
    """Names and stacks of threads that hold up the end of the interpreter, after time to end by themselves."""
    end = time.monotonic() + LEAVING
    left = []
    for thread in set(threading.enumerate()) - {threading.current_thread(), threading.main_thread()} - _blamed:
        if not thread.daemon:
            thread.join(max(0.0, end - time.monotonic()))
            frame = sys._current_frames().get(thread.ident or 0)
            if thread.is_alive() and frame is not None:
                _blamed.add(thread)
                left.append("".join([f"{thread.name}\n", *traceback.format_stack(frame)]))
    return left


def _end_programs() -> Iterator[str]:
    """Kill every program that this run has left; the test that started it, and its command line."""
    end = time.monotonic() + LEAVING
    while (left := _programs()) and time.monotonic() < end:
        time.sleep(0.05)  # they end when what started them has ended
    for number, variables in left.items():
        with suppress(OSError):
            command = Path(f"/proc/{number}/cmdline").read_bytes().replace(b"\0", b" ")
            os.kill(number, signal.SIGKILL)
            yield f"{variables.get(b'PYTEST_CURRENT_TEST', b'?').decode()}: {command.decode(errors='replace')}"


def _programs() -> dict[int, dict[bytes, bytes]]:
    """The programs of this run and their variables; none where there is no /proc."""
    found = {}
    for directory in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            lines = (directory / "environ").read_bytes().split(b"\0")
            variables = {name: value for name, _, value in (line.partition(b"=") for line in lines)}
            if variables.get(RUN.encode()) == str(os.getpid()).encode() and int(directory.name) != os.getpid():
                found[int(directory.name)] = variables
    return found
