"""/diff: which words are gone and which are new, and how that is drawn."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.color import ColorSystem

from chatcli.commands.diff import changes, shortened
from chatcli.render.notices import draw
from chatcli.render.theme import Palette
from chatcli.render.views import Change, Changes

WORDS = st.lists(
    st.sampled_from(["a ", "word ", "two words. ", "\n", "\n\n", "日本", "x = 1\n", "  ", "`b`", ". "]),
    max_size=12,
).map("".join)


@settings(max_examples=150, deadline=None)
@given(WORDS, WORDS)
def test_both_texts_are_whole_in_their_difference(before: str, after: str) -> None:
    found = changes(before, after)
    assert "".join(text for kind, text in found if kind != "new") == before
    assert "".join(text for kind, text in found if kind != "gone") == after
    assert all(text and kind != following for (kind, text), (following, _) in pairwise(found))


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ("The cat sat.", "The dog sat.", [("same", "The "), ("gone", "cat"), ("new", "dog"), ("same", " sat.")]),
        (
            "A big old red cat.",
            "A tiny new red cat.",
            [("same", "A "), ("gone", "big old"), ("new", "tiny new"), ("same", " red cat.")],
        ),
        ("猫が好きです。", "犬が好きです。", [("gone", "猫"), ("new", "犬"), ("same", "が好きです。")]),
        (
            "Nothing alike here.",
            "Water boils quickly",
            [("gone", "Nothing alike here."), ("new", "Water boils quickly")],
        ),
        ("One. Two.", "One. Two. Three.", [("same", "One. Two."), ("new", " Three.")]),
    ],
)
def test_what_changed_is_told_by_words(before: str, after: str, found: list[tuple[str, str]]) -> None:
    assert changes(before, after) == found


def test_long_passages_that_are_the_same_are_left_out_but_for_the_lines_next_to_a_change() -> None:
    lines = [f"line {n}\n" for n in range(40)]
    before, after = "".join(lines), "".join([*lines[:20], "other\n", *lines[21:]])
    text = "".join(text for _, text in shortened(changes(before, after)))
    around = ["line 18", "line 19", "line 20", "other", "line 21", "line 22", "line 23"]
    assert text.splitlines() == ["(18 lines the same)", *around, "(17 lines the same)"]


PARTS = (Change("same", "The "), Change("gone", "cat "), Change("new", "dog "), Change("same", "sat."))


def test_it_is_drawn_in_colors_and_without_colors_between_marks() -> None:
    colored = Palette("dark", colors=ColorSystem.TRUECOLOR)
    (line,) = draw(Changes(PARTS), colored, 80, True)
    assert line.text == f"The \x1b[{colored['gone']}mcat \x1b[0m\x1b[{colored['new']}mdog \x1b[0msat."
    assert colored["gone"] != colored["new"]
    for palette in (Palette("mono"), Palette("mono", colors=ColorSystem.STANDARD)):
        (line,) = draw(Changes(PARTS), palette, 80, True)
        assert "[-cat-] " in line.text
        assert "{+dog+} " in line.text
