"""All that can be read of a damaged store is put into a new one, and the damaged file is kept."""

from __future__ import annotations

import random
import sqlite3
import tempfile
from contextlib import closing, suppress
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatcli.conversation.context_state import State
from chatcli.conversation.message import Attachment, Message, Role, ToolUse
from chatcli.conversation.tree import Conversation, Ended, Node
from chatcli.conversation.usage import Turn
from chatcli.errors import Damaged, StoreError
from chatcli.store import locations
from chatcli.store.backups import Backup, back_up, backups
from chatcli.store.recovery import recover, recovering
from chatcli.store.salvage import salvage
from chatcli.store.store import Store, utc_now
from tests.commanding import twigs_of

PAGE = 4096
# The reply that calls a tool, by its place, in conversations 0, 5, 10, ...; and its call, which may have run.
CALLED, USE = 3, ToolUse("note", {"text": "\udc80", "times": 3}, "call_1")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "chatcli.db"


def fill(path: Path, conversations: int = 20) -> set[str]:
    """Conversations of 20 messages, with branches, files and a call of a tool; returns what each says."""
    with Store.open(path) as store:
        said = set()
        for number in range(conversations):
            conversation = store.create(title=f"conversation {number}", settings={"model": "llama"})
            talk(store, conversation)
            said.add(words(conversation))
        return said


def talk(store: Store, conversation: Conversation) -> None:
    for place in range(10):
        picture = Attachment("image", "a.png", "image/png", f"{conversation.title} {place}".encode() * 50)
        text = f"{conversation.title}: {place} " + "word " * 50
        asked, ended = Message.user(text, (picture,)), Ended.COMPLETE
        calls = conversation.title.endswith(("0", "5"))
        if calls and place == CALLED + 1:
            asked, ended = Message(Role.TOOL, text, "", (picture,), (USE,)), Ended.RUNNING
        question = store.append(conversation, asked, ended=ended)
        store.append(conversation, Message.assistant("a reply that was not good"))
        store.go_to(conversation, question.id)
        draft = store.begin_reply(conversation, question)
        draft.save("half")
        uses = (USE,) if calls and place == CALLED else ()
        reply = Message(Role.ASSISTANT, f"reply {place} \udc80", "hm", tool_uses=uses)
        draft.finish(reply, Ended.LENGTH, Turn("llama"))
    store.keep_state(conversation, State(cut=conversation.tip))
    store.name(conversation, "here", conversation.tip)


def words(conversation: Conversation) -> str:
    """Everything about a path that has to come back."""
    return repr([(n.number, n.message, n.ended, n.turn, n.created) for n in conversation.path()])


def texts(path: Path) -> set[tuple[str, ...]]:
    with Store.open(path) as store:
        conversations = [store.conversation(entry.id) for entry in store.entries()]
        return {tuple(node.message.text for node in conversation.path()) for conversation in conversations}


def lists(path: Path) -> None:
    with Store.open(path) as store:
        store.entries()
        store.trash()
        store.find("conversation")


def outlines(path: Path) -> None:
    with Store.open(path) as store:
        twigs_of(store, 1)
        store.read(locations.ending, 1)
        store.read(locations.newest, 1)
        store.children(store.conversation(1), 1)


def hits(path: Path) -> None:
    with Store.open(path) as store:
        store.read(locations.places, [hit.node for hit in store.search(["word", "repl*"])])


def found(path: Path) -> None:
    with Store.open(path) as store:
        conversation = store.conversation(1)
        upto = conversation.tip or 1
        store.search(["word"], conversation=1, before=upto)
        store.with_files(conversation, upto)
        store.candidates(["word", "reply"], conversation=1, upto=upto)
        conversation.message(3)


def read(path: Path) -> set[str]:
    with Store.open(path) as store:
        assert store.check() == []
        return {words(store.conversation(entry.id)) for entry in store.entries()}


def damage(path: Path, *pages: int) -> None:
    noise = random.Random(1)
    with path.open("r+b") as file:
        for page in pages:
            file.seek(page * PAGE)
            file.write(noise.randbytes(PAGE))


def test_a_recovery_counts_its_messages(path: Path) -> None:
    fill(path)
    steps = [step for step in recovering(path) if step.total]
    assert [(step.done, step.total, step.unit) for step in steps][-1] == (20 * 30, 20 * 30, "messages")
    assert len(steps) == 20


@pytest.mark.parametrize("at", [1, 2, 3, 12])
def test_a_recovery_that_is_stopped_leaves_everything_as_it_was(path: Path, at: int) -> None:
    said = fill(path)
    before = path.read_bytes()
    with closing(recovering(path)) as steps:
        for _ in range(at):
            next(steps)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir() if not file.name.endswith(("-wal", "-shm"))] == [path.name]
    assert read(path) == said


