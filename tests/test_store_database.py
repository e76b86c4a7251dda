"""The file itself: private, shared by several programs, with clear errors when it cannot be used."""

from __future__ import annotations

import os
import signal
import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from chatcli.conversation.message import Message, Role, ToolUse
from chatcli.conversation.tree import Ended
from chatcli.errors import Damaged, Locked, NoRoom, ReadOnly, StoreError, TooNew
from chatcli.store import database
from chatcli.store.codec import AS_OLDER
from chatcli.store.migrations import MIGRATIONS, migrate
from chatcli.store.store import Store
from tests.commanding import twigs_of

posix = pytest.mark.skipif(os.name != "posix", reason="modes and users are POSIX")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "chatcli.db"


def filled(path: Path) -> int:
    with Store.open(path) as store:
        conversation = store.create()
        store.append(conversation, Message.user("hi"))
        return conversation.id


@contextmanager
def raw(path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        yield connection
    finally:
        connection.close()


@pytest.fixture
def not_root() -> Iterator[Path]:
    """A directory in which somebody who is not root may look but not write; that somebody is us."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        if os.geteuid() == 0:
            place.chmod(0o755)
            os.seteuid(65534)
            try:
                yield place
            finally:
                os.seteuid(0)
        else:
            yield place
            place.chmod(0o700)


@posix
def test_everything_is_for_its_owner_only(path: Path) -> None:
    os.umask(old := os.umask(0))
    try:
        os.umask(0)
        with Store.open(path) as store:
            store.append(store.create(), Message.user("hi"))
            files = sorted(file.name for file in path.parent.iterdir())
            assert files == ["chatcli.db", "chatcli.db-shm", "chatcli.db-wal"]
            assert {file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {0o600}
            assert path.parent.stat().st_mode & 0o777 == 0o700
    finally:
        os.umask(old)


@posix
def test_a_store_that_was_open_to_others_is_closed_to_them(path: Path) -> None:
    filled(path)
    path.chmod(0o644)
    path.parent.chmod(0o755)
    filled(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_writer_that_never_ends_is_said(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "WAIT", 0.05)
    with Store.open(path) as store, raw(path) as other:
        conversation = store.create()
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Locked) as caught:
            store.append(conversation, Message.user("hi"))
        assert caught.value.hint
        assert conversation.tip is None
        other.execute("ROLLBACK")
        store.append(conversation, Message.user("hi"))


def test_a_full_disk_is_said_and_changes_nothing(path: Path) -> None:
    with Store.open(path) as store:
        conversation = store.create()
        first = store.append(conversation, Message.user("hi"))
        connection = store._database._connection
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages + 2}")
        with pytest.raises(NoRoom):
            store.append(conversation, Message.assistant("x" * 100_000))
        draft = store.begin_reply(conversation, first)
        with pytest.raises(NoRoom):
            draft.save("x" * 100_000)
        assert conversation.tip == first.id
        connection.execute("PRAGMA max_page_count = 100000")
        draft.save("y" * 100_000)
        assert [len(node.message.text) for node in store.conversation(conversation.id).path()] == [2, 100_000]


@posix
def test_a_directory_that_cannot_be_written_is_said(not_root: Path) -> None:
    with pytest.raises(ReadOnly) as caught:
        Store.open(not_root / "data" / "chatcli.db")
    assert "CHATCLI_HOME" in caught.value.hint


@posix
def test_a_place_that_is_no_directory_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ReadOnly):
        Store.open(tmp_path / "file" / "chatcli.db")
    with pytest.raises(ReadOnly):
        Store.open(tmp_path)


@posix
@pytest.mark.parametrize("left_open", [False, True])
def test_a_store_that_cannot_be_written_is_still_read(not_root: Path, left_open: bool) -> None:
    place = not_root / "data"
    uid = os.geteuid()
    if os.getuid() == 0:
        os.seteuid(0)
    path = place / "chatcli.db"
    conversation = filled(path)
    if left_open:  # another program has it open: its log is there
        writer = Store.open(path)
        writer.append(writer.conversation(conversation), Message.assistant("hello"))
    for file in (*place.iterdir(), place):
        file.chmod(0o555 if file.is_dir() else 0o444)
    if os.getuid() == 0:
        os.seteuid(uid)
    with Store.open(path) as store:
        assert isinstance(store.read_only, ReadOnly)
        found = store.conversation(conversation)
        assert len(found.path()) == (2 if left_open else 1)
        with pytest.raises(ReadOnly):
            store.append(found, Message.user("more"))
        assert len(found.path()) == (2 if left_open else 1)
    if os.getuid() == 0:
        os.seteuid(0)
    place.chmod(0o700)
    if left_open:
        writer.close()


def test_a_newer_store_is_read_and_not_written(path: Path) -> None:
    conversation = filled(path)
    with raw(path) as newer:
        newer.execute("INSERT INTO migrations VALUES ('m999_from_the_future', '')")
    before = path.read_bytes()
    with Store.open(path) as store:
        assert isinstance(store.read_only, TooNew)
        found = store.conversation(conversation)
        assert [node.message.text for node in found.path()] == ["hi"]
        with pytest.raises(TooNew, match="newer chatcli"):
            store.append(found, Message.assistant("hello"))
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"this is no database", b"SQLite format 3\x00" + b"\xff" * 5000])
def test_a_file_that_is_no_store_is_said_and_left_alone(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(StoreError) as caught:
        Store.open(path)
    assert isinstance(caught.value, Damaged)
    assert path.read_bytes() == content


def test_many_programs_may_open_a_new_store_at_once(path: Path) -> None:
    start = threading.Barrier(4)
    failed: list[BaseException] = []

    def program() -> None:
        try:
            start.wait()
            filled(path)
        except BaseException as error:
            failed.append(error)

    programs = [threading.Thread(target=program) for _ in range(4)]
    for each in programs:
        each.start()
    for each in programs:
        each.join()
    assert failed == []
    with Store.open(path) as store:
        assert len(store.entries()) == 4


def test_two_programs_on_one_conversation_make_branches_and_lose_nothing(path: Path) -> None:
    with Store.open(path) as one, Store.open(path) as two:
        mine = one.create()
        question = one.append(mine, Message.user("question"))
        theirs = two.conversation(mine.id)
        for number in range(5):
            one.append(mine, Message.user(f"mine {number}"))
            two.append(theirs, Message.user(f"theirs {number}"))
        assert [node.message.text for node in mine.path()[1:]] == [f"mine {number}" for number in range(5)]
        assert [node.message.text for node in theirs.path()[1:]] == [f"theirs {number}" for number in range(5)]
        assert len(one.children(mine, question.id)) == 2
        assert one.conversation(mine.id).path() == theirs.path()


def test_the_store_may_be_used_from_any_thread() -> None:
    with Store.open(None) as store:
        conversations = [store.create() for _ in range(4)]

        def talk(which: int) -> None:
            for number in range(50):
                store.append(conversations[which], Message.user(str(number)))
                store.entries()

        threads = [threading.Thread(target=talk, args=(which,)) for which in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for conversation in conversations:
            assert len(store.conversation(conversation.id).path()) == 50


def test_migrations_are_named_in_order_and_taken_once() -> None:
    assert [step.__name__[:5] for step in MIGRATIONS] == [
        f"m{place:03}_" for place in range(1, len(MIGRATIONS) + 1)
    ]
    assert all(step.__doc__ for step in MIGRATIONS)


@pytest.mark.parametrize("steps", range(1, len(MIGRATIONS)))
def test_every_earlier_schema_is_brought_up_to_date(path: Path, steps: int) -> None:
    path.parent.mkdir()
    with raw(path) as old:
        migrate(old, MIGRATIONS[:steps])
        old.execute("INSERT INTO conversations (created, updated, tip, latest) VALUES (1, 1, 1, 1)")
        old.execute("INSERT INTO branches (conversation) VALUES (1)")
        old.execute(
            """INSERT INTO nodes (branch, number, created, size, role, ended, text)
               VALUES (1, 1, 1, 2, 'user', 'complete', 'an old question')"""
        )
    with Store.open(path) as store:
        assert [node.message.text for node in store.conversation(1).path()] == ["an old question"]
        if steps == 1:  # from before there was a search
            assert [hit.text for hit in store.search(["question"])] == ["an old question"]


# What version 0.1 reads; it takes another word for damage.
OF_0_1 = {"complete", "length", "stopped", "broken", "interrupted"}


@pytest.mark.parametrize("ended", Ended)
def test_a_state_of_a_call_is_kept_with_it_and_version_0_1_finds_only_words_that_it_knows(
    path: Path, ended: Ended
) -> None:
    use = ToolUse("look", {"at": "sky"}, "c1")
    with Store.open(path) as store:
        conversation = store.create()
        store.append(conversation, Message.user("Look"))
        store.append(conversation, Message(Role.ASSISTANT, "", tool_uses=(use,)))
        (node,) = store.add_calls(conversation, [Message.tool(use, "")])
        store.change_call(conversation, node, "grey", ended)
    with Store.open(path) as store:
        last = store.conversation(conversation.id).last
        assert last is not None
        assert (last.ended, last.message) == (ended, Message.tool(use, "grey"))
        assert twigs_of(store, conversation.id)[-1].ended is ended
        assert store.check() == []
    with raw(path) as connection:
        assert {word for (word,) in connection.execute("SELECT ended FROM nodes")} <= OF_0_1
        connection.execute("UPDATE nodes SET tool_uses = replace(tool_uses, ?, 'odd')", (ended.value,))
    with Store.open(path) as store:
        states = [store.whole(conversation.id).path()[-1].ended, twigs_of(store, conversation.id)[-1].ended]
    assert set(states) == {Ended.FAILED if ended in AS_OLDER else ended}


def test_a_step_that_fails_leaves_the_store_as_it_was(path: Path) -> None:
    def m999_breaks(connection: sqlite3.Connection) -> None:
        connection.execute("CREATE TABLE half (done)")
        raise RuntimeError("broken")

    filled(path)
    with raw(path) as connection, pytest.raises(RuntimeError):
        migrate(connection, (*MIGRATIONS, m999_breaks))
    with raw(path) as connection:
        assert not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'half'").fetchone()
    with Store.open(path) as store:
        assert store.read_only is None


ENDLESS = "WITH RECURSIVE up (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM up)"
HOSTILE = {
    "a view that never ends": (
        "ALTER TABLE conversations RENAME TO other; CREATE VIEW conversations AS "
        f"{ENDLESS} SELECT n AS id, n AS updated, n AS latest, 0 AS demo, NULL AS trashed FROM up"
    ),
    "a view of the steps": f"DROP TABLE migrations; CREATE VIEW migrations AS {ENDLESS} SELECT n AS name FROM up",
    "a view beside ours": "CREATE VIEW more AS SELECT 1",
    "a trigger": "CREATE TRIGGER gone AFTER INSERT ON nodes BEGIN DELETE FROM nodes; END",
    "a virtual table": "DROP TABLE blobs; CREATE VIRTUAL TABLE blobs USING fts5(id, digest, data)",
    "a generated column": "ALTER TABLE nodes ADD COLUMN more TEXT AS (hex(zeroblob(100000000)))",
    "another table's shape": "DROP TABLE pieces; CREATE TABLE pieces (id, node, text, thinking)",
    "an index of ours": "CREATE UNIQUE INDEX one ON nodes (role)",
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_store_of_a_foreign_shape_is_refused_before_it_is_read(what: str, path: Path) -> None:
    filled(path)
    with raw(path) as connection:
        connection.executescript(f"PRAGMA foreign_keys=OFF; {HOSTILE[what]};")
    for _ in range(2):
        with pytest.raises(Damaged, match="not as chatcli makes it"):
            Store.open(path)


def test_a_table_that_somebody_has_added_is_left_alone(path: Path) -> None:
    filled(path)
    with raw(path) as connection:
        connection.executescript("CREATE TABLE my_notes (id INTEGER PRIMARY KEY, said TEXT UNIQUE); ANALYZE;")
    with Store.open(path) as store:
        assert len(store.entries()) == 1


def test_a_statement_that_does_not_end_is_ended_by_ctrl_c(path: Path) -> None:
    with Store.open(path) as store:
        timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            store.read(lambda connection: connection.execute(f"{ENDLESS} SELECT count(*) FROM up").fetchone())
        timer.join()
        assert store.entries() == []
