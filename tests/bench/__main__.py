"""Runs the benches one after the other, and writes docs/benchmarks.md from their figures.

    python -m tests.bench [--write] [--only NAME ...] [--memory FILE] [--quick]

`--only` names the benches to run (streaming, start ...): with `--write`, their sections of the page are made anew,
and the others stay. Without a name it runs none: then the page is written anew from the figures that were kept in
docs/benchmarks.json. What a bench needs and is not there is left out and said: `--memory FILE` (a file in the form
of replay.py), CHATCLI_TEST_OLLAMA (the address of a server, with the names of its models in CHATCLI_TEST_MODELS),
other programs on PATH. `--quick` takes few repetitions, to try the page.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from tests.bench.page import Run, page
from tests.bench.running import ROOT, run
from tests.bench.table import BENCHES

PAGE = ROOT / "docs" / "benchmarks.md"
KEPT = PAGE.with_suffix(".json")


def main(words: Sequence[str] | None = None) -> None:
    wishes = arguments().parse_args(words)
    given = {
        "memory": wishes.memory,
        "server": os.environ.get("CHATCLI_TEST_OLLAMA", ""),
        "models": os.environ.get("CHATCLI_TEST_MODELS", ""),
    }
    runs: dict[str, Run] = {}
    asked = [bench for bench in BENCHES if wishes.only is None or bench.name in wishes.only]
    for bench in asked:
        lacking = [name for name, value in given.items() if "{" + name + "}" in bench.command and not value]
        if lacking:
            sys.stderr.write(f"{bench.title}: left out, no {' and no '.join(lacking)} was given\n")
            continue
        done = run(bench, given, quick=wishes.quick)
        sys.stderr.write(f"{bench.title}: {done.seconds} s{', ' * bool(done.failed)}{done.failed}\n")
        if wishes.write:
            write(read(KEPT) | {bench.title: done}, KEPT)  # read now: another run may have written meanwhile
        else:
            runs[bench.title] = done
    if wishes.write:
        write(read(KEPT), KEPT)
    else:
        shown = asked if wishes.only else BENCHES
        sys.stdout.write(page(shown, runs))


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", nargs="*", choices=sorted({bench.name for bench in BENCHES}), metavar="NAME")
    parser.add_argument("--memory", default="")
    return parser


def read(kept: Path) -> dict[str, Run]:
    """What was kept of the benches that there still are."""
    if not kept.exists():
        return {}
    titles = {bench.title for bench in BENCHES}
    found = json.loads(kept.read_text(encoding="utf-8"))
    return {title: Run(**each) for title, each in found.items() if title in titles}


def write(runs: Mapping[str, Run], kept: Path) -> None:
    """Keep the figures, and write the page beside them."""
    found = {bench.title: asdict(runs[bench.title]) for bench in BENCHES if bench.title in runs}
    kept.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    kept.with_suffix(".md").write_text(page(BENCHES, runs), encoding="utf-8")


if __name__ == "__main__":
    main()
