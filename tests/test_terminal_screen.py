"""What the real program draws in a real terminal that answers questions, shows pictures, or is resized."""

from __future__ import annotations

import io
import os
import re
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyte
import pytest
from PIL import Image

from chatcli.demo.protocol import Answer, HttpRequest, HttpResponse
from tests.faults import Engine, Hang
from tests.screen import resized
from tests.test_terminal import Terminal

LIGHT, DARK = b"\x1b]11;rgb:ffff/ffff/ffff\x1b\\", b"\x1b]11;rgb:1e1e/1e1e/2e2e\x1b\\"
BACKGROUND, PROGRAM, CELL, KIND = b"\x1b]11;?\x1b\\", b"\x1b[>q", b"\x1b[16t", b"\x1b[c"
pytestmark = pytest.mark.usefixtures("prepared")
XTERM = {CELL: b"\x1b[6;20;10t", KIND: b"\x1b[?64;1;2;4;6;9;22c"}
KITTY = {PROGRAM: b"\x1bP>|kitty(0.35.2)\x1b\\", CELL: b"\x1b[6;20;10t", KIND: b"\x1b[?62;52;c"}
SILENT: dict[bytes, bytes] = {}


def manners(terminal: int) -> tuple[int, int]:
    """Whether it echoes and waits for whole lines, and what it makes of Enter."""
    import termios

    attributes = termios.tcgetattr(terminal)
    return attributes[3] & (termios.ECHO | termios.ICANON), attributes[0] & termios.ICRNL


def manners_of_a_new_terminal() -> tuple[int, int]:
    """Those that the program found: it may have changed them by the time that a test looks."""
    ends = os.openpty()
    try:
        return manners(ends[0])
    finally:
        for end in ends:
            os.close(end)


class Answering(Terminal):
    """A terminal that knows the answers to some questions."""

    def __init__(
        self,
        *arguments: str,
        answers: Mapping[bytes, bytes],
        columns: int = 80,
        rows: int = 24,
        **environment: str,
    ) -> None:
        super().__init__(*arguments, columns=columns, rows=rows, **environment)
        self._answers = dict(answers)
        self.written = b""

    def become(self, columns: int, rows: int, *, reflow: bool) -> None:
        """The window is resized, at a moment in which nothing is being written."""
        self.settle(0.15)
        self._screen = resized(self._screen, columns, rows, reflow=reflow)
        self._stream = pyte.ByteStream(self._screen)
        self._set_size(columns, rows)
        self.settle(0.25)

    def ends(self) -> int:
        while self._read(0.2) or self._program.poll() is None:
            pass
        self.left_with = manners(self._end)
        return super().ends()

    def hang_up(self) -> None:
        """The window goes; wait until the program has."""
        os.close(self._end)
        self._end = -1
        self._program.wait()

    def take(self, came: bytes) -> None:
        self.written += came
        for question in [each for each in self._answers if each in self.written]:
            self.send(self._answers.pop(question))
        super().take(came)


class Stages:
    """A fault that is none: the reply waits after so many lines, each time until it is let go."""

    def __init__(self, *after: int) -> None:
        self._after = after
        self._reached, self._let_go = threading.Semaphore(0), threading.Semaphore(0)

    def __call__(self, request: HttpRequest, answer: Answer) -> HttpResponse:
        response = answer(request)
        return replace(response, chunks=self._lines(request, response), length=None)

    def reached(self, person: Terminal) -> None:
        person.until(lambda: self._reached.acquire(blocking=False))

    def go_on(self) -> None:
        self._let_go.release()

    def _lines(self, request: HttpRequest, response: HttpResponse) -> Iterator[bytes]:
        for at, line in enumerate(response.chunks):
            if at in self._after:
                self._reached.release()
                while not self._let_go.acquire(timeout=0.05):
                    request.pause(0)
            yield line


@contextmanager
def answering(
    *arguments: str, answers: Mapping[bytes, bytes], columns: int = 80, rows: int = 24, **environment: str
) -> Iterator[Answering]:
    opened = Answering(*arguments, answers=answers, columns=columns, rows=rows, **environment)
    try:
        yield opened
    finally:
        opened.close()


@pytest.fixture
def cat(tmp_path: Path) -> Path:
    path = tmp_path / "cat.png"
    written = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").save(written, "PNG")
    path.write_bytes(written.getvalue())
    return path


@pytest.mark.parametrize(("answer", "colour"), [(LIGHT, b"38;2;95;0;175"), (DARK, b"38;2;215;175;255")])
def test_headings_have_the_colours_that_suit_the_background(answer: bytes, colour: bytes) -> None:
    answers = {BACKGROUND: answer, **XTERM}
    with (
        Engine() as engine,
        answering("-m", "demo", answers=answers, OLLAMA_HOST=engine.url, COLORTERM="truecolor") as person,
    ):
        engine.say("# Title\n\nText.")
        person.see("Send a message")
        person.until(lambda: BACKGROUND in person.written)
        person.enter("hi")
        person.see("Text.")
        assert colour in person.written