def test_a_sound_store_is_recovered_whole(path: Path) -> None:
    said = fill(path)
    before = path.read_bytes()
    recovered = recover(path)
    assert (recovered.conversations, recovered.messages, recovered.lost) == (20, 20 * 30, 0)
    assert recovered.kept.read_bytes() == before
    assert read(path) == said
    with Store.open(path) as store:
        conversation = store.conversation(store.entries()[0].id)
        assert conversation.settings == {"model": "llama"}
        assert conversation.state == State(cut=conversation.tip)
        assert conversation.names == {"here": conversation.tip}
        assert len(store.children(conversation, conversation.path()[0].id)) == 2
    assert {file.name for file in path.parent.iterdir()} == {"chatcli.db", recovered.kept.name}


@pytest.mark.parametrize("seed", range(6))
def test_bad_pages_cost_no_more_than_what_was_on_them(path: Path, seed: int) -> None:
    said = fill(path)
    pages = path.stat().st_size // PAGE
    damage(path, *random.Random(seed).sample(range(1, pages), 3))
    recovered = recover(path)
    found = read(path)
    assert recovered.messages + recovered.lost >= 20 * 30 * 0.9
    assert recovered.messages >= 20 * 30 * 0.8
    assert len(said & found) >= 10


@pytest.mark.parametrize("kept", [0.9, 0.6, 0.3])
def test_a_truncated_store_is_recovered_as_far_as_it_goes(path: Path, kept: float) -> None:
    fill(path, 40)  # so many that what every store begins with, about 30 pages, weighs little
    said = texts(path)
    with path.open("r+b") as file:
        file.truncate(int(path.stat().st_size * kept))
    with pytest.raises(Damaged) as caught:
        read(path)
    assert "doctor" in caught.value.hint
    recovered = recover(path)
    assert recovered.messages > 40 * 30 * kept * 0.75
    assert len(texts(path) & said) > 40 * kept * 0.6


def test_rows_that_no_tree_leads_to_any_more_are_found_by_their_looks(path: Path) -> None:
    said = fill(path)
    with closing(sqlite3.connect(path)) as raw:
        roots = dict(raw.execute("SELECT name, rootpage FROM sqlite_master WHERE rootpage > 0"))
    damage(path, *(roots[table] - 1 for table in ("nodes", "blobs", "attachments", "nodes_place")))
    recovered = recover(path)
    assert (recovered.conversations, recovered.messages, recovered.lost) == (20, 600, 0)
    assert len(read(path) & said) >= 19  # the root of the attachments had one of them


def test_a_lost_beginning_is_taken_from_a_sound_store(path: Path) -> None:
    said = fill(path)
    with path.open("r+b") as file:
        file.write(bytes(PAGE))
    with pytest.raises(StoreError):
        Store.open(path)
    recovered = recover(path)
    assert recovered.lost == 0
    assert read(path) == said


def test_what_is_only_in_the_log_is_recovered_too(path: Path) -> None:
    fill(path, 2)
    with Store.open(path) as store:
        talk(store, store.create(title="conversation 2"))
        said = words(store.conversation(store.entries()[0].id))
        place = path.parent.with_name("copy")
        place.mkdir()
        copy = place / path.name
        for file in path.parent.iterdir():
            (place / file.name).write_bytes(file.read_bytes())
    damage(copy, 40)
    recovered = recover(copy)
    assert said in read(copy)
    assert recovered.kept.with_name(recovered.kept.name + "-wal").exists()


@pytest.fixture(scope="module")
def small_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("small") / "chatcli.db"
    fill(path, 1)
    return path


@given(
    noise=st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=200)), min_size=1, max_size=4),
    kept=st.sampled_from([1, 1, 0.5, 0.1]),
)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_damage_leads_to_a_crash(
    small_store: Path, tmp_path: Path, noise: list[tuple[float, bytes]], kept: float
) -> None:
    """Whatever the bytes are, they are read, recovered, or refused with a word."""
    content = bytearray(small_store.read_bytes())
    for place, each in noise:
        start = int(place * len(content))
        content[start : start + len(each)] = each
    path = Path(tempfile.mkdtemp(dir=tmp_path)) / "chatcli.db"
    path.write_bytes(content[: int(len(content) * kept)])
    for look in (texts, lists, outlines, hits, found):
        with suppress(StoreError):
            look(path)
    before = path.read_bytes()
    try:
        recovered = recover(path)
    except Damaged:
        assert path.read_bytes() == before
    else:
        assert recovered.kept.read_bytes() == before
        read(path)


def test_the_trash_stays_the_trash(path: Path) -> None:
    fill(path, 2)
    with Store.open(path) as store:
        store.delete(store.find("conversation 0")[0].id)
    recover(path)
    with Store.open(path) as store:
        assert [entry.title for entry in store.entries()] == ["conversation 1"]
        assert [entry.title for entry in store.trash()] == ["conversation 0"]


