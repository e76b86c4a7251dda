"""How much of what a question needs is in the prompt? Prints one JSON line.

    python -m tests.bench.recall FILE --budget 3072

FILE is as replay.py says. Every conversation is replayed turn by turn; then each of its questions is asked as the
next message, with the cut at four places of those between which it had moved. `evidence`:
percent of questions with all the messages they need in the prompt, whole; `gated`: percent of questions and of
the conversation's own turns on which recall put something in; `p95_ms`: the time to plan one request.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from chatcli.conversation.message import Message
from chatcli.conversation.plan import Kind, Plan
from chatcli.conversation.tree import Node
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
    wishes = parser.parse_args()
    print(json.dumps(measure(wishes.file, wishes.budget)))


def measure(file: Path, budget: int) -> dict[str, Any]:
    store, conversations = opened(file)
    with store:
        return {
            strategy: _figures(conversations, Configuration(strategy, budget)) for strategy in ("auto", "trim")
        }


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
        tally.fired_on_turns += sum(plan.of(Kind.RECALLED).tokens > 0 for plan in plans)
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
    tally.fired += plan.of(Kind.RECALLED).tokens > 0
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
