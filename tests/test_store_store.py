"""Conversations are stored, found and reopened; no message is ever overwritten."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatcli.conversation.context_state import State, Summary
from chatcli.conversation.message import Attachment, Message, Role, ToolUse
from chatcli.conversation.tree import Conversation, Ended
from chatcli.conversation.usage import Count, Turn, Usage
from chatcli.errors import NotFound
from chatcli.store.store import Store
from tests.commanding import twigs_of

TURN = Turn(
    "llama",
    "sha256:1",
    {"num_ctx": 2048, "stop": ["a"]},
    Count(12, exact=True),
    Usage(prompt_tokens=11, total_seconds=0.5),
    "stop",
    3,
    0.1,
)
PICTURE = Attachment("image", "cat.png", "image/png", b"\x89PNG" + bytes(range(256)))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "chatcli.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store.open(path) as store:
        yield store


def say(store: Store, conversation: Conversation, *texts: str) -> list[int]:
    """Question, reply, question, ... Returns the nodes' ids."""
    made = []
    for text in texts:
        last = conversation.last
        answers = last is not None and last.message.role is Role.USER
        message = Message.assistant(text) if answers else Message.user(text)
        made.append(store.append(conversation, message).id)
    return made


def reopened(path: Path, conversation: int) -> Conversation:
    with Store.open(path) as store:
        found = store.conversation(conversation)
        found.path()
        return found


def texts(conversation: Conversation) -> list[str]:
    return [node.message.text for node in conversation.path()]


def test_a_message_comes_back_whole(store: Store, path: Path) -> None:
    conversation = store.create()
    message = Message(
        Role.ASSISTANT,
        "text\r\n\x00 ünï 🙂",
        "thoughts",
        (PICTURE, PICTURE),
        (ToolUse("look", {"at": ["x", 1, None]}),),
    )
    store.append(conversation, Message.user("hi"))
    stored = store.append(conversation, message, ended=Ended.LENGTH)
    assert reopened(path, conversation.id).last == stored


@given(text=st.text(st.characters(codec=None, exclude_categories=()), max_size=50))
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_string_comes_back_even_with_lone_surrogates(text: str) -> None:
    with Store.open(None) as store:
        conversation = store.create(title=text)
        attachment = Attachment("text", text, "text/plain", b"")
        store.append(conversation, Message(Role.USER, text, text, (attachment,), (ToolUse(text, {text: text}),)))
        store.keep_settings(conversation, {"system": text})
        store.find(text)
        found = store.conversation(conversation.id)
        assert found.last == conversation.last
        assert found.settings == {"system": text}


def test_a_retry_is_a_sibling_and_both_replies_stay(store: Store, path: Path) -> None:
    conversation = store.create()
    question, first = say(store, conversation, "question", "first")
    store.go_to(conversation, question)
    second = store.append(conversation, Message.assistant("second")).id
    (third, fourth) = say(store, conversation, "more", "fourth")
    found = reopened(path, conversation.id)
    assert texts(found) == ["question", "second", "more", "fourth"]
    assert [node.number for node in found.path()] == [1, 2, 3, 4]
    assert [node.id for node in store.children(conversation, question)] == [first, second]
    store.go_to(conversation, first)
    assert texts(reopened(path, conversation.id)) == ["question", "first"]
    assert third < fourth


def test_a_conversation_may_begin_more_than_once(store: Store) -> None:
    conversation = store.create()
    first = say(store, conversation, "first")
    store.go_to(conversation, None)
    second = say(store, conversation, "second")
    assert texts(conversation) == ["second"]
    assert [node.id for node in store.children(conversation, None)] == first + second


def test_a_long_path_is_loaded_from_its_end_on_demand(store: Store) -> None:
    conversation = store.create()
    ids = say(store, conversation, *(f"message {number}" for number in range(450)))
    found = store.conversation(conversation.id)
    assert set(found.nodes) == set(ids[-200:])
    assert [node.id for node in islice(found.back(), 10)] == ids[:-11:-1]
    assert len(found.nodes) == 200
    assert [node.id for node in found.path()] == ids


def test_large_messages_are_loaded_a_few_at_a_time(store: Store) -> None:
    conversation = store.create()
    say(store, conversation, *("x" * 1_500_000 for _ in range(10)))
    found = store.conversation(conversation.id)
    assert len(found.nodes) == 3
    assert found.path() == conversation.path()


def test_the_end_of_a_path_is_found_across_branches(store: Store) -> None:
    conversation = store.create()
    for round_ in range(30):
        question, *_ = say(store, conversation, f"question {round_}", "reply")
        store.go_to(conversation, question)
        store.append(conversation, Message.assistant(f"better reply {round_}"))
    found = store.conversation(conversation.id)
    assert found.path() == conversation.path()
    assert len(found.path()) == 60