def test_a_file_in_which_there_is_nothing_is_left_alone(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"nothing")
    with pytest.raises(Damaged):
        recover(path)
    assert path.read_bytes() == b"nothing"
    assert [file.name for file in path.parent.iterdir()] == ["chatcli.db"]


def test_pages_that_only_look_like_rows_are_passed_over(path: Path) -> None:
    """Among them some that go on in page 0, or in pages far behind the end."""
    noise = random.Random(3)
    pages = [bytes([noise.choice([2, 10, 13])]) + noise.randbytes(PAGE - 1) for _ in range(400)]
    path.parent.mkdir()
    path.write_bytes(b"".join(pages))
    sound = path.with_name("sound.db")
    Store.open(sound).close()
    assert not any(salvage(path, sound).tables.values())


def test_a_message_that_is_missing_in_the_middle_is_damage(path: Path) -> None:
    fill(path, 1)
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("DELETE FROM nodes WHERE number = 7")
    with Store.open(path) as store, pytest.raises(Damaged):
        store.conversation(1).path()
    assert recover(path).messages >= 20
    read(path)


@pytest.mark.parametrize("settled", [False, True])
def test_a_store_cut_to_nothing_is_recovered_from_its_log(path: Path, tmp_path: Path, settled: bool) -> None:
    """A killed program's log may hold all there was. SQLite would delete it without a word."""
    lost = tmp_path / "lost" / "chatcli.db"
    lost.parent.mkdir(mode=0o700)
    with Store.open(path) as store:
        conversation = store.create(title="whales")
        store.append(conversation, Message.user("the first"))
        if settled:  # and the beginning was in the file
            store._database._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        for number in range(50):
            store.append(conversation, Message.user(f"message {number} " + "x" * 300))
        log = path.with_name("chatcli.db-wal").read_bytes()
    lost.touch(mode=0o600)
    lost.with_name("chatcli.db-wal").write_bytes(log)
    with pytest.raises(Damaged):
        Store.open(lost)
    done = recover(lost)
    assert done.kept.with_name(done.kept.name + "-wal").read_bytes() == log
    with Store.open(lost) as store:
        (entry,) = store.entries()
        said = [node.message.text.rstrip("x ") for node in store.whole(entry.id).nodes.values()]
        assert {f"message {number}" for number in range(50)} <= set(said)
        assert settled or (entry.title, "the first") == ("whales", said[0])
        assert store.check() == []


