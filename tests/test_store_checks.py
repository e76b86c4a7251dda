"""A reader's failure counts as damage only if the store is not sound; a message without text is not damage."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from chatcli.conversation.message import Message, Role, ToolUse
from chatcli.conversation.tree import Ended
from chatcli.conversation.usage import Turn
from chatcli.errors import Damaged, StoreError
from chatcli.session.build import Wishes, build
from chatcli.session.fallback import mending
from chatcli.session.session import Session
from chatcli.settings import table
from chatcli.store.failures import nonsense_is_damage
from chatcli.store.import_chat import chat_of
from chatcli.store.locations import places
from chatcli.store.store import Store
from tests.commanding import do, followed, said, say, shown, twigs_of
from tests.faults import Engine


@pytest.fixture
def thoughtful(home: Path, engine: Engine) -> Iterator[Session]:
    """Its last reply was cut off while the model thought: thoughts, and no text."""
    with Store.open(home / "chatcli.db") as store:
        conversation = store.create(settings={"model": "demo"})
        question = store.append(conversation, Message.user("tell me of whales"))
        store.begin_reply(conversation, question).save("", "hm, whales")
    session = build(Wishes({"host": engine.url, "model": "demo"}, resume=True))
    yield session
    session.close()


def test_a_reply_that_is_all_thoughts_is_found_and_shown(thoughtful: Session, home: Path) -> None:
    path = home / "chatcli.db"
    for line in ("tree", "branches", "search whales", "chats"):
        assert "damaged" not in shown(do(thoughtful, line))
    with Store.open(path) as store:
        conversation = store.conversation(1)
        assert conversation.last is not None
        assert [twig.beginning for twig in twigs_of(store, 1)] == ["tell me of whales", "hm, whales"]
        assert store.read(places, [1])[1].after is not None
        assert store.check() == []
    followed(thoughtful, do(thoughtful, "continue"))
    assert len(said(thoughtful)) == 2
    assert not list(home.glob("*.damaged-*"))


def test_an_imported_message_without_text_is_found(tmp_path: Path) -> None:
    with Store.open(tmp_path / "chatcli.db") as store:
        chat = chat_of([Message.user("hi whales"), Message(Role.ASSISTANT, "")])
        store.take_in(chat.conversation)
        (hit,) = store.search(["whales"])
        assert store.read(places, [hit.node])


@nonsense_is_damage()
def careless(connection: sqlite3.Connection) -> int:
    """A reader with a fault."""
    (number,) = connection.execute("SELECT NULL").fetchone()
    return len(number)


def test_a_fault_of_a_reader_leaves_a_sound_store_alone(session: Session, home: Path) -> None:
    say(session, "hi")
    before = said(session)
    with pytest.raises(StoreError, match="fault of chatcli") as caught:
        mending(session, lambda: session.store.read(careless))
    assert not isinstance(caught.value, Damaged)
    assert said(session) == before
    assert not list(home.glob("*.damaged-*"))
    say(session, "and on")
    assert session.settings[table.SAVE]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE nodes SET role = 'usfr'",
        "UPDATE nodes SET ended = NULL_",
        "UPDATE nodes SET created = 1 << 62",
        "UPDATE nodes SET turn = '{\"model\"'",
        "UPDATE nodes SET parent = id",
        "UPDATE conversations SET state = '{'",
        "UPDATE conversations SET names = x'00'",
    ],
)
def test_values_that_are_never_stored_are_damage(tmp_path: Path, change: str) -> None:
    path = tmp_path / "chatcli.db"
    with Store.open(path) as store:
        store.append(store.create(), Message.user("hi"))
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute(change.replace("NULL_", "''"))
    with Store.open(path) as store:
        assert store.check()
        with pytest.raises(Damaged):
            store.read(careless)


def test_everything_that_is_stored_is_sound(tmp_path: Path) -> None:
    with Store.open(tmp_path / "chatcli.db") as store:
        conversation = store.create(title="\udc80", settings={"a": "\udc80"})
        uses = (ToolUse("look", {"how": math.nan}),)
        question = store.append(conversation, Message(Role.TOOL, "\udc80\x00", tool_uses=uses))
        turn = Turn("m", options=json.loads('{"temperature": NaN}'))
        store.begin_reply(conversation, question).finish(Message.assistant("", "\udc80"), Ended.BROKEN, turn)
        store.name(conversation, "\udc80", question.id)
        assert store.check() == []
