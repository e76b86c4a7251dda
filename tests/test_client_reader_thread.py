"""The reader thread and the queue between it and its consumer."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Generator, Iterator
from contextlib import closing

import pytest

from chatcli.client import reader_thread
from chatcli.client.reader_thread import DEPTH, PAUSE, SHARE, Cut, relay


@pytest.fixture(autouse=True)
def no_reader_is_left_behind() -> Iterator[None]:
    yield
    assert "chatcli-reader" not in {thread.name for thread in threading.enumerate()}


def nothing_to_cut() -> None:
    pass


def forever() -> Generator[int, None, None]:
    number = 0
    while True:
        yield number
        number += 1


def test_items_arrive_in_order_and_the_relay_ends_with_them() -> None:
    many = DEPTH * 3
    assert [item for item in relay(lambda: (n for n in range(many)), nothing_to_cut) if item is not None] == list(
        range(many)
    )


class World:
    """Simulated time. `items` of come(): how long the server waits before each, and how long reading it takes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = self.used = 0.0
        self.pauses: list[float] = []
        for name, step in (
            ("monotonic", lambda: self.now),
            ("process_time", lambda: self.used),
            ("sleep", self.rest),
        ):
            monkeypatch.setattr(reader_thread, name, step)

    def rest(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    def come(self, items: list[tuple[float, float]]) -> Generator[float, None, None]:
        due = 0.0
        for gap, work in items:
            due += gap
            self.now = max(self.now, due) + work  # what came in a pause is there
            self.used += work
            yield self.now


def test_fast_items_are_read_together_and_the_last_one_comes_hardly_later(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch)
    items = [(0.005, 0.0001)] * 2000
    came = [item for item in relay(lambda: world.come(items), nothing_to_cut) if item is not None]
    assert len(came) == len(items)
    assert 0 < len(world.pauses) < len(items) / 8
    assert max(world.pauses) == PAUSE
    assert world.now <= 0.005 * len(items) * (1 + 1 / SHARE) + PAUSE


@pytest.mark.parametrize(
    "items",
    [
        pytest.param([(0.0, 0.001)] * 2000, id="all is there: the program only reads"),
        pytest.param([(0.1, 0.0001)] * 50, id="slow enough to be read one by one"),
        pytest.param([(0.005, 0.0001)] * 30, id="over soon"),
    ],
)
def test_no_other_items_are_made_to_wait(
    monkeypatch: pytest.MonkeyPatch, items: list[tuple[float, float]]
) -> None:
    world = World(monkeypatch)
    assert len([item for item in relay(lambda: world.come(items), nothing_to_cut) if item is not None]) == len(
        items
    )
    assert world.pauses == []


def test_a_none_follows_when_all_that_has_come_was_taken() -> None:
    more = threading.Event()

    def three() -> Generator[int, None, None]:
        yield from (1, 2)
        more.wait(10)
        yield 3

    items = relay(three, nothing_to_cut)
    while next(items) != 2:
        pass
    assert next(items) is None
    more.set()
    assert [item for item in items if item is not None] == [3]


def test_silence_is_a_none_for_every_tick() -> None:
    spoken = threading.Event()

    def slow() -> Generator[str, None, None]:
        spoken.wait(10)
        yield "at last"

    items = relay(slow, nothing_to_cut)
    assert next(items) is None
    assert next(items) is None
    spoken.set()
    assert [item for item in items if item is not None] == ["at last"]


def test_a_failure_of_the_reader_is_raised_by_its_consumer_after_what_came_before() -> None:
    def failing() -> Generator[int, None, None]:
        yield 1
        raise LookupError("gone")

    items = relay(failing, nothing_to_cut)
    assert next(item for item in items if item is not None) == 1
    with pytest.raises(LookupError, match="gone"):
        list(items)


def test_a_consumer_that_does_not_come_back_holds_the_reader_up() -> None:
    made: list[int] = []
    full = threading.Event()

    def watched() -> Generator[int, None, None]:
        for number in forever():
            made.append(number)
            if number == DEPTH:
                full.set()
            yield number

    items = relay(watched, nothing_to_cut)
    next(items)
    assert full.wait(10)
    items.close()
    assert len(made) <= DEPTH + 2


def test_a_reader_that_waits_for_a_place_is_let_go_when_the_consumer_leaves() -> None:
    items = relay(forever, nothing_to_cut)
    next(items)
    items.close()  # the fixture sees to it that the thread is gone


def test_closing_cuts_what_the_reader_waits_for_and_ends_its_generator() -> None:
    cut, ended = threading.Event(), threading.Event()

    def waiting() -> Generator[int, None, None]:
        try:
            yield 1
            cut.wait(10)
            yield 2
        finally:
            ended.set()

    items = relay(waiting, cut.set)
    next(items)
    items.close()
    assert cut.is_set()
    assert ended.wait(5)


def test_an_interrupt_at_the_waiting_point_cuts_as_closing_does() -> None:
    cut = threading.Event()

    def waiting() -> Generator[int, None, None]:
        cut.wait(10)
        yield 1

    items = relay(waiting, cut.set)
    next(items)
    with pytest.raises(KeyboardInterrupt):
        items.throw(KeyboardInterrupt())
    assert cut.is_set()


def test_a_relay_that_was_never_asked_starts_nothing() -> None:
    with closing(relay(forever, nothing_to_cut)):
        pass


class Stream:
    """What httpcore hands to its trace extension."""

    def __init__(self, held: socket.socket) -> None:
        self._held = held

    def get_extra_info(self, _name: str) -> socket.socket:
        return self._held


@pytest.mark.parametrize("cut_first", [True, False])
def test_a_cut_ends_a_waiting_read_whether_it_comes_before_or_after_the_connection(cut_first: bool) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        cut = Cut()
        if cut_first:
            cut()
        cut.trace("connection.connect_tcp.started", {})
        cut.trace("connection.connect_tcp.complete", {"return_value": Stream(ours)})
        if not cut_first:
            cut()
        assert ours.recv(1) == b""
        cut()  # once more does no harm
    cut()  # nor on a closed socket


def test_a_cut_strikes_no_other_connection_that_was_given_the_same_number() -> None:
    """As when the reader closes its connection, and another thread opens one, in the middle of the cut."""
    ours, theirs = socket.socketpair()
    cut = Cut()
    cut.trace("connection.connect_tcp.complete", {"return_value": Stream(ours)})
    other, far = socket.socketpair()
    with theirs, other, far:
        os.dup2(other.fileno(), ours.fileno())  # the number is another connection's from now on
        cut()
        assert theirs.recv(1) == b""
        far.sendall(b"x")
        assert ours.recv(1) == b"x"
        ours.close()


@pytest.mark.parametrize("made", [1, 3])
def test_nothing_of_a_connection_stays_open_after_the_cut(made: int) -> None:
    cut, far = Cut(), []
    for _ in range(made):
        ours, theirs = socket.socketpair()
        cut.trace("connection.connect_tcp.complete", {"return_value": Stream(ours)})
        ours.close()
        far.append(theirs)
    cut()
    for theirs in far:
        with theirs:
            theirs.settimeout(5)
            assert theirs.recv(1) == b""