def test_a_log_with_a_bad_frame_gives_what_is_before_and_behind(path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    with Store.open(path) as store:
        conversation = store.create()
        for number in range(20):
            store.append(conversation, Message.user(f"message {number}"))
        log = bytearray(path.with_name("chatcli.db-wal").read_bytes())
    log[len(log) // 2] ^= 0xFF
    path.write_bytes(b"")
    path.with_name("chatcli.db-wal").write_bytes(log)
    recover(path)
    with Store.open(path) as store:
        said = [node.message.text for node in store.conversation(store.entries()[0].id).path()]
        assert len(said) >= 19
        assert said == sorted(said, key=lambda text: int(text.split()[-1]))


def test_what_the_log_before_has_left_is_recovered_too(path: Path) -> None:
    """A log that has all been put into the file is begun again; behind that its old end still stands."""
    path.parent.mkdir(mode=0o700)
    with Store.open(path) as store:
        conversation = store.create(title="whales")
        for number in range(40):
            store.append(conversation, Message.user(f"message {number} " + "x" * 3000))
        store._database._connection.execute("PRAGMA wal_checkpoint(RESTART)")
        store.append(conversation, Message.user("the last"))
        log = path.with_name("chatcli.db-wal").read_bytes()
    path.write_bytes(b"")
    path.with_name("chatcli.db-wal").write_bytes(log)
    done = recover(path)
    assert done.messages > 35
    with Store.open(path) as store:
        (entry,) = store.entries()
        assert entry.title == "whales"
        assert "the last" in {node.message.text for node in store.whole(entry.id).nodes.values()}
        assert store.check() == []


def everything(path: Path) -> dict[int, tuple[int, Node]]:
    """All messages on all branches, with their conversation, by id."""
    with Store.open(path) as store:
        assert store.check() == []
        chats = [store.whole(entry.id) for entry in (*store.entries(), *store.trash())]
        return {node.id: (chat.id, node) for chat in chats for node in chat.nodes.values()}


@pytest.fixture
def backed(path: Path) -> dict[int, tuple[int, Node]]:
    """A store with a backup, and in two of its conversations something newer; returns all messages."""
    fill(path, 5)
    assert back_up(path, utc_now())
    with Store.open(path) as store:
        for number in (2, 4):
            store.append(store.conversation(number), Message.user(f"newer {number}"))
    return everything(path)


@pytest.mark.parametrize("seed", range(6))
def test_what_bad_pages_had_comes_from_the_backup(
    path: Path, backed: dict[int, tuple[int, Node]], seed: int
) -> None:
    """Under the ids that it had, in its branch, and once."""
    pages = path.stat().st_size // PAGE
    damage(path, *random.Random(seed).sample(range(1, pages), pages // 8))
    done = recover(path)
    now = everything(path)
    newer = {node for node in backed if backed[node][1].message.text.startswith("newer")}
    assert now.items() <= backed.items()
    assert backed.keys() - now.keys() <= newer
    assert done.lost == len(backed) - len(now)
    assert done.from_backup <= len(now)


def test_a_conversation_of_the_backup_goes_on_at_its_newest_message(
    path: Path, backed: dict[int, tuple[int, Node]]
) -> None:
    """Its row is lost: title, state and names come from the backup, and what was said since is the end."""
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("DELETE FROM conversations WHERE id > 1")
    done = recover(path)
    assert (done.messages, done.lost, done.from_backup) == (len(backed), 0, 0)
    assert everything(path) == backed
    with Store.open(path) as store:
        newer, same = store.conversation(2), store.conversation(3)
        assert newer.last is not None
        assert newer.last.message.text == "newer 2"
        assert (newer.title, newer.state.cut) == ("conversation 1", newer.names["here"])
        assert same.tip == same.names["here"]


def test_only_what_is_missing_is_taken(path: Path, backed: dict[int, tuple[int, Node]]) -> None:
    with Store.open(path) as store:
        store.rename(3, "another name")
        store.delete(5)
    assert recover(path).from_backup == 0
    assert everything(path) == backed
    with Store.open(path) as store:
        assert store.conversation(3).title == "another name"
        assert [entry.id for entry in store.trash()] == [5]


def test_where_the_newest_backup_is_damaged_itself_an_earlier_one_helps(
    path: Path, backed: dict[int, tuple[int, Node]]
) -> None:
    back_up(path, utc_now() + timedelta(days=1))
    damage(backups(path)[0].path, *range(30, 60))
    damage(path, *range(40, path.stat().st_size // PAGE))
    assert len(recover(path).kept.read_bytes()) > 0
    assert len(everything(path)) >= len(backed) - 2


def test_a_file_that_is_lost_altogether_is_the_backup(path: Path, backed: dict[int, tuple[int, Node]]) -> None:
    path.write_bytes(bytes(10 * PAGE))
    done = recover(path)
    assert done.from_backup == done.messages == len(everything(path)) == len(backed) - 2


def test_an_id_that_was_lost_is_not_used_again(path: Path, backed: dict[int, tuple[int, Node]]) -> None:
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("UPDATE nodes SET role = 'nobody' WHERE id = ?", (max(backed),))
    recover(path)
    with Store.open(path) as store:
        assert store.append(store.conversation(1), Message.user("the next")).id > max(backed)


@pytest.fixture
def another(path: Path, backed: dict[int, tuple[int, Node]]) -> Backup:
    """The backup of an earlier store, which somebody has deleted; in the new one the ids begin at 1 again."""
    assert backed
    path.unlink()
    with Store.open(path) as store:
        talk(store, store.create(title="begun anew"))
    return backups(path)[0]


def test_another_stores_backup_is_not_mixed_in(path: Path, another: Backup) -> None:
    assert another.messages() == 150
    before = everything(path)
    damage(path, path.stat().st_size // PAGE - 1)
    done = recover(path)
    assert done.from_backup == 0
    assert everything(path).items() <= before.items()


def test_another_stores_backup_is_restored_beside_what_there_is(path: Path, another: Backup) -> None:
    before = path.read_bytes()
    for from_backup in (150, 0):  # the second time all of it is there
        done = recover(path, backup=another)
        assert (done.messages, done.from_backup) == (180, from_backup)
        assert "replaced" in done.kept.name
        with Store.open(path) as store:
            titles = sorted(entry.title for entry in store.entries())
            assert titles == ["begun anew", *(f"conversation {number}" for number in range(5))]
            assert store.check() == []
        assert before in {file.read_bytes() for file in path.parent.glob("*.replaced-*.db")}


def test_a_restored_backup_takes_nothing_away(path: Path, backed: dict[int, tuple[int, Node]]) -> None:
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("PRAGMA foreign_keys=ON")
        raw.execute("DELETE FROM conversations WHERE id = 3")
    done = recover(path, backup=backups(path)[0])
    assert (done.messages, done.from_backup) == (len(backed), 30)
    assert everything(path) == backed
