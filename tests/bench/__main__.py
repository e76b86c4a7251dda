"""Runs the benches one after the other, and writes their figures into docs/benchmarks.md.

    python -m tests.bench [--write] [--only NAME ...] [--memory FILE] [--quick]

Each figure stands with the command that made it. What a bench needs and is not there is left out and said:
`--memory FILE` (a file in the form of replay.py), CHATCLI_TEST_OLLAMA (the address of a server, with the names of
its models in CHATCLI_TEST_MODELS), other programs on PATH. `--quick` takes few repetitions, to try the page.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"
MINUTES = 20  # that a bench may take


@dataclass(frozen=True, slots=True)
class Bench:
    """`says`: what its figures are. A word in braces in its command stands for what must be given."""

    title: str
    command: str
    says: str
    quick: str = ""


BENCHES = (
    Bench(
        "Start",
        "start --rounds 15",
        "From exec to an editable prompt, beside a bare prompt_toolkit prompt; the ratios are of one round each.",
        "start --rounds 3",
    ),
    Bench(
        "One question in a pipe",
        "oneshot",
        "CPU and memory of `chatcli hi` against a server that answers at once, beside importing ollama and Rich.",
    ),
    Bench(
        "Drawing a reply",
        "streaming",
        "CPU of drawing a reply of so many tokens, beside raw text, Rich at the end, and rich.live throughout.",
        "streaming --sizes 1000",
    ),
    Bench(
        "Tools",
        "tools --turns 30",
        "Planned tokens against measured ones on every round, and what a round costs the client.",
        "tools --turns 6 --tools 1 8 --models demo-tools",
    ),
    Bench(
        "Tools on a real server",
        "tools --turns 8 --tools 0 1 8 --window 4096 --host {server} --models {models}",
        "The same with the models of a server.",
    ),
    Bench(
        "Memory: what a question needs",
        "recall {memory} --budget 3072",
        "Percent of questions whose needed messages are all in a window of 3,072 tokens for history.",
    ),
    Bench(
        "Memory: what is read again",
        "prefix {memory} --budget 3072",
        "Tokens that the server evaluates again on each turn.",
    ),
    Bench(
        "Memory: numbers in summaries",
        "summaries {memory} --budget 3072",
        "Percent of the numbers, dates and quoted strings that reach the model, without and with the list.",
    ),
    Bench("Memory: seconds a turn", "seconds {memory}", "Simulated, for three speeds of reading prompts."),
    Bench("Search", "search", "Searching stored messages."),
    Bench(
        "What a kill loses",
        "killing --kills 40",
        "chatcli is killed (SIGKILL) at random moments, in a terminal.",
        "killing --kills 4",
    ),
    Bench(
        "What a kill loses in the middle of a tool",
        "killing_calls --kills 100",
        "The same while tools run: nothing lost, nothing repeated.",
        "killing_calls --kills 6",
    ),
    Bench("Other programs", "peers", "Start and memory of what is on PATH, in one run."),
)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--memory", default="")
    wishes = parser.parse_args()
    given = {
        "memory": wishes.memory,
        "server": os.environ.get("CHATCLI_TEST_OLLAMA", ""),
        "models": os.environ.get("CHATCLI_TEST_MODELS", ""),
    }
    parts = [_head()]
    for bench in BENCHES:
        if not wishes.only or bench.command.split()[0] in wishes.only:
            parts.append("\n".join(_section(bench, given, quick=wishes.quick)))
            sys.stderr.write(f"{bench.title}\n")
    page = "\n\n".join(parts) + "\n"
    if wishes.write:
        PAGE.write_text(page, encoding="utf-8")
    else:
        sys.stdout.write(page)


def _head() -> str:
    system = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    return (
        "# Benchmarks\n\n"
        "Written by `python -m tests.bench --write`: no figure is typed by hand. Names say what is in\n"
        "milliseconds; ratios are of one run, and the load of the machine stands with each.\n\n"
        f"Machine: {system}, Python {platform.python_version()}."
    )


def _section(bench: Bench, given: Mapping[str, str], *, quick: bool) -> Iterator[str]:
    missing = [name for name, value in given.items() if "{" + name + "}" in bench.command and not value]
    yield f"## {bench.title}\n\n{bench.says}\n"
    if missing:
        yield f"Left out: no {' and no '.join(missing)} was given."
        return
    command = (bench.quick if quick and bench.quick else bench.command).format(**given)
    shown = command.replace(given["memory"], "FILE") if given["memory"] else command
    yield f"```sh\npython -m tests.bench.{shown}\n```\n"
    began, load = time.monotonic(), os.getloadavg()[0]
    done = subprocess.run(
        [sys.executable, "-m", *f"tests.bench.{command}".split()],
        check=False,
        capture_output=True,
        text=True,
        timeout=MINUTES * 60,
    )
    took = f"{datetime.now(UTC):%Y-%m-%d}, {time.monotonic() - began:.0f} s, load {load:.1f}"
    found = _last_object(done.stdout)
    if found is None:
        yield f"{took}: it gave no figures (exit code {done.returncode})."
        return
    yield f"{took}.\n\n| figure | value |\n| --- | --- |"
    yield from (f"| {name} | {_shown(value)} |" for name, value in _flat(found, ""))


def _last_object(printed: str) -> dict[str, Any] | None:
    for line in reversed(printed.splitlines()):
        if line.startswith("{"):
            found: dict[str, Any] = json.loads(line)
            return found
    return None


def _flat(found: Mapping[str, Any], before: str) -> Iterator[tuple[str, Any]]:
    for name, value in found.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{name} ")
        elif value not in ([], None):
            yield f"{before}{name}", value


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value).replace("|", "\\|")


if __name__ == "__main__":
    main()
