"""What a user does, with chatcli and with other programs that are on PATH, in one run. Prints one JSON line.

    python -m tests.bench.peers [--rounds 3] [--kills 3] [--only NAME ...]

All talk to the same server (peer_server.py) with a home of their own, and can reach nothing else. Each round runs
every program in turn:

- one question, not from a terminal: CPU and clock to the end in milliseconds, and the peak of memory in MB;
- a chat in a terminal: the time from exec until a typed key is echoed (it is typed over and over, every 50 ms,
  from when the terminal is in the mode of a line editor); then a reply of one word in one chat, and one of
  `tokens` at 200 a second in another: what the second takes more of CPU, divided by its tokens;
- a kill (SIGKILL) while a reply of numbered words comes: which of what was on the screen is found in the files of
  the program's home, and whether the question is.

Medians of the rounds; of kills, the least that one left. `why`: what could not be measured, and why.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import termios
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from tests.bench.peer_server import COUNT, END, LONG
from tests.bench.start import environment
from tests.test_terminal import Terminal

MODEL, KEY, MARK = "demo", "Z", "Quokka"
PACE = 0.005  # seconds between two tokens of a long reply
KILLED_AT = 300  # words of the reply
PATIENCE = 200.0  # seconds: one of them takes 35 s of CPU to draw the long reply
# What programs ask of a terminal, and what one with a black background and its cursor at {} answers.
ANSWERS = {
    b"\x1b[6n": "\x1b[{};{}R",
    b"\x1b[c": "\x1b[?62c",
    b"\x1b]11;?": "\x1b]11;rgb:0000/0000/0000\x1b\\",
    b"\x1b]10;?": "\x1b]10;rgb:ffff/ffff/ffff\x1b\\",
}
EDITING = termios.ICANON | termios.ECHO  # what a line editor turns off
# Runs a program, and tells seconds on the clock, of CPU, and the peak of memory in kB. A small process does it:
# the peak of a new process is at least what the one that starts it has.
LAUNCH = """
import os, sys, time
began = time.monotonic()
pid = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ)
_, status, used = os.wait4(pid, 0)
wall = time.monotonic() - began
told = f"{status} {wall} {used.ru_utime + used.ru_stime} {used.ru_maxrss}".encode()
os.write(int(os.environ["TELL"]), told)
"""


@dataclass(frozen=True, slots=True)
class Peer:
    """`chat` and `ask`: its arguments for a chat and for one question. `environment`: what it needs to find the
    server. In both `{url}` is the server's address, `{home}` its home, `{fresh}` another word for each chat.
    `prepare` gets the path of the program, its home, and its environment.
    """

    name: str
    chat: Sequence[str]
    ask: Sequence[str] | None
    environment: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[str, Path, Mapping[str, str]], None] = lambda *_: None


def oterm_chat(path: str, home: Path, there: Mapping[str, str]) -> None:
    """Make a chat as it makes one, since a new one is made in a form; turn its opening picture off."""
    (home / "data").mkdir()
    (home / "data" / "config.json").write_text('{"splash-screen": false}')
    python = Path(path).read_text(encoding="utf-8").splitlines()[0].removeprefix("#!").strip()
    make = (
        "import asyncio\nfrom oterm.store.store import Store\nfrom oterm.types import ChatModel\n"
        "async def make():\n    store = await Store.get_store()\n"
        f"    await store.save_chat(ChatModel(name='a chat', model='{MODEL}:latest'))\nasyncio.run(make())"
    )
    subprocess.run([python, "-c", make], env=there, check=True, capture_output=True, timeout=PATIENCE)


def aichat_client(_path: str, home: Path, there: Mapping[str, str]) -> None:
    folder = home / ".config" / "aichat"
    folder.mkdir(parents=True)
    address = f"{there['OLLAMA_HOST']}/v1"
    client = {"type": "openai-compatible", "name": "local", "api_base": address, "models": [{"name": MODEL}]}
    written = {"model": f"local:{MODEL}", "save_session": True, "clients": [client]}
    (folder / "config.yaml").write_text(json.dumps(written))  # YAML has JSON in it


PEERS = (
    Peer("chatcli", ("-m", MODEL), ("-m", MODEL, "hi")),
    Peer("ollama", ("run", MODEL), ("run", MODEL, "hi")),
    Peer("llm", ("chat", "-m", MODEL), ("-m", MODEL, "hi")),
    Peer("oterm", (), None, {"OTERM_DATA_DIR": "{home}/data", "OLLAMA_URL": "{url}"}, oterm_chat),
    Peer(
        "gptme",
        ("--name", "talk-{fresh}", "-m", f"local/{MODEL}"),
        ("--non-interactive", "-m", f"local/{MODEL}", "hi"),
        {"OPENAI_BASE_URL": "{url}/v1", "OPENAI_API_KEY": "none"},
    ),
    Peer("aichat", (), ("hi",), prepare=aichat_client),
)


Work = Callable[["Program", dict[str, Any]], None]  # puts figures into the dictionary


class Unmeasured(Exception):
    """What the program did not do."""


@dataclass(frozen=True, slots=True)
class Program:
    """One that is there: `command` starts it."""

    peer: Peer
    command: Sequence[str]
    home: Path
    there: Mapping[str, str]

    def at(self, url: str) -> dict[str, str]:
        """Its environment, with this server and a way to nothing else."""
        own = {name: value.format(url=url, home=self.home) for name, value in self.peer.environment.items()}
        nowhere = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:9")
        here = dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost")
        return {**self.there, **nowhere, **here, "OLLAMA_HOST": url, **own}


class Chat(Terminal):
    """A program in a terminal, which is measured."""

    def __init__(self, program: Program, url: str) -> None:
        fresh = time.monotonic_ns()
        self._command = [*program.command, *(each.format(fresh=fresh) for each in program.peer.chat)]
        self._environment = program.at(url)
        self._began = time.monotonic()
        super().__init__(directory=str(program.home))

    def _begin(
        self, _arguments: Sequence[str], _variables: Mapping[str, str], theirs: int, directory: str
    ) -> subprocess.Popen[bytes]:
        self._process = subprocess.Popen(
            self._command, stdin=theirs, stdout=theirs, stderr=theirs, env=self._environment, cwd=directory,
            preexec_fn=lambda: os.login_tty(theirs),  # noqa: PLW1509 it takes no lock
        )  # fmt: skip
        return self._process

    def ready(self) -> float:
        """Type the key until it is echoed; seconds since the start."""
        end, last = self._began + PATIENCE, 0.0
        while KEY not in self.text:
            now = time.monotonic()
            if now > end or self._process.poll() is not None:
                raise self._without("no prompt that shows a key")
            if now > last + 0.05 and not termios.tcgetattr(self._end)[3] & EDITING:
                self.press(KEY)
                last = now
            self._read(0.005)
        return time.monotonic() - self._began

    def asked(self, question: str, seen: Callable[[str], bool]) -> None:
        """Enter it, once what was typed before is shown, and wait until the screen has what is wanted."""
        self.listen(0.5)
        self.press(f" {question}")
        self.listen(0.5)
        self.press("\r")
        end = time.monotonic() + PATIENCE
        while not seen(self.text):
            if time.monotonic() > end or self._process.poll() is not None:
                raise self._without("no reply")
            self._read()

    def _without(self, what: str) -> Unmeasured:
        self.listen(0.2)
        return Unmeasured(f"{what}, but {_tail(self.text)}")

    def listen(self, seconds: float) -> None:
        """Read what comes in so many seconds; a cursor that blinks is never at rest."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._read(left)

    def take(self, came: bytes) -> None:
        super().take(came)
        cursor = self.screen.cursor
        for asked, answer in ANSWERS.items():
            for _ in range(came.count(asked)):
                self.press(answer.format(cursor.y + 1, cursor.x + 1))

    def killed(self) -> float:
        """End it and what it started; seconds of CPU that it took."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        _, status, used = os.wait4(self._process.pid, 0)
        self._process.returncode = os.waitstatus_to_exitcode(status)
        return used.ru_utime + used.ru_stime


def _tail(text: str) -> str:
    """The last words of a screen, in quotes."""
    return f'"{" ".join(re.sub("[^!-~]+", " ", text).split())[-80:]}"'


@contextmanager
def chat(program: Program, url: str) -> Iterator[Chat]:
    opened = Chat(program, url)
    try:
        yield opened
    finally:
        if opened._process.returncode is None:
            opened.killed()
        opened.close()


def one_question(program: Program, found: dict[str, Any], url: str) -> None:
    if program.peer.ask is None:
        raise Unmeasured("it takes no question from the shell")
    read, write = os.pipe()
    with os.fdopen(read, "rb") as told:
        done = subprocess.run(
            [sys.executable, "-ISc", LAUNCH, *program.command, *program.peer.ask],
            env=program.at(url) | {"TELL": str(write)},
            cwd=program.home, check=False, capture_output=True, stdin=subprocess.DEVNULL,
            pass_fds=[write], timeout=PATIENCE,
        )  # fmt: skip
        os.close(write)
        status, wall, cpu, memory = told.read().split()
    if int(status) or b"Hello" not in done.stdout:
        raise Unmeasured(f"no reply, but {_tail((done.stdout + done.stderr).decode('utf-8', 'replace'))}")
    found["question_cpu_ms"], found["question_wall_ms"] = (round(float(each) * 1000) for each in (cpu, wall))
    found["question_peak_mb"] = round(int(memory) / 1024)


def start_and_reply(program: Program, found: dict[str, Any], fast: str, paced: str, tokens: int) -> None:
    """The time of a start, and what a token of a long reply costs."""
    with chat(program, fast) as short:
        found["start_ms"] = round(short.ready() * 1000)
        short.asked("hi", lambda text: "Hello" in text)
        short.listen(0.5)
        before = short.killed()
    with chat(program, paced) as long:
        long.ready()
        long.asked(LONG, lambda text: END in text)
        long.listen(0.5)
        more = long.killed() - before
    if more <= 0:
        raise Unmeasured("a start takes more or less CPU than the reply adds")
    found["token_us"] = round(more / tokens * 1e6)


def kill(program: Program, found: dict[str, Any], paced: str) -> None:
    """What is left of a question and of the words that were shown of its reply."""
    mark = f"{MARK}{time.monotonic_ns()}"
    with chat(program, paced) as talk:
        talk.ready()
        talk.asked(f"{mark} {COUNT}", lambda text: _last_word(text) >= KILLED_AT)
        shown = _last_word(talk.text) + 1
        talk.killed()
    files = (path for path in program.home.rglob("*") if path.is_file() and "compiled" not in path.parts)
    kept = b"\n".join(path.read_bytes() for path in files)
    words = {int(each) for each in re.findall(rb"w(\d{4})", kept)}
    found["kill_question_kept"] = mark.encode() in kept
    found["kill_reply_kept_percent"] = round(100 * len(words & set(range(shown))) / shown)


def _last_word(text: str) -> int:
    return max((int(each) for each in re.findall(r"w(\d{4})", text)), default=-1)


@contextmanager
def server(pace: float) -> Iterator[str]:
    command = [sys.executable, "-m", "tests.bench.peer_server", "--pace", str(pace)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()


def tokens_of(url: str) -> int:
    """How many tokens the long reply has."""
    body = {"model": MODEL, "messages": [{"role": "user", "content": LONG}], "stream": False}
    request = urllib.request.Request(f"{url}/api/chat", json.dumps(body).encode())
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as response:
        return int(json.load(response)["eval_count"])


def programs(place: Path, url: str, wanted: Sequence[str]) -> Iterator[Program]:
    for peer in PEERS:
        path = shutil.which(peer.name)
        command = [sys.executable, "-m", "chatcli"] if peer.name == "chatcli" else [path] if path else []
        if not command or (wanted and peer.name not in wanted):
            continue
        home = place / peer.name
        home.mkdir()
        there = environment(home) | {"TERM": "xterm-256color"}
        if peer.name != "chatcli":
            there.pop("PYTHONPYCACHEPREFIX")  # an installed program is compiled already
        program = Program(peer, command, home, there)
        peer.prepare(str(path), home, program.at(url))
        yield program


def measure(place: Path, rounds: int, kills: int, wanted: Sequence[str]) -> dict[str, Any]:
    with ExitStack() as stack:
        fast, paced = (stack.enter_context(server(pace)) for pace in (0.0, PACE))
        tokens = tokens_of(fast)
        there = list(programs(place, fast, wanted))
        question: Work = partial(one_question, url=fast)
        talk: Work = partial(start_and_reply, fast=fast, paced=paced, tokens=tokens)
        taken = in_turn(there, [*[question] * (rounds + 1), *[talk] * rounds])
        lost = in_turn(there, [partial(kill, paced=paced)] * kills)
    asked = [peer.name for peer in PEERS if not wanted or peer.name in wanted]
    left_out = {name: {"why": "not on PATH"} for name in asked if name not in taken}
    figures = {
        name: merged(together(taken[name][1:], statistics.median), together(lost[name], min)) for name in taken
    }
    return {"rounds": rounds, "kills": kills, "tokens": tokens, "programs": figures | left_out}


def in_turn(there: Sequence[Program], works: Sequence[Work]) -> dict[str, list[dict[str, Any]]]:
    """What each program gives for each work, all programs before the next work."""
    found: dict[str, list[dict[str, Any]]] = {program.peer.name: [] for program in there}
    for work in works:
        for program in there:
            found[program.peer.name].append(tried(work, program))
    return found


def tried(work: Work, program: Program) -> dict[str, Any]:
    """Its figures as far as they came, and why there are no more."""
    found: dict[str, Any] = {}
    try:
        work(program, found)
    except (Unmeasured, OSError, subprocess.TimeoutExpired, AssertionError) as error:
        found["why"] = str(error)
    return found


def together(rounds: Sequence[Mapping[str, Any]], which: Callable[[list[Any]], Any]) -> dict[str, Any]:
    """For each figure, `which` of those that there are; why there is none, in words."""
    names = dict.fromkeys(name for each in rounds for name in each if name != "why")
    whys = dict.fromkeys(each["why"] for each in rounds if "why" in each)
    figures = {name: which([each[name] for each in rounds if name in each]) for name in names}
    return figures | ({"why": "; ".join(whys)} if whys else {})


def merged(*parts: Mapping[str, Any]) -> dict[str, Any]:
    whys = dict.fromkeys(part["why"] for part in parts if "why" in part)
    return {name: each for part in parts for name, each in part.items()} | (
        {"why": "; ".join(whys)} if whys else {}
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=[])
    wishes = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
        print(json.dumps(measure(Path(place), wishes.rounds, wishes.kills, wishes.only)))


if __name__ == "__main__":
    main()
