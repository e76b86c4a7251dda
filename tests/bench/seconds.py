"""How long does a person wait for the first word? A simulated clock; prints one JSON line.

    python -m tests.bench.seconds FILE --budget 3072 [--patience 5s]

replay.py describes FILE. Its conversations are replayed up to a number of messages (those of several in a row,
where one is too short), with one of their questions asked after every twentieth. A turn takes the time in which
the server reads what it has not cached, and WRITING for the first word of the reply. Told of the last hundred
messages: mean and p95. `added`: what recall adds to a turn, compared with the same turn without quotes.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from pathlib import Path
from statistics import fmean, quantiles
from typing import Any

from chatcli.context.plan_inputs import Memory
from chatcli.conversation.message import Message
from chatcli.conversation.reading_speed import Patience
from chatcli.settings import table
from chatcli.settings.strategies import AUTO, TRIM
from chatcli.store.store import Store
from tests.bench.prefix import read_anew
from tests.bench.replay import Configuration, Replayed, replay, stored

SPEEDS = (50, 200, 2000)  # tokens of a prompt that are read in a second
SIZES = (100, 1000)  # messages
WRITING = 0.1  # seconds for a token of the reply
LAST = 100  # messages
BEFORE = 200  # messages that are replayed before these, so that the cut is where it comes to be
EVERY = 20  # messages of the conversation between two of its questions
REPLY = (
    "Let me think about what we said of that. I believe I remember it, and I am glad that you ask me about it now."
)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    parser.add_argument("--budget", type=int, default=3072)
    parser.add_argument("--patience", type=table.RECALL_PATIENCE.kind.read, default=table.RECALL_PATIENCE.default)
    wishes = parser.parse_args()
    print(json.dumps(measure(wishes.file, wishes.budget, wishes.patience)))


def measure(file: Path, budget: int, patience: float, sizes: Sequence[int] = SIZES) -> dict[str, Any]:
    about = json.loads(file.read_text(encoding="utf-8"))
    figures: dict[str, Any] = {"patience": patience}
    for size in sizes:
        clock = [datetime(2020, 1, 1, tzinfo=UTC)]
        with Store.open(None, now=partial(clock.__getitem__, 0)) as store:
            talks = [stored(store, clock, each) for each in _of_size(about, size)]
            figures[f"{size} messages"] = _compared(talks, budget, patience)
    return figures


def _compared(talks: Sequence[Replayed], budget: int, patience: float) -> dict[str, Any]:
    plain = Configuration(AUTO, budget, Memory(recall="off"))
    trim, off = _run(talks, Configuration(TRIM, budget)), _run(talks, plain)
    figures: dict[str, Any] = {}
    for speed in SPEEDS:
        memory = Memory(patience=Patience(patience, speed))
        recalls = _run(talks, Configuration(AUTO, budget, memory))
        added = [tokens / speed for tokens in recalls.added]
        figures[f"{speed} tokens a second"] = {
            "trim": trim.seconds(speed),
            "auto without recall": off.seconds(speed),
            "auto": recalls.seconds(speed),
            "added": {"mean": round(fmean(added), 2), "most": round(max(added), 2)},
        }
    return figures


@dataclass(slots=True)
class _Turns:
    """For each turn the tokens that the server read, and how many of them for recall."""

    read: list[int] = field(default_factory=list)
    added: list[int] = field(default_factory=list)

    def seconds(self, speed: float) -> dict[str, float]:
        waits = [tokens / speed + WRITING for tokens in self.read]
        return {"mean": round(fmean(waits), 2), "p95": round(quantiles(waits, n=20, method="inclusive")[18], 2)}


def _run(talks: Sequence[Replayed], configuration: Configuration) -> _Turns:
    turns = _Turns()
    mute = replace(configuration, memory=replace(configuration.memory, patience=Patience(0.0)))
    for talk in talks:
        whole = [node.message for node in talk.conversation.path()]
        cached: tuple[Message, ...] = ()
        cached_mute: tuple[Message, ...] = ()
        for plan in replay(talk, configuration, after=len(whole) - LAST - BEFORE):
            bare = mute.ask(talk)[0].messages
            if talk.at > len(whole) - LAST:
                turns.read.append(read_anew(cached, plan.messages))
                turns.added.append(turns.read[-1] - read_anew(cached_mute, bare))
            reply = whole[talk.at : talk.at + 1]
            cached, cached_mute = (*plan.messages, *reply), (*bare, *reply)
    return turns


def _of_size(about: Sequence[dict[str, Any]], size: int) -> Iterator[dict[str, Any]]:
    """Conversations of that many messages, with questions put in."""
    rest = list(about)
    while rest:
        taken = [rest.pop(0)]
        while sum(len(each["messages"]) for each in taken) < size and rest:
            taken.append(rest.pop(0))
        messages = list(chain.from_iterable(map(_with_questions, taken)))
        if len(messages) >= size:
            yield {"id": taken[0]["id"], "messages": messages[:size], "questions": ()}


def _with_questions(about: dict[str, Any]) -> Iterator[dict[str, Any]]:
    questions, asked = about["questions"], 0
    for place, message in enumerate(about["messages"], start=1):
        yield message | {"id": f"{about['id']} {message['id']}", "sitting": f"{about['id']} {message['sitting']}"}
        if place % EVERY == 0 and questions:
            text = questions[(asked * 7) % len(questions)]["question"]
            asked += 1
            like = message | {"sitting": f"{about['id']} {message['sitting']}"}
            yield like | {"id": f"{about['id']} q{asked}", "role": "user", "name": "Q", "text": text}
            yield like | {"id": f"{about['id']} a{asked}", "role": "assistant", "name": "A", "text": REPLY}


if __name__ == "__main__":
    main()
