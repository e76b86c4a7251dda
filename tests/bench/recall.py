"""How much of what a question needs is in the prompt? Prints one JSON line.

    python -m tests.bench.recall FILE --budget 3072 [--embedding-model NAME [--host URL]]
    python -m tests.bench.recall FILE --budget 3072 --patience 5s --speed 50

replay.py describes FILE. Every conversation is replayed turn by turn; then each of its questions is asked as the
next message, with the cut at four of the places between which it moved. `evidence`: percent of questions whose
needed messages are all in the prompt, complete; `gated`: percent of questions and of the conversation's own turns
for which recall added something; `p95_ms`: the time to plan one request.

With an embedding model of an Ollama server, strategy auto is measured with its vectors: those of all passages and
questions are made first, as chatcli makes them.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from chatcli.client.ollama import Client
from chatcli.context.plan_inputs import Memory
from chatcli.conversation.message import Message
from chatcli.conversation.plan import PartKind, Plan
from chatcli.conversation.reading_speed import Patience
from chatcli.conversation.retrieval import Embedder, Meaning
from chatcli.conversation.tree import Node
from chatcli.settings import table
from chatcli.settings.strategies import AUTO, TRIM
from chatcli.store.vectors import packed
from tests.bench.replay import (
    Configuration,
    Question,
    Replayed,
    history_tokens,
    opened,
    phases,
    replay,
    shown,
    verbatim_tokens,
)

PHASES = 4


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    parser.add_argument("--budget", type=int, default=3072)
    parser.add_argument("--embedding-model", default="")
    parser.add_argument("--host", default="http://127.0.0.1:11434")
    parser.add_argument("--patience", type=table.RECALL_PATIENCE.kind.read, default=math.inf)
    parser.add_argument("--speed", type=float, help="tokens of a prompt that the server reads in a second")
    wishes = parser.parse_args()
    patience = Patience(wishes.patience, wishes.speed)
    print(json.dumps(measure(wishes.file, wishes.budget, wishes.embedding_model, wishes.host, patience)))


def measure(
    file: Path,
    budget: int,
    model: str = "",
    host: str = "",
    patience: Patience = Patience(),  # noqa: B008 - frozen
) -> dict[str, Any]:
    store, conversations = opened(file)
    with store:
        auto = Configuration(AUTO, budget, Memory(patience=patience))
        if model:
            auto = replace(auto, meaning=meanings(conversations, model, host))
        return {each.strategy.name: _figures(conversations, each) for each in (auto, Configuration(TRIM, budget))}


def meanings(conversations: Sequence[Replayed], model: str, host: str) -> Callable[[str], Meaning]:
    """Makes the vectors of all passages, and gives what tells a question's meaning."""
    with Client(host) as client:
        embedder = Embedder(model, client.model(model).digest)
        for each in conversations:
            _vectorise(client, each, embedder)
        asked = [question.text for each in conversations for question in each.questions]
        asked += [node.message.text for each in conversations for node in each.path]
        known = {
            text: vector for some in _portions(asked) for text, vector in _made(client, model, some, asked=True)
        }
    return lambda text: Meaning(embedder, known[text])


def _vectorise(client: Client, replayed: Replayed, embedder: Embedder) -> None:
    vectors, conversation, before = replayed.store.vectors, replayed.conversation, replayed.path[-1].number + 1
    while before > 1:
        passages, before = vectors.missing(conversation.id, replayed.path[-1].id, embedder, before)
        made = _made(client, embedder.name, [passage.text for passage in passages]) if passages else []
        vectors.keep(embedder, [(one, packed(vector)) for one, (_, vector) in zip(passages, made, strict=True)])


def _made(client: Client, model: str, texts: Sequence[str], asked: bool = False) -> list[tuple[str, list[float]]]:
    return list(zip(texts, client.embed(model, texts, asked=asked), strict=True))


def _portions(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    return (texts[at : at + 64] for at in range(0, len(texts), 64))


@dataclass(slots=True)
class _Tally:
    asked: Counter[str] = field(default_factory=Counter)
    answerable: Counter[str] = field(default_factory=Counter)
    turns: int = 0
    fired: int = 0
    fired_on_turns: int = 0
    over: int = 0
    milliseconds: list[float] = field(default_factory=list)


def _figures(conversations: list[Replayed], configuration: Configuration) -> dict[str, Any]:
    tally = _Tally()
    for conversation in conversations:
        plans = list(replay(conversation, configuration))
        tally.turns += len(plans)
        tally.fired_on_turns += sum(plan.of(PartKind.RECALLED).tokens > 0 for plan in plans)
        tally.over += sum(history_tokens(plan) > configuration.history for plan in plans)
        for phase in phases(conversation, verbatim_tokens(plans), PHASES):
            for question in phase.questions:
                _ask(phase, question, configuration, tally)
    questions = sum(tally.asked.values()) or 1
    return {
        "evidence": _percent(sum(tally.answerable.values()), questions),
        "by_category": {
            name: _percent(tally.answerable[name], asked) for name, asked in sorted(tally.asked.items())
        },
        "gated": {
            "questions": _percent(tally.fired, questions),
            "turns": _percent(tally.fired_on_turns, tally.turns),
        },
        "over_budget": tally.over,
        "p95_ms": round(statistics.quantiles(tally.milliseconds, n=20, method="inclusive")[18], 1),
    }


def _ask(begun: Replayed, question: Question, configuration: Configuration, tally: _Tally) -> None:
    began = time.perf_counter()
    plan, _ = configuration.ask(begun, coming(begun, question.text))
    tally.milliseconds.append((time.perf_counter() - began) * 1000)
    tally.asked[question.category] += 1
    tally.fired += plan.of(PartKind.RECALLED).tokens > 0
    tally.over += history_tokens(plan) > configuration.history
    tally.answerable[question.category] += answers(plan, begun, question)


def coming(begun: Replayed, text: str) -> Node:
    """The question as the message after the last."""
    last = begun.path[-1]
    created = last.created + timedelta(hours=2)
    message = Message.user(text)
    return replace(last, id=0, parent=last.id, number=last.number + 1, message=message, created=created)


def answers(plan: Plan, begun: Replayed, question: Question) -> bool:
    return set(question.evidence) <= shown(plan, begun)


def _percent(part: int, whole: int) -> float:
    return round(100 * part / whole, 1) if whole else 0.0


if __name__ == "__main__":
    main()
