"""What a summary has lost of the numbers, dates, quoted strings and code spans of what it was made of."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcli.context.specifics import Kept, listed, lost, specifics

TRAIN = "the train is at 18:42 from platform 7"

# What is said, and the same said in another way.
SAME = [
    ("1,000 people", "1000 people"),
    ("1.000 Leute", "1000 Leute"),
    ("1'250'000 francs", "1250000"),
    ("$1,234.50", "1234.5 dollars"),
    ("at 18:42", "at 18.42"),
    ("at 09:05", "at 9:05"),
    ("at 6:30 pm", "at 18:30"),
    ("at 6 p.m.", "at 18:00"),
    ("at 12 am", "at 0:00"),
    ("on 30.09.2026", "30.9.2026"),
    ("on 7 May", "on May 7th"),
    ("the 30th", "day 30"),
    ("May 7", "May 7, 2023"),
    ("5km", "5 km"),
    ("5 km", "5km"),
    ("platform 7", "platform seven"),
    ("٣٥ شخص", "35 people"),
    ('she said "No Way"', "no  way"),
    ("run `make  All`", "run make all"),
    ("gpt-4o", "GPT-4o"),
]
DIFFERENT = [
    ("at 18:42", "at 18:24"),
    ("1,000", "1"),
    ("7.05", "7.5"),
    ("7 May", "7 apples"),
    ("May 7, 2023", "May 7, 2024"),
    ("room B12", "room 12"),
    ("version 1.2.3", "version 1.2"),
    ('"no way"', "no"),
    ("`make all`", "make"),
]


def texts(said: list[str], summary: str = "") -> list[str]:
    return [each.text for each in lost(said, summary)]


def test_what_a_summary_has_lost_stands_with_the_words_around_it() -> None:
    assert texts([TRAIN], "They talked about a train.") == ["train is at 18:42 from platform 7"]
    assert texts([TRAIN], "Their train leaves at 18.42.") == ["platform 7"]
    assert texts([TRAIN], "Train at 18:42, platform 7.") == []


@pytest.mark.parametrize(("said", "summary"), SAME)
def test_what_the_summary_says_in_another_way_is_not_listed(said: str, summary: str) -> None:
    assert list(specifics(said))
    assert texts([said], f"It was {summary}, they said.") == []


@pytest.mark.parametrize(("said", "summary"), DIFFERENT)
def test_what_only_looks_alike_is_listed(said: str, summary: str) -> None:
    assert texts([said], f"It was {summary}, they said.") != []


def test_the_most_specific_comes_first_and_of_those_the_newest_once() -> None:
    said = [
        "We have 3 dogs.",
        "Call 555-0100 now.",
        "Room 12 is ours.",
        'Say "open sesame" twice.',
        "Call 555-0100!",
    ]
    assert texts(said) == ["Call 555-0100", 'Say "open sesame" twice', "Room 12 is", "have 3 dogs"]


def test_code_blocks_and_the_numbers_of_lists_are_not_specific() -> None:
    assert texts(["1. First\n 2) Second\n```\nx = 42\n```\nEnd.", "```\ny = 43"]) == []


def test_words_are_not_taken_across_punctuation_or_lines() -> None:
    assert texts(["Yes. 42, then\nno"]) == ["42"]


def test_what_fits_is_listed_in_the_order_it_was_said() -> None:
    said = ["We have 3 dogs.", "Call 555-0100 now.", "Meet at 18:42."]
    assert listed(lost(said, ""), 100, len) == ("have 3 dogs", "Call 555-0100 now", "Meet at 18:42")
    assert listed(lost(said, ""), 36, len) == ("Call 555-0100 now", "Meet at 18:42")
    assert listed(lost(said, ""), 26, len) == ("555-0100", "Meet at 18:42")
    assert listed(lost(said, ""), 0, len) == ()


@pytest.mark.parametrize(
    "piece", ["1", "a1", "1.", "a-", '"', "`", "1 ", "May ", "```\n", "12 of ", "1pm ", "“", "（"]
)
def test_any_long_text_is_read_and_gives_short_passages(piece: str) -> None:
    assert all(len(each) < 300 for each in texts([piece * 30_000]))


PIECES = [
    "18:42",
    "7",
    "1,000",
    "May 7",
    "7 May 2023",
    '"ab c"',
    "`x = 1`",
    "B12",
    "5km",
    "6 pm",
    "train",
    "at",
    ".",
]
TEXT = st.one_of(st.text(max_size=60), st.lists(st.sampled_from(PIECES), max_size=8).map(" ".join))


@given(st.lists(TEXT, max_size=5), TEXT)
def test_nothing_is_listed_that_the_summary_has_and_nothing_is_lost_that_is_not(
    said: list[str], summary: str
) -> None:
    gone = lost(said, summary)
    kept = Kept.of(summary)
    assert all(not kept.has(one) for each in gone for one in each.inside)
    there = [form for each in gone for one in each.inside for form in one.forms]
    for one in (one for text in said for one in specifics(text)):
        assert kept.has(one) or set(one.forms) & set(there)


@given(TEXT)
def test_a_text_has_all_that_is_specific_in_it(text: str) -> None:
    assert lost([text], text) == []


@given(st.lists(TEXT, max_size=5), st.integers(0, 60))
def test_the_list_keeps_to_its_room(said: list[str], room: int) -> None:
    assert sum(len(f"; {each}") for each in listed(lost(said, ""), room, len)) <= room
