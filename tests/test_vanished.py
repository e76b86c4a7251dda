"""Directories are removed while the program uses them: it continues, says what is wrong in a sentence, and
answers.

Every directory that it relies on (its own, the working directory, the temporary one, the user's home) is removed
or turned into something else; then everything that uses directories is run.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import pytest

if os.name != "posix":
    pytest.skip("elsewhere what is in use cannot be removed", allow_module_level=True)

from chatcli.chat import Chat
from chatcli.errors import BadFile
from tests.faults import Engine
from tests.starting import run
from tests.test_terminal import Terminal

NEVER_SAID = (
    "Traceback",
    "The output cannot be written",
    "inside chatcli itself",
    "did not expect",
    "Unhandled",
)
LINES = (
    "/save kept.md",
    "/file nosuch.md",
    "/file *.rst",
    "/image nosuch.png",
    "/import nosuch.json",
    "/tokens nosuch.md",
    "/set temperature 0",
    "/set format nosuch.json",
    "/chats",
    "/find hello",
    "/context",
    "/load nosuch",
    "/doctor",
    "look at @nosu\t\x15",
    "/file nosu\t\x15",
    "/file ./\t\x15",
    "/file ~/\t\x15",
    "/load no\t\x15",
)


@dataclass(frozen=True, slots=True)
class World:
    """What the program stands on. `home` is CHATCLI_HOME."""

    work: Path
    home: Path
    temporary: Path
    person: Path

    def end(self) -> None:
        for each in (self.work, self.home, self.temporary, self.person):
            gone(each)

    def to_be_read_only(self) -> None:
        for each in (*self.home.rglob("*"), self.home):
            each.chmod(0o555 if each.is_dir() else 0o444)

    @property
    def environment(self) -> dict[str, str]:
        return {"TMPDIR": str(self.temporary), "HOME": str(self.person), "EDITOR": "true"}


def gone(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def a_file_in_its_place(path: Path) -> None:
    gone(path)
    path.write_text("")


def a_folder_in_its_place(path: Path) -> None:
    gone(path)
    path.mkdir()


WAYS: dict[str, Callable[[World], None]] = {
    "the working directory": lambda world: gone(world.work),
    "the home of chatcli": lambda world: gone(world.home),
    "the home of chatcli, a file now": lambda world: a_file_in_its_place(world.home),
    "the home of chatcli, empty now": lambda world: a_folder_in_its_place(world.home),
    "the store": lambda world: gone(world.home / "chatcli.db"),
    "the store, a folder now": lambda world: a_folder_in_its_place(world.home / "chatcli.db"),
    "the store, empty now": lambda world: a_file_in_its_place(world.home / "chatcli.db"),
    "the line history, a folder now": lambda world: a_folder_in_its_place(world.home / "lines.db"),
    "the settings file, a folder now": lambda world: a_folder_in_its_place(world.home / "config.toml"),
    "the backups": lambda world: gone(world.home / "backups"),
    "the backups, a file now": lambda world: a_file_in_its_place(world.home / "backups"),
    "the cache": lambda world: gone(world.home / "cache"),
    "the cache, a file now": lambda world: a_file_in_its_place(world.home / "cache"),
    "the temporary directory": lambda world: gone(world.temporary),
    "the person's home": lambda world: gone(world.person),
    "everything": lambda world: world.end(),
}
# Root may look and write anywhere: for these it is asked to forgo that.
LOCKED: dict[str, Callable[[World], None]] = {
    "the home of chatcli, which nobody may enter": lambda world: world.home.chmod(0),
    "the home of chatcli, which nobody may write in": lambda world: world.to_be_read_only(),
    "the store, which nobody may open": lambda world: (world.home / "chatcli.db").chmod(0),
    "the working directory, which nobody may enter": lambda world: world.work.chmod(0),
}


@pytest.fixture
def world(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    made = World(tmp_path / "above" / "work", home, tmp_path / "temporary", tmp_path / "person")
    for each in (made.work, made.temporary, made.person, home / "backups"):
        each.mkdir(parents=True)
    (made.work / "nosuch-after-all.txt").write_text("x")
    monkeypatch.chdir(made.work)
    yield made
    for each in (made.work, home):
        if each.is_dir():
            each.chmod(0o700)


@pytest.fixture
def as_anybody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program is started without root's leave to pass over permissions."""
    if os.geteuid() != 0:
        return
    without = "-dac_override,-dac_read_search"
    command = ["setpriv", "--bounding-set", without, "--inh-caps", without]
    if shutil.which("setpriv") is None or subprocess.run([*command, "true"], check=False).returncode:
        pytest.skip("root cannot be kept from looking everywhere")
    start = tmp_path / "python"
    start.write_text(f'#!/bin/sh\nexec {" ".join(command)} "{sys.executable}" "$@"\n')
    start.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(start))


