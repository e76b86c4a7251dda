"""How long do commands take in a long conversation? Prints one JSON line.

    python -m tests.bench.commands [--messages 100000] [--branches 2000] [--only COMMAND ...] [--store FILE]

Each command is given, and what it shows is drawn, twice in a session that has just opened the conversation: one
of 100 messages, one of many in a single line, and one with as many messages on many branches. A figure is the
milliseconds of CPU of the `first` and the `second` time; `open` is the opening itself. Modules are imported
before, as the loop does while a person reads the first screen. `--store` keeps the conversations in that file for
the next run.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import chain
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from chatcli.__main__ import OBJECTS_BETWEEN_COLLECTIONS
from chatcli.commands import everything
from chatcli.commands.outcomes import Confirm, Opened, Outcome, Show, Watch
from chatcli.commands.perform import where_it_stands
from chatcli.conversation.message import Message, Role
from chatcli.conversation.tree import Conversation, Node
from chatcli.errors import UserError
from chatcli.paths import find_paths
from chatcli.session.build import Wishes, build
from chatcli.session.session import Session
from chatcli.store.store import Store
from tests.bench.store import made_up_texts
from tests.commanding import drawn, followed
from tests.faults import Engine

COMMANDS = (
    *("tree", "branches", "goto", "context", "context why 7", "stats", "history 20", "goto 50", "edit 7"),
    *("search zebra", "search zebra --here", "recall zebra", "copy", "raw 10", "pin 12", "forget 13", "undo 3"),
    *("retry", "title", "branch here", "chats", "load short", "tools", "summary", "diff", "clear"),
    *("save {file}.md", "save {file}.json", "save {file}.jsonl", "save {file}.html", "history"),
)
OPEN = "open"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--branches", type=int, default=2000)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--store", type=Path)
    wishes = parser.parse_args()
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)  # as in the program
    with tempfile.TemporaryDirectory() as home, Engine() as engine:
        os.environ["CHATCLI_HOME"] = home
        kept, store = wishes.store, find_paths().store
        if kept is not None and kept.exists():
            store.parent.mkdir(parents=True, exist_ok=True)
            store.write_bytes(kept.read_bytes())
        else:
            fill(store, wishes.messages, wishes.branches)
            if kept is not None:
                kept.write_bytes(store.read_bytes())
        wanted = [each for each in (OPEN, *COMMANDS) if not wishes.only or each.split()[0] in wishes.only]
        print(json.dumps(measure(engine.url, wanted)))


def measure(url: str, commands: Sequence[str]) -> dict[str, Any]:
    """The figures of each command in each conversation."""
    figures: dict[str, Any] = {}
    with Store.open(find_paths().store) as store:
        chats = {entry.title: entry.id for entry in reversed(store.entries())}
    for command in commands:
        name = command if command == OPEN else f"/{command.replace('{file}', 'FILE')}"
        figures[name] = {}
        given(url, chats["short"], command)  # imports what it needs
        for title, conversation in chats.items():
            here, there = get_context("fork").Pipe(duplex=False)
            process = get_context("fork").Process(target=_tell, args=(there, url, conversation, command))
            process.start()
            there.close()
            figures[name][title] = here.recv()
            process.join()
        sys.stderr.write(f"{name}: {figures[name]}\n")
    return figures


def _tell(there: Connection, url: str, conversation: int, command: str) -> None:
    there.send(given(url, conversation, command))


def given(url: str, conversation: int, command: str) -> dict[str, float]:
    """Milliseconds of CPU of giving this command twice in a session that has opened the conversation."""
    settings = {"host": url, "model": "demo"}
    began = time.process_time()
    session = build(Wishes(settings))
    try:
        session.open(conversation)
        if command == OPEN:
            drawn(Show(tuple(where_it_stands(session, ""))))
            return {"first": _since(began)}
        tip = session.conversation.tip
        session.window.get()
        took = {}
        for number, which in enumerate(("first", "second")):
            file = Path(os.environ["CHATCLI_HOME"]) / f"{os.getpid()}-{number}"
            began = time.process_time()
            with suppress(UserError):  # nothing was found, or there is nothing to compare
                _done(session, everything().dispatch(session, command.format(file=file)))
            took[which] = _since(began)
            if session.conversation.id == conversation:
                session.go_to(tip)
            else:
                session.open(conversation)
    finally:
        session.close()
    return took


def _done(session: Session, outcome: Outcome) -> None:
    match outcome:
        case Watch():
            drawn(followed(session, outcome))
        case Confirm(then=then):
            _done(session, then())
        case Show():
            drawn(outcome)
        case Opened(note):
            drawn(Show(tuple(where_it_stands(session, note))))
        case _:
            pass


def _since(began: float) -> float:
    return round((time.process_time() - began) * 1000, 1)


def fill(path: Path, messages: int, branches: int) -> None:
    """Store the three conversations."""
    random.seed(7)
    texts = made_up_texts()
    with Store.open(path) as store:
        store.take_in(grown("short", texts, 100, 0))
        store.take_in(grown("line", texts, messages, 0))
        store.take_in(grown("tree", texts, messages, branches))


def grown(title: str, texts: Iterator[str], messages: int, branches: int) -> Conversation:
    """Half of the messages are on one line if there are branches, which leave it or each other anywhere."""
    conversation = Conversation(0, title, settings={"model": "demo"})
    now, chance = datetime.now(UTC), random.Random(7)
    line = messages // 2 if branches else messages
    lengths = chain([line], [(messages - line) // branches] * branches if branches else ())
    for length in lengths:
        if conversation.nodes:
            conversation.go_to(chance.randint(1, len(conversation.nodes)))
        for _ in range(length):
            last = conversation.last
            number = last.number + 1 if last is not None else 1
            role = Role.USER if number % 2 else Role.ASSISTANT
            parent = last.id if last is not None else None
            conversation.add(Node(len(conversation.nodes) + 1, parent, number, Message(role, next(texts)), now))
    conversation.go_to(line)
    return conversation


if __name__ == "__main__":
    main()
