"""What does one question cost, from a pipe to a server that answers at once? Prints one JSON line.

    python -m tests.bench.oneshot [--rounds 15]

Each round runs every program once: `import ollama, rich.console`, `chatcli hi` with a cached vocabulary, and
`chatcli hi` with an empty cache. `cpu` is the median in milliseconds, of the program and of the processes it
starts; `memory` is the largest peak of one process, in megabytes. `times_cpu` is the median of what a program
took, divided by what the import took in the same round: what else runs on the machine affects it less.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.start import environment, print_figures
from tests.faults import Engine

IMPORTS = ("-c", "import ollama, rich.console")
CHATCLI = ("-m", "chatcli", "-m", "demo", "hi")


@dataclass(frozen=True, slots=True)
class Took:
    """Seconds of CPU, and the peak of memory in megabytes."""

    cpu: float
    memory: float


@contextmanager
def asked_before(home: Path) -> Iterator[tuple[Engine, dict[str, str]]]:
    """A server, and the environment of a program that has asked it before: its cache is filled."""
    there = environment(home) | {"CHATCLI_HOME": str(home / "kept")}
    with Engine() as engine:
        there["OLLAMA_HOST"] = engine.url
        run((*CHATCLI[:-1], "--json", "hi"), there)
        yield engine, there


def measure(home: Path, rounds: int) -> dict[str, Any]:
    with asked_before(home) as (engine, there):
        empty = (there | {"CHATCLI_HOME": str(home / f"new-{number}")} for number in range(rounds + 1))

        def each() -> dict[str, Took]:
            engine.forget()
            engine.say("Hello.", "Hello.")
            return {
                "imports": run(IMPORTS, there),
                "cached": run(CHATCLI, there),
                "empty": run(CHATCLI, next(empty)),
            }

        each()  # compiles what is new
        taken = [each() for _ in range(rounds)]
    return {"rounds": rounds} | {name: figures(name, taken) for name in taken[0]}


def figures(name: str, taken: Sequence[Mapping[str, Took]]) -> dict[str, float]:
    return {
        "cpu": round(statistics.median(each[name].cpu for each in taken) * 1000),
        "times_cpu": round(statistics.median(each[name].cpu / each["imports"].cpu for each in taken), 2),
        "memory": round(max(each[name].memory for each in taken), 1),
    }


def run(arguments: Sequence[str], environment: Mapping[str, str]) -> Took:
    """Run Python with these arguments in a pipe, to its end."""
    process = subprocess.Popen(
        [sys.executable, *arguments], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, arguments)
    return Took(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


if __name__ == "__main__":
    print_figures(measure, 15)
