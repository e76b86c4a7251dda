"""The first prompt imports only what it needs, and waits for no server; what is wrong with server or model is said
above it, once it is known.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import pytest

if os.name != "posix":
    pytest.skip("a pty is POSIX's", allow_module_level=True)

import pexpect

from tests.faults import Engine, Status, nobody_there
from tests.starting import end
from tests.test_layers import compiles_patterns
from tests.test_store_recovery import damage, fill
from tests.test_terminal import Terminal, terminal

NOBODY = "ollama serve"  # in the hint of the error

# The modules of chatcli that are imported before the first prompt, by their rooms, and what it needs them for.
BEFORE_THE_PROMPT = {
    "": "addresses dataclass errors hints paths pattern suspension text",
    "cli": "main",
    "client": "address hosts server",  # an address that names no server is refused at once
    "commands": "spelling",  # how the prompt spells a command; the commands themselves come later
    "prompt": "bracketed_paste completer drawing editing handover history keys line menu multiline paste reader "
    "terminal_answers terminal_io toolbar typeahead",
    "render": "screen terminal",  # what to ask the terminal; drawing comes later
    "repl": "crash_report first_screen furniture signals startup streams",
    "session": "background known_servers wishes",  # the session itself is built later
    "settings": "file layers quoting setting strategies table values",
}
LIBRARIES = {"prompt_toolkit", "wcwidth"}
# What a start with flags imports besides.
FLAGS = {"chatcli.cli.command_line", "chatcli.cli.flags", "chatcli.cli.help_pages"}
LIBRARIES_OF_FLAGS = {"annotated_doc", "shellingham", "typer"}
# Notes what the main thread imports, until the background begins with what comes later.
NOTING = """
import sys, threading
first, noted = threading.current_thread(), open(sys.argv.pop(1), "w", buffering=1)
noting = True
def note(event, given):
    global noting
    if event == "import" and noting:
        noting = threading.current_thread().name != "chatcli-warm-up"
        if noting and threading.current_thread() is first:
            print(given[0], file=noted)
sys.addaudithook(note)
from chatcli.cli.main import main
main()
"""


@pytest.mark.parametrize("arguments", [(), ("-m", "demo")], ids=["plain", "flags"])
def test_the_first_prompt_imports_only_what_it_needs(
    arguments: tuple[str, ...], tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLLAMA_HOST", engine.url)
    noted = tmp_path / "imported"
    child = pexpect.spawn(sys.executable, ["-c", NOTING, str(noted), *arguments], dimensions=(24, 80), timeout=60)
    try:
        child.expect_exact(">>>")
        found = set(noted.read_text().split())
    finally:
        end(child)
    ours = {name for name in found if name.split(".")[0] == "chatcli"}
    new, gone = ours - listed(*arguments), listed(*arguments) - ours
    assert not new, "import them where they are needed, or list them with what the prompt needs them for"
    assert not gone, "they are no longer imported before the prompt: take them off the list"
    assert not set(filter(compiles_patterns, ours)), "chatcli.pattern compiles them when they are used"
    libraries = {name.split(".")[0] for name in found - ours} - sys.stdlib_module_names
    new = (
        {name for name in libraries if find_spec(name)} - LIBRARIES - (LIBRARIES_OF_FLAGS if arguments else set())
    )
    assert not new, "import them where they are needed"


NOTING_QUESTIONS = """
import sys, threading
noted = open(sys.argv.pop(1), "w", buffering=1)
behind_the_prompt = {"chatcli-warm-up", "chatcli-counting"}
def note(event, given):
    if event == "import" and threading.current_thread().name not in behind_the_prompt:
        print(given[0], file=noted)
sys.addaudithook(note)
from chatcli.cli.main import main
main()
"""


def test_the_first_question_waits_for_no_import(tmp_path: Path, engine: Engine) -> None:
    noted = tmp_path / "imported"
    command = ["-c", NOTING_QUESTIONS, str(noted), "-m", "demo"]
    engine.say("A **reply**.")
    with pexpect_of(command, engine.url) as child:
        child.expect_exact("of 4096")  # all is prepared when the window is known
        before = noted.read_text()
        child.send("hello")
        child.expect_exact("hello")
        child.send("\r")
        child.expect_exact("reply")
        assert noted.read_text().removeprefix(before).split() == []


@contextmanager
def pexpect_of(command: list[str], url: str) -> Iterator[pexpect.spawn[str]]:
    environment = {**os.environ, "OLLAMA_HOST": url}
    child = pexpect.spawn(sys.executable, command, dimensions=(24, 80), timeout=60, env=environment)
    try:
        yield child
    finally:
        end(child)


def listed(*arguments: str) -> set[str]:
    rooms = {f"chatcli.{room}".removesuffix("."): names.split() for room, names in BEFORE_THE_PROMPT.items()}
    modules = {f"{room}.{name}" for room, names in rooms.items() for name in names}
    return {*rooms, *modules, *(FLAGS if arguments else [])}


def line(person: Terminal) -> str:
    """The prompt's line on the screen."""
    return next((row for row in reversed(person.rows) if row.startswith(">>>")), "")


