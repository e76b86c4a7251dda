"""A menu is chosen from with the arrows, narrowed by typing, and left by Escape with nothing chosen."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcli.prompt.choosing import ChoiceMenu
from tests.typing_keys import keyboard, reader_at

MODELS = ["llama3.2", "gemma3", "qwen3", "mistral-small", "phi4"]
MANY = [f"conversation {number}" for number in range(500)]


@pytest.mark.parametrize(
    ("keys", "index"),
    [
        ("<enter>", 0),
        ("<down><down><enter>", 2),
        ("<up><enter>", 4),
        ("<down><up><enter>", 0),
        ("gem<enter>", 1),
        ("small<enter>", 3),
        ("msl<enter>", 3),
        ("4<enter>", 3),
        ("nothing<enter>phi<enter>", 4),
        ("3.2<enter>", 0),
        ("<escape>", None),
        ("gem<c-c>", None),
        ("<c-d>", None),
    ],
)
def test_a_choice_is_taken_by_arrows_words_or_number(keys: str, index: int | None) -> None:
    with keyboard() as board:
        board.when("Enter takes", then=keys)
        assert reader_at(board).choose("Which model?", MODELS) == index


def test_what_was_chosen_stays_on_the_screen_and_the_menu_does_not() -> None:
    with keyboard() as board:
        board.when("Enter takes", then="qw<enter>")
        reader_at(board).choose("Which model?", MODELS)
        assert board.screen() == ["Which model? qwen3"]


def test_many_choices_scroll_and_their_number_is_said() -> None:
    with keyboard(rows=12) as board:
        seen = board.when("1 of 500", then="<up>")
        further = board.when("500 of 500", then="<enter>")
        assert reader_at(board).choose("Which conversation?", MANY) == 499
    assert seen[1] == ">  1  conversation 0"
    assert len(seen) <= 12
    assert any(row.startswith("> 500  conversation 499") for row in further)


def test_the_details_of_the_chosen_one_are_shown() -> None:
    def detail(index: int) -> Sequence[str]:
        return [f"{MODELS[index]}  4 GB", f"what is to be said of {MODELS[index]}"]

    with keyboard() as board:
        seen = board.when("Enter takes", then="<down>")
        further = board.when("what is to be said of gemma3", then="<enter>")
        reader_at(board).choose("Which model?", MODELS, detail)
    assert "      what is to be said of llama3.2" in seen
    assert "      what is to be said of llama3.2" not in further


def test_what_fits_words_may_be_found_otherwise() -> None:
    with keyboard() as board:
        board.when("Enter takes", then="whales<enter>")
        found = reader_at(board).choose("Which?", MODELS, None, lambda words: [3] if words == "whales" else [])
    assert found == 3


def test_names_from_elsewhere_cannot_steer_the_terminal() -> None:
    with keyboard() as board:
        board.when("Enter takes", then="<enter>")
        reader_at(board).choose("Which?", ["\x1b]0;gotcha\x07evil"])
        assert b"\x1b]0" not in board.recorded.getvalue()


@given(
    st.lists(st.text(max_size=30), max_size=30), st.text(max_size=8), st.lists(st.integers(-30, 30), max_size=6)
)
def test_whatever_is_typed_and_pressed_one_that_fits_is_chosen_or_none(
    names: list[str], words: str, moves: list[int]
) -> None:
    menu = ChoiceMenu(names, None, None, lambda: (40, 10))
    menu.typed.text = words.replace("\n", "")
    for steps in moves:
        menu.move(steps)
    assert (menu.chosen in menu.fitting) if menu.fitting else menu.chosen is None
    assert menu.rows()
