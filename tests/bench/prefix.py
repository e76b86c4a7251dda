"""How much does the server evaluate again on each turn? Prints one JSON line.

    python -m tests.bench.prefix FILE --budget 3072

replay.py describes FILE. Every conversation is replayed turn by turn. `evaluated`: tokens per turn after the
longest prefix that a prompt shares with the server's cache, which holds the last prompt and its reply; `verbatim`:
tokens of history sent word for word, after the first cut; `summaries`: additional tokens per turn that were read
for summaries (most of them from the cache).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from chatcli.context.plan_inputs import Memory
from chatcli.conversation.message import Message
from chatcli.settings.strategies import AUTO, SUMMARY, TRIM
from tests.bench.replay import Configuration, Replayed, count, history_tokens, opened, replay, verbatim_tokens


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
            TRIM.name: _figures(conversations, Configuration(TRIM, budget)),
            SUMMARY.name: _figures(conversations, Configuration(SUMMARY, budget)),
            AUTO.name: {
                "off": _figures(conversations, Configuration(AUTO, budget, Memory(recall="off"))),
                "gated": _figures(conversations, Configuration(AUTO, budget)),
                "always": _figures(conversations, Configuration(AUTO, budget, Memory(recall="always"))),
                "gated, quotes stay": _figures(conversations, Configuration(AUTO, budget, sticks=True)),
            },
        }


def _figures(conversations: list[Replayed], configuration: Configuration) -> dict[str, Any]:
    evaluated: list[int] = []
    verbatim: list[int] = []
    asides = moves = over = 0
    for conversation in conversations:
        cached: tuple[Message, ...] = ()
        first = None
        for plan in replay(conversation, configuration):
            evaluated.append(read_anew(cached, plan.messages))
            over += history_tokens(plan) > configuration.history
            start = next(part.first for part in plan.parts if part.node is not None)
            moves += first is not None and start != first
            first = start
            verbatim += verbatim_tokens([plan])
            reply = conversation.path[conversation.at : conversation.at + 1]
            cached = (*plan.messages, *(node.message for node in reply))
        asides += sum(conversation.summarised)
    return {
        "evaluated": round(fmean(evaluated)),
        "verbatim": round(fmean(verbatim)) if verbatim else None,
        "turns_between_cuts": round(len(evaluated) / moves, 1) if moves else None,
        "summaries": round(asides / len(evaluated)),
        "over_budget": over,
    }


def read_anew(cached: Sequence[Message], messages: Sequence[Message]) -> int:
    """Tokens of `messages` behind the beginning that they share with `cached`."""
    for place, message in enumerate(messages):
        if place < len(cached) and message == cached[place]:
            continue
        same = _same(cached[place], message) if place < len(cached) else 0
        rest = sum(count(each).tokens for each in messages[place:])
        return rest - (same // 4 + 4 if same else 0)
    return 0


def _same(one: Message, other: Message) -> int:
    """How many characters the two begin with alike."""
    if one.role is not other.role:
        return 0
    pairs = zip(one.text, other.text, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(one.text), len(other.text)))


if __name__ == "__main__":
    main()
