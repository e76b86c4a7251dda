"""What the store costs: appends, opening, listing, searching, bytes per message. Prints one JSON line.

    python -m tests.bench.store [--messages 1000000] [--conversations 10000]

The messages are generated: words drawn by Zipf's law from 50 000, 20 in most messages, 200 in a tenth of them.
They are spread over the conversations; those of 100, 10 000 and 100 000 messages are added. Times are
milliseconds.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from chatcli.conversation.message import Message, Role
from chatcli.conversation.tree import Conversation, Ended, Node
from chatcli.conversation.usage import Turn
from chatcli.store.store import Store

T = TypeVar("T")

LENGTHS = (100, 10_000, 100_000)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--conversations", type=int, default=10_000)
    wishes = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        print(json.dumps(measure(Path(place) / "chatcli.db", wishes.messages, wishes.conversations)))


def measure(path: Path, messages: int, conversations: int) -> dict[str, Any]:
    random.seed(7)
    texts = made_up_texts()
    figures: dict[str, Any] = {"messages": messages, "conversations": conversations}
    with Store.open(path) as store:
        began = time.perf_counter()
        for _ in range(conversations):
            store.take_in(made_up(texts, messages // conversations))
        long = {length: store.take_in(made_up(texts, length)).id for length in LENGTHS}
        figures["fill_seconds"] = round(time.perf_counter() - began)
        figures |= appends(store, texts)
        figures["list"] = percentiles(store.entries, 20)
        figures["list_20"] = percentiles(lambda: store.entries(20), 100)
        figures["last"] = percentiles(store.last, 100)
        figures |= searches(store, texts, long[LENGTHS[-1]])
    figures["bytes_per_message"] = round(path.stat().st_size / (messages + sum(LENGTHS)))
    for length, conversation in long.items():
        figures[f"open_{length}"] = percentiles(partial(open_at_the_end, path, conversation), 50)
    return figures


def appends(store: Store, texts: Iterator[str]) -> dict[str, Any]:
    """A question and its reply, saved ten times while it grows, over and over."""
    conversation = store.create()
    times: dict[str, list[float]] = {"append": [], "save": [], "finish": []}
    for _ in range(500):
        question = timed(times["append"], lambda: store.append(conversation, Message.user(next(texts))))
        draft = store.begin_reply(conversation, question)
        text = ""
        for _ in range(10):
            text += next(texts) + " "
            timed(times["save"], partial(draft.save, text))
        reply = Message.assistant(text)
        timed(times["finish"], partial(draft.finish, reply, Ended.COMPLETE, Turn("bench")))
    return {name: spread(each) for name, each in times.items()}


def searches(store: Store, texts: Iterator[str], long: int) -> dict[str, Any]:
    """Words of real messages, as a person or the recall takes them: the longer words, common ones among them."""
    conversation = store.conversation(long)
    queries = iter([random.sample(next(texts).split()[:60], 6) for _ in range(300)])
    everywhere = percentiles(lambda: store.search(next(queries)), 100)
    one_word = percentiles(lambda: store.search(next(queries)[:1]), 100)
    on_path = percentiles(
        lambda: store.search(next(queries), conversation=long, before=conversation.tip, per_message=False), 100
    )
    return {"search": everywhere, "search_one_word": one_word, "search_path_of_100000": on_path}


def open_at_the_end(path: Path, conversation: int) -> None:
    """What `chatcli --continue` does before its first prompt."""
    with Store.open(path) as store:
        store.last()
        assert store.conversation(conversation).last is not None


def made_up(texts: Iterator[str], length: int) -> Conversation:
    conversation = Conversation(0, "made up")
    now = datetime.now(UTC)
    for number in range(1, length + 1):
        role = Role.USER if number % 2 else Role.ASSISTANT
        conversation.add(Node(number, number - 1 or None, number, Message(role, next(texts)), now))
    return conversation


def made_up_texts() -> Iterator[str]:
    words = ["".join(random.choices("aeioustrnlmdkpgb", k=random.randint(3, 9))) for _ in range(50_000)]
    weights = [1 / rank for rank in range(1, len(words) + 1)]
    while True:
        drawn = iter(random.choices(words, weights, k=100_000))
        while (
            len(
                text := [word for word, _ in zip(drawn, range(200 if random.random() < 0.1 else 20), strict=False)]
            )
            > 9
        ):
            yield " ".join(text)


def percentiles(work: Callable[[], object], times: int) -> dict[str, float]:
    taken: list[float] = []
    for _ in range(times):
        timed(taken, work)
    return spread(taken)


def timed(times: list[float], work: Callable[[], T]) -> T:
    began = time.perf_counter()
    result = work()
    times.append((time.perf_counter() - began) * 1000)
    return result


def spread(times: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(times, n=100, method="inclusive")
    return {"p50": round(cuts[49], 2), "p95": round(cuts[94], 2), "max": round(max(times), 2)}


if __name__ == "__main__":
    main()
