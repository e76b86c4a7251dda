"""Draws a growing reply on a screen, cut anywhere and drawn at a few moments, beside a single rendering of it."""

from __future__ import annotations

import random

from chatcli.conversation.events import Event, Text
from chatcli.render.reply import Answer
from chatcli.render.screen import Screen
from chatcli.render.views import Document
from chatcli.text import ENDLESS
from tests.screen import Cell, Seen


class Clock:
    """Time as a test has it: it stands until the test moves it."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def pieces(text: str, seed: int, sizes: tuple[int, ...] = (1, 2, 3, 5, 8, 40, 200)) -> list[str]:
    chance = random.Random(seed)
    found = []
    at = 0
    while at < len(text):
        size = chance.choice(sizes)
        found.append(text[at : at + size])
        at += size
    return found


def feed(answer: Answer, clock: Clock, event: Event) -> None:
    """Each event has long been waited for, so it is drawn."""
    clock.now += 10
    answer.feed(event)


def streamed(
    events: list[Event],
    columns: int = 80,
    rows: int = 24,
    thinking: str = "fold",
    prose: int = ENDLESS,
    language: str = "",
) -> Seen:
    """A screen after these events, each of which was drawn."""
    seen = Seen(columns, rows)
    clock = Clock()
    with _screen(seen, prose).answer("m", thinking, clock, language=language) as answer:
        for event in events:
            feed(answer, clock, event)
    return seen


def grown(parts: list[str], columns: int, rows: int, seed: int, prose: int = ENDLESS) -> Seen:
    """A screen after these pieces. As in life, some are drawn when they come, others with those behind them."""
    chance = random.Random(seed)
    often = chance.choice([0.05, 0.5, 1])
    seen = Seen(columns, rows)
    clock = Clock()
    with _screen(seen, prose).answer("m", clock=clock) as answer:
        for part in parts:
            clock.now += 10 if chance.random() < often else 0
            answer.feed(Text(part))
    return seen


def rendered(text: str, columns: int = 80, rows: int = 24, prose: int = ENDLESS) -> Seen:
    """A screen after all of `text` was drawn at once."""
    seen = Seen(columns, rows)
    _screen(seen, prose).show(Document(text))
    return seen


def looks(seen: Seen) -> list[list[Cell]]:
    return seen.cells[: len(seen.text)]


def _screen(seen: Seen, prose: int) -> Screen:
    screen = Screen(seen, seen, theme="dark", width=seen.columns, height=seen.rows)
    screen.prose = prose
    return screen
