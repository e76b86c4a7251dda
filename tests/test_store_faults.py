"""Killed programs and simultaneous writers lose nothing. The long runs are in tests/bench/faults.py."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from chatcli.conversation.message import Message
from chatcli.conversation.tree import Ended
from chatcli.errors import Damaged
from chatcli.store.recovery import recover
from chatcli.store.store import Store
from tests.bench.faults import kill_at_random_moments, two_writers


def test_a_killed_program_loses_nothing_that_was_stored(tmp_path: Path) -> None:
    losses = kill_at_random_moments(tmp_path / "chatcli.db", 12)
    assert losses.none, losses
    assert losses.questions > 0


def test_two_programs_writing_at_once_lose_nothing(tmp_path: Path) -> None:
    told = two_writers(tmp_path / "chatcli.db", 1)
    assert told["messages"] > 0
    assert told["lost"] == told["damaged"] == 0


@pytest.mark.parametrize("kept", [0, 32, 1000, 0.3, 0.7, 0.99])
def test_a_truncated_log_costs_only_its_end(tmp_path: Path, kept: float) -> None:
    """What a power failure may leave: the log without its end. The store is whole, up to some message."""
    path, copy = tmp_path / "chatcli.db", tmp_path / "copy" / "chatcli.db"
    texts = [f"message {number} " + "x" * 3000 for number in range(40)]
    with Store.open(path) as store:
        conversation = store.create()
        store.append(conversation, Message.user("before the log"))
        store._database._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        for text in texts:
            store.append(conversation, Message.user(text))
        copy.parent.mkdir()
        for file in (path, path.with_name("chatcli.db-wal")):
            copy.with_name(file.name).write_bytes(file.read_bytes())
    log = copy.with_name("chatcli.db-wal")
    os.truncate(log, int(kept * log.stat().st_size) if kept < 1 else int(kept))
    with Store.open(copy) as store:
        assert store.check() == []
        found = store.conversation(conversation.id)
        said = [node.message.text for node in found.path()]
        assert said == ["before the log", *texts][: len(said)]
        assert len(said) > 40 * kept * 0.8 if kept < 1 else said
        store.append(found, Message.user("and on"))


def test_a_draft_survives_without_its_writer(tmp_path: Path) -> None:
    """The connection is given up as a killed program gives it up: nothing is folded, closed or tidied."""
    path = tmp_path / "chatcli.db"
    store = Store.open(path)
    conversation = store.create()
    draft = store.begin_reply(conversation, store.append(conversation, Message.user("question")))
    draft.save("half", "hm")
    draft.save("half a reply", "hm")
    store._database.close()
    with Store.open(path) as again:
        last = again.conversation(conversation.id).last
        assert last is not None
        assert (last.message, last.ended) == (Message.assistant("half a reply", "hm"), Ended.INTERRUPTED)
        assert [hit.text for hit in again.search(["reply"])] == ["half a reply"]


@pytest.mark.parametrize(("bad", "is_damage"), [(None, False), (0.5, True), (20, True), (-2000, False)])
def test_a_log_that_is_bad_in_the_middle_is_damage_and_its_rest_is_recovered(
    tmp_path: Path, bad: float | None, is_damage: bool
) -> None:
    """SQLite passes over all that is behind a bad frame; the last frame may be what a kill left unfinished."""
    path, copy = tmp_path / "chatcli.db", tmp_path / "copy" / "chatcli.db"
    with Store.open(path) as store:
        conversation = store.create()
        for number in range(40):
            store.append(conversation, Message.user(f"message {number}"))
        log = bytearray(path.with_name("chatcli.db-wal").read_bytes())
        copy.parent.mkdir()
        copy.write_bytes(path.read_bytes())
    if bad is not None:
        log[int(len(log) * bad) if isinstance(bad, float) else int(bad)] ^= 0xFF
    copy.with_name("chatcli.db-wal").write_bytes(log)
    if is_damage:
        with pytest.raises(Damaged, match="log of the store"):
            Store.open(copy)
        kept = recover(copy).kept
        assert kept.with_name(f"{kept.name}-wal").read_bytes() == log
    with Store.open(copy) as store:
        assert store.check() == []
        (entry,) = store.entries()
        assert entry.messages >= (40 if bad is None else 39)


def test_a_log_begun_anew_is_no_damage(tmp_path: Path) -> None:
    """What is behind its frames is of the log before. A program killed at that moment has written none yet."""
    path, copy = tmp_path / "chatcli.db", tmp_path / "copy" / "chatcli.db"
    with Store.open(path) as store:
        conversation = store.create()
        for number in range(40):
            store.append(conversation, Message.user(f"message {number}"))
        store._database._connection.execute("PRAGMA wal_checkpoint(RESTART)")
        with Store.open(path) as other:
            assert len(other.conversation(conversation.id).path()) == 40
        store.append(conversation, Message.user("and on"))
        copy.parent.mkdir()
        for file in (path, path.with_name("chatcli.db-wal")):
            copy.with_name(file.name).write_bytes(file.read_bytes())
    with Store.open(copy) as store:
        assert len(store.conversation(conversation.id).path()) == 41
