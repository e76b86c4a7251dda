"""The terminal's answers among the keys: all are read, none is typed into the line."""

from __future__ import annotations

import os
import threading

import pytest

if os.name != "posix":
    pytest.skip("keys come as text on POSIX only", allow_module_level=True)

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prompt_toolkit.key_binding.vi_state import InputMode

from chatcli.prompt.editing import EditedLine
from chatcli.prompt.line import ReaderOptions, TypedLine
from chatcli.prompt.reader import Reader
from tests.typing_keys import PATIENCE, USUAL, Keyboard, keyboard, reader_at

BACKGROUND = "\x1b]11;rgb:ffff/ffff/ffff\x1b\\"
KIND = "\x1b[?62;4;22c"
ANSWERS = [
    BACKGROUND,
    "\x1b]11;rgb:00/00/00\x07",
    "\x1bP>|kitty(0.35.2)\x1b\\",
    "\x1b[6;20;10t",
    "\x1b[?2027;1$y",
    KIND,
]


def asking(board: Keyboard, heard: list[str], next_question: str = "", options: ReaderOptions = USUAL) -> Reader:
    reader = reader_at(board, options=options)

    def heed(answer: str) -> str:
        heard.append(answer)
        return next_question if len(heard) == 1 else ""

    reader.inquire("\x1b]11;?\x1b\\\x1b[c", heed)
    return reader


def test_answers_are_heard_and_the_keys_around_them_are_typed() -> None:
    heard: list[str] = []
    with keyboard() as board:
        board.when("Send a message", then="hel" + "".join(ANSWERS) + "lo<enter>")
        assert asking(board, heard).read() == TypedLine("hello")
    assert heard == ANSWERS


@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(1, len(BACKGROUND + KIND) - 1))
def test_an_answer_that_comes_in_two_parts_is_one(cut: int) -> None:
    heard: list[str] = []
    answers = f"{BACKGROUND}{KIND}"
    with keyboard() as board:
        reader = asking(board, heard)
        later = threading.Timer(0.05, lambda: board.type(answers[cut:] + "x<enter>"))

        def begin() -> None:
            board.type(answers[:cut])
            later.start()

        reader.on_first_render(begin)
        assert reader.read() == TypedLine("x")
        later.join()
    assert heard == [BACKGROUND, KIND]


def test_nothing_is_waited_for_where_no_answer_comes() -> None:
    heard: list[str] = []
    with keyboard() as board:
        board.when("Send a message", then="<escape>[Bhi<enter>")
        assert asking(board, heard).read() == TypedLine("hi")
    assert heard == []


def test_an_escape_is_a_key_at_once_though_an_answer_may_begin_with_it() -> None:
    with keyboard() as board:
        reader = asking(board, [], options=ReaderOptions(vi=True))
        line = reader._line
        assert isinstance(line, EditedLine)
        state, seen = line.app.vi_state, threading.Event()

        def notice(_: object) -> None:
            if state.input_mode is InputMode.NAVIGATION and not seen.is_set():
                seen.set()
                board.type("<enter>")

        line.app.after_render += notice
        board.when("Send a message", then="typed<escape>")
        watch = threading.Timer(PATIENCE, lambda: board.type("<c-c><c-c>"))
        watch.start()
        assert reader.read() == TypedLine("typed")
        watch.cancel()


def test_an_answer_that_comes_late_is_no_text_either() -> None:
    heard: list[str] = []
    with keyboard() as board:
        reader = asking(board, heard)
        board.type("one<enter>")
        reader.read()
        board.type(f"{BACKGROUND}{KIND}two<enter>")
        assert reader.read() == TypedLine("two")
    assert heard == [BACKGROUND, KIND]


def test_the_question_goes_out_once_the_prompt_stands_and_the_next_with_the_first_answer() -> None:
    heard: list[str] = []
    with keyboard() as board:
        board.when("Send a message", then=f"{KIND}hi<enter>")
        asking(board, heard, "\x1b[?2027$p").read()
        written = board.recorded.getvalue()
    assert written.index(b"Send a message") < written.index(b"\x1b]11;?") < written.index(b"\x1b[?2027$p")
    assert written.count(b"\x1b]11;?") == 1


def test_what_is_pasted_is_not_an_answer_to_hold_back() -> None:
    with keyboard() as board:
        board.paste("a]11;rgb b")
        board.type("<enter>")
        assert asking(board, []).read() == TypedLine("a]11;rgb b", pasted=True)


def test_answers_that_are_on_their_way_when_it_ends_do_not_reach_the_shell() -> None:
    heard: list[str] = []
    with keyboard() as board:
        reader = asking(board, heard)
        board.when("Send a message", then="<enter>hi<enter>")
        reader.read()
        board.type(f"{BACKGROUND}{KIND}")
        reader.close()
    assert heard == [BACKGROUND, KIND]
