"""Lines are typed, seen and queued while a reply comes, and the reply stands above them as if nobody had typed."""

from __future__ import annotations

import math
import os
import re
import signal
import time
from typing import Any

import pytest

if os.name != "posix":
    pytest.skip("a pty is POSIX's", allow_module_level=True)

import pyte
from hypothesis import given, settings
from hypothesis import strategies as st
from prompt_toolkit.key_binding.vi_state import InputMode

from chatcli.prompt.completer import Suggestion
from chatcli.prompt.line import ReaderOptions
from chatcli.render.lines import Span, to_line
from chatcli.render.paint import Painter
from tests.faults import Engine, Hang, Status
from tests.test_terminal import Terminal, terminal
from tests.typing_keys import PATIENCE, keyboard, reader_at

pytestmark = pytest.mark.usefixtures("prepared")
WORDS = " ".join(f"word{number}" for number in range(120))


def asked(engine: Engine) -> list[str]:
    """The last message of each chat that was asked for."""
    return [chat["messages"][-1]["content"] for chat in engine.chats]


def begin(person: Terminal, question: str = "count") -> None:
    person.see("Send a message")
    person.enter(question)
    person.see("word3", "answers")


def test_what_is_typed_during_a_reply_is_seen_while_it_comes() -> None:
    with Engine(pace=0.02) as engine, terminal("-m", "demo", url=engine.url) as person:
        engine.say(WORDS)
        begin(person)
        person.press("half a thought")
        text = person.see(">>> half a thought")
        assert "word119" not in text
        text = person.see("word119", ">>> half a thought", "of 4096")
        assert text.count("half a thought") == 1


def test_lines_that_are_entered_during_a_reply_are_shown_and_sent_in_order() -> None:
    with Engine(pace=0.02) as engine, terminal("-m", "demo", url=engine.url) as person:
        engine.say(WORDS, "first reply", "second reply")
        begin(person)
        person.enter("one more")
        person.enter("and another")
        assert "word119" not in person.see("queued: one more", "queued: and another")
        text = person.see(">>> one more", "first reply", ">>> and another", "second reply")
        assert asked(engine) == ["count", "one more", "and another"]
        assert "queued" not in text.split("second reply")[1]


def test_ctrl_c_stops_the_reply_then_takes_the_queue_back_into_the_line() -> None:
    with Engine(pace=0.02) as engine, terminal("-m", "demo", url=engine.url) as person:
        engine.say(WORDS)
        begin(person)
        person.enter("one more")
        person.see("queued: one more")
        person.press("\x03")
        person.see("Stopped", "Enter sends what waits")
        person.press("\x03")
        person.see(">>> one more")
        assert len(engine.chats) == 1
        person.enter(" please")
        person.until(lambda: asked(engine) == ["count", "one more please"])


def test_ctrl_c_right_after_enter_stops_the_reply() -> None:
    """The prompt's terminal gives it as a key, which the line beside the reply is the next to read."""
    with Engine(pace=0.02) as engine, terminal("-m", "demo", url=engine.url) as person:
        engine.say(WORDS)
        person.see("Send a message")
        person.press("count\r\x03")
        person.until(lambda: "Stopped" in person.text or "No reply came" in person.text)
        assert "word119" not in person.text


def test_a_stopped_reply_keeps_the_queue_and_enter_sends_it() -> None:
    with Engine(pace=0.02) as engine, terminal("-m", "demo", url=engine.url) as person:
        engine.say(WORDS, "first reply")
        begin(person)
        person.enter("one more")
        person.see("queued: one more")
        person.press("\x03")
        person.see("Enter sends what waits")
        person.press("\r")
        text = person.see(">>> one more", "first reply")
        assert text.count("one more") == 1


def test_a_queue_is_kept_when_the_reply_fails() -> None:
    with Engine(pace=0.02) as engine, terminal("-m", "demo", url=engine.url) as person:
        engine.say(WORDS, "first reply", "second reply")
        begin(person)
        person.enter("this one fails")
        person.enter("and another")
        engine.script(Status(400, '{"error": "out of order"}'))
        person.see("out of order", "queued: and another", "Enter sends what waits", ">>> this one fails")
        person.press("\r")
        person.see("first reply", ">>> and another", "second reply")
        assert asked(engine) == ["count", "this one fails", "this one fails", "and another"]


def test_a_command_is_queued_too() -> None:
    with Engine(pace=0.02) as engine, terminal("-m", "demo", url=engine.url) as person:
        engine.say(WORDS)
        begin(person)
        person.enter("/set verbose")
        person.see("queued: /set verbose")
        person.see(">>> /set verbose", "verbose = on")


