"""How long does Tab take in the shell? Prints one JSON line: medians in milliseconds from exec to the end, on
the clock (`wall`) and of CPU, which what else runs on the machine affects less.

    python -m tests.bench.tab [--rounds 15]

`flags`, `models` and `conversations` are what is completed; the store has 10,000 conversations.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from chatcli.paths import find_paths
from chatcli.session.known_servers import About, remember
from chatcli.store.store import Store
from tests.bench.start import Took
from tests.starting import ROOT

CONVERSATIONS = 10_000
LINES = {
    "flags": "chatcli --th",
    "subcommands": "chatcli mod",
    "models": "chatcli --model ",
    "conversations": "chatcli --resume conversation",
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as home:
        fill(Path(home))
        environment = {**os.environ, "CHATCLI_HOME": home, "_CHATCLI_COMPLETE": "bash", "PYTHONPATH": str(ROOT)}
        taken: dict[str, list[Took]] = {name: [] for name in LINES}
        for _ in range(rounds + 1):  # the first one makes the table
            for name, line in LINES.items():
                taken[name].append(asked(line, environment))
    print(json.dumps({name: medians(each[1:]) for name, each in taken.items()}))


def medians(taken: Sequence[Took]) -> dict[str, int]:
    return {
        "wall": round(statistics.median(each.wall for each in taken) * 1000),
        "cpu": round(statistics.median(each.cpu for each in taken) * 1000),
    }


def fill(home: Path) -> None:
    paths = find_paths(home)
    remember(paths.servers, "http://127.0.0.1:11434", "m", {f"model{number}": About() for number in range(100)})
    Store.open(paths.store).close()
    with closing(sqlite3.connect(paths.store)) as connection:
        names = [row[1] for row in connection.execute("PRAGMA table_info(conversations)")]
        given = {"title": "", "created": 0, "updated": 0, "latest": 0, "settings": "{}", "state": "{}", "demo": 0}
        columns = [name for name in given if name in names]
        marks = ", ".join("?" * len(columns))
        rows = (
            [{**given, "title": f"conversation {number}", "latest": number}[name] for name in columns]
            for number in range(1, CONVERSATIONS + 1)
        )
        connection.executemany(f"INSERT INTO conversations ({', '.join(columns)}) VALUES ({marks})", rows)
        connection.commit()


def asked(line: str, environment: dict[str, str]) -> Took:
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-m", "chatcli", line]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout, line
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Took(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


if __name__ == "__main__":
    main()
