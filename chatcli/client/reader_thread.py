"""A reader thread and a bounded queue to the thread that consumes its items. The consumer can be interrupted at
any moment while it waits for the server, and a slow consumer slows the server down instead of filling the memory.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections import deque
from collections.abc import Callable, Generator, Mapping
from queue import Empty, SimpleQueue
from time import monotonic, process_time, sleep
from typing import Any, Generic, TypeVar

T = TypeVar("T")

TICK = 0.03  # seconds of silence after which the consumer gets a None
DEPTH = 32  # items that may wait; each may be a line of megabytes
FAREWELL = 0.5  # seconds for the reader to end after its socket was shut down
PAUSE = 0.055  # seconds in which fast items are left where they are, to be read together; no screen shows more
SHARE = 40  # ... at most one of so many parts of the time since the first: so little later may the last one come
_LEAST = 0.005  # seconds of a pause that is worth it
_IDLE = 0.0003  # seconds in which the whole program waited, and so for a server that had sent nothing more


class Cut:
    """Ends an exchange from another thread by shutting its connection down: a read that is waiting returns at
    once.

    It holds its own descriptor for the connection. The reader may close its descriptor at any time, and the next
    connection may get the same number: shutting down by that number could hit another exchange.
    """

    def __init__(self) -> None:
        self._held: deque[socket.socket] = deque()  # no lock, which Ctrl-C might leave behind: pop is atomic
        self._made = False

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """httpcore's trace extension: keeps a descriptor of the connection it has made, below any TLS."""
        if event.endswith("connect_tcp.complete"):
            made = info["return_value"].get_extra_info("socket")
            before = self._taken()
            self._held.append(socket.fromfd(made.fileno(), made.family, made.type))
            for connection in before:
                connection.close()
            if self._made:
                self._shut_down()

    def __call__(self) -> None:
        self._made = True
        self._shut_down()

    def _shut_down(self) -> None:
        for connection in self._taken():
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def _taken(self) -> list[socket.socket]:
        taken: list[socket.socket] = []
        with contextlib.suppress(IndexError):
            while True:
                taken.append(self._held.pop())
        return taken


def relay(
    produce: Callable[[], Generator[T, None, None]], cut: Callable[[], None]
) -> Generator[T | None, None, None]:
    """The items of `produce()`, which runs in a thread of its own; None when all that has come was taken, and
    again when nothing arrived for a tick.

    What it raises is raised here. Closing this generator calls `cut`, which must unblock `produce`.
    """
    line: _Line[T] = _Line()
    reader = threading.Thread(target=_read, args=(produce, line), name="chatcli-reader", daemon=True)
    try:
        reader.start()
        while not isinstance(item := line.take(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        line.leave()
        cut()
        # A reader that is still connecting has no socket yet; it ends by itself when that is over.
        if reader.ident is not None:
            reader.join(FAREWELL)


class _End:
    def __init__(self, error: BaseException | None) -> None:
        self.error = error


class _Line(Generic[T]):
    """A bounded queue between one thread that puts and one that takes.

    Made of SimpleQueues because their operations are atomic: Ctrl-C may interrupt the taking thread at any point,
    and must not leave a lock that the putting thread waits for.
    """

    def __init__(self) -> None:
        self._items: SimpleQueue[T | _End] = SimpleQueue()
        self._slots: SimpleQueue[None] = SimpleQueue()
        self._deserted = self._flows = False
        for _ in range(DEPTH):
            self._slots.put(None)

    def put(self, item: T | _End) -> bool:
        """Wait for a free slot; False when nobody takes any more."""
        self._slots.get()
        if not self._deserted:
            self._items.put(item)
        return not self._deserted

    def take(self) -> T | _End | None:
        try:
            item = self._items.get_nowait() if self._flows else self._items.get(timeout=TICK)
        except Empty:
            self._flows = False
            return None
        self._flows = True
        self._slots.put(None)
        return item

    def leave(self) -> None:
        self._deserted = True
        self._slots.put(None)


def _read(produce: Callable[[], Generator[T, None, None]], line: _Line[T]) -> None:
    try:
        with contextlib.closing(_unhurried(produce())) as items:
            for item in items:
                if not line.put(item):
                    return
    except BaseException as error:  # raised again by the thread that consumes
        line.put(_End(error))
    else:
        line.put(_End(None))


def _unhurried(items: Generator[T, None, None]) -> Generator[T, None, None]:
    """The items. Where they come fast, one that was waited for is handed on after a pause, with those that came
    meanwhile: to be woken for each of them costs several times what it costs to read it.
    """
    with contextlib.closing(items):
        asked, worked, first = monotonic(), process_time(), 0.0
        for item in items:
            came = monotonic()
            first = first or came
            wait, pause = came - asked, min(PAUSE, (came - first) / SHARE)
            if wait < PAUSE / 2 and pause > _LEAST and wait - (process_time() - worked) > _IDLE:
                sleep(pause)
            yield item
            asked, worked = monotonic(), process_time()
