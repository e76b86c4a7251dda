"""Replies that repeat themselves are noticed, whatever repeats and in whatever pieces it comes; others are not."""

from __future__ import annotations

import json
import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatcli.conversation.events import Done, Event, Repeats, Text, Thinking, Tick
from chatcli.conversation.repetition import LEAST, LONGEST, TIMES, Repetition, repeats, watched

SENTENCE = "the sea was calm that day and nobody on board thought of storms or of the long way home"
WORDS = SENTENCE.split()
CHANCE = random.Random(7)
PARAGRAPH = " ".join(CHANCE.choice(WORDS) for _ in range(140))[:600]

LOOPS = {
    "a sentence": "I am sorry, but I cannot help with that. ",
    "a word": "sea ",
    "a word without spaces": "ha",
    "a character": "a",
    "a blank line": "\n",
    "a row of a table": "| sea | calm | day |\n",
    "a line of code": "    total += 1\n",
    "a paragraph": f"{PARAGRAPH}\n\n",
    "a long passage": f"{PARAGRAPH[::-1]} {PARAGRAPH} {PARAGRAPH[100:]}\n\n",
    "two sentences": "Is it so? It is so, I think. Wait, is it? ",
    "Chinese": "对不起，我不能。",
    "an emoji of several characters": "👩‍🚀",
}
REFRAIN = "And nobody on board, and nobody on board,\nAnd nobody thought of the storm.\n\n"
NO_LOOPS = {
    "prose": " ".join(CHANCE.choice(WORDS) for _ in range(4000)),
    "rows of numbers": "\n".join(f"| {n} | {n * n} | {n % 3} |" for n in range(800)),
    "similar lines": "\n".join(
        f"- Point {word} of the list is about the {word}." for word in map(str, range(400))
    ),
    "JSON": json.dumps([{"id": n, "name": f"user{n}", "active": True, "tags": []} for n in range(300)], indent=2),
    "code": "\n".join(f"def get_{n}(self):\n    return self._values[{n}]\n" for n in range(300)),
    "ASCII art": "\n".join(" " * (40 - n) + "*" * (2 * n + 1) for n in range(40)),
    "a poem with a refrain": "".join(f"{PARAGRAPH[n : n + 160]}\n{REFRAIN}" for n in range(0, 400, 37)),
    "a frame": "\n".join(["+" + "-" * 78 + "+", *["|" + " " * 78 + "|"] * 10, "+" + "-" * 78 + "+"]),
    "a table of yes and no": "\n".join(
        f"| {word} | " + " | ".join(CHANCE.choice(["yes", "no"]) for _ in range(12)) + " |" for word in WORDS * 5
    ),
    "a grid of two words": " ".join(CHANCE.choice(["true", "false"]) for _ in range(3000)),
    "a numbered list": "\n".join(f"{n}. {CHANCE.choice(WORDS)} {CHANCE.choice(WORDS)}" for n in range(400)),
}


def in_pieces(text: str, sizes: list[int]) -> list[str]:
    """The text in pieces of these sizes, again and again."""
    borders = [0]
    while borders[-1] < len(text):
        borders.append(borders[-1] + sizes[len(borders) % len(sizes)])
    return [text[start:end] for start, end in pairwise(borders)]


@pytest.mark.parametrize("again", LOOPS.values(), ids=LOOPS)
@settings(max_examples=5)
@given(sizes=st.lists(st.integers(1, 3000), min_size=1, max_size=5))
def test_what_comes_again_and_again_is_noticed_in_any_pieces(again: str, sizes: list[int]) -> None:
    """After TIMES of it, and LEAST characters, and not much later."""
    latest = max(LEAST, (TIMES + 1) * len(again)) + LEAST // 8
    before = PARAGRAPH[:123]
    seen = Repetition()
    for piece in in_pieces(before + again * (latest // len(again) + 1), sizes):
        seen.add(piece)
    assert seen.found
    assert not repeats(before + again * (TIMES - 1))


@pytest.mark.parametrize("text", NO_LOOPS.values(), ids=NO_LOOPS)
@settings(max_examples=3)
@given(sizes=st.lists(st.integers(1, 3000), min_size=1, max_size=5))
def test_what_only_looks_alike_is_no_repetition(text: str, sizes: list[int]) -> None:
    seen = Repetition()
    for piece in in_pieces(text, sizes):
        assert not seen.add(piece)


@settings(max_examples=20)
@given(st.text(min_size=1, max_size=LONGEST // 20), st.text(max_size=50))
def test_any_text_is_noticed_when_it_comes_often_enough(again: str, before: str) -> None:
    assert repeats(before + again * (2 * LEAST // len(again) + TIMES + 1))


def test_lines_that_only_count_are_noticed() -> None:
    assert repeats("".join(f"{number}. Use a good name.\n" for number in range(200)))
    assert repeats("".join(f"### Step {number}: Think again.\n\n" for number in range(200)))


def test_a_few_sentences_in_changing_order_are_noticed() -> None:
    few = [
        "I am sorry about that. ",
        "Sorry, I did not mean it. ",
        "Let me try again now. ",
        "Wait, that is wrong. ",
    ]
    assert repeats("".join(CHANCE.choice(few) for _ in range(400)))
    many = [f"The {first} is near the {second}. " for first in WORDS for second in WORDS]
    assert not repeats("".join(CHANCE.choice(many) for _ in range(400)))


@pytest.mark.parametrize("kind", [Text, Thinking])
def test_a_loop_is_told_once_or_ends_the_reply(kind: type[Text] | type[Thinking]) -> None:
    came: list[Event] = [kind("sea "), Tick()] * 3000
    told = list(watched(came, stops=False))
    assert [event for event in told if event not in came] == [Repeats("reply" if kind is Text else "thinking")]
    *kept, last = watched(came, stops=True)
    assert last == Done("loop")
    assert kept == came[: len(kept)]
    assert len(kept) < LEAST
