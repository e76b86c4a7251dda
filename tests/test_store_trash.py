"""Deleted conversations go to the trash; what leaves the trash leaves the disk."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from chatcli.conversation.message import Attachment, Message
from chatcli.conversation.tree import Conversation
from chatcli.errors import NotFound, StoreError
from chatcli.paths import backups_of
from chatcli.store import trash
from chatcli.store.backups import back_up, backups
from chatcli.store.store import Store


def talk(store: Store, *texts: str) -> Conversation:
    conversation = store.create()
    for text in texts:
        picture = Attachment("image", "a.png", "image/png", text.encode() * 1000)
        store.append(conversation, Message.user(text, (picture,)))
    return conversation


def bytes_of(path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in path.parent.rglob("*") if file.is_file())


def test_what_was_deleted_can_be_taken_back() -> None:
    with Store.open(None) as store:
        conversation = talk(store, "one", "two")
        store.delete(conversation.id)
        assert store.entries() == []
        assert [entry.title for entry in store.trash()] == ["one"]
        store.restore(conversation.id)
        assert store.trash() == []
        assert [entry.title for entry in store.entries()] == ["one"]


def test_what_was_purged_is_nowhere_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trash, "PORTION", 3)
    path = tmp_path / "data" / "chatcli.db"
    with Store.open(path) as store:
        kept, secret = talk(store, "harmless"), talk(store, *(f"confidential{number}" for number in range(10)))
        question = secret.path()[3].id
        store.go_to(secret, question)
        store.append(secret, Message.user("another confidential branch"))
        store.delete(secret.id)
        assert back_up(path, datetime.now(UTC))
        assert b"confidential" in backups(path)[0].path.read_bytes()
        assert store.purge() == 1
        assert store.purge() == 0
        assert store.trash() == []
        with pytest.raises(NotFound):
            store.conversation(secret.id)
        with pytest.raises(NotFound):
            store.append(secret, Message.user("more"))
        assert store.conversation(kept.id).path() == kept.path()
        assert b"confidential" not in bytes_of(path)
        assert len(store.search(["harmless"])) == 1
        store._database._connection.execute("INSERT INTO search (search, rank) VALUES ('integrity-check', 1)")


def test_an_empty_trash_costs_no_backup(tmp_path: Path) -> None:
    path = tmp_path / "data" / "chatcli.db"
    with Store.open(path) as store:
        talk(store, "kept")
        back_up(path, datetime.now(UTC))
        assert store.purge() == 0
        assert len(backups(path)) == 1


def test_a_backup_that_cannot_be_deleted_is_named(tmp_path: Path) -> None:
    path = tmp_path / "data" / "chatcli.db"
    with Store.open(path) as store:
        store.delete(talk(store, "confidential").id)
        stuck = backups_of(path) / "chatcli-20260101T000000Z.db"
        (stuck / "not a file").mkdir(parents=True)
        with pytest.raises(StoreError, match=stuck.name):
            store.purge()
        assert store.trash() == []


def test_purging_makes_the_file_small_again(tmp_path: Path) -> None:
    path = tmp_path / "data" / "chatcli.db"
    with Store.open(path) as store:
        conversation = talk(store, "x" * 1000)
        store.delete(conversation.id)
        store.purge()
    assert path.stat().st_size < 200_000


def test_a_conversation_taken_out_of_the_trash_is_not_purged() -> None:
    with Store.open(None) as store:
        conversation = talk(store, "one")
        store.delete(conversation.id)
        store.append(conversation, Message.user("two"))
        assert store.purge() == 0
        assert store.conversation(conversation.id).path() == conversation.path()


def test_an_import_that_was_cut_off_is_purged_after_a_day() -> None:
    today = datetime(2026, 1, 1, tzinfo=UTC)
    times = iter([today - timedelta(days=2), today, today])
    with Store.open(None, now=lambda: next(times)) as store:
        cut_off, fresh = store.create(), store.create()
        assert store.purge() == 1
        assert store.conversation(fresh.id).tip is None
        with pytest.raises(NotFound):
            store.conversation(cut_off.id)
