"""How many messages of a damaged store come back, with a backup and without. Prints one JSON line.

    python -m tests.bench.damage [--seeds 20]

The store has 1,000 messages; the last 100 are newer than the backup. Each case damages it in another way, once for
each seed, and recovers it. The figures are messages that came back: on average, and in the worst case.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import statistics
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chatcli.conversation.message import Message
from chatcli.conversation.tree import Conversation, Ended
from chatcli.errors import Damaged, StoreError
from chatcli.paths import backups_of
from chatcli.store.backups import back_up
from chatcli.store.recovery import recover
from chatcli.store.store import Store
from tests.bench.store import made_up_texts

Damage = Callable[[Path, random.Random], None]

PAGE = 4096
CHATS, TURNS, NEWER = 10, 45, 5  # conversations; turns of each before the backup, and after it


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=20)
    wishes = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        print(json.dumps(measure(Path(place), wishes.seeds)))


def measure(place: Path, seeds: int) -> dict[str, Any]:
    said = make(place / "whole")
    figures: dict[str, Any] = {"messages": len(said), "seeds": seeds}
    for name, damage in CASES.items():
        for backed in (False, True):
            back = [once(place, damage, seed, backed, said) for seed in range(seeds)]
            figures[f"{name}, {'with' if backed else 'without'} a backup"] = {
                "mean": round(statistics.mean(back), 1),
                "worst": min(back),
            }
    return figures


def make(place: Path) -> set[str]:
    """Makes the store and its backup, and `killed`, where the newest messages are only in the log."""
    random.seed(7)
    texts = unique(made_up_texts())
    path = place / "chatcli.db"
    with Store.open(path) as store:
        said = set()
        chats = [store.create() for _ in range(CHATS)]
        for chat in chats:
            for _ in range(TURNS):
                said |= talk(store, chat, texts)
    assert back_up(path, datetime.now(UTC))
    with Store.open(path) as store:
        for chat in [store.conversation(entry.id) for entry in store.entries()]:
            for _ in range(NEWER):
                said |= talk(store, chat, texts)
        shutil.copytree(place, place.with_name("killed"))
    return said


def unique(texts: Iterator[str]) -> Iterator[str]:
    """Every message differs; one in fifty is long enough for pages of its own."""
    for number, text in enumerate(texts):
        yield f"{number} {text}" + (" " + next(texts) * 40 if number % 50 == 0 else "")


def talk(store: Store, chat: Conversation, texts: Iterator[str]) -> set[str]:
    question, reply = next(texts), next(texts)
    draft = store.begin_reply(chat, store.append(chat, Message.user(question)))
    draft.finish(Message.assistant(reply), Ended.COMPLETE)
    return {question, reply}


def once(place: Path, damage: Damage, seed: int, backed: bool, said: set[str]) -> int:
    with tempfile.TemporaryDirectory(dir=place) as name:
        path = Path(name) / "data" / "chatcli.db"
        shutil.copytree(place / ("killed" if damage in LOGS else "whole"), path.parent)
        if not backed:
            shutil.rmtree(backups_of(path))
        damage(path, random.Random(seed))
        try:
            with Store.open(path) as store:
                sound = not store.check()
        except Damaged:
            sound = False
        try:
            if not sound:
                recover(path)
            with Store.open(path) as store:
                return len(said & texts_of(store))
        except StoreError:
            return 0


def texts_of(store: Store) -> set[str]:
    chats = [store.whole(entry.id) for entry in store.entries()]
    found = [node.message.text for chat in chats for node in chat.nodes.values()]
    assert len(found) == len(set(found)), "a message was doubled"
    return set(found)


def pages(count: int) -> Damage:
    def destroyed(path: Path, chance: random.Random) -> None:
        there = range(1, path.stat().st_size // PAGE)
        overwrite(path, chance, *chance.sample(there, count))

    return destroyed


def first_page(path: Path, chance: random.Random) -> None:
    overwrite(path, chance, 0)


def cut(path: Path, chance: random.Random) -> None:
    with path.open("r+b") as file:
        file.truncate(int(path.stat().st_size * chance.uniform(0.3, 1)))


def torn_log(path: Path, chance: random.Random) -> None:
    """One page of the log is bad: SQLite passes over all that is behind it."""
    log = path.with_name(path.name + "-wal")
    overwrite(log, chance, chance.randrange(log.stat().st_size // PAGE))


def only_the_log(path: Path, chance: random.Random) -> None:
    """The file is empty, and its log is not."""
    path.write_bytes(b"")


def overwrite(file: Path, chance: random.Random, *numbers: int) -> None:
    with file.open("r+b") as opened:
        for number in numbers:
            opened.seek(number * PAGE)
            opened.write(chance.randbytes(PAGE))


CASES = {
    "one page": pages(1),
    "five pages": pages(5),
    "twenty pages": pages(20),
    "first page": first_page,
    "cut off": cut,
    "torn log": torn_log,
    "only the log": only_the_log,
}
LOGS = (torn_log, only_the_log)

if __name__ == "__main__":
    main()
