"""What a key in the completion menu costs with many conversations. Prints one JSON line, times in milliseconds.

python -m tests.bench.completion [--conversations 10000]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import tempfile
import time
from typing import Any

from chatcli.commands import everything
from chatcli.session import background
from chatcli.session.build import Wishes, build
from tests.bench.store import made_up, made_up_texts
from tests.faults import Engine

LINES = ("/", "/mo", "/set ", "/set tem", "/model d", "/load ", "/load a", "/load the", "/load xqz", "/goto ")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--conversations", type=int, default=10_000)
    wishes = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        os.environ["CHATCLI_HOME"] = place
        print(json.dumps(measure(wishes.conversations)))


def measure(conversations: int) -> dict[str, Any]:
    """The first key pays for what is imported and read once; of the further ones, the median and the longest."""
    random.seed(7)
    texts = made_up_texts()
    background.AT_ONCE = 600.0
    with Engine() as engine:
        session = build(Wishes({"host": engine.url, "model": "demo"}))
        for _ in range(conversations):
            session.store.take_in(made_up(texts, 2))
        session.titles.get()
        figures: dict[str, Any] = {"conversations": conversations}
        for line in LINES:
            times = sorted(timed(session, line) for _ in range(15))
            figures[line] = {"median": round(times[7], 1), "longest": round(times[-1], 1)}
        session.close()
    return figures


def timed(session: Any, line: str) -> float:
    began = time.perf_counter()
    everything().suggest(session, line)
    return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    main()
