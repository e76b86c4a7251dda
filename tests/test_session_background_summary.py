"""The background summary is a state machine: each event in each of its states."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from chatcli.conversation.context_state import State
from chatcli.conversation.message import Message
from chatcli.session.background_summary import Stage
from chatcli.session.build import Wishes, build
from chatcli.session.session import Session
from chatcli.settings.layers import Layer
from tests.faults import Engine, Hang, Status

IDLE, ASKED, SHOWN, OWED = Stage
MADE = "They spoke of taste."


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    opened = build(Wishes({"host": engine.url, "model": "demo", "num_ctx": "1k", "save": "off"}))
    begin(opened, engine)
    yield opened
    opened.close()


def begin(session: Session, engine: Engine) -> None:
    """A conversation in which a summary is due: its cut has moved, and nothing stands for what is before it."""
    session.summarizer.undo()
    session.take_warnings()
    session.begin()
    session.ensure_stored()
    for number in range(6):
        say(session, f"What of thing number {number}?", "A matter of taste, and of the weather. " * 5)
    cut = session.conversation.message(9)
    assert cut is not None
    session.store.keep_state(session.conversation, State(cut=cut.id))
    engine.forget()
    engine.say(*[MADE] * 4)


def say(session: Session, question: str, reply: str) -> None:
    session.store.append(session.conversation, Message.user(question))
    session.store.append(session.conversation, Message.assistant(reply))


def compact(session: Session, dry: bool) -> None:
    """As the command does, which says so when there is nothing to summarize."""
    job = session.summarizer.compact(dry)
    if job is None:
        return
    if not job.answer:
        for _ in session.summarizer.asking(job):
            pass
    session.summarizer.compacted(job, dry)


def ask(session: Session, engine: Engine) -> None:
    session.summarizer.reply_ended(cut_moved=True)
    assert session.background.wait("summary", 30)


def stopped(session: Session, engine: Engine) -> None:
    being_written(session, engine)
    session.summarizer.question_comes()


def being_written(session: Session, engine: Engine) -> None:
    engine.script(Hang(1))
    session.summarizer.reply_ended(cut_moved=True)


def failed(session: Session, engine: Engine) -> None:
    engine.script(Status(500, "out of memory"))
    ask(session, engine)


def unusable(session: Session, engine: Engine) -> None:
    engine.forget()
    engine.say(" ", *[MADE] * 4)
    ask(session, engine)


def no_longer_fitting(session: Session, engine: Engine) -> None:
    ask(session, engine)
    state = session.conversation.state
    node = session.conversation.message(2)
    assert node is not None
    session.store.keep_state(session.conversation, replace(state, forgotten=frozenset({node.id})))


def ask_in_strategy_summary(session: Session) -> None:
    session.store.append(session.conversation, Message.user("And now?"))
    session.settings.put("strategy", "summary", Layer.SET)
    session.settings.put("keep_recent", "2", Layer.SET)
    session.settings.put("history_budget", "100", Layer.SET)
    assert list(session.summarizer.before_request())


STATES: dict[str, tuple[Stage, Callable[[Session, Engine], None]]] = {
    "idle": (IDLE, lambda session, engine: None),
    "being written": (ASKED, being_written),
    "ready": (ASKED, ask),
    "failed": (ASKED, failed),
    "unusable": (ASKED, unusable),
    "no longer fitting": (ASKED, no_longer_fitting),
    "shown": (SHOWN, lambda session, engine: compact(session, dry=True)),
    "owed": (OWED, stopped),
}
EVENTS: dict[str, Callable[[Session], None]] = {
    "a reply ended": lambda session: session.summarizer.reply_ended(cut_moved=False),
    "a reply ended, and the cut moved": lambda session: session.summarizer.reply_ended(cut_moved=True),
    "a command comes": lambda session: session.summarizer.collect(),
    "a question comes": lambda session: session.summarizer.question_comes(),
    "/compact --dry": lambda session: compact(session, dry=True),
    "/compact": lambda session: compact(session, dry=False),
    "/uncompact": lambda session: session.summarizer.undo(),
    "the conversation changed": lambda session: session.summarizer.conversation_changed(),
}
# For each state, in the order of the events: the state after it, and whether a summary is then in use.
AFTER: dict[str, list[tuple[Stage, bool]]] = {
    "idle": [
        (IDLE, False), (ASKED, False), (IDLE, False), (IDLE, False),
        (SHOWN, False), (IDLE, True), (IDLE, False), (IDLE, False),
    ],
    "being written": [
        (ASKED, False), (ASKED, False), (ASKED, False), (OWED, False),
        (SHOWN, False), (IDLE, True), (IDLE, False), (OWED, False),
    ],
    "ready": [
        (ASKED, False), (ASKED, False), (IDLE, True), (IDLE, True),
        (IDLE, True), (IDLE, True), (IDLE, True), (OWED, False),
    ],
    "failed": [
        (ASKED, False), (ASKED, False), (IDLE, False), (IDLE, False),
        (SHOWN, False), (IDLE, True), (IDLE, False), (OWED, False),
    ],
    "unusable": [
        (ASKED, False), (ASKED, False), (IDLE, False), (IDLE, False),
        (SHOWN, False), (IDLE, True), (IDLE, False), (OWED, False),
    ],
    "no longer fitting": [
        (ASKED, False), (ASKED, False), (OWED, False), (OWED, False),
        (SHOWN, False), (IDLE, True), (IDLE, False), (OWED, False),
    ],
    "shown": [
        (ASKED, False), (ASKED, False), (SHOWN, False), (SHOWN, False),
        (SHOWN, False), (IDLE, True), (IDLE, False), (OWED, False),
    ],
    "owed": [
        (ASKED, False), (ASKED, False), (OWED, False), (OWED, False),
        (SHOWN, False), (IDLE, True), (IDLE, False), (OWED, False),
    ],
}  # fmt: skip


@pytest.mark.parametrize("state", STATES)
def test_every_event_in_every_state(session: Session, engine: Engine, state: str) -> None:
    stage, enter = STATES[state]
    after: dict[str, tuple[Stage, bool]] = {}
    for event, act in EVENTS.items():
        begin(session, engine)
        enter(session, engine)
        assert session.summarizer.stage is stage
        act(session)
        after[event] = session.summarizer.stage, session.conversation.state.summary is not None
        was_told = state in {"failed", "unusable"} and session.summarizer.stage is not ASKED
        assert len(session.warnings) == (was_told and event != "the conversation changed")
    assert after == dict(zip(EVENTS, AFTER[state], strict=True))


@pytest.mark.parametrize("state", STATES)
def test_strategy_summary_waits_for_the_summary_in_every_state(
    session: Session, engine: Engine, state: str
) -> None:
    STATES[state][1](session, engine)
    session.summarizer.question_comes()
    if session.conversation.state.summary is not None:
        session.summarizer.undo()
        session.store.keep_state(session.conversation, State())
    ask_in_strategy_summary(session)
    assert session.summarizer.stage is IDLE
    assert session.conversation.state.summary is not None


def test_a_summary_that_was_stopped_is_asked_for_after_the_next_reply(session: Session, engine: Engine) -> None:
    stopped(session, engine)
    ask(session, engine)
    session.summarizer.collect()
    summary = session.conversation.state.summary
    assert summary is not None
    assert summary.text == MADE


def test_what_compact_has_shown_is_used_without_asking_again(session: Session, engine: Engine) -> None:
    compact(session, dry=True)
    asked = len(engine.chats)
    compact(session, dry=False)
    assert len(engine.chats) == asked
    assert session.conversation.state.summary is not None


def test_what_compact_has_shown_is_not_used_once_more_was_said(session: Session, engine: Engine) -> None:
    compact(session, dry=True)
    for _ in range(3):
        say(session, "What else?", "Nothing but weather. " * 5)
    asked = len(engine.chats)
    compact(session, dry=False)
    assert len(engine.chats) > asked


def test_a_summary_that_cannot_be_started_yet_is_owed(session: Session, engine: Engine) -> None:
    """A stopped one may take some time to end."""
    ended = threading.Event()
    session.background.start("summary", ended.wait)
    session.summarizer.reply_ended(cut_moved=True)
    assert session.summarizer.stage is OWED
    ended.set()
    assert session.background.wait("summary", 30)
    ask(session, engine)
    assert session.summarizer.stage is ASKED
