"""The screen of the tests shows what pyte's own screen with a scrollback shows."""

from __future__ import annotations

import pyte
from hypothesis import given
from hypothesis import strategies as st

from tests.screen import Scrollback, written

PIECES = [
    "words ", "a line\r\n", "x" * 25, "\t", "\b", "日本", "e\u0301",
    "\x1b[1;31m", "\x1b[0m", "\x1b[2A", "\x1b[5G", "\x1b[H", "\x1b[K", "\x1b[2J", "\x1b[3J",
    "\x1b[4h", "\x1b[4l", "\x1b[?7l", "\x1b[?7h", "\x1b(0", "\x1b(B", "\x0e", "\x0f",
    "\x1bM", "\x1b[2;4r", "\x1b[r", "\x1bc", "\x1b[P", "\x1b[@", "\x1b[L", "\x1b[M",
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=40))
def test_it_reads_as_that_of_pyte(pieces: list[str]) -> None:
    ours, theirs = Scrollback(20, 5), pyte.HistoryScreen(20, 5, history=10_000, ratio=1.0)
    for screen in (ours, theirs):
        pyte.Stream(screen).feed("".join(pieces))
    assert ours.buffer == theirs.buffer
    assert [*map(written, ours.above)] == [*map(written, theirs.history.top)]
    assert (ours.cursor.x, ours.cursor.y) == (theirs.cursor.x, theirs.cursor.y)
