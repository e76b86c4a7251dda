"""docs/benchmarks.md as text, from the figures that were kept (docs/benchmarks.json): a table of the goals, then
one section for each bench.

The figures of a bench are the JSON object that it prints: its words and numbers become tables, its lists are left
out. Names are read as words, with the unit that a name ends with; WORDS has those that need more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

Figures = Mapping[str, Any]
HEAD = """# Benchmarks

`python -m tests.bench --write` writes this page, and no figure in it by hand. Each section names the machine, the
commit, the command, and how busy the machine was. A ratio compares two programs in the same run, round by round:
it depends less on the machine than milliseconds do.
"""
UNITS = {"ms": "ms", "s": "s", "seconds": "s", "us": "µs", "mb": "MB", "kb": "kB", "bytes": "bytes"}
# Names in figures that do not say by themselves what they are.
WORDS = {
    "wall": "clock, ms",
    "cpu": "CPU, ms",
    "p50": "median, ms",
    "p95": "95 of 100 within, ms",
    "max": "longest, ms",
    "cpu_p95": "CPU, 95 of 100 within, ms",
    "memory": "peak of memory, MB",
    "why": "why not",
}


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure for the table at the top. `figure` raises LookupError where the bench has none. It is to be `most`
    at most; None: there is no goal. `why`: what stands in the way, a sentence shown while the goal is not met.
    """

    says: str
    figure: Callable[[Figures], float]
    most: float | None = None
    unit: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Bench:
    """`says`: what its figures are. A word in braces in its command stands for what must be given. `words`: how
    names in its figures are read, where WORDS does not say it. It may take `minutes`.
    """

    title: str
    command: str
    says: str
    quick: str = ""
    goals: Sequence[Goal] = ()
    words: Mapping[str, str] = field(default_factory=dict)
    minutes: int = 10

    @property
    def name(self) -> str:
        """Its module."""
        return self.command.split()[0]


@dataclass(frozen=True, slots=True)
class Run:
    """What became of a bench. `found` is empty when it gave no figures; then `failed` says why. `quick`: it was
    only tried, with less of everything: its figures are judged by no goal.
    """

    command: str
    machine: str
    date: str
    commit: str
    load: float
    seconds: int
    found: Figures
    failed: str = ""
    quick: bool = False


def page(benches: Sequence[Bench], runs: Mapping[str, Run]) -> str:
    """`runs`: by the titles of their benches."""
    goals = [(goal, bench, runs.get(bench.title)) for bench in benches for goal in bench.goals]
    columns = ("what", "figure", "goal", "met", "measured by")
    summary = table(columns, (_judged(*each) for each in goals))
    sections = ["\n\n".join(_section(bench, runs.get(bench.title))) for bench in benches]
    return "\n\n".join([HEAD.strip(), summary, *sections]) + "\n"


def figure_of(goal: Goal, run: Run | None) -> float | None:
    """The figure that this goal is about; None where it was not measured."""
    if run is None:
        return None
    try:
        return goal.figure(run.found)
    except (LookupError, ValueError):
        return None


def _judged(goal: Goal, bench: Bench, run: Run | None) -> tuple[str, ...]:
    unit = f" {goal.unit}" if goal.unit else ""
    found = figure_of(goal, run)
    wanted = "" if goal.most is None else f"at most {shown(goal.most)}{unit}" if goal.most else "none"
    if run is None or found is None:
        met, figure = "not measured", ""
    elif run.quick:
        met, figure = "only tried", f"{shown(found)}{unit}"
    else:
        figure = f"{shown(found)}{unit}"
        met = "" if goal.most is None else "yes" if found <= goal.most else "**no**"
        met += f": {goal.why}" if goal.why and met == "**no**" else ""
    return goal.says, figure, wanted, met, f"[{bench.name}](#{_anchor(bench.title)})"


def _section(bench: Bench, run: Run | None) -> Iterator[str]:
    yield f"## {bench.title}"
    yield bench.says
    if run is None:
        yield f"Not measured. The command: `python -m tests.bench.{bench.command}`."
        return
    busy = f"{run.seconds:,} s, load {run.load:.1f} at the beginning"
    yield f"`python -m tests.bench.{run.command}`: {run.date}, commit {run.commit}, {busy}; {run.machine}."
    if run.quick:
        yield "It was only tried, with less of everything than the goals mean."
    if run.failed:
        yield f"It gave no figures: {run.failed}"
    yield from tables(run.found, {**WORDS, **bench.words})


def tables(found: Figures, words: Mapping[str, str]) -> Iterator[str]:
    """One table for all rows with the same columns; what stands alone is read downwards."""
    alone = [(word(name, words), shown(value)) for name, value in _plain(found).items()]
    wide: dict[tuple[str, ...], list[Row]] = {}
    for columns, rows in _rows(found, ()):
        wide.setdefault(columns, []).extend(rows)
    for columns in [columns for columns, rows in wide.items() if len(rows) == 1]:
        [(path, figures)] = wide.pop(columns)
        alone += [(f"{_path(path, words)}: {word(name, words)}", shown(each)) for name, each in figures.items()]
    if alone:
        yield table(("figure", "value"), alone)
    for columns, rows in wide.items():
        parts = zip(*(path for path, _ in rows), strict=False)
        common = sum(1 for _ in takewhile(lambda part: len(set(part)) == 1, parts))
        head = (_path(rows[0][0][:common], words), *(word(name, words) for name in columns))
        cells = ([shown(figures.get(name)) for name in columns] for _, figures in rows)
        yield table(
            head, ((_path(path[common:], words), *each) for (path, _), each in zip(rows, cells, strict=True))
        )


def _path(path: Sequence[str], words: Mapping[str, str]) -> str:
    return " · ".join(word(part, words) for part in path)


Row = tuple[tuple[str, ...], Figures]


def _rows(found: Figures, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], list[Row]]]:
    """The columns and the rows of every table below `path`. Neighbors are one table if they share a column; what
    only says why it has no figures shares all.
    """
    groups: list[tuple[dict[str, None], list[Row]]] = []
    inner = [(name, value) for name, value in found.items() if isinstance(value, Mapping)]
    for name, value in inner:
        figures = _plain(value)
        if not figures:
            continue
        for columns, rows in groups:
            if not figures.keys().isdisjoint(columns) or figures.keys() == {"why"}:
                columns.update(dict.fromkeys(figures))
                rows.append(((*path, name), figures))
                break
        else:
            groups.append((dict.fromkeys(figures), [((*path, name), figures)]))
    for columns, rows in groups:
        yield tuple(columns), rows
    for name, value in inner:
        yield from _rows(value, (*path, name))


def _plain(found: Figures) -> Figures:
    return {name: value for name, value in found.items() if not isinstance(value, (Mapping, list))}


def word(name: str, words: Mapping[str, str]) -> str:
    """A name as words, with the unit that it ends with: `load_seconds` is "load, s"."""
    if name in words:
        return words[name]
    begin, _, end = name.rpartition("_")
    return f"{begin.replace('_', ' ')}, {UNITS[end]}" if begin and end in UNITS else name.replace("_", " ")


def shown(value: Any) -> str:
    """Three digits of a float; nothing where there is nothing."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return "" if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(_cell(each) for each in line)} |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def _anchor(title: str) -> str:
    """The name that GitHub gives to a heading."""
    return "".join(each for each in title.lower().replace(" ", "-") if each.isalnum() or each in "-_")
