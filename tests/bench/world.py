"""A world of its own for each case of `tests.bench.inputs`: a home, a working directory, a demo engine."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import sqlite3
import subprocess
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from tests.faults import Engine
from tests.starting import Process, _lead_terminal, start
from tests.test_terminal import Terminal

PATIENCE = 20.0  # seconds that a word may take to come to the screen
CEILING = 90.0  # seconds after which the programs of a case are killed
MEMORY = 1 << 31  # bytes of address space: several times what chatcli needs
HERE = "{here}"  # in an argument: the working directory


@dataclass(frozen=True, slots=True)
class Done:
    """What a program that ended has written, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """Both, without the breaks of lines that a width makes."""
        return " ".join((self.out + " " + self.err).split())

    @property
    def object(self) -> dict[str, Any]:
        """The JSON object that was printed."""
        read: dict[str, Any] = json.loads(self.out)
        return read

    def ended(self, *codes: int) -> Done:
        """Check that it ended so, and that nothing went wrong in chatcli itself."""
        assert self.code in codes, f"exit code {self.code}: {self.said[:300]}"
        return self.sound()

    def sound(self) -> Done:
        for word in ("Traceback", "inside chatcli itself", "Error:", "faults.log"):
            assert word not in self.err, self.err[-300:]
        assert self.code >= 0, f"ended by signal {-self.code}: too long or too much"
        return self


class Person(Terminal):
    """A person at the keyboard of a pty; `written` is all that the program has sent there."""

    def __init__(self, *arguments: str, **options: Any) -> None:
        self.written = b""
        super().__init__(*arguments, **options)

    @property
    def pid(self) -> int:
        return self._program.pid

    @property
    def running(self) -> bool:
        return self._program.poll() is None

    @property
    def cursor_is_hidden(self) -> bool:
        return bool(self._screen.cursor.hidden)

    @property
    def line(self) -> str:
        """What stands behind the last prompt, with the rows that follow it."""
        return self.text.rpartition(">>> ")[2]

    def take(self, came: bytes) -> None:
        self.written += came
        super().take(came)

    def see(self, *words: str, patience: float = PATIENCE) -> str:
        return super().see(*words, patience=patience)

    def ready(self) -> Person:
        """Wait for an empty prompt."""
        self.see("Send a message")
        return self

    def say(self, line: str, *words: str) -> str:
        """Type a line, and wait for these words."""
        self.enter(line)
        return self.see(*words) if words else self.settle()

    def tells(self, line: str, pattern: str) -> str:
        """Type a line, and wait for what this pattern matches behind it; what is there."""
        before = self.text.count(line)

        def after() -> str:
            return line.join(self.text.split(line)[before + 1 :])

        self.enter(line)
        self.until(lambda: re.search(pattern, after()) is not None)
        self.settle()
        return after()

    def until(self, happened: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not happened():
            assert time.monotonic() < end, self.text
            self._read()


class AtShell(Person):
    """A person at a shell, which can stop programs and continue them."""

    def _begin(
        self, arguments: Sequence[str], variables: Mapping[str, str], theirs: int, directory: str
    ) -> Process:
        return subprocess.Popen(
            ["bash", "--norc", "--noprofile", "-i"],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**variables, "PS1": "shell> "},
            cwd=directory,
            preexec_fn=_lead_terminal,  # noqa: PLW1509 it takes no lock
        )


