"""Another chatcli permanently deletes the open conversation: its loaded part can be continued."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from chatcli.errors import Gone
from chatcli.session.fallback import still_there
from chatcli.session.session import Session
from chatcli.store.store import Store
from chatcli.turn import ask, stream
from tests.commanding import do, said, say, shown
from tests.faults import Engine

Purge = Callable[[], None]


@pytest.fixture
def purge(session: Session, engine: Engine, home: Path) -> Purge:
    """Does it, with the conversation that is open: a question, its reply, and a pin."""
    engine.say("They sing.")
    say(session, "tell me of whales")
    do(session, "pin 1")

    def purged() -> None:
        with Store.open(home / "chatcli.db") as store:
            store.delete(session.conversation.id)
            assert store.purge() == 1

    return purged


def test_what_is_typed_next_goes_on_with_a_copy(session: Session, engine: Engine, purge: Purge) -> None:
    purge()
    engine.say("30 metres.")
    say(session, "how large?")
    assert said(session) == ["tell me of whales", "They sing.", "how large?", "30 metres."]
    assert "deleted this conversation permanently" in str(session.warnings[0])
    assert len(session.conversation.state.pins) == 1
    (entry,) = session.store.entries()
    assert (entry.title, entry.messages) == ("tell me of whales", 4)
    do(session, "clear")
    do(session, "load tell me of whales")
    assert len(said(session)) == 4


def test_it_can_be_exported(session: Session, purge: Purge, tmp_path: Path) -> None:
    purge()
    file = tmp_path / "x.json"
    still_there(session, lambda: do(session, f"save {file}"))
    assert "They sing." in json.dumps(json.loads(file.read_text()))


def test_a_reply_that_was_coming_is_kept(session: Session, engine: Engine, purge: Purge) -> None:
    engine.say("Krill, mostly.")
    events = stream(session, ask(session, "what do they eat?"))
    next(events)
    purge()
    for _ in events:
        pass
    assert said(session)[-2:] == ["what do they eat?", "Krill, mostly."]
    assert [hit.text for hit in session.store.search(["krill"])] == ["Krill, mostly."]


def test_leaving_brings_nothing_back(session: Session, purge: Purge) -> None:
    purge()
    assert "is kept" not in shown(do(session, "clear"))
    assert session.store.entries() == []


def test_what_is_missing_for_another_reason_is_said_as_ever(session: Session, purge: Purge) -> None:
    with pytest.raises(Gone):
        still_there(session, lambda: session.store.rename(99, "x"))
    assert session.warnings == ()