def test_a_paste_into_a_reply_is_one_entry_of_the_queue() -> None:
    with Engine(pace=0.02) as engine, terminal("-m", "demo", url=engine.url) as person:
        engine.say(WORDS, "first reply")
        begin(person)
        person.press("\x1b[200~/help\rand more\x1b[201~\r")
        person.see("first reply")
        assert asked(engine)[-1] == "/help\nand more"


def test_the_toolbar_says_what_the_reply_does() -> None:
    with Engine(pace=0.05) as engine, terminal("-m", "demo", url=engine.url) as person:
        engine.say(WORDS)
        begin(person)
        person.until(
            lambda: re.search(r"answers, \d+ s, \d+ tokens · Ctrl-C stops it · Enter", person.text) is not None
        )


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (40, 12), (100, 8)])
def test_a_reply_stands_once_above_what_is_typed_meanwhile(columns: int, rows: int) -> None:
    said = "".join(f"- point {number} of it\n" for number in range(30)) + "\nthe end"
    with (
        Engine(pace=0.005) as engine,
        terminal("-m", "demo", url=engine.url, columns=columns, rows=rows) as person,
    ):
        engine.say(said)
        person.see(">>>")
        person.enter("list")
        for key in "a longer line than this terminal is wide, typed key by key /he":
            person.press(key)
            person.settle(0.02)
        person.see("the end")
        text = person.settle()
        assert [row for row in text.split("\n") if "point" in row] == [
            f"• point {number} of it" for number in range(30)
        ]
        assert text.replace("\n", "").count("longer") == 1


@pytest.mark.parametrize(("columns", "rows"), [(60, 24), (90, 30)])
def test_a_reply_stands_once_when_the_terminal_changes_while_a_line_is_typed(columns: int, rows: int) -> None:
    said = "\n\n".join(f"This is paragraph {number}." for number in range(40)) + "\n\nthe end"
    with Engine(pace=0.005) as engine, terminal("-m", "demo", url=engine.url) as person:
        engine.say(said)
        person.see(">>>")
        person.enter("list")
        person.see("paragraph 3.")
        person.press("typed")
        person.see(">>> typed")
        person.resize(columns, rows)
        person.see("the end")
        text = person.settle()
        assert [row for row in text.split("\n") if "paragraph" in row] == [
            f"This is paragraph {number}." for number in range(40)
        ]
        assert text.count(">>> typed") == 1


KEYS = [
    "x",
    "words and words ",
    "/",
    "/se",
    "<enter>",
    "<backspace>",
    "<tab>",
    "<c-j>",
    "<up>",
    "<escape>",
    "<c-l>",
]
STEPS = st.one_of(st.sampled_from(KEYS), st.tuples(st.integers(0, 3), st.integers(0, 14)))


@settings(max_examples=25)
@given(st.lists(STEPS, max_size=14))
def test_whatever_is_typed_between_whatever_comes_final_lines_stand_once_in_order(
    steps: list[str | tuple[int, int]],
) -> None:
    printed: list[str] = []
    words = [Suggestion(f"/set{number}", 1, f"/set{number}") for number in range(12)]
    with keyboard(columns=40, rows=14) as board:

        def write(text: str) -> None:
            board.output.write_raw(text)
            board.output.flush()

        with reader_at(board, suggestions=words).beside_reply() as below:
            assert below is not None
            painter = Painter(write, lambda: None, below)
            for at, step in enumerate([*steps, (1, 0)]):
                below._status_due = 0.0
                if isinstance(step, str):
                    board.type(step)
                    below.poll(f"answers, {at} s")
                    continue
                final = [f"final {len(printed) + number}" for number in range(step[0])]
                live = [to_line([Span(f"live {number}")]) for number in range(step[1])]
                printed += final
                painter.paint([to_line([Span(each)]) for each in final], live, (40, 14))
            painter.paint([], [to_line([Span("more")])], (40, 14))
            shown = board.screen()
            below._app.renderer.erase()
            below._draw()
            assert board.screen() == shown  # nothing is left of what stood there earlier
            painter.paint([], [], (40, 14))
        screen = pyte.HistoryScreen(40, 14, history=1000)
        pyte.Stream(screen).feed(board.recorded.getvalue().decode())
        rows = ["".join(row[at].data for at in range(40)).rstrip() for row in screen.history.top]
        rows += [row.rstrip() for row in screen.display]
    assert [row for row in rows if row.startswith("final")] == printed
    assert not [row for row in rows if row.startswith("live")]


