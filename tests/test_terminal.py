"""The real program in a real terminal (a pty), its screen read with pyte."""

from __future__ import annotations

import os
import select
import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

if os.name != "posix":
    pytest.skip("a pty is POSIX's", allow_module_level=True)

import termios

import pyte

from chatcli.settings.strategies import AUTO
from tests.faults import Cut, Engine, Hang, Slow, Status, nobody_there
from tests.raw_server import Script, whole
from tests.screen import Scrollback, written
from tests.starting import Process, run, start

pytestmark = pytest.mark.usefixtures("prepared")
PATIENCE = 60.0


class Terminal:
    """A person at the keyboard: `press` keys, `see` what stands on the screen or has scrolled off it."""

    def __init__(
        self, *arguments: str, columns: int = 80, rows: int = 24, directory: str = ".", **environment: str
    ) -> None:
        self._screen = Scrollback(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        variables = {
            **os.environ,
            "PYTHONPATH": str(Path(__file__).parent.parent),
            "TERM": "xterm-256color",
            **environment,
        }
        self._end, theirs = os.openpty()
        os.set_blocking(self._end, False)
        self._set_size(columns, rows)
        try:
            self._program = self._begin(arguments, variables, theirs, directory)
        finally:
            os.close(theirs)

    def _begin(
        self, arguments: Sequence[str], variables: Mapping[str, str], theirs: int, directory: str
    ) -> Process:
        return start(arguments, variables, [theirs] * 3, directory)

    def press(self, keys: str) -> None:
        self.send(keys.encode())

    def send(self, left: bytes) -> None:
        """Read where nothing more can be written: a program that nobody reads from stops reading, too."""
        while left:
            try:
                left = left[os.write(self._end, left) :]
            except BlockingIOError:
                self._read(0.02)

    def enter(self, line: str) -> None:
        self.press(line + "\r")

    def resize(self, columns: int, rows: int) -> None:
        self._screen.resize(rows, columns)
        self._set_size(columns, rows)

    @property
    def screen(self) -> pyte.Screen:
        return self._screen

    @property
    def rows(self) -> list[str]:
        """Everything from the top of the scrollback to the bottom of the screen."""
        return [*map(written, self._screen.above), *(row.rstrip() for row in self._screen.display)]

    @property
    def text(self) -> str:
        return "\n".join(self.rows)

    def see(self, *words: str, patience: float = PATIENCE) -> str:
        """Wait until all these words are there; the whole text."""
        end = time.monotonic() + patience
        text = self.text
        while not all(word in text for word in words):
            if time.monotonic() > end:
                raise AssertionError(f"not seen: {words}\n{text}")
            if self._read():
                text = self.text
        return text

    def until(self, happened: Callable[[], bool]) -> None:
        """Wait until `happened()`."""
        end = time.monotonic() + PATIENCE
        while not happened():
            assert time.monotonic() < end, self.text
            self._read()

    def settle(self, quiet: float = 0.4) -> str:
        """Read until nothing has come for a moment."""
        while self._read(quiet):
            pass
        return self.text

    def ends(self) -> int:
        """Wait until the program has left; its exit code."""
        while self._read(0.2) or self._program.poll() is None:
            pass
        code = self._program.wait()
        assert code >= 0, f"killed by signal {-code}"
        return code

    def signal(self, number: int) -> None:
        os.kill(self._program.pid, number)

    def kill(self) -> None:
        """As a power failure would: with no chance to do anything more."""
        self.signal(signal.SIGKILL)

    def close(self) -> None:
        """The window goes; the program with it, if need be by force."""
        if self._end >= 0:
            os.close(self._end)
            self._end = -1
        with suppress(ProcessLookupError):
            self.signal(signal.SIGCONT)
        end = time.monotonic() + 1
        while self._program.poll() is None:
            with suppress(ProcessLookupError):
                if time.monotonic() > end:
                    self.kill()
            time.sleep(0.01)

    def _set_size(self, columns: int, rows: int) -> None:
        termios.tcsetwinsize(self._end, (rows, columns))

    def _read(self, patience: float = 0.1) -> bool:
        """Whether something came in so many seconds."""
        if self._end < 0 or not select.select([self._end], [], [], patience)[0]:
            return False
        try:
            self.take(os.read(self._end, 65536))
        except OSError:  # no program has this terminal any more
            time.sleep(0.01)
            return False
        return True

    def take(self, came: bytes) -> None:
        """What the program has written."""
        self._stream.feed(came)


@contextmanager
def terminal(*arguments: str, url: str = "", columns: int = 80, rows: int = 24) -> Iterator[Terminal]:
    opened = Terminal(*arguments, columns=columns, rows=rows, OLLAMA_HOST=url)
    try:
        yield opened
    finally:
        opened.close()


def test_a_conversation_from_the_first_prompt_to_the_last() -> None:
    with Engine() as engine, terminal("-m", "demo", url=engine.url) as person:
        engine.say("Hello **there**.\n\n- one\n- two\n")
        person.see(">>>", "Send a message")
        person.enter("hi")
        text = person.see("Hello there.", "two", "Send a message")
        assert "**" not in text
        assert "\x1b" not in text
        person.enter("/bye")
        assert person.ends() == 0


@pytest.mark.parametrize("leave", ["\x04", "/bye\r", "quit\r", "exit\r", "/exit\r"])
def test_these_leave(leave: str) -> None:
    with Engine() as engine, terminal("-m", "demo", url=engine.url) as person:
        person.see(">>>")
        person.press(leave)
        assert person.ends() == 0


def test_ctrl_c_stops_a_reply_and_keeps_what_came() -> None:
    with Engine() as engine, terminal("-m", "demo", url=engine.url) as person:
        engine.say("one two three four five six seven")
        engine.script(Hang(after=4))
        person.see("Send a message")
        person.enter("count")
        person.see("one")
        person.press("\x03")
        person.see("Stopped", "Send a message")
        engine.say("eight")
        person.enter("go on")
        person.see("eight")
        assert engine.chats[1]["messages"][1]["content"].startswith("one")


def test_ctrl_c_at_the_prompt_clears_the_line_and_says_how_to_leave() -> None:
    with Engine() as engine, terminal("-m", "demo", url=engine.url) as person:
        person.see("Send a message")
        person.press("half a thought")
        person.see("half a thought")
        person.press("\x03")
        person.settle()
        person.press("\x03")
        person.see("Ctrl-D")
        assert engine.chats == []


def test_a_reply_that_does_not_begin_can_be_stopped_and_the_text_comes_back() -> None:
    with Engine() as engine, terminal("-m", "demo", url=engine.url) as person:
        engine.script(Hang(after=0))
        person.see("Send a message")
        person.enter("are you there?")
        person.until(lambda: len(engine.chats) == 1)
        person.press("\x03")
        person.see("No reply came")
        person.until(lambda: "are you there?" in person.text.split("No reply came")[1])
        person.press("\r")
        person.until(lambda: len(engine.chats) == 2)


def test_what_is_typed_during_a_reply_waits_for_the_next_prompt() -> None:
    with Engine(pace=0.02) as engine, terminal("-m", "demo", url=engine.url) as person:
        engine.say(" ".join(f"word{number}" for number in range(60)))
        person.see("Send a message")
        person.enter("count")
        person.see("word3")
        person.press("typed ahead")
        text = person.see("word59", "typed ahead")
        assert text.count("typed ahead") == 1
        assert text.index("word59") < text.index("typed ahead")


def test_errors_leave_the_program_alive() -> None:
    with Engine() as engine, terminal("-m", "demo", url=engine.url) as person:
        person.see("Send a message")
        for line, answer in [
            ("/nonsense", "There is no command /nonsense"),
            ("/set num_ctx lots", "num_ctx"),
            ("/image /no/such/cat.png", "cat.png"),
            ("/load nothing like it", "nothing like it"),
            ("/model nope", "nope"),
        ]:
            person.enter(line)
            person.see(answer)
        engine.say("still here")
        person.enter("hello?")
        person.see("still here")


def test_without_a_server_it_says_what_to_do_and_stays() -> None:
    with nobody_there() as url, terminal("-m", "demo", url=url) as person:
        person.see("ollama serve", "chatcli --demo", ">>>")
        person.enter("hi")
        person.settle()
        person.press("\x03\x04")
        assert person.ends() == 0


def test_a_retry_that_fails_leaves_the_earlier_reply_in_its_place() -> None:
    with Engine() as engine, terminal("-m", "demo", "--retries", "0", url=engine.url) as person:
        engine.say("The first reply.")
        person.see("Send a message")
        person.enter("what is it?")
        person.see("The first reply.")
        engine.script(Cut(after=0))
        person.enter("/retry")
        person.see("broke off")
        person.enter("/history")
        person.until(lambda: person.text.count("The first reply.") == 2)


def test_continue_shows_where_it_stood_and_goes_on() -> None:
    with Engine() as engine:
        engine.say("The answer is 42.")
        with terminal("-m", "demo", url=engine.url) as person:
            person.see("Send a message")
            person.enter("what is the answer?")
            person.see("is 42.", "Send a message")  # the port may hold a 42 as well
            person.press("\x04")
            assert person.ends() == 0
        with terminal("--continue", url=engine.url) as person:
            person.see("what is the answer?", "is 42.", "Send a message")
            person.enter("why?")
            person.until(lambda: len(engine.chats) == 2)
            assert len(engine.chats[1]["messages"]) == 3


def test_what_a_command_shows_stands_between_blank_lines_and_so_does_its_error() -> None:
    with Engine() as engine, terminal("-m", "demo", url=engine.url) as person:
        person.see("Send a message", "· window")  # the last of what the first start says
        person.enter("/history")
        person.see("Nothing")
        person.enter("/hstory")
        text = person.see("There is no command", "To send a line", "Send a message")
        rows = [row for row in text.splitlines() if "/help shows" not in row]
        for command, first, last in (
            ("/history", "Nothing", "Nothing"),
            ("/hstory", "There is no", "Did you mean"),
        ):
            begin = next(at for at, row in enumerate(rows) if row == f">>> {command}")
            end = next(at for at, row in enumerate(rows) if row.startswith(last))
            assert rows[begin + 1] == ""
            assert rows[begin + 2].startswith(first)
            assert rows[end + 1] == ""
            assert rows[end + 2].startswith(">>>")


@pytest.mark.parametrize("leave", ["/bye\r", "\x04"])
def test_leaving_says_once_under_which_name_the_conversation_is_kept_and_how_to_go_on(leave: str) -> None:
    with Engine() as engine, terminal("-m", "demo", url=engine.url) as person:
        engine.say("Blue.")
        person.see("Send a message")
        person.enter("why is the sky blue?")
        person.see("Blue.", "Send a message")
        person.press(leave)
        assert person.ends() == 0
        said = 'Kept as "why is the sky blue?". To go on: chatcli --continue, later chatcli --resume 1'
        assert person.text.replace("\n", " ").count(said) == 1


@pytest.mark.parametrize("flags", [[], ["--no-save"], ["--continue"]], ids=" ".join)
def test_leaving_says_nothing_where_nothing_was_said_or_is_kept(flags: list[str]) -> None:
    with Engine() as engine:
        engine.say("Blue.")
        if flags == ["--continue"]:
            run(["-m", "demo", "and the sea?"], {**os.environ, "OLLAMA_HOST": engine.url})
        with terminal("-m", "demo", *flags, url=engine.url) as person:
            person.see("Send a message")
            if flags == ["--no-save"]:
                person.enter("why is the sky blue?")
                person.see("Blue.", "Send a message")
            person.press("/bye\r")
            assert person.ends() == 0
            assert "Kept as" not in person.text


def test_the_toolbar_tells_model_tokens_and_window_and_a_strategy_that_is_not_auto() -> None:
    with Engine() as engine, terminal("-m", "demo", "--num-ctx", "2k", url=engine.url) as person:
        person.see("demo · ", " of 2048 tokens (")
        engine.say("Fine.")
        person.enter("how are you?")
        person.see("Fine.")
        bar = [row for row in person.settle().splitlines() if row.strip()][-1]
        assert bar.startswith(" demo · ")
        assert " of 2048 tokens (" in bar
        assert AUTO.name not in bar
        person.enter("/set strategy trim")
        person.see("□ · trim")


def test_a_waiting_reply_shows_that_it_waits() -> None:
    with Engine() as engine, terminal("-m", "demo", url=engine.url) as person:
        engine.say("late")
        engine.script(Slow(first=1.5))
        person.see("Send a message")
        person.enter("hi")
        person.see("late")


def test_a_page_that_cannot_be_had_leaves_the_message_in_the_line_and_ctrl_c_stops_one_that_hangs() -> None:
    def silent(connection: socket.socket) -> None:
        connection.recv(1)

    with (
        Engine() as engine,
        Script(whole(b"", "404 Not Found")) as gone,
        Script(silent) as waits,
        terminal("-m", "demo", url=engine.url, columns=120) as person,
    ):
        person.see("Send a message")
        person.enter(f"what is @http://me:secret@{gone.address}/x ?")
        person.see(f"{gone.url}/x: there is nothing of that name")
        person.until(lambda: person.text.count("what is @http://me") == 2)
        person.press("\x15")
        person.enter(f"/file {waits.url}/y")
        person.see(f"Fetching {waits.url}/y")
        person.press("\x03")
        person.see("Stopped.")
        assert engine.chats == []


def test_no_password_is_on_the_screen_but_where_it_was_typed_nor_on_the_disk_nor_sent(home: Path) -> None:
    with (
        Engine() as engine,
        Script(whole(b"A page.", "200 OK", "Content-Type: text/plain")) as server,
        terminal("-m", "demo", url=engine.url, columns=120, rows=50) as person,
    ):
        page, other = f"me:S3CR3T'x@{server.address}/w", f"me:S3CR3T@{engine.url.removeprefix('http://')}"
        typed = [
            f'see @"http://{page}"',
            f'/file "http://{page}"',
            f"/set host http://{other}",
            "/set host",
            "and now",
        ]
        for line in typed:
            person.see("Send a message")
            person.enter(line)
            person.settle()
        person.until(lambda: len(engine.chats) == 2)
        person.see("Send a message")
        person.enter("/bye")
        assert person.ends() == 0
        assert person.text.count("S3CR3T") == 3
        assert "S3CR3T" not in str(engine.chats)
        assert len(server.heads) == 2
    kept = b"".join(file.read_bytes() for file in home.rglob("*") if file.is_file())
    assert f'see @"{server.url}/w"'.encode() in kept
    assert f'/file "{server.url}/w"'.encode() in kept
    assert b"S3CR3T" not in kept


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (40, 10), (200, 50)])
def test_a_long_reply_stands_once_in_the_scrollback(columns: int, rows: int) -> None:
    lines = [f"Line number {number}." for number in range(80)]
    with Engine() as engine, terminal("-m", "demo", url=engine.url, columns=columns, rows=rows) as person:
        engine.say("\n\n".join(lines))
        person.see(">>>")
        person.enter("a long one")
        person.see("Line number 79.")
        person.settle()
        assert [row for row in person.rows if row.startswith("Line number")] == lines


def test_a_pause_before_the_server_is_asked_again_is_shown_and_ends_with_ctrl_c() -> None:
    with Engine() as engine, terminal("-m", "demo", url=engine.url) as person:
        person.see("Send a message")
        engine.say("Here I am.")
        engine.script(Status(503, "server busy"), Status(503, "server busy"))
        person.enter("are you there?")
        person.see("is asked again in 1 s (2 of 4): The server refused (503): server busy")
        person.see("Here I am.")  # the first word comes before the line below it is drawn again
        person.until(lambda: "asked again" not in person.text)
        engine.script(*[Status(503, "server busy")] * 5)
        person.enter("and now?")
        person.see("is asked again in 2 s (3 of 4)")
        asked = len(engine.chats)
        person.press("\x03")
        person.until(lambda: "asked again" not in person.text)
        engine.forget()
        engine.say("I was not stopped.")
        person.press("\x03")
        person.enter("once more")
        person.see("I was not stopped.")
        assert len(engine.chats) == asked + 1
