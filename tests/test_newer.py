"""A newer chatcli's store and the whole program: the store is read and searched, and not changed."""

from __future__ import annotations

import io
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from chatcli.cli import main
from chatcli.errors import TooNew
from chatcli.session.build import Wishes, build
from chatcli.session.session import Session
from tests.commanding import do, said, say, shown
from tests.faults import Engine


@pytest.fixture
def path(home: Path, engine: Engine) -> Path:
    """One conversation, and the mark of a migration that is not known here."""
    engine.say("Whales are mammals.")
    session = build(Wishes({"model": "demo", "host": engine.url}))
    say(session, "tell me of whales")
    session.close()
    with closing(sqlite3.connect(home / "chatcli.db")) as raw, raw:
        raw.execute("INSERT INTO migrations VALUES ('m999_from_tomorrow', '2030-01-01')")
    return home / "chatcli.db"


@pytest.fixture
def newer(path: Path, engine: Engine) -> Iterator[Session]:
    assert path.exists()
    session = build(Wishes({"model": "demo", "host": engine.url}))
    yield session
    session.close()


def change(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute(statement)


@pytest.mark.parametrize("word", ["ended", "role"])
def test_a_word_that_only_a_newer_one_knows_is_no_damage(path: Path, engine: Engine, word: str) -> None:
    change(path, f"UPDATE nodes SET {word} = 'from_tomorrow' WHERE number = 2")
    session = build(Wishes({"model": "demo", "host": engine.url}))
    try:
        with pytest.raises(TooNew, match="newer chatcli"):
            do(session, "load 1")
        assert session.store.check() == []
    finally:
        session.close()
    assert not list(path.parent.glob("*damaged*"))


def rows(path: Path) -> list[tuple[str, ...]]:
    with closing(sqlite3.connect(path)) as raw:
        return raw.execute("SELECT id, tip, title FROM conversations ORDER BY id").fetchall()


def test_it_can_be_read_and_searched(newer: Session) -> None:
    assert "newer chatcli" in str(newer.warnings[0])
    assert "in memory only" in str(newer.warnings[0])
    assert "Update chatcli" in str(newer.warnings[0])
    assert "tell me of whales" in shown(do(newer, "chats"))
    assert "mammals" in shown(do(newer, "search mammals"))
    do(newer, "load tell me of whales")
    assert said(newer) == ["tell me of whales", "Whales are mammals."]


def test_what_is_said_goes_on_beside_it(newer: Session, engine: Engine, path: Path) -> None:
    before = rows(path)
    do(newer, "load 1")
    engine.say("Up to 30 metres.")
    say(newer, "how large?")
    assert said(newer)[2:] == ["how large?", "Up to 30 metres."]
    do(newer, "undo")
    do(newer, "clear")
    say(newer, "something else")
    assert "metres" in shown(do(newer, "search metres"))
    assert rows(path) == before


def test_one_that_takes_no_messages_of_ours_is_left_aside(path: Path, engine: Engine) -> None:
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("CREATE TRIGGER strict BEFORE INSERT ON nodes BEGIN SELECT raise(ABORT, 'not so'); END")
    session = build(Wishes({"model": "demo", "host": engine.url}, resume=True))
    assert said(session) == ["tell me of whales", "Whales are mammals."]
    say(session, "and on")
    assert len(said(session)) == 4
    session.close()


def test_the_shell_reads_it_and_says_why_it_does_not_write(
    path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    before = rows(path)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
    assert main.run(["chats"]) == 0
    assert "whales" in capfd.readouterr().out
    assert main.run(["chats", "search", "mammals"]) == 0
    assert "mammals" in capfd.readouterr().out
    assert main.run(["chats", "rename", "1", "x"]) == 1
    assert "newer chatcli" in capfd.readouterr().err
    engine.say("Yes.")
    assert main.run(["--continue", "--host", engine.url, "sure?"]) == 0
    done = capfd.readouterr()
    assert done.out.strip() == "Yes."
    assert "newer chatcli" in done.err
    assert rows(path) == before
    assert main.run(["doctor", "--host", engine.url]) == 1
    assert "newer chatcli" in capfd.readouterr().out