def test_no_key_is_lost_to_an_answer_and_no_answer_to_the_line() -> None:
    with Engine() as engine, answering("-m", "demo", answers={}, OLLAMA_HOST=engine.url) as person:
        engine.say("Fine.")
        person.until(lambda: KIND in person.written)
        person.press("he" + (LIGHT + XTERM[KIND]).decode() + "llo\r")
        person.see("Fine.")
        assert engine.chats[0]["messages"][-1]["content"] == "hello"
        assert "rgb" not in person.text


def test_the_question_comes_after_the_prompt() -> None:
    with Engine() as engine, answering("-m", "demo", answers=XTERM, OLLAMA_HOST=engine.url) as person:
        person.until(lambda: KIND in person.written)
        assert b">>>" in person.written[: person.written.index(BACKGROUND)]


@pytest.mark.parametrize(
    ("answers", "environment", "begins"),
    [
        (KITTY, {}, rb"\x1b_Ga=T,f=100,q=2,C=1,c=24,r=12,m="),
        (XTERM, {}, rb'\x1bP0;1;0q"1;1;240;240#'),
        (SILENT, {"TERM": "xterm-kitty"}, rb"\x1b_Ga=T,"),
        (SILENT, {"TERM_PROGRAM": "iTerm.app"}, rb"\x1b\]1337;File=inline=1"),
        (SILENT, {}, b""),
        (SILENT, {"TERM": "xterm-kitty", "TMUX": "/tmp/none"}, b""),
        (KITTY, {"ACCESSIBLE": "1"}, b""),
    ],
    ids=["kitty", "sixel", "kitty by TERM", "iTerm", "none", "tmux", "plain"],
)
def test_a_picture_is_shown_when_it_is_attached_sent_and_looked_at_again(
    answers: dict[bytes, bytes], environment: dict[str, Any], begins: bytes, cat: Path
) -> None:
    with (
        Engine() as engine,
        answering("-m", "demo-vision", answers=answers, OLLAMA_HOST=engine.url, **environment) as person,
    ):
        engine.say("A cat.")
        person.see(">>>")
        if answers and not environment:
            person.until(lambda: KIND in person.written)
        person.enter(f"/image {cat}")
        person.see("cat.png")
        person.enter(f"look at {cat}")
        person.see("Attached: cat.png", "A cat.")
        person.enter("/history")
        person.see("[picture cat.png")
        person.settle()
        found = len(re.findall(begins, person.written)) if begins else 0
        pictures = len(re.findall(rb"\x1b_G|\x1bP[\d;]*q|\x1b\]1337", person.written))
    assert found == (3 if begins else 0)  # named twice, it goes with the message once
    assert bool(pictures) == bool(begins)


def conversation(url: str) -> str:
    """What the next start has of it."""
    with answering("--continue", answers={}, OLLAMA_HOST=url) as person:
        return person.see("Send a message")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_a_signal_in_mid_reply_leaves_terminal_and_reply_in_order(number: signal.Signals) -> None:
    with Engine() as engine:
        engine.say("one two three four five six seven")
        engine.script(Hang(after=4))
        with answering("-m", "demo", answers={}, OLLAMA_HOST=engine.url) as person:
            person.see("Send a message")
            person.enter("count")
            person.see("one two")
            person.until(lambda: person.written.count(b"\x1b[?25l") > 0)
            person.signal(number)
            assert person.ends() == 128 + number
            assert person.written.rindex(b"\x1b[?25h") > person.written.rindex(b"\x1b[?25l")
            assert person.left_with == manners_of_a_new_terminal()
            assert person.written.count(b"Traceback") == 0
        text = conversation(engine.url)
        assert "(stopped)" in text
        assert "one two" in text


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_a_signal_at_the_prompt_leaves_the_terminal_in_order(number: signal.Signals) -> None:
    with Engine() as engine, answering("-m", "demo", answers={}, OLLAMA_HOST=engine.url) as person:
        person.see("Send a message")
        person.press("half a line")
        person.see("half a line")
        person.signal(number)
        assert person.ends() == 128 + number
        assert person.left_with == manners_of_a_new_terminal()
        assert person.written.rindex(b"\x1b[?2004l") > person.written.rindex(b"\x1b[?2004h")
        assert person.written.count(b"Traceback") == 0


@pytest.mark.parametrize("key", ["\x04", "\x1a", "\x13\x11", "\x1b", "\x12", "\x0c"])
def test_a_key_in_mid_reply_ends_nothing_and_loses_nothing(key: str) -> None:
    with Engine() as engine, answering("-m", "demo", answers={}, OLLAMA_HOST=engine.url) as person:
        engine.say("one two three four five six seven")
        stages = Stages(1)
        engine.script(stages)
        person.see("Send a message")
        person.enter("count")
        stages.reached(person)
        person.press(f"typed{key}ahead" if key == "\x04" else key)
        stages.go_on()
        if key == "\x0c":  # it clears the screen if the reply has ended meanwhile
            person.enter("/history")
        person.see("seven")
        person.settle()
        if key == "\x04":
            person.see("typedahead")


