"""A store with bad pages and the whole program: it works, or saves what can be read and says so."""

from __future__ import annotations

import io
import random
import sqlite3
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from chatcli.chat import Chat
from chatcli.cli import main
from chatcli.commands.outcomes import Show
from chatcli.conversation.events import Progress
from chatcli.errors import Damaged
from chatcli.session.build import Wishes, build
from chatcli.session.fallback import mend
from chatcli.session.session import Session
from chatcli.store.backups import back_up
from chatcli.store.store import Store
from tests.commanding import do, said, say, shown
from tests.faults import Engine
from tests.test_store_recovery import PAGE, damage, fill


@pytest.fixture
def path(home: Path) -> Path:
    """20 conversations of 30 messages each, on about 200 pages."""
    fill(home / "chatcli.db")
    return home / "chatcli.db"


@pytest.fixture
def opened(engine: Engine) -> Iterator[Callable[[], Session]]:
    """Opens the last conversation."""
    sessions: list[Session] = []

    def open_() -> Session:
        sessions.append(build(Wishes({"host": engine.url, "model": "demo"}, resume=True)))
        return sessions[-1]

    yield open_
    for each in sessions:
        each.close()


def pages_of(path: Path, *names: str) -> list[int]:
    """The pages of these tables and indexes, from 0, but for the first page of the file."""
    with closing(sqlite3.connect(path)) as raw:
        roots = dict(raw.execute("SELECT name, rootpage FROM sqlite_master WHERE rootpage > 0"))
    return [roots[name] - 1 for name in names]


def kept(path: Path) -> list[Path]:
    return list(path.parent.glob("chatcli.damaged-*.db"))


def test_a_turn_goes_on_whichever_pages_are_bad(path: Path, opened: Callable[[], Session], engine: Engine) -> None:
    content = path.read_bytes()
    pages = len(content) // PAGE
    for seed in range(8):
        path.write_bytes(content)
        damage(path, *random.Random(seed).sample(range(1, pages), pages // 10))
        session = opened()
        engine.say(f"reply {seed}")
        say(session, f"question {seed}")
        assert said(session)[-2:] == [f"question {seed}", f"reply {seed}"]
        for line in ("chats", "search reply word", "tree", "undo", "back"):
            try:
                do(session, line)
            except Damaged:
                assert not kept(path), f"{line} met damage in a store that was recovered"
        session.close()
        for file in kept(path):
            assert file.stat().st_size >= len(content)
            file.unlink()


@pytest.mark.parametrize("name", ["conversations", "nodes", "branches", "search_data", "nodes_place"])
def test_every_command_of_the_shell_works_or_recovers(
    path: Path, engine: Engine, name: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    damage(path, *pages_of(path, name))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
    for words in (
        ["chats"],
        ["chats", "search", "reply"],
        ["chats", "export", "--last"],
        ["-c", "-m", "demo", "?"],
    ):
        code = main.run([*words, "--host", engine.url])
        err = capfd.readouterr().err
        assert code == 0, err
        assert "Traceback" not in err
    with Store.open(path) as store:
        assert len(store.entries()) >= 19
        assert store.check() == []
    assert len(kept(path)) == 1


def test_damage_met_later_is_mended_with_what_is_in_memory(path: Path, opened: Callable[[], Session]) -> None:
    session = opened()
    before = said(session)
    damage(path, *pages_of(path, "nodes", "nodes_place", "search_data"))
    session.store._database._connection.execute("PRAGMA shrink_memory")
    say(session, "are you still there?")
    assert said(session)[: len(before)] == before
    assert said(session)[-2] == "are you still there?"
    assert "damaged file is kept" in str(session.warnings[0])
    assert len(kept(path)) == 1


def test_a_recovery_that_is_stopped_goes_on_in_memory_and_is_done_at_the_next_start(
    path: Path, opened: Callable[[], Session], engine: Engine
) -> None:
    def stop(job: Generator[Progress, None, None]) -> None:
        with closing(job):
            next(job)
            raise KeyboardInterrupt

    session = build(Wishes({"host": engine.url, "model": "demo"}, resume=True), watch=stop)
    before = said(session)
    damage(path, *pages_of(path, "nodes", "nodes_place", "search_data"))
    session.store._database._connection.execute("PRAGMA shrink_memory")
    with pytest.raises(Damaged) as found:
        session.store.search(["word"])
    mend(session, found.value, session.watch)
    assert "recovery was stopped. Messages are now kept in memory" in str(session.warnings[0])
    assert said(session) == before
    say(session, "are you still there?")
    session.close()
    assert kept(path) == []
    assert said(opened()) == before
    assert len(kept(path)) == 1


def test_the_doctor_says_what_came_of_it(path: Path, opened: Callable[[], Session]) -> None:
    session = opened()
    before = said(session)
    damage(path, *pages_of(path, "search_data"))
    outcome = do(session, "doctor")
    assert isinstance(outcome, Show)
    assert outcome.exit_code == 1
    assert "damaged file is kept" in shown(outcome)
    assert said(session) == before
    again = do(session, "doctor")
    assert isinstance(again, Show)
    assert "to do" not in shown(again)
    assert kept(path)[0].name in shown(again)


def test_another_chatcli_goes_on_in_the_new_store_too(
    path: Path, opened: Callable[[], Session], engine: Engine
) -> None:
    """What it has open is put aside by the one that recovers; what it says must not go there."""
    one, other = opened(), opened()
    before = said(one)
    damage(path, *pages_of(path, "search_data"))
    do(one, "doctor")
    engine.say("You too.")
    say(other, "and I?")
    assert said(other)[:-2] == before
    assert "in the place of" in str(other.warnings[0])
    with Store.open(path) as store:
        assert [hit.text for hit in store.search(["and I"])] == ["and I?"]
        assert store.check() == []


def test_where_nothing_can_be_read_one_can_still_talk(path: Path, engine: Engine) -> None:
    path.write_bytes(b"no store at all" * 10_000)
    session = build(Wishes({"host": engine.url, "model": "demo"}))
    say(session, "hi")
    assert len(said(session)) == 2
    assert "in memory only" in str(session.warnings[0])
    session.close()
    assert path.read_bytes().startswith(b"no store at all")


def test_a_program_of_python_goes_on_too(path: Path, engine: Engine) -> None:
    with Chat("demo", host=engine.url, save=True) as chat:
        damage(path, *pages_of(path, "search_data", "nodes"))
        engine.say("Yes.")
        with pytest.warns(UserWarning, match="damaged file is kept"):
            assert chat.send("Still there?") == "Yes."
    with Store.open(path) as store:
        assert [hit.text for hit in store.search(["still"])] == ["Still there?"]


def test_what_only_the_backup_has_is_said(path: Path, opened: Callable[[], Session]) -> None:
    back_up(path, datetime.now(UTC))
    damage(path, *range(40, path.stat().st_size // PAGE))
    session = opened()
    assert "of them from the backup of" in str(session.warnings[0])
    assert "are lost" not in str(session.warnings[0])
    with Store.open(path) as store:
        assert len(store.entries()) == 20
        assert sum(len(store.whole(entry.id).nodes) for entry in store.entries()) == 600
