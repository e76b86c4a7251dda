"""How long does recall's search take in a large store? Prints one JSON line.

    python -m tests.bench.search [--messages 1000000] [--long 100000]

The messages are generated (as in store.py): one conversation of `long` messages, the rest spread over others. Each
search is what recall asks of the store for one question, both rounds and the ranking included: on the path of the
long conversation, and over all conversations. Times are milliseconds; `cpu_p95` is CPU time alone, which other
programs on the machine affect less.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from chatcli.context.query import Terms, terms
from chatcli.context.recall import clues, rank
from chatcli.conversation.retrieval import Retrieved
from chatcli.store.store import Store
from tests.bench.store import made_up, made_up_texts, percentiles, spread

OTHERS = 1000  # messages in each of the other conversations
LIMIT = 100  # messages that are chosen from, where the window has 4,096 tokens


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--long", type=int, default=100_000)
    wishes = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        print(json.dumps(measure(Path(place) / "chatcli.db", wishes.messages, wishes.long)))


def measure(path: Path, messages: int, long: int, times: int = 200) -> dict[str, Any]:
    random.seed(11)
    texts = made_up_texts()
    with Store.open(path) as store:
        for _ in range((messages - long) // OTHERS // 2):
            store.take_in(made_up(texts, OTHERS))
        conversation = store.take_in(made_up(texts, long))
        for _ in range((messages - long) // OTHERS // 2):
            store.take_in(made_up(texts, OTHERS))
        tip = conversation.tip
        assert tip is not None
        look = partial(_recall, store, questions(texts), conversation.id, tip)
        return {
            "messages": messages,
            "long": long,
            "one_conversation": _times(partial(look, all_chats=False), times),
            "all_conversations": _times(partial(look, all_chats=True), times),
        }


def _times(work: Callable[[], None], times: int) -> dict[str, float]:
    busy: list[float] = []

    def measured() -> None:
        began = time.process_time()
        work()
        busy.append((time.process_time() - began) * 1000)

    return percentiles(measured, times) | {"cpu_p95": spread(busy)["p95"]}


def questions(texts: Iterator[str]) -> Iterator[str]:
    """Eight words of some message: common and rare ones, as they come."""
    while True:
        yield "what about " + " ".join(random.sample(next(texts).split()[:40], 8)) + "?"


@dataclass(frozen=True, slots=True)
class Asked:
    words: Terms
    few_may_do: bool = False

    def may_fire(self, _found: Retrieved, _sets: Collection[frozenset[str]]) -> bool:
        return True

    def enough(self, _few: Retrieved) -> bool:
        return False

    def clues(self, first: Retrieved) -> dict[str, int]:
        return clues(first, self.words)


def _recall(store: Store, asked: Iterator[str], conversation: int, upto: int, *, all_chats: bool) -> None:
    sought = terms(next(asked))
    found = store.candidates(
        sought.sought,
        conversation=conversation,
        upto=upto,
        all_chats=all_chats,
        limit=LIMIT,
        asked=Asked(sought),
    )
    rank(found, sought)


if __name__ == "__main__":
    main()