def test_the_first_question_names_the_conversation(store: Store) -> None:
    conversation = store.create()
    store.append(conversation, Message.system("You are terse."))
    store.append(
        conversation, Message.user("  What \x1b[31mis\n the fastest way of sorting a million numbers in Python? ")
    )
    assert conversation.title == "What [31mis the fastest way of sorting a million numbers in…"
    assert store.entries()[0].title == conversation.title
    store.append(conversation, Message.user("And then?"))
    assert store.entries()[0].title == conversation.title


def test_a_picture_alone_gives_its_name_as_the_title(store: Store) -> None:
    conversation = store.create()
    store.append(conversation, Message.user("", (PICTURE,)))
    assert conversation.title == "cat.png"


def test_a_title_of_one_long_word_is_cut(store: Store) -> None:
    conversation = store.create()
    say(store, conversation, "字" * 100)
    assert conversation.title == "字" * 59 + "…"


def test_settings_and_state_are_kept_with_the_conversation(store: Store, path: Path) -> None:
    conversation = store.create(settings={"model": "llama"})
    state = State(
        cut=3,
        summary=Summary("so far \udc80", 2, specifics=("at 18:42", "7 \udc80")),
        pins=frozenset({1}),
        forgotten=frozenset({5, 4}),
    )
    store.keep_state(conversation, state)
    store.keep_settings(conversation, {"num_ctx": "8192"})
    say(store, conversation, "hi")
    found = reopened(path, conversation.id)
    assert found.state == conversation.state == state
    assert found.settings == conversation.settings == {"num_ctx": "8192"}


def test_equal_bytes_are_stored_once(store: Store, path: Path) -> None:
    conversation = store.create()
    for _ in range(3):
        store.append(conversation, Message.user("look", (PICTURE,)))
    with sqlite3.connect(path) as raw:
        assert raw.execute("SELECT count(*), sum(length(data)) FROM blobs").fetchone() == (1, PICTURE.size)
    raw.close()


def test_lists_leave_out_what_is_empty_or_in_the_trash(store: Store) -> None:
    store.create()
    first, second, demo = store.create(), store.create(), store.create(demo=True)
    for conversation in (first, second, demo):
        say(store, conversation, f"in {conversation.id}")
    assert [entry.id for entry in store.entries()] == [demo.id, second.id, first.id]
    assert [entry.id for entry in store.entries(demo=False)] == [second.id, first.id]
    assert [entry.id for entry in store.entries(limit=1, demo=False)] == [second.id]
    assert (store.last(), store.last(demo=True)) == (second.id, demo.id)
    store.delete(second.id)
    assert store.last() == first.id
    assert [entry.id for entry in store.find("in")] == [demo.id, first.id]


def test_the_last_conversation_is_the_one_spoken_in_last(store: Store) -> None:
    first, second = store.create(), store.create()
    say(store, first, "one")
    say(store, second, "two")
    say(store, first, "three")
    store.rename(second.id, "renamed")
    assert store.last() == first.id


def test_a_conversation_without_a_message_on_its_path_is_not_the_last(store: Store) -> None:
    first, second = store.create(), store.create()
    say(store, first, "one")
    say(store, second, "unanswered")
    store.go_to(second, None)
    assert store.last() == first.id
    assert [entry.id for entry in store.entries()] == [first.id]


def test_a_conversation_in_which_no_reply_came_is_not_listed_but_found_by_its_name(store: Store) -> None:
    failed, undone = store.create(), store.create()
    say(store, failed, "of the tides")
    store.go_to(failed, None)
    say(store, undone, "of the moon")
    store.append(undone, Message.assistant("It is far."))
    store.go_to(undone, None)
    assert [entry.title for entry in store.entries()] == ["of the moon"]
    assert [entry.title for entry in store.entries(unanswered=True)] == ["of the moon", "of the tides"]
    assert [entry.title for entry in store.find("of the")] == ["of the moon"]
    for name in ("of the tides", str(failed.id)):
        assert [entry.id for entry in store.find(name)] == [failed.id]
    assert [node.message.text for node in store.whole(failed.id).nodes.values()] == ["of the tides"]
    store.delete(failed.id)
    assert [entry.id for entry in store.trash()] == [failed.id]


def test_writing_to_a_deleted_conversation_takes_it_out_of_the_trash(store: Store) -> None:
    conversation = store.create()
    say(store, conversation, "one")
    store.delete(conversation.id)
    say(store, conversation, "two")
    assert [entry.messages for entry in store.entries()] == [2]


