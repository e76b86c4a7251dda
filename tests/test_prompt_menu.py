"""Many choices come in pages and are narrowed by words; a choice that was not shown is never picked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wcwidth import wcswidth

from chatcli.prompt.menu import Find, pick

MANY = [f"choice {number} of {'cats' if number % 2 else 'dogs'}" for number in range(100)]


@dataclass
class Board:
    """A terminal of that size at which these answers are given."""

    answers: list[str]
    columns: int = 80
    rows: int = 24
    lines: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def say(self, text: str) -> None:
        self.lines.append(text)

    def size(self) -> tuple[int, int]:
        return self.columns, self.rows

    def answer(self, question: str) -> str | None:
        self.asked.append(question)
        return self.answers.pop(0) if self.answers else None

    def pick(self, choices: Sequence[str] = MANY, lines_each: int = 1, find: Find | None = None) -> int | None:
        def detail(at: int) -> list[str]:
            return [choices[at], *["more of it " * 20] * (lines_each - 1)]

        return pick(self, self.answer, "Which?", choices, detail if lines_each > 1 else None, find)


@pytest.mark.parametrize(
    ("answers", "picked"),
    [
        (["3"], 2),
        ([], None),
        ([""], None),
        (["99", "3"], 2),
        (["+", "25"], 24),
        (["+", "3"], 2),
        (["choice 7 of cats"], 7),
        (["dogs", "2"], 2),
        (["CATS 9", "1"], 9),
        (["cows", "1"], 0),
        (["dogs", "+", "+", "+", "1"], 0),
    ],
    ids=str,
)
def test_a_choice_is_taken_by_number_name_or_words(answers: list[str], picked: int | None) -> None:
    assert Board(answers).pick() == picked


def test_a_page_fits_the_terminal() -> None:
    for columns, rows, each in ((80, 24, 1), (80, 24, 3), (40, 10, 3), (20, 5, 4)):
        board = Board(["+"], columns, rows)
        board.pick(lines_each=each)
        shown = (len(board.lines) - 1) // 2
        assert shown % each == 0
        assert shown <= max(each, rows - 3)
        assert all(wcswidth(line) < columns for line in board.lines)
        assert all(len(asking) <= columns for asking in board.asked) or columns < 40


def test_what_fits_words_may_be_found_otherwise() -> None:
    board = Board(["elephants", "2"])
    assert board.pick(find=lambda words: [50, 60] if words == "elephants" else []) == 60


def test_few_choices_are_all_shown_with_nothing_said_of_pages() -> None:
    board = Board([])
    board.pick(["a", "b"])
    assert board.lines == ["Which?", "  1  a", "  2  b"]
    assert board.asked == ["Choose 1-2 (Enter cancels): "]


@given(st.lists(st.text(max_size=60), min_size=1, max_size=30), st.integers(20, 90), st.integers(3, 30))
def test_no_name_leaves_its_line(names: list[str], columns: int, rows: int) -> None:
    board = Board(["+"], columns, rows)
    board.pick(names)
    assert all(0 <= wcswidth(line) < columns for line in board.lines)
