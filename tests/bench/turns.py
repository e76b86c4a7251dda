"""What a turn of strategy auto costs in a long conversation, beside one of 100 messages. Prints one JSON line.

    python -m tests.bench.turns [--turns 20] [--rounds 5]

The messages are generated (as in store.py): a store for each length, with one conversation. A session of each is
open on the demo engine, and the same turns go to one after the other. Half of the questions look back, with words
of some message; the others only go on. `cpu` and `wall` are medians in milliseconds of this process; the engine is
another. `first` is the first turn that looks back. `continue` is a start with --continue in a terminal, from exec
to an editable prompt. `times`: the median of the CPU that each took, divided by what the same took in the shortest
conversation in the same round.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any

from chatcli.__main__ import OBJECTS_BETWEEN_COLLECTIONS
from chatcli.client.server import start_demo
from chatcli.conversation.events import Event
from chatcli.paths import find_paths
from chatcli.session.build import Wishes, build
from chatcli.session.session import Session
from chatcli.store.store import Store
from chatcli.turn import answer, ask
from tests.bench.start import CHATCLI, Took, ask_once, environment, start
from tests.bench.store import LENGTHS, made_up, made_up_texts

WARM = 2  # turns of each kind before the first that counts


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--turns", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    wishes = parser.parse_args()
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)  # as in the program
    with tempfile.TemporaryDirectory() as place:
        print(json.dumps(measure(Path(place), wishes.turns, wishes.rounds)))


def measure(place: Path, turns: int, rounds: int) -> dict[str, Any]:
    random.seed(17)
    texts = made_up_texts()
    homes = {length: place / str(length) for length in LENGTHS}
    for length, home in homes.items():
        fill(home, texts, length)
    os.environ["CHATCLI_DEMO_PACE"] = "0"
    with closing(start_demo()) as server:
        figures = {"continue": continued(place, homes, server.url, rounds)} if rounds else {}
        with ExitStack() as open_ones:
            sessions = {length: resumed(home, server.url) for length, home in homes.items()}
            for session in sessions.values():
                open_ones.callback(session.close)
            figures |= in_turns(sessions, texts, turns)
    return {"turns": turns} | figures


def fill(home: Path, texts: Iterator[str], length: int) -> None:
    paths = find_paths(home)
    with Store.open(paths.store) as store:
        store.take_in(made_up(texts, length))


def resumed(home: Path, url: str) -> Session:
    os.environ["CHATCLI_HOME"] = str(home)
    return build(Wishes({"host": url, "model": "demo", "strategy": "auto", "recall": "on"}, resume=True))


def in_turns(sessions: Mapping[int, Session], texts: Iterator[str], turns: int) -> dict[str, Any]:
    """Each kind of turn, in all conversations by turns."""
    kinds: dict[str, Callable[[Session], str]] = {"looks_back": looks_back, "goes_on": partial(goes_on, texts)}
    for session in sessions.values():
        said(session, "Good morning.")
    taken: dict[str, list[dict[int, Took]]] = {"first": [by_turns(sessions, looks_back)]}
    for name, question in kinds.items():
        for _ in range(WARM):
            by_turns(sessions, question)
        taken[name] = []
    for _ in range(turns):
        for name, question in kinds.items():
            taken[name].append(by_turns(sessions, question))
    return {name: figures(each) for name, each in taken.items()}


def by_turns(sessions: Mapping[int, Session], question: Callable[[Session], str]) -> dict[int, Took]:
    return {length: said(session, question(session)) for length, session in sessions.items()}


def looks_back(session: Session) -> str:
    """Asks for what some message says, with words of it: common and rare ones, as they come."""
    last = session.conversation.last
    assert last is not None
    while True:
        one = session.conversation.message(random.randrange(1, last.number, 2))
        assert one is not None
        words = one.message.text.split()[:40]
        if len(words) == 20:  # one of those that were made up
            return "What did I say about " + " ".join(random.sample(words, 5)) + "?"


def goes_on(texts: Iterator[str], _session: Session) -> str:
    return "Please go on. " + " ".join(next(texts).split()[:12])


def said(session: Session, text: str) -> Took:
    wall, cpu = time.perf_counter(), time.process_time()
    answer(session, ask(session, text), unheard)
    return Took(time.perf_counter() - wall, time.process_time() - cpu)


def unheard(_event: Event) -> None:
    pass


def continued(place: Path, homes: Mapping[int, Path], url: str, rounds: int) -> dict[str, Any]:
    there = environment(place) | {"TERM": "xterm-256color", "PROMPT_TOOLKIT_NO_CPR": "1", "OLLAMA_HOST": url}
    ask_once(there)
    flags = (*CHATCLI, "-m", "demo", "--continue")
    start(flags, there)  # compiles what is new
    return figures(
        [
            {length: start(flags, there | {"CHATCLI_HOME": str(home)}) for length, home in homes.items()}
            for _ in range(rounds)
        ]
    )


def figures(taken: Sequence[Mapping[int, Took]]) -> dict[str, Any]:
    shortest = min(LENGTHS)
    return {
        str(length): {
            "cpu": round(statistics.median(each[length].cpu for each in taken) * 1000, 1),
            "wall": round(statistics.median(each[length].wall for each in taken) * 1000, 1),
            "times": round(statistics.median(each[length].cpu / each[shortest].cpu for each in taken), 2),
        }
        for length in LENGTHS
    }


if __name__ == "__main__":
    main()