def test_a_word_that_is_there_before_the_line_is_drawn_does_not_wait_for_it() -> None:
    with keyboard(columns=40, rows=14) as board, reader_at(board).beside_reply() as below:
        assert below is not None

        def write(text: str) -> None:
            board.output.write_raw(text)
            board.output.flush()

        Painter(write, lambda: None, below).paint([], [to_line([Span("word")])], (40, 14))
        assert board.screen() == ["word"]
        below.poll("answers")
        assert [row for row in board.screen() if row][:2] == ["word", ">>>"]


def test_the_line_is_laid_out_anew_for_keys_and_not_for_each_line_and_status_of_the_reply(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with keyboard(columns=60, rows=14) as board, reader_at(board).beside_reply() as below:
        assert below is not None
        laid_out = 0
        container = below._app.layout.container
        write = container.write_to_screen

        def counted(*given: Any, **named: Any) -> None:
            nonlocal laid_out
            laid_out += 1
            write(*given, **named)

        def write_out(text: str) -> None:
            board.output.write_raw(text)
            board.output.flush()

        painter = Painter(write_out, lambda: None, below)
        monkeypatch.setattr(container, "write_to_screen", counted)
        below.poll("answers, 0 s")
        board.type("typed")
        seen = []
        for number in range(100):
            below._status_due = 0.0
            below.poll(f"answers, {number} s")
            painter.paint([to_line([Span(f"line {number}")])], [], (60, 14))
            seen = board.screen()
        assert 1 <= laid_out <= 10
        assert seen[-4:] == ["line 99", "", ">>> typed", " answers, 99 s · Ctrl-C stops it · Enter queues"]
        below._app.invalidate()
        below.poll("answers, 99 s")
        assert board.screen() == seen


def test_the_loop_of_the_line_turns_when_something_has_come_and_seldom_otherwise() -> None:
    with keyboard() as board, reader_at(board).beside_reply() as below:
        assert below is not None
        turns = 0
        turn = below._turn

        def counted() -> None:
            nonlocal turns
            turns += 1
            turn()

        below._turn = counted  # type: ignore[method-assign]
        below.poll("answers")
        below._turn_due = below._lively_until = math.inf
        below._lively_until = 0.0
        for _ in range(100):
            below.poll("answers")
        assert turns <= 1
        board.type("x")
        below.poll("answers")
        assert next(row for row in board.screen() if row) == ">>> x"


@pytest.mark.parametrize("begun", ["<escape>", "<c-r>wo<escape>"])
def test_an_escape_that_nothing_follows_takes_effect_while_a_reply_comes(begun: str) -> None:
    with keyboard() as board, reader_at(board, options=ReaderOptions(vi=True)).beside_reply() as below:
        assert below is not None
        below.poll("answers")
        board.type(f"word{begun}")
        end = time.monotonic() + PATIENCE
        while below._app.vi_state.input_mode is not InputMode.NAVIGATION:
            assert time.monotonic() < end
            below.poll("answers")
            time.sleep(0.01)


def test_a_suspended_reply_goes_on_below_what_the_shell_wrote() -> None:
    with Engine(pace=0.02) as engine, terminal("-m", "demo", url=engine.url) as person:
        engine.say(WORDS)
        begin(person)
        person.press("typed")
        person.see(">>> typed")
        person.signal(signal.SIGTSTP)
        person.settle()
        person.signal(signal.SIGCONT)
        text = person.see("word119", ">>> typed", "of 4096")
        assert text.count("word119") == 1


def test_text_that_is_typed_goes_behind_a_message_that_comes_back() -> None:
    with Engine() as engine, terminal("-m", "demo", url=engine.url) as person:
        engine.script(Hang(after=0))
        person.see("Send a message")
        person.enter("first words")
        person.see("waits")
        person.press("other words")
        person.see(">>> other words")
        person.press("\x03")
        person.see("No reply came", ">>> first words", "... other words")


def test_what_waits_when_the_program_ends_is_found_in_the_history_of_lines() -> None:
    with Engine(pace=0.02) as engine:
        engine.say(WORDS)
        with terminal("-m", "demo", url=engine.url) as person:
            begin(person)
            person.enter("one more")
            person.press("half a thought")
            person.see("queued: one more", ">>> half a thought")
            person.signal(signal.SIGTERM)
            assert person.ends() == 128 + signal.SIGTERM
        with terminal("-m", "demo", url=engine.url) as person:
            person.see("Send a message", "of 4096")
            person.press("\x1b[A")
            person.see(">>> half a thought")
            person.press("\x1b[A")
            person.see(">>> one more")
