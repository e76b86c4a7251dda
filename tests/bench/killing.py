"""Kills the whole program (SIGKILL, in a pty) at random moments, and checks with the next one what is left.

    python -m tests.bench.killing [--kills 200]

Prints one JSON line of counts. Each program continues where the killed one was, with another question, /continue
or /retry, and is killed while it starts, waits for a reply, receives it, or is idle.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from chatcli.conversation.message import Message, Role
from chatcli.conversation.tree import Ended, Node
from chatcli.demo.protocol import Answer, HttpRequest, HttpResponse
from chatcli.demo.replies import DemoReply
from chatcli.store.store import Store
from tests.faults import Engine
from tests.test_terminal import Terminal

REPLY = " ".join(f"w{number}" for number in range(180))
# What half of the replies begin with, in about 1 second.
THOUGHTS = " ".join(f"t{number}" for number in range(90))
# Seconds between two pieces of a reply: one takes about 2 seconds.
PACE = 0.005
# What was sent longer ago than this is stored.
LATEST = 1.0


@dataclass(slots=True)
class Counts:
    """What was tried, and what must stay zero: `lost` questions, replies or text; `doubled` ones; what is `wrong`
    in a text; `late` ones (something was sent more than a second before the kill, and is not stored); what is
    `not_shown` again. `thinking`: replies that were cut off before their text began.
    """

    kills: int = 0
    while_starting: int = 0
    questions: int = 0
    continued: int = 0
    retried: int = 0
    interrupted: int = 0
    whole: int = 0
    thinking: int = 0
    lost: int = 0
    doubled: int = 0
    wrong: int = 0
    late: int = 0
    not_shown: int = 0

    @property
    def none_lost(self) -> bool:
        return not (self.lost or self.doubled or self.wrong or self.late or self.not_shown)


@dataclass(slots=True)
class Noted:
    """A fault that does no harm: it notes when each piece of the reply was sent."""

    sent: list[tuple[float, str]] = field(default_factory=list)

    def __call__(self, request: HttpRequest, answer: Answer) -> HttpResponse:
        response = answer(request)
        return replace(response, chunks=self._lines(response))

    def _lines(self, response: HttpResponse) -> Iterator[bytes]:
        for line in response.chunks:
            yield line
            message = json.loads(line)["message"]
            self.sent.append((time.monotonic(), message.get("thinking", "") + message["content"]))

    def before(self, moment: float) -> str:
        return "".join(text for when, text in self.sent if when < moment)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=200)
    wishes = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        print(json.dumps(asdict(kill_at_random_moments(Path(place), wishes.kills))))


def kill_at_random_moments(home: Path, kills: int, longest: float = 3.5, latest: float = LATEST) -> Counts:
    """`longest`: seconds that a program lives after something was said."""
    counts, known = Counts(), dict[int, Node]()
    with Engine(pace=PACE) as engine:
        for number in range(kills):
            step(home, engine, number, counts, known, longest, latest)
            counts.kills += 1
    with Store.open(home / "chatcli.db") as store:
        counts.wrong += len(store.check())
    counts.interrupted = sum(node.ended is Ended.INTERRUPTED for node in known.values())
    counts.thinking = sum(bool(node.message.thinking and not node.message.text) for node in known.values())
    counts.whole = sum(
        node.message.role is Role.ASSISTANT and node.ended is Ended.COMPLETE for node in known.values()
    )
    return counts


def step(
    home: Path,
    engine: Engine,
    number: int,
    counts: Counts,
    known: dict[int, Node],
    longest: float,
    latest: float,
) -> None:
    """One program, from its start to its end; `known` is what was stored before, and gets what is now."""
    arguments = ["--continue"] if known else ["-m", "demo-thinking"]
    arguments += ["--strategy", "trim"]  # no summaries, which would want replies of their own
    person = Terminal(*arguments, OLLAMA_HOST=engine.url, CHATCLI_HOME=str(home))
    try:
        if known and random.random() < 0.15:
            time.sleep(random.uniform(0, 0.6))
            person.kill()
            counts.while_starting += 1
            return
        person.see("Send a message")
        last = last_of(home)
        counts.not_shown += not is_shown(person, last)
        line = what_to_say(last, number, counts)
        noted, asked = Noted(), len(engine.chats)
        engine.say(DemoReply(REPLY, random.choice(["", THOUGHTS])))
        engine.script(noted)
        person.enter(line)
        alive = random.choice([random.uniform(0, 0.4), random.uniform(0.4, longest), longest])
        end = time.monotonic() + alive
        person.until(lambda: time.monotonic() > end)
        killed = time.monotonic()
        person.kill()
    finally:
        person.close()
    engine.forget()
    begin = last.message if last is not None and line == "/continue" else Message.assistant("")
    now = nodes_of(home)
    counts.lost += len(engine.chats) > asked and not line.startswith("/") and len(now) == len(known)
    verify(now, known, line, begin, noted.before(killed - latest), counts)
    known |= now


def what_to_say(last: Node | None, number: int, counts: Counts) -> str:
    if last is None or random.random() < 0.4:
        counts.questions += 1
        return f"question {number}?"
    if last.message.role is Role.ASSISTANT and last.ended is Ended.INTERRUPTED and random.random() < 0.6:
        counts.continued += 1
        return "/continue"
    counts.retried += 1
    return "/retry"


def is_shown(person: Terminal, last: Node | None) -> bool:
    """Whether the next program shows where the killed one was, and what to do about it."""
    if last is None:
        return True
    words = [last.message.text.split()[-1]] if last.message.text else []
    if last.ended is Ended.INTERRUPTED:
        words += ["interrupted", "/continue"]
    if last.message.role is Role.USER:
        words.append("/retry")
    text = person.settle(0.1)
    return all(word in text for word in words)


def verify(
    now: dict[int, Node], known: dict[int, Node], line: str, begin: Message, sent: str, counts: Counts
) -> None:
    """`begin`: what a continued reply begins with; `sent`: what had been sent of the reply a second before."""
    new = [node for node in now.values() if node.id not in known]
    questions = [node for node in new if node.message.role is Role.USER]
    replies = [node.message for node in new if node.message.role is Role.ASSISTANT]
    counts.lost += any(now.get(node.id) != node for node in known.values())
    counts.doubled += len(questions) > (not line.startswith("/")) or len(replies) > 1
    counts.wrong += not all(
        goes_on(each.text, begin.text, REPLY) and goes_on(each.thinking, begin.thinking, THOUGHTS)
        for each in replies
    )
    already = len(begin.thinking) + len(begin.text)
    counts.late += len(sent) > sum(len(each.thinking) + len(each.text) - already for each in replies)


def goes_on(text: str, begin: str, more: str) -> bool:
    """Whether the text is `begin`, and then as much of `more` as had come."""
    return text.startswith(begin) and more.startswith(text[len(begin) :])


def last_of(home: Path) -> Node | None:
    path = home / "chatcli.db"
    if not path.exists():
        return None
    with Store.open(path) as store:
        last = store.last()
        return store.conversation(last).last if last is not None else None


def nodes_of(home: Path) -> dict[int, Node]:
    with Store.open(home / "chatcli.db") as store:
        last = store.last()
        return store.whole(last).nodes if last is not None else {}


if __name__ == "__main__":
    main()
