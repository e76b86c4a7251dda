"""The page of benchmarks is made from the figures that were kept, and from nothing else."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.bench import __main__ as benches
from tests.bench.imports import by_owner
from tests.bench.page import Bench, Goal, Run, figure_of, page, word
from tests.bench.running import figures
from tests.bench.table import BENCHES

START = Bench(
    "Start",
    "start --rounds 15",
    "From exec to a prompt.",
    goals=(
        Goal("start", lambda found: found["plain"]["times_wall"], 1.3, "times", "Imports take half of it."),
        Goal("with flags", lambda found: found["flags"]["times_wall"], 1.5),
    ),
    words={"plain": "`chatcli`"},
)
FOUND = {"rounds": 3, "bare": {"wall": 80, "times_wall": 1.0}, "plain": {"wall": 100, "times_wall": 1.25}}
RUN = Run("start --rounds 3", "Some processor, 2 cores", "2026-01-02", "abc1234", 0.5, 12, FOUND)


def rows(text: str) -> dict[str, list[str]]:
    """The cells of every row of every table, by the first of them."""
    lines = [line.split("|")[1:-1] for line in text.splitlines() if line.startswith("|")]
    return {cells[0].strip(): [each.strip() for each in cells[1:]] for cells in lines}


def test_a_goal_is_judged_by_the_figure_of_its_bench() -> None:
    good = rows(page([START], {"Start": RUN}))
    assert good["start"][:3] == ["1.25 times", "at most 1.3 times", "yes"]
    slow = replace(RUN, found={"plain": {"times_wall": 1.4}})
    assert rows(page([START], {"Start": slow}))["start"][2] == "**no**: Imports take half of it."
    tried = replace(RUN, quick=True)
    assert rows(page([START], {"Start": tried}))["start"][:3] == ["1.25 times", "at most 1.3 times", "only tried"]


@pytest.mark.parametrize("runs", [{}, {"Start": RUN}, {"Start": replace(RUN, found={}, failed="exit code 1.")}])
def test_a_figure_that_is_missing_is_said(runs: dict[str, Run]) -> None:
    text = page([START], runs)
    assert rows(text)["with flags"][:3] == ["", "at most 1.5", "not measured"]
    assert ("It gave no figures: exit code 1." in text) == any(run.failed for run in runs.values())


def test_a_section_says_where_its_figures_come_from_and_names_units() -> None:
    text = page([START], {"Start": RUN})
    for each in ("python -m tests.bench.start --rounds 3", RUN.machine, RUN.date, RUN.commit, "12 s, load 0.5"):
        assert each in text
    assert rows(text)["`chatcli`"] == ["100", "1.25"]
    assert "| clock, ms |" in text


def test_what_has_no_figures_says_why_in_the_table_of_its_neighbors() -> None:
    found = {"start": {"a": {"wall": 1}, "b": {"why": "it is not there"}, "c": {"wall": 3}}}
    cells = rows(page([START], {"Start": replace(RUN, found=found)}))
    assert (cells["a"], cells["b"]) == (["1", ""], ["", "it is not there"])


@pytest.mark.parametrize(
    ("name", "words"),
    [("load_seconds", "load, s"), ("peak_mb", "peak, MB"), ("differ_twice", "differ twice"), ("ms", "ms")],
)
def test_names_are_read_with_their_units(name: str, words: str) -> None:
    assert word(name, {}) == words


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A page in a folder of its own. The figure of each of its three benches is how often one of them has run."""
    times = iter(range(1, 100))
    made = ("One", "one"), ("Two", "two"), ("Two again", "two --again")

    def run(bench: Bench, _given: object, *, quick: bool) -> Run:
        return replace(RUN, command=bench.command, found={"times": next(times), "quick": quick})

    monkeypatch.setattr(benches, "KEPT", tmp_path / "benchmarks.json")
    monkeypatch.setattr(benches, "BENCHES", tuple(Bench(title, command, ".") for title, command in made))
    monkeypatch.setattr(benches, "run", run)
    return tmp_path / "benchmarks.json"


def times(kept: Path) -> dict[str, int]:
    return {title: each["found"]["times"] for title, each in json.loads(kept.read_text()).items()}


def test_only_the_named_sections_are_made_anew(kept: Path) -> None:
    benches.main(["--write"])
    assert times(kept) == {"One": 1, "Two": 2, "Two again": 3}
    benches.main(["--write", "--only", "two"])
    assert times(kept) == {"One": 1, "Two": 4, "Two again": 5}
    assert re.findall("^## (.*)", kept.with_suffix(".md").read_text(), re.MULTILINE) == list(times(kept))


def test_a_page_written_again_has_the_same_figures(kept: Path) -> None:
    benches.main(["--write"])
    before = [path.read_text() for path in (kept, kept.with_suffix(".md"))]
    benches.main(["--write", "--only"])
    assert [path.read_text() for path in (kept, kept.with_suffix(".md"))] == before


def test_a_name_that_is_no_bench_is_refused(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        benches.main(["--write", "--only", "two", "three"])
    assert "three" in capsys.readouterr().err
    assert not kept.exists()


def test_without_write_only_what_ran_is_printed(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    benches.main(["--only", "one"])
    assert "## One\n" in (printed := capsys.readouterr().out)
    assert "## Two" not in printed
    assert not kept.exists()


def test_what_needs_something_that_was_not_given_keeps_its_section(
    kept: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    benches.main(["--write"])
    monkeypatch.setattr(benches, "BENCHES", (Bench("One", "one {memory}", "."),))
    benches.main(["--write"])
    assert times(kept) == {"One": 1}
    assert "no memory" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("program", "found", "failed"),
    [
        ("print('{}'); print('{\"a\": 1}'); print('end')", {"a": 1}, ""),
        ("print('none')", {}, "exit code 0."),
        ("print('{\"a\": 1}'); raise ValueError('so')", {}, "exit code 1. ValueError: so"),
        ("import time; time.sleep(60)", {}, "it did not end within 0 minutes."),
    ],
)
def test_a_bench_that_gives_no_figures_says_why(program: str, found: dict[str, int], failed: str) -> None:
    assert figures([sys.executable, "-c", program], 10 if "sleep" not in program else 0.2) == (
        found,
        failed,
    )


def test_imports_are_counted_for_those_who_own_them() -> None:
    modules = {"ollama": 4.0, "chatcli": 1.0, "chatcli.text": 2.0, "_json": 0.5, "json.decoder": 0.25}
    assert by_owner(modules, {"ollama"}) == {"shared": (1, 4.0), "chatcli": (2, 3.0), "json": (2, 0.75)}


def test_every_bench_is_a_module_and_every_goal_says_that_nothing_was_measured() -> None:
    for each in BENCHES:
        assert (Path(benches.__file__).parent / f"{each.name}.py").exists(), each.name
        assert all(figure_of(goal, replace(RUN, found={})) is None for goal in each.goals)
    titles = [each.title for each in BENCHES]
    assert len(titles) == len(set(titles))


def test_the_page_is_what_the_kept_figures_make() -> None:
    if not benches.KEPT.exists():
        pytest.skip("nothing was measured yet")
    expected = page(BENCHES, benches.read(benches.KEPT))
    assert benches.PAGE.read_text(encoding="utf-8") == expected, "run: python -m tests.bench --write --only"