def test_ctrl_backslash_in_mid_reply_leaves_terminal_and_reply_in_order() -> None:
    with Engine() as engine:
        engine.say("one two three four five six seven")
        engine.script(Hang(after=4))
        with answering("-m", "demo", answers={}, OLLAMA_HOST=engine.url) as person:
            person.see("Send a message")
            person.enter("count")
            person.see("one two")
            person.press("typed ahead")
            person.press("\x1c")
            assert person.ends() == 128 + signal.SIGQUIT
            assert person.written.rindex(b"\x1b[?25h") > person.written.rindex(b"\x1b[?25l")
            assert person.written.rindex(b"\x1b[?2004l") > person.written.rindex(b"\x1b[?2004h")
        text = conversation(engine.url)
        assert "(stopped)" in text
        assert "one two" in text


def test_a_window_that_is_closed_at_the_prompt_ends_the_program() -> None:
    with Engine() as engine, answering("-m", "demo", answers={}, OLLAMA_HOST=engine.url) as person:
        person.see("Send a message")
        person.hang_up()


def test_a_window_that_is_closed_in_mid_reply_costs_nothing_of_it() -> None:
    with Engine() as engine:
        engine.say("one two three four five six seven")
        engine.script(Hang(after=4))
        with answering("-m", "demo", answers={}, OLLAMA_HOST=engine.url) as person:
            person.see("Send a message")
            person.enter("count")
            person.see("one two")
            person.hang_up()
        text = conversation(engine.url)
        assert "(stopped)" in text
        assert "one two" in text


WORDS = " ".join(f"word{at:03}" for at in range(90))
REPLY = "\n\n".join(
    [
        "# head000 head001",
        WORDS,
        "\n".join(f"- item{at:03} with a few more words to it" for at in range(24)),
        "> " + " ".join(f"said{at:03}" for at in range(60)),
        "| a | b |\n|---|---|\n" + "\n".join(f"| cell{at:03} | other{at:03} |" for at in range(24)),
        "```python\n" + "\n".join(f"code{at:03} = {at} * {at}" for at in range(30)) + "\n```",
        " ".join(f"last{at:03}" for at in range(60)),
    ]
)
MARKS = re.compile(r"(?:head|word|item|said|cell|other|code|last)\d{3}")
SIZES = [(80, 24), (40, 10), (200, 50)]
RESIZES = {(80, 24): [(50, 20), (120, 40)], (40, 13): [(28, 13), (60, 21)], (200, 50): [(90, 30), (40, 12)]}


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_what_a_reply_leaves_is_whole_in_order_and_there_once(size: tuple[int, int]) -> None:
    with (
        Engine(pace=0.001) as engine,
        answering("-m", "demo", answers={}, columns=size[0], rows=size[1], OLLAMA_HOST=engine.url) as person,
    ):
        engine.say(REPLY)
        person.see(">>>")
        person.enter("go")
        person.see("last059")
        text = person.settle()
        assert MARKS.findall(text) == MARKS.findall(REPLY)
        torn = [row for row in person.rows if row.strip() and MARKS.search(row) and len(row) > size[0]]
        assert not torn


@pytest.mark.parametrize(
    ("size", "name", "reflow"),
    [
        ((80, 24), "", True),
        ((80, 24), "kitty(0.35.2)", True),
        ((80, 24), "XTerm(390)", False),
        ((40, 13), "", True),
        ((40, 13), "tmux 3.5", True),
        ((200, 50), "foot(1.18.1)", True),
    ],
)
def test_a_window_resized_in_mid_reply_loses_and_repeats_nothing(
    size: tuple[int, int], name: str, reflow: bool
) -> None:
    answers = {PROGRAM: f"\x1bP>|{name}\x1b\\".encode()} if name else {}
    stages = Stages(60, 260, 420)
    with (
        Engine() as engine,
        answering("-m", "demo", answers=answers, columns=size[0], rows=size[1], OLLAMA_HOST=engine.url) as person,
    ):
        engine.say(REPLY)
        engine.script(stages)
        person.see(">>>")
        person.until(lambda: KIND in person.written)
        person.enter("go")
        for to in (*RESIZES[size], size):
            stages.reached(person)
            person.become(*to, reflow=reflow)
            stages.go_on()
        person.see("last059")
        text = "".join(person.settle().split())
        found = MARKS.findall(text)
        if reflow:
            assert found == MARKS.findall("".join(REPLY.split()))
        else:  # what such a terminal cut off of lines that were final is gone from its screen
            assert len(found) == len(set(found))
            assert found[-60:] == MARKS.findall(REPLY)[-60:]
