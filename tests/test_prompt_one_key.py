"""A question for one key: what was typed before it was there is never its answer, and is not lost."""

from __future__ import annotations

import pytest

from chatcli.prompt.line import TypedLine
from tests.typing_keys import keyboard, reader_at

TOLD = "y yes, n no"


@pytest.mark.parametrize(
    ("keys", "answer"),
    [("y", "y"), ("n", "n"), ("<enter>", ""), ("<escape>", ""), ("<c-c>", None), ("<c-d>", None)],
)
def test_one_key_answers(keys: str, answer: str | None) -> None:
    with keyboard() as board:
        board.when(TOLD, then=keys)
        assert reader_at(board).key(TOLD, "yn") == answer


@pytest.mark.parametrize("typed", ["y", "yes", "y<enter>", "n and y"])
def test_what_was_typed_before_the_question_is_in_the_line_after_it(typed: str) -> None:
    with keyboard() as board:
        reader = reader_at(board)
        board.type(typed)
        board.when(TOLD, then="n")
        with reader.ahead_kept():
            assert reader.key(TOLD, "yn") == "n"
        if not typed.endswith("<enter>"):
            board.type("<enter>")
        assert reader.read() == TypedLine(typed.removesuffix("<enter>"))


def test_an_answer_within_a_word_is_no_answer() -> None:
    with keyboard() as board:
        reader = reader_at(board)
        board.in_turn(((TOLD,), "yellow"), (("...",), ""), ((TOLD,), "n"))
        with reader.ahead_kept():
            assert reader.key(TOLD, "yn") == "n"
        board.type("<enter>")
        assert reader.read() == TypedLine("yellow")


def test_what_was_typed_ahead_answers_no_question_in_words_either() -> None:
    with keyboard() as board:
        reader = reader_at(board)
        board.type("hello")
        board.when(TOLD, then="n")
        with reader.ahead_kept():
            assert reader.key(TOLD, "yn") == "n"
            board.when("Why not?", then="too long<enter>")
            assert reader.answer("Why not? ") == "too long"
        board.type("<enter>")
        assert reader.read() == TypedLine("hello")
