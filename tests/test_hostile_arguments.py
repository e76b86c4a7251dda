"""Every command of the registry answers any argument in a sentence, even arguments that cannot be a file, number
or name. Only errors of our own tree are raised.
"""

from __future__ import annotations

import io
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chatcli.cli.main import run
from chatcli.commands import everything
from chatcli.commands.outcomes import Choose, Data, Outcome
from chatcli.commands.perform import perform
from chatcli.conversation.tree import Node
from chatcli.errors import ChatcliError
from chatcli.hints import Words
from chatcli.render.screen import Screen
from chatcli.render.views import View
from chatcli.session.build import Wishes, build
from chatcli.session.session import Session
from tests.commanding import Person, say
from tests.faults import Engine
from tests.screen import Seen
from tests.typable import slash_commands

Make = Callable[[Path], str]
EXIT_CODES = range(6)
NEVER_SAID = ("Traceback", "The output cannot be written", "inside chatcli itself", "did not expect")
DEEPEST = 3  # questions after questions
LONG, LONGER = "n" * 300, "n" * 5000

HOSTILE: dict[str, Make] = {
    "a name of 300 letters": lambda _: LONG,
    "a name of 5,000 letters": lambda _: LONGER,
    "a path of 300 folders": lambda _: "a/" * 300 + "b.md",
    "a long name in a folder": lambda place: f"{place}/{LONG}.md",
    "a long name of JSON": lambda _: f"{LONG}.json",
    "a lone surrogate": lambda _: "half\ud83d.md",
    "the other half": lambda _: "half\udc80.json",
    "a NUL": lambda _: "a\0b.md",
    "a NUL in JSON": lambda _: "a\0b.json",
    "a directory": str,
    "a directory that ends like a file": lambda place: _made(place / "folder.md"),
    "a directory of JSON": lambda place: _made(place / "folder.json"),
    "a socket": lambda place: _socket(place / "socket.json"),
    "a file without permission": lambda place: _locked(place / "locked.json"),
    "in a folder without permission": lambda place: _closed(place / "closed") + "/inside.json",
    "saved in a folder without permission": lambda place: _closed(place / "closed") + "/inside.md",
    "a device without an end": lambda _: "/dev/zero",
    "a device with nothing in it": lambda _: "/dev/null",
    "below a file": lambda place: _file(place / "plain.txt") + "/below.md",
    "a link to itself": lambda place: _loop(place / "round.json"),
    "a home of nobody": lambda _: "~nosuchuser/chat.md",
    "a home of nobody, JSON": lambda _: "~nosuchuser/chat.json",
    "nothing, in quotes": lambda _: '""',
    "a blank, in quotes": lambda _: '" "',
    "an open quote": lambda _: '"open',
    "control characters": lambda _: "\x1b]0;title\x07\x01\x7f.md",
    "directions of writing": lambda _: "\u202egnp.md",
    "6,000 digits": lambda _: "9" * 6000,
    "6,000 digits below nothing": lambda _: "-" + "9" * 6000,
    "a number below nothing": lambda _: "-1",
    "a number past every count": lambda _: "99999999999999999999",
    "a number in other digits": lambda _: "\u0661\u0662",
    "a square": lambda _: "\u00b2",
    "infinity": lambda _: "inf",
    "no number": lambda _: "nan",
    "a fraction": lambda _: "1e400",
    "a pattern": lambda place: f"{place}/**/*",
    "a pattern with an open bracket": lambda _: "[",
    "a pattern above itself": lambda _: "../**/..",
    "a pattern of a home of nobody": lambda _: "~nosuchuser/*",
    "a pattern with a NUL": lambda _: "*\0*",
    "a long pattern": lambda _: "*" * 300 + LONG,
    "an address without a host": lambda _: "http://",
    "an address with a wild port": lambda _: "http://127.0.0.1:99999999/x",
    "an address in brackets": lambda _: "http://[::1/x",
    "an address of half a character": lambda _: "http://127.0.0.1:9/\ud83d",
    "another scheme": lambda _: "ftp://127.0.0.1/x",
    "a file's address": lambda _: "file:///nosuch%00.png",
    "a flag": lambda _: "--nosuch",
    "a bare dash": lambda _: "-",
    "two dashes": lambda _: "--",
    "a star": lambda _: "*",
    "an open expression": lambda _: '"((" AND NEAR(',
    "a number of a conversation": lambda _: "@99999999999999999999999",
    "a setting without a name": lambda _: "=",
    "two lines": lambda _: "one\ntwo",
}
# What a command takes before it, where that opens another way into it.
FIRST = {
    "set": ("num_ctx", "temperature", "stop", "format", "host", "system", "tokenizer", "keep_alive", "model"),
    "unset": ("num_ctx",),
    "save": ("--model",),
    "import": ("--model",),
    "chats": ("1",),
}