@dataclass(slots=True)
class World:
    """Everything that one case has. `here` is the working directory of its programs."""

    root: Path
    engine: Engine
    model: str = "demo"
    _programs: list[Process | Person] = field(default_factory=list)

    @property
    def here(self) -> Path:
        return self.root / "here"

    @property
    def home(self) -> Path:
        return self.root / "home"

    def file(self, name: str, data: bytes | str | Any = b"") -> Path:
        """A file in the working directory, or anywhere; what is neither bytes nor text is written as JSON."""
        path = self.here / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not isinstance(data, (bytes, str)):
            data = json.dumps(data)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    def pipe(
        self,
        *arguments: str,
        given: bytes | None = None,
        directory: Path | None = None,
        **variables: str,
    ) -> Done:
        """Run chatcli with `given` on standard input, until it ends or takes too long or too much."""
        nothing = os.open(os.devnull, os.O_RDONLY)
        (read, write), (out, to_out), (err, to_err) = os.pipe(), os.pipe(), os.pipe()
        theirs = (nothing if given is None else read, to_out, to_err)
        try:
            program = self.begin(arguments, theirs, directory, **variables)
        finally:
            for each in (nothing, read, to_out, to_err):
                os.close(each)
        with os.fdopen(out, "rb") as output, os.fdopen(err, "rb") as errors, ThreadPoolExecutor(3) as pool:
            pool.submit(_write, write, given or b"")
            written, said = pool.submit(output.read), pool.submit(errors.read)
        return Done(program.wait(), written.result().decode(), said.result().decode())

    def begin(
        self, arguments: Sequence[str], streams: Sequence[int], directory: Path | None = None, **variables: str
    ) -> Process:
        arguments = [each.replace(HERE, str(self.here)) for each in arguments]
        program = start(arguments, self.variables(**variables), streams, str(directory or self.here))
        self._programs.append(program)
        with suppress(OSError):
            resource.prlimit(program.pid, resource.RLIMIT_AS, (MEMORY, MEMORY))
        return program

    @contextmanager
    def terminal(
        self, *arguments: str, columns: int = 80, rows: int = 24, at: type[Person] = Person, **variables: str
    ) -> Iterator[Person]:
        where = variables.pop("directory", str(self.here))
        arguments = tuple(each.replace(HERE, str(self.here)) for each in arguments)
        person = at(*arguments, columns=columns, rows=rows, directory=where, **self.variables(**variables))
        self._programs.append(person)
        try:
            yield person
        finally:
            person.close()

    def variables(self, **more: str) -> dict[str, str]:
        own = {
            "CHATCLI_HOME": str(self.home),
            "CHATCLI_MODEL": self.model,
            "CHATCLI_RETRIES": "0",
            "OLLAMA_HOST": self.engine.url,
            "TERM": "xterm-256color",
            "HOME": str(self.root),
            "PYTHONPATH": str(Path(__file__).parent.parent.parent),
        }
        return {**os.environ, **own, **more}

    @property
    def asked(self) -> list[str]:
        """The questions that the server has got, as they were sent."""
        return [chat["messages"][-1]["content"] for chat in self.engine.chats]

    @property
    def pictures(self) -> int:
        """How many pictures went with the last question."""
        return len(self.engine.chats[-1]["messages"][-1].get("images") or [])

    def stored(self, query: str) -> list[Any]:
        """The first column of what a query of the store finds."""
        with closing(sqlite3.connect(self.home / "chatcli.db")) as store:
            return [row[0] for row in store.execute(query)]

    def anything_of(self, text: str) -> list[str]:
        """The files of the home that hold this text."""
        files = [path for path in self.home.rglob("*") if path.is_file()]
        return [path.name for path in files if text.encode() in path.read_bytes()]

    def kill(self) -> None:
        for program in self._programs:
            with suppress(ProcessLookupError):
                os.kill(program.pid, signal.SIGKILL)


Check = Callable[..., None]


@dataclass(frozen=True, slots=True)
class Case:
    """One input of a kind: `row` numbers the kind, and `run` raises where something does not hold."""

    row: int
    name: str
    run: Callable[[World], None]


CASES: list[Case] = []


def kind(row: int, *inputs: Any, model: str = "demo", **named: Any) -> Callable[[Check], Check]:
    """The check below is a case for each of these inputs, which it gets after the world: as one argument, or as
    several from a tuple. An input is named by itself, or as it is given here. Without inputs it is one case.
    """

    def add(check: Check) -> Check:
        cases = [(_name(each), each) for each in inputs] + list(named.items())
        for name, each in cases or [("", ())]:
            given = each if isinstance(each, tuple) else (each,)
            whole = f"{row} {check.__name__}" + f": {name}" * bool(name)
            CASES.append(Case(row, whole, partial(_run, check, given, model)))
        return check

    return add


def _run(check: Check, given: Sequence[Any], model: str, world: World) -> None:
    world.model = model
    check(world, *given)


def _name(given: Any) -> str:
    words = (
        given if isinstance(given, str) else " ".join(map(str, given)) if isinstance(given, tuple) else str(given)
    )
    return words if len(words) < 40 else words[:39] + "…"


def tried(case: Case, root: Path) -> str:
    """Run a case in a new world below `root`; what did not hold, "" for nothing."""
    with ExitStack() as stack:
        world = World(root, stack.enter_context(Engine()))
        world.here.mkdir(parents=True)
        watch = threading.Timer(CEILING, world.kill)
        watch.start()
        stack.callback(watch.cancel)
        stack.callback(world.kill)
        try:
            case.run(world)
            faults = world.home / "faults.log"
            assert not faults.exists(), faults.read_text()[-600:]
        except Exception as error:
            return f"{_where(error)}\n{str(error).rstrip()[-900:]}"
    return ""


def _where(error: Exception) -> str:
    """The line of the check that did not hold."""
    frames = traceback.extract_tb(error.__traceback__)
    at = next((frame for frame in reversed(frames) if "inputs_" in frame.filename), frames[-1])
    return f"{type(error).__name__} at {at.lineno}: {at.line}"


def _write(descriptor: int, given: bytes) -> None:
    with suppress(BrokenPipeError), os.fdopen(descriptor, "wb") as stream:
        stream.write(given)
