"""What follows from a change of the session: plans dropped, work stopped, nothing lost."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from chatcli.commands.outcomes import Confirm
from chatcli.conversation.context_state import State
from chatcli.conversation.message import Message
from chatcli.errors import StoreError, UserError
from chatcli.session.background_summary import Stage
from chatcli.session.build import Wishes, build
from chatcli.session.session import Session
from chatcli.settings import table
from chatcli.settings.layers import Layer
from chatcli.turn import answer, ask
from tests.commanding import do, followed, said, say
from tests.faults import Engine, Hang


def being_summarized(session: Session, engine: Engine, *, written: bool = False) -> None:
    """A long conversation with a cut; a summary of what is before it is being written (or `written`)."""
    session.ensure_stored()
    for number in range(6):
        session.store.append(session.conversation, Message.user(f"What of thing number {number}?"))
        session.store.append(session.conversation, Message.assistant("A matter of taste, of weather. " * 5))
    cut = session.conversation.message(9)
    assert cut is not None
    session.store.keep_state(session.conversation, State(cut=cut.id))
    if written:
        engine.say("They spoke of taste.")
    else:
        engine.script(Hang(1))
    session.summarizer.reply_ended(cut_moved=True)
    if written:
        assert session.background.wait("summary", 30)


def first_message(session: Session) -> int:
    node = session.conversation.message(1)
    assert node is not None
    return node.id


MOVES: dict[str, Callable[[Session], object]] = {
    "another conversation": lambda session: session.begin(),
    "the same, opened again": lambda session: session.open(session.conversation.id),
    "a copy in memory": lambda session: do(session, "set save off"),
    "another message": lambda session: do(session, "goto 1"),
    "another message, by its address": lambda session: do(session, f"goto @{first_message(session)}"),
    "a path without a message": lambda session: do(session, "drop 1"),
    "before the last question": lambda session: do(session, "undo"),
}


@pytest.mark.parametrize("move", MOVES)
def test_what_was_planned_for_another_path_is_dropped(session: Session, engine: Engine, move: str) -> None:
    say(session, "tell me of whales")
    plans = [session.plan]
    MOVES[move](session)
    plans.append(session.plan)
    assert [plan is None for plan in plans] == [False, True]
    if session.conversation.tip is not None:
        with pytest.raises(UserError, match="Nothing has been sent"):
            do(session, "context last")


def test_a_summary_is_not_made_of_a_question_that_was_stopped(session: Session, engine: Engine) -> None:
    do(session, "set strategy trim")
    for number in range(4):
        engine.say("A matter of taste, of time and of the weather. " * 3)
        say(session, f"What of thing number {number}?")
    engine.script(Hang(0))
    answer(session, ask(session, "And of the turbot?"), lambda event: None, stopped=lambda: len(engine.chats) == 5)
    assert "turbot" in str(engine.chats[-1])
    engine.say("They spoke of taste.")
    followed(session, do(session, "compact"))
    assert engine.chats[-1]["messages"][-1]["content"].startswith("Write a summary")
    assert "turbot" not in str(engine.chats[-1])


@pytest.mark.parametrize("leave", ["begin", "reconnect"])
def test_who_leaves_stops_the_summary_and_no_failure_is_told(session: Session, engine: Engine, leave: str) -> None:
    being_summarized(session, engine)
    getattr(session, leave)()
    assert engine.client_left()
    assert session.background.wait("summary", 30)
    session.summarizer.collect()
    assert session.summarizer.stage is Stage.OWED
    assert list(session.warnings) == []


def test_a_summary_that_is_ready_is_kept_when_the_session_is_closed(engine: Engine) -> None:
    wishes = Wishes({"host": engine.url, "model": "demo", "num_ctx": "1k"})
    session = build(wishes)
    being_summarized(session, engine, written=True)
    session.close()
    session.close()
    again = build(Wishes(wishes.values, resume=True))
    summary = again.conversation.state.summary
    again.close()
    assert summary is not None
    assert summary.text == "They spoke of taste."


def test_another_server_may_have_the_embedding_model_that_this_one_could_not_use(engine: Engine) -> None:
    session = build(Wishes({"host": engine.url, "model": "demo", "embedding_model": "nobody"}))
    say(session, "tell me of whales")
    assert session.background.wait("embedding", 30)
    say(session, "how large?")
    assert len(session.take_warnings()) == 1  # given up, and told once
    with Engine() as other:
        session.settings.put("embedding_model", "demo-embed", Layer.SET)
        session.settings.put("host", other.url, Layer.SET)
        session.setting_changed(table.HOST)
        say(session, "and their young?")
        assert session.background.wait("embedding", 30)
        assert any(each.path == "/api/embed" for each in other.requests)
        session.close()


def test_a_warning_is_shown_by_whoever_takes_it_first(session: Session) -> None:
    session.warn("one", "two")
    session.warn("three")
    assert session.take_warnings() == ("one", "two", "three")
    assert session.take_warnings() == ()


@pytest.mark.skipif(os.name != "posix", reason="limits are POSIX")
def test_a_conversation_that_cannot_be_stored_after_all_stays_in_memory(engine: Engine) -> None:
    from tests.test_store_full import no_room

    build(Wishes({"host": engine.url, "model": "demo"})).close()
    session = build(Wishes({"host": engine.url, "model": "demo", "save": "off"}))
    say(session, "tell me of whales")
    before = said(session)
    asked = do(session, "set save on")
    assert isinstance(asked, Confirm)
    with no_room(), pytest.raises(StoreError):
        asked.then()
    assert said(session) == before
    assert not session.settings[table.SAVE]
    say(session, "how large?")
    assert said(session)[:2] == before
    session.close()


def test_the_doctor_in_the_shell_tells_once_what_is_wrong_with_the_store(home: Path, engine: Engine) -> None:
    build(Wishes({"host": engine.url, "model": "demo"})).close()
    (home / "chatcli.db").write_bytes(b"no database at all" * 400)
    told = subprocess.run(
        [sys.executable, "-m", "chatcli", "doctor", "--host", engine.url],
        capture_output=True,
        text=True,
        check=False,
    )
    assert " ".join((told.stdout + told.stderr).split()).count("Nothing can be read") == 1