def _made(path: Path) -> str:
    path.mkdir(exist_ok=True)
    return str(path)


def _file(path: Path) -> str:
    path.write_text("x")
    return str(path)


def _locked(path: Path) -> str:
    path.write_text("{}")
    path.chmod(0)
    return str(path)


def _closed(path: Path) -> str:
    path.mkdir(exist_ok=True)
    path.chmod(0)
    return str(path)


def _loop(path: Path) -> str:
    path.unlink(missing_ok=True)
    path.symlink_to(path)
    return str(path)


def _socket(path: Path) -> str:
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path.name)  # from where we are: a path may be too long for a socket
    return str(path)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder to work in, which can be removed again whatever was made there."""
    inside = tmp_path / "work"
    inside.mkdir()
    monkeypatch.chdir(inside)
    yield inside
    for each in inside.iterdir():
        if not each.is_symlink():
            each.chmod(0o700)


@pytest.fixture
def talked(engine: Engine) -> Iterator[Session]:
    opened = build(Wishes({"host": engine.url, "model": "demo"}))
    say(opened, "hello")
    yield opened
    opened.close()


class Hasty(Person):
    """Shows on a real screen, looks at the first choice, and leaves after a few questions."""

    def __init__(self, session: Session, screen: Screen) -> None:
        super().__init__(session)
        self._screen, self._asked = screen, 0

    def tell(self, data: Data) -> bool:
        return False

    def show(self, view: View) -> None:
        self._screen.show(view)

    def confirm(self, question: Words) -> bool:
        self._asked += 1
        return self._asked <= DEEPEST

    def choose(self, question: Choose) -> int | None:
        if question.choices and question.detail is not None:
            question.detail(0)
        if question.find is not None:
            question.find("x")
        return super().choose(question) if self.confirm(question.question) else None

    def send(self, text: str) -> None:
        """The model is not asked."""

    def reply(self, question: Node, onward: Node | None, model: str) -> None:
        """The model is not asked."""


def attempt(session: Session, what: str, step: Callable[[], Outcome]) -> None:
    """A ChatcliError is shown, anything else is a bug."""
    seen = Seen()
    screen = Screen(seen, seen)
    try:
        perform(session, step(), Hasty(session, screen))
    except ChatcliError as error:
        screen.error(error)
    except Exception as error:
        raise AssertionError(f"{what}: {error!r}") from error


@pytest.mark.parametrize("name", [each.name for each in everything().commands])
def test_a_command_of_the_loop_says_in_a_sentence_what_is_wrong(name: str, talked: Session, place: Path) -> None:
    for what, make in HOSTILE.items():
        for first in ("", *FIRST.get(name, ())):
            line = f"{name} {first} {make(place)}"
            attempt(talked, f"/{name} {first} {what}", lambda line=line: everything().dispatch(talked, line))  # type: ignore[misc]


SUBCOMMANDS = sorted(everything().subcommands)
FLAGS = ("--file", "--image", "--resume", "--format", "--model", "--host", "--num-ctx", "--stop", "--theme")


def shell(*arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """The exit code, and all that was written; standard input is empty."""
    code = run(arguments)
    written = capsys.readouterr()
    return code, written.out + written.err


@pytest.fixture
def no_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO()))


@pytest.mark.parametrize("words", SUBCOMMANDS, ids=" ".join)
def test_a_subcommand_says_in_a_sentence_what_is_wrong(
    words: tuple[str, ...], engine: Engine, place: Path, no_input: None, capsys: pytest.CaptureFixture[str]
) -> None:
    for what, make in HOSTILE.items():
        given = [word for word in make(place).split(" ") if word]
        code, written = shell(*words, "--host", engine.url, *given, capsys=capsys)
        assert code in EXIT_CODES, f"{what}: {written}"
        assert not slash_commands(written), f"{what}: {written}"
        assert not any(each in written for each in NEVER_SAID), f"{what}: {written}"


@pytest.mark.parametrize("flag", [*FLAGS, "--system @", ""])
def test_a_flag_of_the_shell_or_a_prompt_says_in_a_sentence_what_is_wrong(
    flag: str, engine: Engine, place: Path, no_input: None, capsys: pytest.CaptureFixture[str]
) -> None:
    for what, make in HOSTILE.items():
        given = ["--system", f"@{make(place)}"] if flag == "--system @" else [*filter(None, [flag]), make(place)]
        host = () if flag == "--host" else ("--host", engine.url)
        code, written = shell(*host, *given, "hi", capsys=capsys)
        assert code in EXIT_CODES, f"{what}: {written}"
        assert not slash_commands(written), f"{what}: {written}"
        assert not any(each in written for each in NEVER_SAID), f"{what}: {written}"


@pytest.mark.parametrize(
    "form", ["what says @{} here", 'what says @"{}" here', "see {}", "see '{}.png' and ./{}.png"]
)
def test_a_message_that_mentions_it_is_sent_or_refused_in_a_sentence(
    form: str, engine: Engine, place: Path, no_input: None, capsys: pytest.CaptureFixture[str]
) -> None:
    for what, make in HOSTILE.items():
        code, written = shell("--host", engine.url, "-m", "demo", form.replace("{}", make(place)), capsys=capsys)
        assert code in EXIT_CODES, f"{what}: {written}"
        assert code == 0 or not slash_commands(written), f"{what}: {written}"  # a reply may name what it likes
        assert not any(each in written for each in NEVER_SAID), f"{what}: {written}"
        assert code or engine.chats[-1]["messages"][-1]["role"] == "user"


@pytest.mark.skipif(os.name != "posix", reason="a pty is POSIX's")
def test_no_name_ends_the_loop(engine: Engine, place: Path) -> None:
    from tests.test_terminal import Terminal

    person = Terminal("-m", "demo", columns=120, OLLAMA_HOST=engine.url)
    try:
        person.see("Send a message")
        engine.say("Here I am.")
        person.enter("hello")
        person.see("Here I am.")
        for line in (f"/file {LONG}", f"/save {LONG}.md", f"/import {LONG}", f"/{LONG}", f"/goto {'9' * 6000}"):
            person.press(f"{line}\r")
        for pasted in (f"@{LONG} and {LONG}.png", "a\0b @a\0b.md 'a\0b.png'", "\x1b]0;title\x07 @\x01"):
            engine.say(f"Pasted {len(engine.chats)}.")
            person.press(f"\x1b[200~{pasted}\x1b[201~\r")
            person.settle()
            person.press("\r")  # names that lead nowhere are sent by a second Enter
            person.until(lambda pasted=pasted: any(pasted[-3:] in each for each in sent(engine)))  # type: ignore[misc]
        engine.say("Here I am still.")
        person.enter("and now?")
        said = person.see("Here I am still.")
        assert not any(each in said for each in NEVER_SAID), said
        person.press("/bye\r")
        assert person.ends() == 0
    finally:
        person.close()


def sent(engine: Engine) -> list[str]:
    """The last message of each request."""
    return [chat["messages"][-1]["content"] for chat in engine.chats]
