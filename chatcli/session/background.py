"""Work outside the turn: values made once, in the background or by the first caller, and the threads that make
them.
"""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")

# How long a key may wait for the first value of a Recent (s).
AT_ONCE = 0.03


class Later(Generic[T]):
    """A value made once: in the background after start(), or by the first get(). get() raises what making it
    raised and forgets that failure, so the next get() tries again.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._lock = threading.RLock()
        self._value: list[T] = []

    @property
    def ready(self) -> T | None:
        """The value when it is there; never waits."""
        return self._value[0] if self._value else None

    def get(self) -> T:
        with self._lock:
            if not self._value:
                self._value.append(self._make())
            return self._value[0]

    def settled(self) -> T | None:
        """The value when it is there; waits only while it is being made."""
        with self._lock:
            return self.ready

    def put(self, value: T) -> None:
        """It has been made elsewhere."""
        with self._lock:
            self._value[:] = [value]

    def forget(self) -> None:
        """Make it again at the next get()."""
        with self._lock:
            self._value.clear()


class Recent(Generic[T]):
    """A value that is asked for often and made in the background: what was made last is returned while a newer one
    is made. `make` runs in a thread of that `name`, at most every `pause` seconds.
    """

    def __init__(self, background: Background, name: str, make: Callable[[], T], pause: float = 3.0) -> None:
        self._background, self._name, self._make, self._pause = background, name, make, pause
        self._due = -math.inf
        self._value: list[T] = []

    def get(self) -> T | None:
        """The newest value there is; None before the first, which is waited for no longer than a key may take."""
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + self._pause
            self._background.start(self._name, self._renew)
        if not self._value:
            self._background.wait(self._name, AT_ONCE)
        return self._value[0] if self._value else None

    def forget(self) -> None:
        """What is known belongs to something else: the next get() makes it again."""
        self._due, self._value = -math.inf, []

    def _renew(self) -> None:
        before = self._value
        made = self._make()
        if self._value is before:  # otherwise it was forgotten meanwhile
            self._value = [made]


def waiting(later: Later[T], every: float = 0.1, most: float = math.inf) -> Iterator[None]:
    """Make the value in a thread of its own, and yield every `every` seconds until it is ready; after `most`
    seconds stop waiting, while the thread goes on. Raises what making it raised.
    """
    if later.ready is not None:
        return
    failure: list[BaseException] = []

    def work() -> None:
        try:
            later.get()
        except BaseException as error:  # raised below, in the thread that waits
            failure.append(error)

    thread = threading.Thread(target=work, name="chatcli-wait", daemon=True)
    thread.start()
    end = time.monotonic() + most
    while thread.is_alive() and time.monotonic() < end:
        thread.join(every)
        if thread.is_alive():
            yield
    if failure:
        raise failure[0]


class Background:
    """Daemon threads by name. A job that fails says nothing: whoever needs its result makes it, or gets the error,
    then.
    """

    def __init__(self) -> None:
        self._threads: dict[str, threading.Thread] = {}

    def start(self, name: str, job: Callable[[], object]) -> bool:
        """Run `job` in a thread, unless one of that name is still running; returns whether it was started."""
        if self.running(name):
            return False
        thread = threading.Thread(target=_quietly, args=(job,), name=f"chatcli-{name}", daemon=True)
        self._threads[name] = thread
        thread.start()
        return True

    def running(self, name: str) -> bool:
        thread = self._threads.get(name)
        return thread is not None and thread.is_alive()

    def wait(self, name: str, seconds: float) -> bool:
        """Wait until that job is done; False when it is still running after `seconds`."""
        self._join(self._threads.get(name), seconds)
        return not self.running(name)

    def close(self, seconds: float = 2.0) -> None:
        """Give every job some last time; daemon threads still running then end with the process."""
        end = time.monotonic() + seconds
        for thread in list(self._threads.values()):
            self._join(thread, max(0.0, end - time.monotonic()))

    @staticmethod
    def _join(thread: threading.Thread | None, seconds: float) -> None:
        """Wait for what runs. A signal may end the program before a thread has started: then there is none."""
        if thread is not None and thread.is_alive():
            thread.join(seconds)


def _quietly(job: Callable[[], object]) -> None:
    with contextlib.suppress(Exception):
        job()
