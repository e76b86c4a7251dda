"""Sends a request again, a few times, where nothing had come of it and the failure may pass."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import closing
from typing import TypeVar

from chatcli.client.reader_thread import TICK
from chatcli.conversation.events import Retry
from chatcli.errors import ChatcliError

T = TypeVar("T")

FIRST = 0.5  # seconds of the first pause; each further one is twice as long
LONGEST = 60.0  # seconds from the first failure, after which nothing is sent again


def again(
    ask: Callable[[], Generator[T | None, None, None]], most: int, closed: Callable[[], bool]
) -> Generator[T | Retry | None, None, None]:
    """The items of `ask()`, which is called anew, at most `most` times, when it fails before its first item with
    an error that may pass. Each time a Retry says so, and None comes every tick of the pause. Once `closed`
    returns True it is not called again.
    """
    pause, failed_at, number = FIRST, 0.0, 0
    while True:
        came = False
        try:
            with closing(ask()) as items:
                for item in items:
                    came = came or item is not None
                    yield item
            return
        except ChatcliError as error:
            number += 1
            failed_at = failed_at or time.monotonic()
            if came or error.retry_after is None or number > most or closed():
                raise
            seconds, pause = max(pause, error.retry_after), pause * 2
            until = time.monotonic() + seconds
            if until > failed_at + LONGEST:
                raise
            yield Retry(error.message, seconds, number, most)
            while (left := until - time.monotonic()) > 0:
                if closed():
                    raise
                time.sleep(min(TICK, left))
                yield None
