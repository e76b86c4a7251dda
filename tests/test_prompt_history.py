from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from multiprocessing import get_context
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatcli.prompt.history import LineHistory


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "lines.db"


def kept(path: Path) -> list[str]:
    """What the next start finds."""
    return LineHistory(path).lines()


def test_lines_are_kept_newest_first_and_whole(path: Path) -> None:
    history = LineHistory(path)
    for line in ("one", "two\nlines", "三"):
        history.add(line)
    assert history.lines() == ["三", "two\nlines", "one"] == kept(path)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=8))
@settings(max_examples=30, deadline=None)
def test_the_file_holds_what_memory_holds(tmp_path_factory: pytest.TempPathFactory, lines: list[str]) -> None:
    path = tmp_path_factory.mktemp("history") / "lines.db"
    history = LineHistory(path)
    for line in lines:
        history.add(line)
    assert kept(path) == history.lines()


def test_blank_lines_and_repetitions_are_not_kept(path: Path) -> None:
    history = LineHistory(path)
    for line in ("one", "", "  \n", "one", "two", "one"):
        history.add(line)
    assert kept(path) == ["one", "two", "one"]


def test_the_repetition_of_a_line_of_last_time_is_not_kept(path: Path) -> None:
    LineHistory(path).add("one")
    LineHistory(path).add("one")
    assert kept(path) == ["one"]


def test_only_the_newest_are_kept(path: Path) -> None:
    history = LineHistory(path, limit=3)
    for number in range(10):
        history.add(str(number))
    assert history.lines() == ["9", "8", "7"] == kept(path)


def test_nothing_is_remembered_while_that_is_wished(path: Path) -> None:
    history = LineHistory(path)
    history.add("before")
    history.remember(False)
    history.add("secret")
    history.remember(True)
    history.add("after")
    assert history.lines() == ["after", "before"] == kept(path)


def test_without_a_path_lines_live_in_memory() -> None:
    history = LineHistory(None)
    history.add("one")
    assert history.lines() == ["one"]


def test_nothing_is_written_before_there_is_a_line(path: Path) -> None:
    assert LineHistory(path).lines() == []
    assert not path.parent.exists()


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX")
def test_the_file_is_private(path: Path) -> None:
    LineHistory(path).add("one")
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o644)
    LineHistory(path).add("two")
    assert path.stat().st_mode & 0o777 == 0o600


def _add_lines(path: Path, name: str) -> None:
    history = LineHistory(path)
    for number in range(20):
        history.add(f"{name} {number}")


def test_several_at_once_share_it(path: Path) -> None:
    LineHistory(path).add("first")
    context = get_context("spawn")
    writers = [context.Process(target=_add_lines, args=(path, name)) for name in ("a", "b")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    lines = kept(path)
    assert len(lines) == 41
    for name in ("a", "b"):
        assert [line for line in lines if line.startswith(name)] == [f"{name} {n}" for n in reversed(range(20))]


class TestTrouble:
    """None of it may keep a person from typing."""

    def test_a_locked_file(self, path: Path) -> None:
        LineHistory(path).add("old")
        history = LineHistory(path)
        with closing(sqlite3.connect(path)) as other:
            other.execute("BEGIN EXCLUSIVE")
            history.add("one")
            history.add("two")
        assert history.lines() == ["two", "one"]
        assert kept(path) == ["old"]

    def test_a_file_that_takes_no_more_lines(self, path: Path) -> None:
        LineHistory(path).add("old")
        with closing(sqlite3.connect(path)) as database:
            database.execute("CREATE TRIGGER no BEFORE INSERT ON lines BEGIN SELECT RAISE(ABORT, 'no'); END")
        history = LineHistory(path)
        history.add("one")
        assert history.lines() == ["one", "old"]
        assert kept(path) == ["old"]

    def test_a_place_that_cannot_be_written(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        history = LineHistory(tmp_path / "file" / "lines.db")
        history.add("one")
        assert history.lines() == ["one"]

    @pytest.mark.parametrize(
        "damage", [b"this is no database, and long enough to be one" * 50, b"SQLite format 3\0"]
    )
    def test_a_damaged_file_is_set_aside(self, path: Path, damage: bytes) -> None:
        path.parent.mkdir()
        path.write_bytes(damage)
        history = LineHistory(path)
        history.add("one")
        assert history.lines() == ["one"]
        assert path.with_name("lines.db.damaged").read_bytes() == damage
        LineHistory(path).add("two")
        assert kept(path) == ["two"]
