"""Kills chatting programs at random moments, and lets two write at once. Prints one JSON line of what was lost.

    python -m tests.bench.faults [--kills 200] [--seconds 60]

The programs are this module as child processes: they write to a store as a turn does, and report on stdout what
the store has confirmed. Nothing confirmed may be missing, and nothing may be stored twice.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from chatcli.conversation.message import Message, Role
from chatcli.conversation.tree import Conversation, Ended, Node
from chatcli.store.store import Store

REPLY = " ".join(f"word{number}" for number in range(400))


@dataclass(slots=True)
class Losses:
    """What must stay zero, and how much was tried."""

    moments: int = 0
    questions: int = 0
    replies: int = 0
    interrupted: int = 0
    lost: int = 0
    doubled: int = 0
    wrong: int = 0
    damaged: int = 0

    @property
    def none(self) -> bool:
        return not (self.lost or self.doubled or self.wrong or self.damaged)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--talk", type=Path)
    parser.add_argument("--write", type=Path)
    wishes = parser.parse_args()
    if wishes.talk:
        talk(wishes.talk)
    elif wishes.write:
        write(wishes.write, wishes.seconds)
    else:
        with tempfile.TemporaryDirectory() as place:
            killed = asdict(kill_at_random_moments(Path(place) / "killed.db", wishes.kills))
            writers = two_writers(Path(place) / "two.db", wishes.seconds)
        print(json.dumps({"kills": killed, "two_writers": writers}))


def talk(path: Path) -> None:
    """Go on with the last conversation until killed: questions, and replies that are saved as they grow."""
    tell("started")
    with Store.open(path) as store:
        last = store.last()
        conversation = store.conversation(last) if last is not None else store.create()
        for number in range(len(conversation.path()), 1_000_000):
            question = store.append(conversation, Message.user(f"question {number}"))
            tell("asked", question.id)
            draft = store.begin_reply(conversation, question)
            for end in range(1, random.randint(2, len(REPLY)), 97):
                draft.save(REPLY[:end], "hm")
                tell("saved", question.id, end)
            draft.finish(Message.assistant(REPLY, "hm"), Ended.COMPLETE)
            tell("finished", question.id, len(REPLY))


def write(path: Path, seconds: float) -> None:
    """Append to the one conversation there is for so long; at the end tell all ids, and the longest wait."""
    ids, longest = [], 0.0
    with Store.open(path) as store:
        conversation = store.conversation(store.last() or 0)
        tell("ready")
        sys.stdin.readline()
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            began = time.monotonic()
            ids.append(store.append(conversation, Message.user("x" * random.randint(1, 5000))).id)
            longest = max(longest, time.monotonic() - began)
        assert [node.id for node in conversation.path()][1:] == ids
    tell("wrote", longest, *ids)


def tell(*words: object) -> None:
    print(*words, flush=True)


def kill_at_random_moments(path: Path, kills: int) -> Losses:
    """Each time a new program goes on where the killed one was; some are killed while they open the store."""
    losses = Losses(moments=kills)
    saved: dict[int, int] = {}
    finished: set[int] = set()
    for _ in range(kills):
        for word, numbers in run_and_kill(path):
            if word == "asked":
                saved[numbers[0]] = 0
            elif word in {"saved", "finished"}:
                saved[numbers[0]] = numbers[1]
                if word == "finished":
                    finished.add(numbers[0])
    losses.questions, losses.replies = len(saved), len(finished)
    with Store.open(path) as store:
        losses.damaged = len(store.check())
        for entry in store.entries():
            verify(store.whole(entry.id), saved, finished, losses)
    losses.lost += len(saved)
    return losses


def run_and_kill(path: Path) -> list[tuple[str, list[int]]]:
    """What the program had told by the moment it was killed."""
    command = [sys.executable, "-m", "tests.bench.faults", "--talk", str(path)]
    told = ""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        if random.random() < 0.8:
            program.stdout.readline()
            time.sleep(random.uniform(0, 0.15))
        else:
            time.sleep(random.uniform(0, 0.4))
        program.kill()
        told = program.stdout.read()
    lines = [line.split() for line in told.splitlines(keepends=True) if line.endswith("\n")]
    return [(word, [int(number) for number in numbers]) for word, *numbers in lines]


def verify(conversation: Conversation, saved: dict[int, int], finished: set[int], losses: Losses) -> None:
    """Take what is there off `saved`; count what is there twice, is no reply of ours, or is said to be whole."""
    replies: dict[int | None, list[Node]] = {}
    for node in conversation.nodes.values():
        if node.message.role is Role.ASSISTANT:
            replies.setdefault(node.parent, []).append(node)
    for node in conversation.nodes.values():
        if node.message.role is Role.USER and node.id in saved:
            length = saved.pop(node.id)
            answers = replies.get(node.id, [])
            losses.doubled += len(answers) > 1
            losses.lost += not answers and length > 0
            for answer in answers:
                text, whole = answer.message.text, answer.ended is Ended.COMPLETE
                losses.interrupted += answer.ended is Ended.INTERRUPTED
                losses.lost += len(text) < length or (node.id in finished and not whole)
                losses.wrong += not REPLY.startswith(text) or (whole and text != REPLY)


def two_writers(path: Path, seconds: float) -> dict[str, float]:
    """Two programs write to one conversation, each on its own branch. What was lost, and the longest wait."""
    with Store.open(path) as store:
        conversation = store.create()
        store.append(conversation, Message.user("the beginning"))
    command = [sys.executable, "-m", "tests.bench.faults", "--write", str(path), "--seconds", str(seconds)]
    start = partial(subprocess.Popen, command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with start() as one, start() as two:
        for program in (one, two):
            assert program.stdout is not None
            program.stdout.readline()
        for program in (one, two):
            assert program.stdin is not None
            program.stdin.write("go\n")
            program.stdin.flush()
        told = [program.communicate()[0].split() for program in (one, two)]
    written = {int(node) for words in told for node in words[2:]}
    with Store.open(path) as store:
        there = set(store.whole(conversation.id).nodes)
        problems = store.check()
    return {
        "messages": len(written),
        "lost": len(written - there),
        "damaged": len(problems),
        "longest_wait_seconds": round(max(float(words[1]) for words in told), 3),
    }


if __name__ == "__main__":
    main()
