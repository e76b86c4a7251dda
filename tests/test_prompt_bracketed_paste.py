"""Pastes as terminals send them, and with parts lost on the way."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prompt_toolkit.input.vt100 import Vt100Input
from prompt_toolkit.keys import Keys

from chatcli.prompt.bracketed_paste import END, SILENCE, START, mind_marks
from chatcli.prompt.line import TypedLine
from tests.typing_keys import Keyboard, keyboard, reader_at

PASTED = "\x1b[200~a\rb\x1b[201~"


def taken(pieces: Iterable[str], *, pause: bool = False) -> list[tuple[str, str]]:
    """What comes of `pieces`, read one after the other, `pause` with a silence after each: (key, its text)."""
    with keyboard() as board:
        assert isinstance(board.input, Vt100Input)
        marked = mind_marks(board.input)
        assert marked is not None
        keys = []
        for piece in pieces:
            marked.feed(piece)
            if pause:
                marked.flush()
                marked.break_off()
            keys += [(str(press.key), press.data) for press in vars(board.input)["_buffer"]]
            vars(board.input)["_buffer"].clear()
        if not pause:
            marked.flush()
            marked.break_off()
        keys += [(str(press.key), press.data) for press in board.input.flush_keys()]
        return keys


def cut(text: str, places: Iterable[int]) -> list[str]:
    ends = sorted({place % (len(text) + 1) for place in places} | {0, len(text)})
    return [text[start:end] for start, end in pairwise(ends)]


def text_of(keys: Iterable[tuple[str, str]]) -> str:
    return "".join(text for _, text in keys)


@pytest.mark.parametrize("at", range(1, len(PASTED)))
@pytest.mark.parametrize("pause", [False, True])
def test_a_mark_may_come_in_two_pieces(at: int, pause: bool) -> None:
    keys = taken([PASTED[:at], PASTED[at:]], pause=pause)
    pastes = [text for key, text in keys if key == str(Keys.BracketedPaste)]
    assert "".join(pastes) == "a\rb"
    assert {text for key, text in keys if key != str(Keys.BracketedPaste)} <= {"\x1b", "["}  # an Escape, or Alt+[


@pytest.mark.parametrize(
    ("came", "pasted"),
    [
        ("\x1b[200~one\rtwo", ["one\rtwo"]),
        ("\x1b[200~one\x1b[200~two\x1b[201~", ["onetwo"]),
        ("\x1b[200~one\x1b[201~two\x1b[201~", ["one", "two"]),
        ("one\rtwo\x1b[201~", ["one\rtwo"]),
        ("\x1b[200~\x1b[201~\x1b[200~one\x1b[201~", ["one"]),
        ("\x1b[200~one\x1b[31mred\x1b[201~", ["one\x1b[31mred"]),
        ("\x1b[200~one\x03/clear\r\x1b[201~", ["one\x03/clear\r"]),
        ("\x1b[200~one\x1b[201~\x1b[201~", ["one"]),
    ],
)
def test_marks_that_are_missing_doubled_or_nested_lose_no_text(came: str, pasted: list[str]) -> None:
    keys = taken([came])
    assert [text for key, text in keys if key == str(Keys.BracketedPaste)] == pasted
    assert text_of(keys) == "".join(pasted)


def test_what_comes_of_a_paste_after_a_silence_is_part_of_it() -> None:
    keys = taken(["\x1b[200~one\r", "two\rthree", "\r/clear\r\x1b[201~", "\r"], pause=True)
    assert [key for key, _ in keys if key == str(Keys.ControlM)] == [str(Keys.ControlM)]
    assert text_of(keys) == "one\rtwo\rthree\r/clear\r\r"


WORDS = st.text(st.characters(categories=["L"]), min_size=1, max_size=8)
MARKS = st.sampled_from([START, END])
TORN = st.sampled_from([START[:3], END[:5], "\r", "\x1b", "\x03", "\x04"])
PLACES = st.lists(st.integers(0, 100), max_size=4)


@given(st.lists(WORDS | MARKS | TORN, max_size=8), PLACES, st.booleans())
@settings(max_examples=300)
def test_whatever_comes_enter_is_a_key_afterwards_and_no_text_is_lost(
    parts: list[str], places: list[int], pause: bool
) -> None:
    keys = taken([*cut("".join(parts), places), ""], pause=pause)
    assert [part for part in parts if part.isalpha() and part not in text_of(keys)] == []
    if pause:
        assert taken([*cut("".join(parts), places), "\r"], pause=True)[-1] == (str(Keys.ControlM), "\r")


@given(st.lists(WORDS | MARKS | st.just("\n"), max_size=6), PLACES)
@settings(max_examples=15)
def test_whatever_comes_the_prompt_takes_a_line_and_loses_no_text(parts: list[str], places: list[int]) -> None:
    over = threading.Event()

    def press_enter(board: Keyboard) -> None:
        while not over.wait(SILENCE * 1.5):
            board.type("<enter>")

    with keyboard() as board:
        for piece in cut("x" + "".join(parts), places):
            board.type(piece)
        presses = threading.Thread(target=press_enter, args=[board])
        presses.start()
        try:
            line = reader_at(board).read()
        finally:
            over.set()
            presses.join()
    assert isinstance(line, TypedLine)
    assert [part for part in parts if part.isalpha() and part not in line.text] == []


def test_a_paste_without_an_end_is_over_after_a_silence() -> None:
    with keyboard() as board:
        board.type("\x1b[200~one\rtwo")
        board.when("two", then="!<enter>")
        assert reader_at(board).read() == TypedLine("one\ntwo!", pasted=True)


def test_ctrl_c_ends_a_paste_without_an_end_and_keeps_its_text() -> None:
    with keyboard() as board:
        reader = reader_at(board)
        board.when("Send a message", then="\x1b[200~/clear\rtwo<c-c>")
        board.when("two", then="!<enter>")
        assert reader.read() == TypedLine("/clear\ntwo!", pasted=True)


def test_a_paste_into_a_question_may_lack_its_end_too() -> None:
    with keyboard() as board:
        board.type("\x1b[200~y")
        board.when("Sure? [y/N] y", then="<enter>")
        assert reader_at(board).ask("Sure?") is True


def test_a_long_paste_is_read_in_one_go() -> None:
    text = "".join(f"line {at}\r" for at in range(30_000))
    keys = taken(cut(START + text + END, range(0, len(text), 1000)))
    assert keys == [(str(Keys.BracketedPaste), text)]
