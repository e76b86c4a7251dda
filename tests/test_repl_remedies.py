"""Without a server the loop offers to start Ollama, without the model to download it; then it asks again."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

if os.name != "posix":
    pytest.skip("a pty is POSIX's", allow_module_level=True)

from chatcli.demo.protocol import Answer, HttpRequest, HttpResponse
from tests.faults import Engine, Hang, Lines
from tests.starting import ROOT, run
from tests.test_terminal import Terminal, terminal

# A program that takes `serve`, as Ollama's does, and starts a server that answers.
OLLAMA = f"""#!{sys.executable}
import os, signal, sys
sys.path.insert(0, {str(ROOT)!r})
open(os.environ["NOTED"], "a").write(f"{{os.getpid()}}\\n")
assert sys.argv[1:] == ["serve"]
if os.environ.get("FAILS"):
    sys.exit("Error: listen tcp: the address is in use")
if os.environ.get("HANGS"):
    signal.pause()
from tests.faults import Engine
host, _, port = os.environ["OLLAMA_HOST"].partition(":")
with Engine(port=int(port)):
    signal.pause()
"""


class Ollama:
    """The program on the PATH of a terminal; `noted` are the processes that were started."""

    def __init__(self, folder: Path) -> None:
        self.noted = folder / "noted"
        program = folder / "ollama"
        program.write_text(OLLAMA)
        program.chmod(0o755)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        self.environment = {
            "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
            "NOTED": str(self.noted),
            "OLLAMA_HOST": self.address,
        }

    @property
    def started(self) -> list[int]:
        return [int(line) for line in self.noted.read_text().split()] if self.noted.exists() else []

    @property
    def running(self) -> list[int]:
        return [each for each in self.started if _is_alive(each)]


def _is_alive(process: int) -> bool:
    """Whether it runs; one that has ended and was not waited for does not."""
    with suppress(OSError):
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


@pytest.fixture
def ollama(tmp_path: Path) -> Iterator[Ollama]:
    program = Ollama(tmp_path)
    yield program
    for each in program.running:
        os.kill(each, 9)


@contextmanager
def opened(*arguments: str, **environment: str) -> Iterator[Terminal]:
    person = Terminal(*arguments, columns=80, rows=24, **environment)
    try:
        yield person
    finally:
        person.close()


def until(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.parametrize("stops", [True, False])
def test_ollama_is_started_the_question_goes_on_and_it_stops_at_the_end_or_not_as_asked(
    ollama: Ollama, stops: bool
) -> None:
    with opened("-m", "demo", **ollama.environment) as person:
        person.see("nothing is listening", "Start Ollama with /serve", "Send a message")
        person.enter("who are you?")
        person.see("Start Ollama with `ollama serve`? [Y/n]")
        person.press("\r")
        person.see("Stop it when chatcli ends? [Y/n]")
        person.enter("y" if stops else "n")
        person.see(f"Ollama answers at http://{ollama.address}")
        person.see("No language model is behind this", "Send a message")
        assert len(ollama.running) == 1
        person.press("/bye\r")
        assert person.ends() == 0
    until(lambda: bool(ollama.running) != stops)


def test_who_declines_is_told_what_to_do_and_not_asked_again(ollama: Ollama) -> None:
    with opened("-m", "demo", **ollama.environment) as person:
        person.see("Start Ollama with /serve", "Send a message")
        person.enter("who are you?")
        person.see("[Y/n]")
        person.enter("n")
        person.until(lambda: person.text.count("Start Ollama with /serve") >= 2)
        person.until(lambda: person.text.count(">>> who are you?") == 2)
        person.press("\r")
        person.until(lambda: person.text.count("Start Ollama with /serve") >= 3)
        assert person.text.count("[Y/n]") == 1
    assert not ollama.started


def test_in_a_simple_terminal_enter_alone_starts_nothing(ollama: Ollama) -> None:
    with opened("-m", "demo", "--plain", **ollama.environment) as person:
        person.see(">>>")
        person.enter("who are you?")
        person.see("[y/N]")
        person.press("\r")
        person.see("Start Ollama with /serve")
    assert not ollama.started


def test_in_a_pipe_nobody_is_asked_and_the_error_says_what_to_type(ollama: Ollama) -> None:
    done = run(["-m", "demo", "hello"], {**os.environ, **ollama.environment}, b"")
    assert done.returncode == 5
    assert b"Start Ollama with `ollama serve`." in done.stderr
    assert not ollama.started


def test_ctrl_c_ends_the_waiting_and_the_question_is_in_the_line(ollama: Ollama) -> None:
    with opened("-m", "demo", **ollama.environment, HANGS="1") as person:
        person.see("Send a message")
        person.enter("who are you?")
        person.see("[Y/n]")
        person.press("\r")
        person.see("Stop it when chatcli ends?")
        person.press("\r")
        person.see("starts at", " s")
        person.press("\x03")
        person.see("Stopped.")
        person.until(lambda: person.text.count(">>> who are you?") == 2)
        until(lambda: len(ollama.running) == 1)
        person.press("\x15/bye\r")
        assert person.ends() == 0
    until(lambda: not ollama.running)


def test_a_server_that_ends_at_once_says_why(ollama: Ollama) -> None:
    with opened("-m", "demo", **ollama.environment, FAILS="1") as person:
        person.see("Send a message")
        person.enter("/serve")
        person.see("`ollama serve` ended at once", "Error: listen tcp: the address is in use")


def test_where_ollama_is_not_installed_it_is_said_where_to_get_it(tmp_path: Path, ollama: Ollama) -> None:
    (tmp_path / "ollama").unlink()
    with opened("-m", "demo", **ollama.environment | {"PATH": str(tmp_path)}) as person:
        person.see("https://ollama.com/download", "chatcli --demo", "Send a message")
        person.enter("who are you?")
        person.until(lambda: person.text.count("https://ollama.com/download") == 2)
        assert "[Y/n]" not in person.text


# A model that is missing


def download(engine: Engine) -> Callable[[HttpRequest, Answer], HttpResponse]:
    """A pull of two layers, after which the server has the model `tiny`."""
    layers = [("one", 100_000_000), ("two", 20_000_000)]
    said = [
        {"status": f"pulling {digest}", "digest": digest, "completed": done, "total": total}
        for digest, total in layers
        for done in (0, total)
    ]
    written: list[str | dict[str, Any]] = [{"status": "pulling manifest"}, *said, {"status": "success"}]

    def fault(request: HttpRequest, answer: Answer) -> HttpResponse:
        engine.inside.shelf.copy("demo", "tiny")
        return Lines(written)(request, answer)

    return fault


def test_a_missing_model_is_downloaded_and_the_question_goes_on_with_it() -> None:
    with Engine() as engine, terminal("-m", "tiny", url=engine.url) as person:
        engine.script(download(engine), path="/api/pull")
        engine.say("Here I am.")
        person.see("no model named tiny", "Send a message")
        person.enter("who are you?")
        person.see("Download tiny now? [Y/n]")
        person.press("\r")
        person.see("pulling tiny", "100%  120.0 MB of 120.0 MB", "Here I am.")
        assert [each["model"] for each in engine.chats] == ["tiny"]
        assert len([row for row in person.rows if row.startswith("pulling tiny")]) == 1


def test_where_there_is_no_model_at_all_one_is_offered() -> None:
    with Engine() as engine:
        for each in [*engine.inside.shelf]:
            engine.inside.shelf.delete(each.name)
        with terminal(url=engine.url) as person:
            person.see("has no model yet", "Send a message")
            person.enter("who are you?")
            person.see("Download llama3.2 now? [Y/n]")
            person.enter("n")
            person.see("Get one: /pull llama3.2")
            person.until(lambda: person.text.count(">>> who are you?") == 2)


def test_ctrl_c_stops_a_download_keeps_what_came_and_says_how_to_go_on() -> None:
    with Engine() as engine, terminal("-m", "tiny", url=engine.url) as person:
        engine.script(Hang(after=1), path="/api/pull")
        person.see("no model named tiny", "Send a message")
        person.enter("who are you?")
        person.see("[Y/n]")
        person.press("\r")
        person.see("pulling manifest")
        person.press("\x03")
        person.see("What came is kept: /pull tiny goes on from there.", "Stopped.")
        person.until(lambda: person.text.count(">>> who are you?") == 2)
