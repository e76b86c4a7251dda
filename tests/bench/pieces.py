"""Does a reply in pieces look like the same reply rendered at once? Markdown files, at five sizes: one JSON line.

    python -m tests.bench.pieces FILE_OR_FOLDER... [--files 300] [--kb 16] [--jobs 2] [--seed 0]

Folders are searched for *.md and for METADATA of Python packages, whose long description counts. Each text is
streamed in random pieces, drawn at random moments, at each size; every cell of screen and scrollback is compared.
`--kb` cuts longer files. The names of files that differ go to stderr, with the first row that differs.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from chatcli.text import clean
from tests.growing import grown, looks, pieces, rendered
from tests.screen import Cell

SIZES = [(80, 24), (40, 10), (120, 40), (200, 50), (20, 6)]
ENDINGS = (".md", ".markdown", ".md.gz", "METADATA")


class Task(NamedTuple):
    name: str
    text: str
    seed: int


def differing(task: Task) -> list[str]:
    """What differs, a line for each size at which something does."""
    found = []
    for columns, rows in SIZES:
        seed = random.Random(f"{task.seed} {task.name} {columns}").randrange(10**6)
        cuts = pieces(task.text, seed)
        seen, whole = grown(cuts, columns, rows, seed), rendered(task.text, columns, rows)
        if seen.text != whole.text or looks(seen) != looks(whole):
            at = _first(looks(seen), looks(whole))
            rows_there = [each.text[at] if at < len(each.text) else None for each in (seen, whole)]
            found.append(f"{columns}x{rows} seed {seed} row {at}: {rows_there[0]!r} for {rows_there[1]!r}")
    return found


def _first(one: list[list[Cell]], other: list[list[Cell]]) -> int:
    pairs = zip(one, other, strict=False)
    return next((at for at, (left, right) in enumerate(pairs) if left != right), min(len(one), len(other)))


def texts(places: list[Path], most: int, longest: int) -> Iterator[tuple[str, str]]:
    """Different texts of some length, at random but always the same ones."""
    files = sorted({file for place in places for file in _files(place)})
    random.Random(1).shuffle(files)
    known: set[bytes] = set()
    for file in files:
        text = clean(_read(file))[:longest]
        if len(text) < 200 or (mark := sha256(text.encode()).digest()) in known:
            continue
        known.add(mark)
        yield str(file), text
        if len(known) == most:
            return


def _files(place: Path) -> Iterator[Path]:
    if place.is_file():
        yield place
    for folder, _, names in os.walk(place):
        yield from (Path(folder, name) for name in names if name.endswith(ENDINGS))


def _read(file: Path) -> str:
    try:
        data = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    except OSError:
        return ""
    text = data.decode("utf-8", "replace").replace("\r\n", "\n")
    return text.partition("\n\n")[2] if file.name == "METADATA" else text


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("places", nargs="+", type=Path)
    parser.add_argument("--files", type=int, default=300)
    parser.add_argument("--kb", type=int, default=16)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    os.environ["COLORTERM"] = "truecolor"
    tasks = [Task(name, text, asked.seed) for name, text in texts(asked.places, asked.files, asked.kb * 1000)]
    differ = {}
    with ProcessPoolExecutor(asked.jobs) as pool:
        for task, lines in zip(tasks, pool.map(differing, tasks, chunksize=4), strict=True):
            if lines:
                differ[task.name] = lines
                print(task.name, *lines, sep="\n    ", file=sys.stderr, flush=True)
    screens = sum(map(len, differ.values()))
    found = {"what": "pieces", "files": len(tasks), "sizes": len(SIZES), "seed": asked.seed}
    print(json.dumps(found | {"files_that_differ": len(differ), "screens_that_differ": screens}))


if __name__ == "__main__":
    main()
