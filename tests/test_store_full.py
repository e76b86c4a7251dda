"""A full disk, or a writer that does not end: what is stored can still be read, and nothing looks empty."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from pathlib import Path

import pytest

if os.name != "posix":
    pytest.skip("limits are POSIX", allow_module_level=True)

import resource

from chatcli.conversation.message import Message
from chatcli.errors import NoRoom
from chatcli.session.build import Wishes, build
from chatcli.store import database
from chatcli.store.store import Store
from chatcli.turn import answer, ask
from tests.commanding import do, said, say, shown
from tests.faults import Engine

SMALL = 1000  # bytes: less than any file of a store has


@pytest.fixture
def path(home: Path) -> Path:
    """One conversation, settled in the file: there is no log and no -shm."""
    with Store.open(home / "chatcli.db") as store:
        conversation = store.create()
        for text in ("tell me of whales", "They sing."):
            store.append(conversation, Message.user(text) if "tell" in text else Message.assistant(text))
    return home / "chatcli.db"


@contextmanager
def no_room(most: int = SMALL) -> Iterator[None]:
    """No file may grow beyond `most` bytes: as on a full disk, there is no room for a -shm, nor for a log."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def held(path: Path, how: str = "IMMEDIATE") -> Iterator[None]:
    """Another program writes, and does not come to an end."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        if how == "EXCLUSIVE":
            other.execute("PRAGMA journal_mode=DELETE")  # readers have to wait, too
        other.execute(f"BEGIN {how}")
        yield


def test_a_store_on_a_full_disk_is_read(path: Path) -> None:
    before = path.read_bytes()
    with no_room():
        store = Store.open(path)
        found = store.conversation(1).path()
        reason = store.read_only
        store.close()
    assert [node.message.text for node in found] == ["tell me of whales", "They sing."]
    assert isinstance(reason, NoRoom)
    assert path.read_bytes() == before


def test_a_log_is_read_on_a_full_disk_too(path: Path, tmp_path: Path) -> None:
    """What a killed program leaves: a log, and here nothing else."""
    copy = tmp_path / "copy" / "chatcli.db"
    copy.parent.mkdir(mode=0o700)
    with Store.open(path) as store:
        store.append(store.conversation(1), Message.user("all of them?"))
        for file in (path, path.with_name("chatcli.db-wal")):
            copy.with_name(file.name).write_bytes(file.read_bytes())
    with no_room():
        store = Store.open(copy)
        found = store.conversation(1).path()
        store.close()
    assert [node.message.text for node in found] == ["tell me of whales", "They sing.", "all of them?"]


def test_one_can_go_on_beside_a_full_disk(path: Path, engine: Engine) -> None:
    assert path.exists()
    with no_room():
        session = build(Wishes({"host": engine.url, "model": "demo"}, resume=True))
    assert "no room left" in str(session.warnings[0])
    assert "in memory only" in str(session.warnings[0])
    say(session, "how large?")
    assert said(session)[0] == "tell me of whales"
    assert "tell me of whales" in shown(do(session, "chats"))
    session.close()


# For each part of a turn a limit that a new store reaches in it: its tables, the question, the reply.
LIMITS = (4_097, 20_481, 100_001, 200_001, 282_001)


@pytest.mark.parametrize("most", LIMITS)
@pytest.mark.parametrize("before", ["the store", "the question", "the reply"])
def test_a_turn_goes_on_in_memory_wherever_the_room_ends(engine: Engine, most: int, before: str) -> None:
    def room(part: str) -> AbstractContextManager[None]:
        return no_room(most) if part == before else nullcontext()

    engine.say("All of it. " * 400)
    with room("the store"):
        session = build(Wishes({"host": engine.url, "model": "demo"}))
        with room("the question"):
            question = ask(session, "how large?")
            with room("the reply"):
                reply = answer(session, question, lambda event: None)
    assert reply is not None
    assert reply.message.text == "All of it. " * 400
    assert said(session) == ["how large?", reply.message.text]
    (warning,) = session.warnings
    assert "kept in memory only" in str(warning)
    session.close()


def test_a_pipe_prints_the_whole_reply_when_a_file_may_grow_no_more(path: Path, engine: Engine) -> None:
    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_001, resource.RLIM_INFINITY))

    assert path.exists()
    engine.say("All of it. " * 400)
    done = subprocess.run(
        [sys.executable, "-B", "-m", "chatcli", "--host", engine.url, "-m", "demo", "how large?"],
        preexec_fn=limited,
        input="",
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "All of it. " * 400 + "\n"), done.stderr
    assert "or it is full. Messages are now kept in memory only" in done.stderr


def test_the_shell_lists_what_is_on_a_full_disk(path: Path) -> None:
    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (SMALL, resource.RLIM_INFINITY))

    assert path.exists()
    listed = subprocess.run(
        [sys.executable, "-B", "-m", "chatcli", "chats"],
        preexec_fn=limited,
        capture_output=True,
        text=True,
        check=False,
    )
    assert listed.returncode == 0, listed.stderr
    assert "tell me of whales" in listed.stdout


def test_a_writer_that_does_not_end_hides_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "WAIT", 0.05)
    with held(path), Store.open(path) as store:
        assert [entry.title for entry in store.entries()] == ["tell me of whales"]
        assert store.read_only is None


def test_the_doctor_takes_a_held_store_for_no_damage(
    path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "WAIT", 0.05)
    with held(path, "EXCLUSIVE"):
        session = build(Wishes({"host": engine.url, "model": "demo"}, chats=False, tolerant=True))
        told = shown(do(session, "doctor"))
        session.close()
    assert "Another program is using" in told
    assert "Nothing is lost" in told
    assert "file named in it is kept" not in told
