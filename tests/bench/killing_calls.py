"""Kills the whole program (SIGKILL, in a pipe and in a pty) at random moments of turns with calls of tools.

    python -m tests.bench.killing_calls [--kills 100]

Prints one JSON line of counts. Each question makes the model call a shell command twice or three times, which
notes its own number in a file: so the file says what ran, and how often. Each program continues where the killed
one was, with another question or /continue.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from signal import SIGKILL

from chatcli.conversation.message import Role
from chatcli.conversation.tree import Ended, Node
from chatcli.store.store import Store
from tests.bench.killing import last_of, nodes_of
from tests.faults import Engine
from tests.starting import ROOT, start
from tests.test_terminal import Terminal

PACE = 0.003
# The command: it notes its number when it begins, and again when it has done something for a moment.
SCRIPT = "echo $1 >> began\nsleep 0.1\necho $1 >> ran\nsleep 0.1\necho noted $1\n"
ALLOW = ("--tools=run", "--allow", "run(sh note.sh *)", "--strategy", "trim")
OPEN = {Ended.ASKED, Ended.ALLOWED, Ended.RUNNING}
NUMBER = re.compile(r"note\.sh (\d+)")


@dataclass(slots=True)
class Counts:
    """What was tried: kills by when they came (`in_call`: at least one call was left without a result); `calls` by
    how they were left (`done`, `may_have_run`, `not_run`), and replies whose calls
    have no message (`never_begun`). What must stay zero: `lost` messages or results; `repeated` calls; calls that
    ran and are shown as not run (`undone`); calls that are shown as done and did `nothing`; what is `not_shown` by
    the next program; `damage` of the store.
    """

    kills: int = 0
    in_pipe: int = 0
    in_pty: int = 0
    while_starting: int = 0
    in_call: int = 0
    questions: int = 0
    continued: int = 0
    calls: int = 0
    ran: int = 0
    done: int = 0
    may_have_run: int = 0
    not_run: int = 0
    never_begun: int = 0
    lost: int = 0
    repeated: int = 0
    undone: int = 0
    nothing: int = 0
    not_shown: int = 0
    damage: int = 0

    @property
    def none_lost(self) -> bool:
        return not (self.lost or self.repeated or self.undone or self.nothing or self.not_shown or self.damage)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=100)
    wishes = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        print(json.dumps(asdict(kill_in_calls(Path(place), wishes.kills))))


def kill_in_calls(place: Path, kills: int) -> Counts:
    """`place`: an empty folder, for the store and for what the command notes."""
    (place / "note.sh").write_text(SCRIPT)
    killing = Killing(place, Counts())
    with Engine(pace=PACE) as engine:
        for _ in range(kills):
            killing.step(engine)
        time.sleep(1)  # what still ran when its chatcli was killed
    killing.judge()
    return killing.counts


@dataclass(slots=True)
class Killing:
    """`known`: what was stored before; `asked`: how many calls were asked for."""

    place: Path
    counts: Counts
    known: dict[int, Node] = field(default_factory=dict)
    asked: int = 0

    def step(self, engine: Engine) -> None:
        """One program, from its start to its end."""
        in_pty = random.random() < 0.5
        last = last_of(self.home) if self.known else None
        goes_on = last is not None and is_open(last) and in_pty and random.random() < 0.6
        line = "/continue" if goes_on else self._question()
        self.counts.continued += goes_on
        self.counts.questions += not goes_on
        before = len(engine.chats)
        arguments = ["--continue", *ALLOW] if self.known else ["-m", "demo-tools", *ALLOW]
        (self._in_pty if in_pty else self._in_pipe)(engine, arguments, line, last)
        self.counts.kills += 1
        self._look(engine, before, line)

    @property
    def home(self) -> Path:
        return self.place / "home"

    def _question(self) -> str:
        numbers = range(self.asked, self.asked + random.choice([2, 3]))
        self.asked = numbers.stop
        return " ".join(f'call run {{"command": "sh note.sh {number}"}}' for number in numbers)

    def _in_pipe(self, engine: Engine, arguments: Sequence[str], line: str, _last: Node | None) -> None:
        self.counts.in_pipe += 1
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "OLLAMA_HOST": engine.url,
            "CHATCLI_HOME": str(self.home),
        }
        with pipes() as streams:
            program = start([*arguments, line], environment, streams, str(self.place))
        moment = self._moment(engine, line)
        while not moment() and program.poll() is None:
            time.sleep(0.01)
        with suppress(ProcessLookupError):
            os.kill(program.pid, SIGKILL)
        program.wait()

    def _in_pty(self, engine: Engine, arguments: Sequence[str], line: str, last: Node | None) -> None:
        self.counts.in_pty += 1
        variables = {"OLLAMA_HOST": engine.url, "CHATCLI_HOME": str(self.home)}
        person = Terminal(*arguments, columns=200, rows=24, directory=str(self.place), **variables)
        try:
            if random.random() < 0.1:
                self.counts.while_starting += 1
                time.sleep(random.uniform(0, 0.8))
                person.kill()
                return
            person.see("Send a message")
            self.counts.not_shown += last is not None and not all(
                word in person.settle(0.2) for word in words(last)
            )
            moment = self._moment(engine, line)
            person.enter(line)
            person.until(moment)
            person.kill()
        finally:
            person.close()

    def _look(self, engine: Engine, before: int, line: str) -> None:
        """Compare what is stored with what was stored before, and with what was sent."""
        if not (self.home / "chatcli.db").exists():
            return
        now = nodes_of(self.home)
        new = [node for number, node in now.items() if number not in self.known]
        self.counts.in_call += any(node.message.role is Role.TOOL and node.ended in OPEN for node in new)
        self.counts.lost += sum(now.get(number) != node for number, node in self.known.items())
        self.known = now
        sent = [each for body in engine.chats[before:] for each in body["messages"]]
        stored = {node.message.text for node in now.values()}
        asked = any(each["role"] == "user" and each["content"] == line for each in sent)
        self.counts.lost += asked and line not in stored
        results = {each["content"] for each in sent if each["role"] == "tool"}
        self.counts.lost += len(results - stored)

    def judge(self) -> None:
        """Compare what the calls say became of them with what ran."""
        counts = self.counts
        began, ran = self._noted("began"), self._noted("ran")
        counts.ran = len(ran)
        counts.repeated = sum(times - 1 for times in began.values())
        parents = {node.parent for node in self.known.values()}
        for node in self.known.values():
            counts.never_begun += bool(node.message.calls) and node.id not in parents
            if node.message.role is not Role.TOOL:
                continue
            counts.calls += 1
            done = node.ended is Ended.COMPLETE
            counts.done += done
            counts.nothing += done and number_of(node) not in ran
            counts.may_have_run += node.ended in {Ended.RUNNING, Ended.FAILED}
            counts.not_run += node.ended in {Ended.ASKED, Ended.ALLOWED, Ended.REFUSED}
            counts.undone += number_of(node) in began and node.ended in {Ended.ASKED, Ended.ALLOWED, Ended.REFUSED}
        with Store.open(self.home / "chatcli.db") as store:
            counts.damage = len(store.check())

    def _noted(self, when: str) -> Counter[int]:
        noted = self.place / when
        return Counter(map(int, noted.read_text().split() if noted.exists() else ()))

    def _moment(self, engine: Engine, line: str) -> Callable[[], bool]:
        """Whether the moment for the kill has come: mostly in a call, else any time after the first request."""
        asked, began = len(engine.chats), self._noted("began").total()
        in_call, end = line != "/continue" and random.random() < 0.85, time.monotonic() + 8
        delay = random.uniform(0, 0.25) if in_call else random.choice([random.uniform(0, 0.3), 2.5])
        since: list[float] = []

        def has_come() -> bool:
            happened = self._noted("began").total() > began if in_call else len(engine.chats) > asked
            if happened and not since:
                since.append(time.monotonic())
            return time.monotonic() > (since[0] + delay if since else end)

        return has_come


@contextmanager
def pipes() -> Iterator[list[int]]:
    """Standard input with nothing in it, and a pipe that nobody reads for all output: there is little."""
    nothing, (read, write) = os.open(os.devnull, os.O_RDONLY), os.pipe()
    try:
        yield [nothing, write, write]
    finally:
        for each in (nothing, read, write):
            os.close(each)


def number_of(result: Node) -> int:
    use = result.message.answers
    assert use is not None
    found = NUMBER.search(str(use.arguments["command"]))
    assert found is not None
    return int(found[1])


def is_open(last: Node) -> bool:
    """Whether the turn has no answer yet."""
    return last.message.role is Role.TOOL or bool(last.message.calls)


def words(last: Node) -> list[str]:
    """What the next program shows of the message where the killed one was."""
    if last.message.role is Role.TOOL:
        return ["/continue"] + ["may have run"] * (last.ended is Ended.RUNNING)
    if last.message.calls:
        return ["did not run", "/continue"]
    return ["/retry"] if last.message.role is Role.USER else []


if __name__ == "__main__":
    main()