def test_a_name_means_the_closest_titles(store: Store) -> None:
    titles = ["Cats", "cats and dogs", "All about cats", "3", "ÜBUNG"]
    ids = {}
    for title in titles:
        conversation = store.create(title=title)
        say(store, conversation, "x")
        ids[title] = conversation.id

    def found(name: str) -> set[str]:
        return {entry.title for entry in store.find(name)}

    assert found("Cats") == {"Cats"}
    assert found("cats") == {"Cats", "cats and dogs"}
    assert found("bout") == {"All about cats"}
    assert found("3") == {"3"}
    assert found(str(ids["ÜBUNG"])) == {"ÜBUNG"}
    assert found("übu") == {"ÜBUNG"}
    assert found("%") == found("") == found("birds") == set()


def test_an_entry_tells_the_model_that_replied_last(store: Store) -> None:
    conversation = store.create()
    question = store.append(conversation, Message.user("hi"))
    store.begin_reply(conversation, question).finish(Message.assistant("hello"), Ended.COMPLETE, TURN)
    (entry,) = store.entries()
    assert (entry.model, entry.messages, entry.demo) == ("llama", 2, False)


def test_a_place_may_have_a_name_and_is_kept(store: Store, path: Path) -> None:
    conversation = store.create()
    first, second = say(store, conversation, "one", "two")
    store.name(conversation, "start", first)
    store.name(conversation, "end", second)
    store.name(conversation, "end", None)
    with pytest.raises(NotFound):
        store.name(conversation, "nowhere", 99)
    assert reopened(path, conversation.id).names == conversation.names == {"start": first}


def test_the_outline_shows_the_whole_tree_in_brief(store: Store) -> None:
    conversation = store.create()
    question, first = say(store, conversation, "a\nquestion \udc80", "first " * 1000)
    draft = store.begin_reply(conversation, conversation.path()[0])
    second = draft.finish(Message.assistant("second"), Ended.STOPPED, TURN)
    twigs = twigs_of(store, conversation.id)
    assert [(twig.id, twig.parent, twig.number) for twig in twigs] == [
        (question, None, 1),
        (first, question, 2),
        (second.id, question, 2),
    ]
    assert twigs[0].beginning.startswith("a question")
    assert len(twigs[1].beginning) == 400
    assert (twigs[2].model, twigs[2].ended, twigs[2].role) == ("llama", Ended.STOPPED, Role.ASSISTANT)


def test_what_is_not_there_is_said(store: Store) -> None:
    conversation, other = store.create(), store.create()
    (elsewhere,) = say(store, other, "hi")
    with pytest.raises(NotFound):
        store.conversation(999)
    with pytest.raises(NotFound):
        store.rename(999, "x")
    with pytest.raises(NotFound):
        store.go_to(conversation, elsewhere)
    assert conversation.tip is None


def test_unused_conversations_leave_no_trace(path: Path) -> None:
    with Store.open(path) as store:
        unused, used = store.create(), store.create()
        say(store, used, "hi")
    with Store.open(path) as store:
        assert store.conversation(used.id).tip is not None
        with pytest.raises(NotFound):
            store.conversation(unused.id)


def test_a_clock_that_goes_backwards_changes_no_order(path: Path) -> None:
    clock = iter(datetime(2026, 1, 1, tzinfo=UTC) - timedelta(days=day) for day in range(100))
    with Store.open(path, now=lambda: next(clock)) as store:
        first, second = store.create(), store.create()
        say(store, first, "a", "b")
        say(store, second, "c", "d", "e")
        assert store.last() == second.id
        path_ = second.path()
        assert [node.message.text for node in path_] == ["c", "d", "e"]
        times = [node.created for node in path_]
        assert times == sorted(times)
        assert all(time.tzinfo is UTC for time in times)
        say(store, first, "f")
        assert store.last() == first.id


def test_a_50_mb_message_is_kept(store: Store, path: Path) -> None:
    conversation = store.create()
    text = "all work and no play " * (50_000_000 // 21)
    say(store, conversation, text, "I see.")
    assert texts(reopened(path, conversation.id)) == [text, "I see."]


def test_memory_keeps_nothing_on_disk(home: Path) -> None:
    with Store.open(None) as store:
        conversation = store.create()
        say(store, conversation, "hi", "hello")
        assert texts(store.conversation(conversation.id)) == ["hi", "hello"]
    assert not home.exists()


def test_a_copy_of_a_message_keeps_its_time_and_its_turn(path: Path) -> None:
    clock = iter(datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day) for day in range(100))
    with Store.open(path, now=lambda: next(clock)) as store:
        conversation = store.create()
        say(store, conversation, "a")
        draft = store.begin_reply(conversation, conversation.path()[0])
        reply = draft.finish(Message.assistant("b"), Ended.LENGTH, TURN)
        store.go_to(conversation, conversation.path()[0].id)
        copied = store.copy(conversation, reply)
        assert copied.id != reply.id
        assert conversation.tip == copied.id
        assert (copied.message, copied.created, copied.ended, copied.turn) == (
            reply.message,
            reply.created,
            reply.ended,
            reply.turn,
        )
        assert reopened(path, conversation.id).last == copied
