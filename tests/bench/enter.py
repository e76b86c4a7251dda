"""How long from Enter to the first character of a reply, at the prompt? Prints one JSON line.

    python -m tests.bench.enter [--rounds 8]

A server in a process of its own sends its first chunk at once. Each round starts, in a terminal each, chatcli and
a bare prompt_toolkit prompt that calls the ollama library, both in a new conversation and in one of 40 turns. Once
the prompt has been there for a second, messages are sent to each in turn. Times are medians in milliseconds:
`wall` from Enter to the character, `cpu` in that time, `until_sent` from Enter until the server has the request,
`until_drawn` from then on. `more` is the median of the differences to the bare prompt, pair by pair; `least` that
of the shortest times, which what else runs on the machine affects least. `memory` is the peak in megabytes when
the prompt is there (`times_drawn`: divided by that of a prompt which does nothing else), and a second later
(`times_idle`: divided by that of the prompt with the library, which chatcli has imported by then, too).
"""

from __future__ import annotations

import argparse
import json
import os
import re
import select
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from chatcli.demo.protocol import Answer, HttpRequest, HttpResponse
from tests.bench.start import BARE, PATIENCE, PROMPT, environment, in_terminal
from tests.faults import Engine

LIBRARY = """
import json, sys
import ollama
from prompt_toolkit import PromptSession
session, client, said = PromptSession(), ollama.Client(), json.load(open(sys.argv[1]))
while True:
    said.append({"role": "user", "content": session.prompt(">>> ")})
    reply = ""
    for chunk in client.chat("demo", said, stream=True):
        reply += chunk.message.content
        print(chunk.message.content, end="", flush=True)
    print()
    said.append({"role": "assistant", "content": reply})
"""
TURNS = """
from chatcli.chat import Chat
with Chat("demo", save=True) as chat:
    for number in range(40):
        chat.send(f"Question {number}: what is to be said of it?")
"""
MESSAGES = ("first", "second", "third", "fourth")
IDLE = 1.0  # seconds
MARK = re.compile(rb"<(\d+)>")  # nanoseconds of the clock: when the server had the request


@dataclass(frozen=True, slots=True)
class Took:
    """Milliseconds of one message."""

    wall: float
    cpu: float
    until_sent: float
    until_drawn: float


class Program:
    """A program in a terminal. `drawn` and `idle`: its peak of memory when the prompt is there, and later."""

    def __init__(self, arguments: Sequence[str], there: Mapping[str, str]) -> None:
        self._id, self._terminal = in_terminal(arguments, there)
        self.reads_until(PROMPT)
        self.drawn = self._peak()
        self.rests()
        self.idle = self._peak()

    def reads_until(self, wanted: bytes | re.Pattern[bytes]) -> bytes:
        written = b""
        while not re.search(wanted, written):
            if not select.select([self._terminal], [], [], PATIENCE)[0]:
                raise TimeoutError(written.decode("utf-8", "replace"))
            written += os.read(self._terminal, 1 << 16)
        return written

    def rests(self) -> None:
        """Let it do for a second what it does while nobody types."""
        end = time.monotonic() + IDLE
        while (left := end - time.monotonic()) > 0:
            if select.select([self._terminal], [], [], left)[0]:
                os.read(self._terminal, 1 << 16)

    def asks(self, text: str) -> Took:
        os.write(self._terminal, text.encode())
        self.rests()
        cpu, began = self._cpu(), time.perf_counter_ns()
        os.write(self._terminal, b"\r")
        written = self.reads_until(MARK)
        ended, used = time.perf_counter_ns(), self._cpu() - cpu
        mark = MARK.search(written)
        assert mark is not None
        sent = int(mark[1])
        self.rests()
        return Took(*(each / 1e6 for each in (ended - began, used, sent - began, ended - sent)))

    def ends(self) -> None:
        os.kill(self._id, signal.SIGKILL)
        os.waitpid(self._id, 0)
        os.close(self._terminal)

    def _cpu(self) -> int:
        """Nanoseconds of CPU that the process has used: Linux numbers the clocks of others by their process."""
        return time.clock_gettime_ns(~self._id << 3 | 2)

    def _peak(self) -> float:
        """Megabytes."""
        status = Path(f"/proc/{self._id}/status").read_text(encoding="ascii")
        found = re.search(r"VmHWM:\s+(\d+)", status)
        assert found is not None
        return int(found[1]) / 1024


