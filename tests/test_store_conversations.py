"""Two programs on one conversation: each stores only what it changed itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from chatcli.conversation.context_state import State, Summary
from chatcli.conversation.message import Message
from chatcli.conversation.tree import Conversation, Ended
from chatcli.session.build import Wishes, build
from chatcli.session.session import Session
from chatcli.store.store import Store
from tests.commanding import do, say
from tests.faults import Engine

Both = tuple[tuple[Store, Conversation], tuple[Store, Conversation]]


@pytest.fixture
def both(tmp_path: Path) -> Iterator[Both]:
    """One conversation of three messages, open in two programs."""
    with Store.open(tmp_path / "chatcli.db") as one, Store.open(tmp_path / "chatcli.db") as two:
        mine = one.create(settings={"model": "demo", "num_ctx": "4096"})
        for text in ("a", "b", "c"):
            one.append(mine, Message.user(text))
        yield (one, mine), (two, two.conversation(mine.id))


def stored(both: Both) -> Conversation:
    return both[0][0].conversation(both[0][1].id)


def test_names_given_elsewhere_stay(both: Both) -> None:
    (one, mine), (two, theirs) = both
    one.name(mine, "old", 1)
    two.name(theirs, "here", 2)
    one.name(mine, "there", 3)
    one.name(mine, "old", None)
    assert stored(both).names == mine.names == {"here": 2, "there": 3}
    two.name(theirs, "more", 1)
    assert stored(both).names == theirs.names == {"here": 2, "there": 3, "more": 1}


def test_each_program_goes_back_to_where_it_was_itself(both: Both) -> None:
    (one, mine), (two, theirs) = both
    two.name(theirs, "-", 3)
    one.name(mine, "-", 2)
    two.name(theirs, "here", 1)
    assert theirs.names == {"-": 3, "here": 1}


def test_the_state_is_changed_by_what_was_changed(both: Both) -> None:
    (one, mine), (two, theirs) = both
    one.keep_state(mine, State(pins=frozenset({1, 2}), forgotten=frozenset({3}), reserve=100))
    two.keep_state(theirs, State(cut=2, pins=frozenset({3})))
    one.keep_state(mine, replace(mine.state, pins=mine.state.pins - {1}, summary=Summary("s", 1)))
    wanted = State(2, Summary("s", 1), frozenset({2, 3}), frozenset({3}), 100)
    assert stored(both).state == wanted
    one.keep_state(mine, replace(mine.state, forgotten=frozenset(), reserve=None))
    assert stored(both).state == replace(wanted, forgotten=frozenset(), reserve=None)


def test_a_reply_keeps_the_pins_of_another_program(both: Both) -> None:
    (one, mine), (two, theirs) = both
    one.keep_state(mine, State(pins=frozenset({1})))
    assert theirs.last is not None
    draft = two.begin_reply(theirs, theirs.last)
    draft.finish(Message.assistant("d"), Ended.COMPLETE, state=replace(theirs.state, cut=2))
    assert stored(both).state == theirs.state == State(cut=2, pins=frozenset({1}))


def test_what_is_to_be_forgotten_takes_its_summary_along(both: Both) -> None:
    """A summary that was made with it would tell it on."""
    (one, mine), (two, theirs) = both
    for store, conversation in both:
        store.keep_state(conversation, State(summary=Summary("a and b", 2)))
    one.keep_state(mine, State(forgotten=frozenset({1})))
    two.keep_state(theirs, replace(theirs.state, cut=2))
    assert stored(both).state == theirs.state == State(cut=2, forgotten=frozenset({1}))


def test_settings_are_changed_one_by_one(both: Both) -> None:
    (one, mine), (two, theirs) = both
    one.keep_settings(mine, {"model": "demo", "num_ctx": "8192", "seed": "1"})
    two.keep_settings(theirs, {"model": "other"})
    assert stored(both).settings == {"model": "other", "seed": "1"}
    two.keep_settings(theirs, {"model": "other", "think": "on"})
    one.keep_settings(mine, {"model": "demo", "num_ctx": "8192"})
    assert stored(both).settings == {"model": "other", "think": "on"}


def test_names_and_pins_outlive_another_programs_turn(engine: Engine, session: Session) -> None:
    say(session, "one")
    say(session, "two")
    other = build(Wishes({"host": engine.url}, resume=True))
    do(session, "branch fromA")
    do(session, "pin 1")
    do(other, "undo")
    do(other, "back")
    say(other, "three")
    other.close()
    again = session.store.conversation(session.conversation.id)
    assert "fromA" in again.names
    assert len(again.state.pins) == 1
