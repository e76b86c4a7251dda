"""A reply in progress is on disk while it is generated, and is stored once however it ends."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatcli.conversation.context_state import State
from chatcli.conversation.message import Message
from chatcli.conversation.tree import Conversation, Ended, Node
from chatcli.conversation.usage import Turn
from chatcli.store.draft import fold_cut_off
from chatcli.store.store import Store

REPLY = Message.assistant("reply")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "chatcli.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store.open(path) as store:
        yield store


def ask(store: Store) -> tuple[Conversation, Node]:
    conversation = store.create()
    return conversation, store.append(conversation, Message.user("question"))


def stored(path: Path, conversation: int) -> list[tuple[str, str, Ended]]:
    """What another chatcli finds."""
    with Store.open(path) as store:
        found = store.conversation(conversation).path()
    return [(node.message.text, node.message.thinking, node.ended) for node in found]


def test_a_reply_in_progress_reads_as_interrupted(store: Store, path: Path) -> None:
    conversation, question = ask(store)
    draft = store.begin_reply(conversation, question)
    draft.save("", "hm")
    draft.save("Hel", "hm")
    draft.save("Hello \ud83d", "hm, yes")
    assert stored(path, conversation.id)[1:] == [("Hello \ud83d", "hm, yes", Ended.INTERRUPTED)]
    last = conversation.last
    assert last is not None
    assert last.message == Message.assistant("Hello \ud83d", "hm, yes")


def test_a_finished_reply_replaces_its_draft(store: Store, path: Path) -> None:
    conversation, question = ask(store)
    draft = store.begin_reply(conversation, question)
    draft.save("Hel", "")
    draft.save("Hello", "")
    state = State(cut=question.id)
    node = draft.finish(Message.assistant("Hello, you"), Ended.STOPPED, Turn("llama"), state)
    assert stored(path, conversation.id)[1:] == [("Hello, you", "", Ended.STOPPED)]
    assert conversation.last == node
    assert conversation.state == state
    found = store.conversation(conversation.id)
    assert found.last == node
    assert found.state == state
    assert len(store.children(conversation, question.id)) == 1


def test_finishing_again_stores_nothing(store: Store, path: Path) -> None:
    conversation, question = ask(store)
    draft = store.begin_reply(conversation, question)
    node = draft.finish(Message.assistant("once"), Ended.COMPLETE)
    assert draft.finish(Message.assistant("twice"), Ended.STOPPED) == node
    draft.save("thrice")
    draft.drop()
    assert stored(path, conversation.id)[1:] == [("once", "", Ended.COMPLETE)]


def test_a_dropped_draft_leaves_the_question(store: Store, path: Path) -> None:
    conversation, question = ask(store)
    draft = store.begin_reply(conversation, question)
    draft.drop()
    draft.save("", "only thoughts")
    draft.drop()
    assert conversation.tip == question.id
    assert stored(path, conversation.id) == [("question", "", Ended.COMPLETE)]


def test_dropping_keeps_what_has_text(store: Store, path: Path) -> None:
    conversation, question = ask(store)
    draft = store.begin_reply(conversation, question)
    draft.save("half a")
    draft.drop()
    assert stored(path, conversation.id)[1:] == [("half a", "", Ended.INTERRUPTED)]


def test_opening_the_store_elsewhere_does_not_disturb_a_draft(store: Store, path: Path) -> None:
    conversation, question = ask(store)
    draft = store.begin_reply(conversation, question)
    for length in range(1, 6):
        draft.save("reply"[:length])
        assert stored(path, conversation.id)[1:] == [("reply"[:length], "", Ended.INTERRUPTED)]
    draft.finish(Message.assistant("reply."), Ended.COMPLETE)
    assert stored(path, conversation.id)[1:] == [("reply.", "", Ended.COMPLETE)]


def test_a_save_writes_only_what_is_new(store: Store, path: Path) -> None:
    conversation, question = ask(store)
    draft = store.begin_reply(conversation, question)
    for length in range(100_000, 1_000_000, 100_000):
        draft.save("x" * length)
    with sqlite3.connect(path) as raw:
        assert raw.execute("SELECT sum(length(text)) FROM pieces").fetchone() == (800_000,)
    raw.close()


@given(saves=st.lists(st.tuples(st.text(max_size=5), st.text(max_size=5)), max_size=6), data=st.data())
@settings(max_examples=40, deadline=None)
def test_whatever_was_saved_last_is_what_is_read(saves: list[tuple[str, str]], data: st.DataObject) -> None:
    with Store.open(None) as store:
        conversation, question = ask(store)
        draft = store.begin_reply(conversation, question)
        for text, thinking in saves:
            draft.save(text, thinking)
            found = store.conversation(conversation.id).last
            expected = Message.assistant(text, thinking)
            assert found is not None
            assert found.message in (expected, question.message)
            assert found == conversation.last
            if data.draw(st.booleans()):
                fold_cut_off(store._database)
        node = draft.finish(Message.assistant("end"), Ended.COMPLETE)
        assert [child.id for child in store.children(conversation, question.id)] == [node.id]


@pytest.mark.parametrize("kept_before", [False, True])
def test_an_interrupt_at_any_line_of_finishing_stores_the_reply_once(kept_before: bool) -> None:
    """Ctrl-C between two steps, or right behind the commit: finishing again makes it right."""
    for line in range(1, 1000):
        with Store.open(None) as store:
            conversation, question = ask(store)
            draft = store.begin_reply(conversation, question)
            if kept_before:
                draft.save("re")
            reached = interrupted_at(line, partial(draft.finish, REPLY, Ended.STOPPED))
            node = draft.finish(REPLY, Ended.STOPPED)
            assert store.children(conversation, question.id) == [node]
            assert node == conversation.last
        if not reached:
            break
    assert 20 < line < 999


def interrupted_at(line: int, work: Callable[[], object]) -> bool:
    """Press Ctrl-C before the line-th line that the store runs; False when the work was done by then."""
    lines = iter(range(1, line))

    def at_line(frame: FrameType, event: str, argument: object) -> Any:
        if event == "line" and next(lines, None) is None:
            raise KeyboardInterrupt
        return at_line

    def at_call(frame: FrameType, event: str, argument: object) -> Any:
        return at_line if "store" in frame.f_code.co_filename and "test" not in frame.f_code.co_filename else None

    before = sys.gettrace()
    sys.settrace(at_call)
    try:
        work()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False