@contextmanager
def never_accepting() -> Iterator[str]:
    """The URL of a server to which a connection is never made: its queue is full."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def never_answering() -> Iterator[str]:
    """The URL of a server that takes requests and does nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_without_a_server_the_hint_stands_above_what_is_typed_and_the_next_question_finds_one() -> None:
    with ExitStack() as stack:
        with nobody_there() as url:
            person = stack.enter_context(terminal("-m", "demo", url=url))
            person.see("Send a message")
            person.press("are you ")
            text = person.see(NOBODY, "are you")
            assert text.index(NOBODY) < text.rindex(">>> are you")
            assert text.count(NOBODY) == 1
        engine = stack.enter_context(Engine(port=urlsplit(url).port or 0))
        engine.say("Here I am.")
        person.press("there?\r")
        person.see("Here I am.")
        assert engine.chats[0]["messages"][-1]["content"] == "are you there?"


@pytest.mark.parametrize("server", [never_accepting, never_answering])
def test_a_server_that_hangs_keeps_no_prompt_waiting(server: Callable[[], AbstractContextManager[str]]) -> None:
    with server() as url, terminal(url=url) as person:
        person.see("Send a message")
        person.press("still here")
        person.until(lambda: line(person) == ">>> still here")
        person.press("\x15\x04")
        assert person.ends() == 0


def test_where_several_models_are_and_none_is_named_the_first_question_asks_which_and_is_sent() -> None:
    with Engine() as engine, terminal(url=engine.url) as person:
        person.see("Which model? None is set", "demo-vision")
        engine.say("A reply.")
        person.enter("a question")
        person.see("1 of 5", "Enter takes")
        person.enter("demo-vision")
        person.see("Model: demo-vision", "A reply.")
        assert engine.chats[0]["model"].startswith("demo-vision")
        assert engine.chats[0]["messages"][-1]["content"] == "a question"


def test_a_server_without_models_says_so_above_the_prompt() -> None:
    with Engine() as engine:
        engine.script(Status(200, '{"models": []}', raw=True), path="/api/tags")
        with terminal(url=engine.url) as person:
            person.see("has no model yet", "Send a message")


def test_on_a_simple_terminal_the_first_question_tells() -> None:
    with nobody_there() as url, terminal("--plain", "-m", "demo", url=url) as person:
        person.see(">>>")
        person.settle()
        assert NOBODY not in person.text
        person.enter("are you there?")
        person.see(NOBODY)
        person.until(lambda: person.text.count("are you there?") == 2)


BESIDE = "is being put into a new one"
SHOWN = "Recovering what can be read of the store"


@pytest.mark.parametrize(
    ("flags", "page", "told"),
    [((), 0, BESIDE), ((), 4, SHOWN), (("--continue",), 0, SHOWN), (("--plain",), 0, SHOWN)],
)
def test_it_is_told_that_a_damaged_store_is_recovered(
    flags: tuple[str, ...], page: int, told: str, home: Path, engine: Engine
) -> None:
    """Beside the prompt, or where something waits for it. The damage is met at the start, or later."""
    fill(home / "chatcli.db")
    damage(home / "chatcli.db", page)
    engine.say("I am here.")
    with terminal("-m", "demo", *flags, url=engine.url) as person:
        person.see(*([told, "The damaged file is kept"] if page == 0 else []), ">>>")
        person.enter("hello?")
        person.see(told, "I am here.")


def test_ctrl_c_ends_only_the_wait_for_the_store_and_what_was_typed_is_in_the_line_again(
    home: Path, engine: Engine
) -> None:
    """To open the store reads its log: of a pipe that takes until somebody writes."""
    fill(home / "chatcli.db", 1)
    log = home / "chatcli.db-wal"
    os.mkfifo(log)
    engine.say("I am here.")
    with terminal("-m", "demo", url=engine.url) as person:
        person.see(">>>")
        person.enter("hello?")
        person.see("Starting")
        person.press("\x03")
        person.until(lambda: person.text.count(">>> hello?") == 2)
        with log.open("wb"):
            log.unlink()
        person.press("\r")
        person.see("I am here.")


def test_a_pipe_says_on_stderr_that_the_store_is_recovered(home: Path, engine: Engine) -> None:
    fill(home / "chatcli.db")
    damage(home / "chatcli.db", 3, 4, 5)
    engine.say("I am here.")
    program = [sys.executable, "-m", "chatcli", "-m", "demo", "hello?"]
    done = subprocess.run(
        program,
        env={**os.environ, "OLLAMA_HOST": engine.url},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stdout == "I am here.\n"
    assert "Recovering what can be read of the store" in done.stderr
