"""Start, CPU and memory of other programs for the same task, as far as they are on PATH. Prints one JSON line.

    python -m tests.bench.peers [--rounds 5]

Of each `--version` is asked, which every one answers after it has loaded itself: milliseconds on the clock and of
CPU (medians), and the peak of memory in MB. One that is not on PATH is left out.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

PEERS = ("ollama", "llm", "oterm", "aichat", "gptme")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    wishes = parser.parse_args()
    commands = {"chatcli": [sys.executable, "-m", "chatcli"]}
    commands |= {name: [path] for name in PEERS if (path := shutil.which(name))}
    rounds = [
        {name: _run([*words, "--version"]) for name, words in commands.items()} for _ in range(wishes.rounds)
    ]
    print(json.dumps({name: _median([each[name] for each in rounds]) for name in commands}))


def _run(command: Sequence[str]) -> tuple[float, float, float]:
    """Milliseconds on the clock, milliseconds of CPU, and the peak of memory in MB."""
    began = time.monotonic()
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, _, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - began
    return wall * 1000, (usage.ru_utime + usage.ru_stime) * 1000, usage.ru_maxrss / 1024


def _median(runs: Sequence[tuple[float, float, float]]) -> dict[str, Any]:
    wall, cpu, memory = (round(statistics.median(each), 1) for each in zip(*runs, strict=True))
    return {"wall_ms": wall, "cpu_ms": cpu, "peak_mb": memory}


if __name__ == "__main__":
    main()