class AtOnce:
    """A fault that does no harm: the first chunk comes before the engine has begun, and says when it was asked."""

    def __call__(self, request: HttpRequest, answer: Answer) -> HttpResponse:
        asked = time.perf_counter_ns()
        return HttpResponse(200, "application/x-ndjson", self._lines(asked, request, answer))

    def _lines(self, asked: int, request: HttpRequest, answer: Answer) -> Iterator[bytes]:
        said = {"role": "assistant", "content": f"`<{asked}>` "}
        yield json.dumps({"model": "demo", "message": said, "done": False}).encode() + b"\n"
        yield from answer(request).chunks


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--serve", action="store_true")
    wishes = parser.parse_args()
    if wishes.serve:
        serve()
        return
    with tempfile.TemporaryDirectory() as home:
        print(json.dumps(measure(Path(home), wishes.rounds)))


def serve() -> None:
    """Print the URL, and serve until standard input ends."""
    with Engine() as engine:
        engine.script(*[AtOnce()] * 100_000)
        print(engine.url, flush=True)
        sys.stdin.read()


@contextmanager
def server() -> Iterator[str]:
    command = [sys.executable, "-m", "tests.bench.enter", "--serve"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.communicate()


def measure(home: Path, rounds: int) -> dict[str, Any]:
    there = environment(home) | {"TERM": "xterm-256color", "PROMPT_TOOLKIT_NO_CPR": "1"}
    with server() as url:
        there["OLLAMA_HOST"] = url
        kept = {"new": home / "new", "of_40_turns": home / "long"}
        for name, code in (("new", "import chatcli.cli.main"), ("of_40_turns", TURNS)):
            run = there | {"CHATCLI_HOME": str(kept[name])}
            subprocess.run([sys.executable, "-c", code], env=run, check=True, stdout=subprocess.DEVNULL)
        first = [sys.executable, "-m", "chatcli", "-m", "demo", "hello"]
        subprocess.run(first, env=there | {"CHATCLI_HOME": str(kept["new"])}, check=True, capture_output=True)
        taken = [one_round(home, kept, there) for _ in range(rounds + 1)][1:]  # the first compiles what is new
    return {"rounds": rounds, "load": round(os.getloadavg()[0], 1)} | figures(taken)


def one_round(home: Path, kept: Mapping[str, Path], there: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, place in kept.items():
        used = home / "used"
        shutil.copytree(place, used)
        said = home / "said.json"
        said.write_text(json.dumps(list(messages_of(name))))
        more = [] if name == "new" else ["--continue"]
        with ExitStack() as stack:
            ours = Program(["-m", "chatcli", *more], {**there, "CHATCLI_HOME": str(used)})
            stack.callback(ours.ends)
            library = Program(["-c", LIBRARY, str(said)], there)
            stack.callback(library.ends)
            found[name] = [(library.asks(text), ours.asks(text)) for text in MESSAGES]
        found[f"{name} memory"] = {"drawn": ours.drawn, "idle": ours.idle, "library": library.idle}
        shutil.rmtree(used)
    bare = Program(["-c", BARE], there)
    bare.ends()
    return found | {"bare memory": bare.idle}


def messages_of(name: str) -> Iterator[dict[str, str]]:
    for number in range(0 if name == "new" else 40):
        yield {"role": "user", "content": f"Question {number}: what is to be said of it?"}
        yield {"role": "assistant", "content": "This and that is to be said of it. " * 5}


def figures(taken: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    bare = statistics.median(each["bare memory"] for each in taken)
    memory: dict[str, Any] = {"bare": round(bare, 1)}
    for name in ("new", "of_40_turns"):
        found[name] = {
            when: compared([pair for each in taken for pair in each[name][chosen]])
            for when, chosen in (("first", slice(0, 1)), ("later", slice(1, None)))
        }
        peaks = median([each[f"{name} memory"] for each in taken])
        times = {"drawn": peaks["drawn"] / bare, "idle": peaks["idle"] / peaks["library"]}
        memory[name] = {**peaks, **{f"times_{part}": round(each, 2) for part, each in times.items()}}
    return {**found, "memory": memory}


def compared(pairs: Sequence[tuple[Took, Took]]) -> dict[str, Any]:
    library, ours = ([asdict(pair[which]) for pair in pairs] for which in (0, 1))
    differences = [
        {part: our[part] - their[part] for part in our} for our, their in zip(ours, library, strict=True)
    ]
    least = min(our["wall"] for our in ours) - min(their["wall"] for their in library)
    medians = {"library": median(library), "chatcli": median(ours), "more": median(differences)}
    return medians | {"least": round(least, 1)}


def median(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {part: round(statistics.median(row[part] for row in rows), 1) for part in rows[0]}


if __name__ == "__main__":
    main()
