"""What one question from a pipe imports, by whose modules they are, and in what time. Prints one JSON line.

    python -m tests.bench.imports [--rounds 5]

`python -X importtime` tells what each module takes by itself: milliseconds on the clock, which the telling itself
lengthens. `shared`: what `import ollama, rich.console` imports, too. Each figure is the least of the rounds.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.bench.oneshot import CHATCLI, IMPORTS, asked_before, run
from tests.bench.start import print_figures

LINE = re.compile(r"import time:\s+(\d+) \|\s+\d+ \|\s+([\w.]+)$", re.MULTILINE)
NAMED = 5  # packages beside chatcli's own and the shared ones


def measure(home: Path, rounds: int) -> dict[str, Any]:
    with asked_before(home) as (_, there):
        run(CHATCLI, there)  # compiles what is new
        shared = imported(IMPORTS, there).keys()
        taken = [by_owner(imported(CHATCLI, there), shared) for _ in range(rounds)]
    least = {name: min((each[name] for each in taken), key=lambda each: each[1]) for name in taken[0]}
    others = sorted(least.keys() - {"shared", "chatcli"}, key=lambda name: -least[name][1])
    rows = {name: [least[name]] for name in ("shared", "chatcli", *others[:NAMED])}
    rows["others"] = [least[name] for name in others[NAMED:]]
    return {"rounds": rounds} | {"imports": {name: _row(several) for name, several in rows.items()}}


def _row(several: Sequence[tuple[int, float]]) -> dict[str, float]:
    return {"modules": sum(number for number, _ in several), "import_ms": round(sum(ms for _, ms in several), 1)}


def imported(arguments: Sequence[str], there: Mapping[str, str]) -> dict[str, float]:
    """Milliseconds for each module."""
    command = [sys.executable, "-X", "importtime", *arguments]
    done = subprocess.run(command, env=there, check=True, capture_output=True, stdin=subprocess.DEVNULL, text=True)
    return {module: int(micro) / 1000 for micro, module in LINE.findall(done.stderr)}


def by_owner(modules: Mapping[str, float], shared: Collection[str]) -> dict[str, tuple[int, float]]:
    """How many modules each has, and their milliseconds."""
    found: dict[str, list[float]] = defaultdict(list)
    for name, ms in modules.items():
        found["shared" if name in shared else name.partition(".")[0].lstrip("_")].append(ms)
    return {name: (len(each), sum(each)) for name, each in found.items()}


if __name__ == "__main__":
    print_figures(measure, 5)
