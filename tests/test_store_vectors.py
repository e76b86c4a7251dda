"""Vectors in the store: which passages lack one, which are nearest, and that none outlives its text."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcli.conversation.context_state import State
from chatcli.conversation.message import Message
from chatcli.conversation.retrieval import Embedder, Meaning, Passage, Retrieved
from chatcli.conversation.tree import Conversation, Ended
from chatcli.store import vectors as module
from chatcli.store.store import Store
from chatcli.store.vectors import compared, packed

MODEL = Embedder("small", "1")
WORDS = ["heron", "river", "budget", "piano", "soup", "snow", "train", "garden"]


@pytest.fixture
def store() -> Iterator[Store]:
    with Store.open(None) as store:
        yield store


def vector(text: str) -> list[float]:
    """A number for each of WORDS; "bird" means what "heron" does."""
    text = text.replace("bird", "heron")
    return [1.0 if word in text else -0.1 for word in WORDS]


def meaning(text: str, model: Embedder = MODEL) -> Meaning:
    return Meaning(model, vector(text))


def talk(store: Store, *texts: str, demo: bool = False) -> Conversation:
    conversation = store.create(demo=demo)
    for text in texts:
        store.append(conversation, Message.user(text))
    return conversation


def missing(store: Store, conversation: Conversation, model: Embedder = MODEL) -> list[Passage]:
    assert conversation.tip is not None
    found, before = store.vectors.missing(conversation.id, conversation.tip, model)
    assert before == 1
    return found


def read(store: Store, conversation: Conversation, model: Embedder = MODEL) -> None:
    """Give everything its vector."""
    store.vectors.keep(model, [(each, packed(vector(each.text))) for each in missing(store, conversation, model)])


def texts(found: Retrieved) -> list[str]:
    return [each.text for each in found.candidates]


def look(store: Store, conversation: Conversation, text: str, model: Embedder = MODEL) -> Retrieved:
    assert conversation.tip is not None
    return store.candidates([], conversation=conversation.id, upto=conversation.tip, meaning=meaning(text, model))


FILLER = [f"{word} and {other}" for word in WORDS[1:] for other in WORDS[1:]]


def test_what_has_no_word_in_common_is_found_by_its_meaning_with_what_stands_beside_it(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHOSEN", 1)
    conversation = talk(store, *FILLER, "a heron", "one", "two", *FILLER)
    read(store, conversation)
    found = look(store, conversation, "bird")
    assert texts(found) == [*FILLER[-2:], "a heron", "one", "two"]
    (node, _), near = max(found.near.items(), key=lambda item: item[1])
    assert node == conversation.path()[len(FILLER)].id
    assert near > 2
    assert set(found.near) == {(each.node, each.passage) for each in found.candidates}
    assert found.compared == 2 * len(FILLER) + 3
    assert not any(each.terms for each in found.candidates)


def test_the_newest_without_a_vector_come_first_and_none_twice(store: Store) -> None:
    conversation = talk(store, "one", "two", "three")
    tip = conversation.tip
    assert tip is not None
    some, before = store.vectors.missing(conversation.id, tip, MODEL, limit=2)
    assert ([each.text for each in some], before) == (["three", "two"], 2)
    store.vectors.keep(MODEL, [(each, packed(vector(each.text))) for each in some])
    assert [each.text for each in missing(store, conversation)] == ["one"]
    assert len(missing(store, conversation, Embedder("small", "2"))) == 3


def test_vectors_of_another_version_of_a_model_are_not_compared(store: Store) -> None:
    conversation = talk(store, "a heron", *FILLER)
    read(store, conversation)
    assert look(store, conversation, "bird", Embedder("small", "2")).near == {}
    read(store, conversation, Embedder("small", "2"))
    assert look(store, conversation, "bird", Embedder("small", "2")).near
    assert look(store, conversation, "bird").near == {}


def test_what_came_after_a_search_is_found_by_the_next(store: Store) -> None:
    conversation = talk(store, *FILLER)
    read(store, conversation)
    look(store, conversation, "bird")
    node = store.append(conversation, Message.user("a heron"))
    read(store, conversation)
    nearest = max(look(store, conversation, "bird").near.items(), key=lambda item: item[1])
    assert nearest[0] == (node.id, 0)


def test_only_the_path_is_searched(store: Store) -> None:
    conversation = talk(store, *FILLER, "a heron undone")
    store.go_to(conversation, conversation.path()[-2].id)
    read(store, conversation)
    store.append(conversation, Message.user("snow"))
    assert "a heron undone" not in texts(look(store, conversation, "bird"))


def test_a_reply_that_grew_has_no_vector_of_what_it_was(store: Store) -> None:
    conversation = talk(store, "a question")
    draft = store.begin_reply(conversation, conversation.path()[0])
    draft.save("a heron")
    early = missing(store, conversation)
    read(store, conversation)
    draft.finish(Message.assistant("a heron in the snow"), Ended.COMPLETE)
    assert [each.text for each in missing(store, conversation)] == ["a heron in the snow"]
    store.vectors.keep(MODEL, [(each, packed(vector(each.text))) for each in early])  # made of what it was
    assert [each.text for each in missing(store, conversation)] == ["a heron in the snow"]


def test_of_other_conversations_only_what_may_be_quoted_is_found(store: Store) -> None:
    said = ["bird", "heron"]
    others = {name: talk(store, f"{name}: a heron", "snow", demo=name == "demo") for name in ("open", "demo")}
    others |= {name: talk(store, f"{name}: a heron") for name in ("trash", "forgotten")}
    here = talk(store, "here: a heron", "soup")
    for each in (*others.values(), here):
        read(store, each)
    store.delete(others["trash"].id)
    store.keep_state(others["forgotten"], State(forgotten=frozenset({others["forgotten"].path()[0].id})))
    found = store.candidates(said, conversation=here.id, upto=None, all_chats=True, meaning=meaning("bird"))
    assert texts(found) == ["open: a heron", "snow"]
    demo = talk(store, "hello", demo=True)
    found = store.candidates(said, conversation=demo.id, upto=None, all_chats=True, meaning=meaning("bird"))
    assert texts(found) == ["demo: a heron", "snow"]


def test_a_purged_conversation_leaves_no_vector(tmp_path: Path) -> None:
    with Store.open(tmp_path / "chatcli.db") as store:
        kept, gone = talk(store, "a heron"), talk(store, *FILLER)
        for each in (kept, gone):
            read(store, each)
        store.delete(gone.id)
        store.purge()
        assert store.check() == []
        connection = store._database._connection
        left = connection.execute("SELECT passage >> 10, conversation FROM vectors").fetchall()
        assert left == [(kept.path()[0].id, kept.id)]


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=3, max_size=40).filter(any))
def test_a_packed_vector_is_nearest_to_itself_whatever_its_length(row: list[float]) -> None:
    with Store.open(None) as store:
        conversation = talk(store, "text")
        (passage,) = missing(store, conversation)
        store.vectors.keep(MODEL, [(passage, packed(row))])
        likeness = store.read(compared, Meaning(MODEL, row), [passage.id])
        assert likeness[passage.id] == pytest.approx(1, abs=0.02)


def likeness(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True)) / (math.hypot(*one) * math.hypot(*other))


def test_the_nearest_by_signs_are_the_nearest(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHOSEN", 60)
    chance = random.Random(5)
    rows = [[chance.gauss(0, 1) for _ in range(128)] for _ in range(400)]
    conversation = talk(store, *(f"text {place}" for place in range(400)))
    passages, _ = store.vectors.missing(conversation.id, conversation.path()[-1].id, MODEL, limit=1000)
    made = {passage.id: rows[int(passage.text.split()[1])] for passage in passages}
    store.vectors.keep(MODEL, [(passage, packed(made[passage.id])) for passage in passages])
    asked = Meaning(MODEL, [value + chance.gauss(0, 1) for value in rows[7]])
    found = store.read(store.vectors.nearest, asked, conversation.id, 0, 1 << 62)
    best = sorted(made, key=lambda passage: -likeness(made[passage], asked.vector))
    assert set(best[:3]) <= set(found.passages)
    assert len(found.passages) == 60
    assert abs(found.usual) < 0.05