def content(engine: Engine) -> list[str]:
    return [chat["messages"][-1]["content"] for chat in engine.chats]


@pytest.mark.parametrize(
    ("way", "begun"),
    [
        *((way, True) for way in WAYS),
        ("the working directory", False),
        ("the store", False),
        ("everything", False),
    ],
)
def test_the_loop_goes_on_without_it(way: str, begun: bool, world: World, engine: Engine) -> None:
    goes_on(WAYS[way], begun, world, engine)


@pytest.mark.parametrize("way", LOCKED)
@pytest.mark.usefixtures("as_anybody")
def test_the_loop_goes_on_where_it_may_no_longer(way: str, world: World, engine: Engine) -> None:
    goes_on(LOCKED[way], True, world, engine)


def goes_on(happens: Callable[[World], None], begun: bool, world: World, engine: Engine) -> None:
    """From the first prompt to the last, with every line that touches a place."""
    person = Terminal("-m", "demo", columns=120, rows=60, OLLAMA_HOST=engine.url, **world.environment)
    try:
        person.see(">>>", "Send a message")
        if begun:
            engine.say("The first reply.")
            person.enter("hello")
            person.see("The first reply.")
            person.settle()
        happens(world)
        engine.say("It is answered.")
        person.enter("a question with ./work and report.md in it")
        person.see("It is answered.")
        person.enter("/save a name")
        if "[y/N]" in person.settle():  # where messages are kept in memory only, it asks whether to store them
            person.enter("n")
        person.press("".join(line if line.endswith("\x15") else line + "\r" for line in LINES))
        engine.say("So is the last.")
        person.enter("and another")
        said = person.see("So is the last.")
        assert content(engine)[-2:] == ["a question with ./work and report.md in it", "and another"]
        assert not [each for each in NEVER_SAID if each in said], said
        person.settle()
        person.enter("/bye")
        assert person.ends() == 0
    finally:
        person.close()


@pytest.mark.parametrize("way", WAYS)
def test_a_question_in_a_pipe_is_answered_all_the_same(way: str, world: World, engine: Engine) -> None:
    is_answered(WAYS[way], way == "the settings file, a folder now", world, engine)


@pytest.mark.parametrize("way", LOCKED)
@pytest.mark.usefixtures("as_anybody")
def test_a_question_in_a_pipe_is_answered_where_it_may_no_longer(way: str, world: World, engine: Engine) -> None:
    is_answered(LOCKED[way], way == "the home of chatcli, which nobody may enter", world, engine)


def is_answered(happens: Callable[[World], None], is_a_mistake: bool, world: World, engine: Engine) -> None:
    environment = {**os.environ, **world.environment, "PYTHONPATH": str(Path(__file__).parent.parent)}

    def asked(*arguments: str) -> tuple[int, str, str]:
        done = run(["-m", "demo", "--host", engine.url, *arguments], environment)
        said = done.stderr.decode()
        assert not [each for each in NEVER_SAID if each in said], said
        return done.returncode, done.stdout.decode(), said

    asked("hello")
    happens(world)
    engine.say("It is answered.")
    code, written, said = asked("a question with ./work and report.md in it")
    assert (code, written) == ((2, "") if is_a_mistake else (0, "It is answered.\n")), said
    assert asked("--file", "nosuch.md", "read it")[0] == 2


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.filterwarnings("ignore::UserWarning")  # what is said of the store
def test_a_program_gets_its_reply_without_it(way: str, world: World, engine: Engine) -> None:
    with Chat("demo", host=engine.url, save=True) as chat:
        chat.send("hello")
        WAYS[way](world)
        engine.say("It is answered.")
        assert chat.send("a question with ./work and report.md in it") == "It is answered."
        with pytest.raises(BadFile):
            chat.send("read it", files=["nosuch.md"])
        with pytest.raises(BadFile):
            chat.send("look at it", images=["nosuch.png"])
        with nullcontext() if world.work.exists() else pytest.raises(BadFile):
            chat.save("kept.md")
        engine.say("So is the last.")
        assert chat.send("and another") == "So is the last."
