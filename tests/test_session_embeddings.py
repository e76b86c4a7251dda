"""Vectors of messages: made after replies, stored, never requested twice; the question's when recall searches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from chatcli.conversation.message import Message
from chatcli.conversation.plan import PartKind
from chatcli.conversation.retrieval import Embedder, Passage
from chatcli.demo.protocol import Answer, HttpRequest, HttpResponse, whole
from chatcli.errors import Missing, Refused
from chatcli.session import embeddings
from chatcli.session.build import Wishes, build
from chatcli.session.session import Session
from tests.commanding import do, say, shown
from tests.faults import Cut, Engine, Hang


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    opened = build(Wishes({"host": engine.url, "model": "demo", "num_ctx": "1k", "embedding_model": "demo-embed"}))
    yield opened
    opened.close()


def talk(session: Session, engine: Engine, exchanges: int, first: int = 0) -> None:
    for number in range(first, first + exchanges):
        engine.say(f"The answer to question {number} is a matter of taste, of time and of the weather. " * 3)
        say(session, f"Question {number}: what of thing number {number}?")
        assert session.background.wait("summary", 10)


def embedded(engine: Engine) -> list[str]:
    """Every text that was sent to be embedded."""
    return [text for each in engine.requests if each.path == "/api/embed" for text in each.body["input"]]


def settle(session: Session) -> None:
    """Wait for the vectors being made, and keep them."""
    assert session.background.wait("embedding", 10)
    session.embeddings.question_comes()


def missing(session: Session, model: str = "demo-embed") -> list[Passage]:
    conversation = session.conversation
    digest = session.client.get().model(model).digest
    assert conversation.tip is not None
    return session.store.vectors.missing(conversation.id, conversation.tip, Embedder(model, digest))[0]


def test_after_a_reply_all_that_was_said_gets_its_vector_and_nothing_twice(
    session: Session, engine: Engine
) -> None:
    for number in range(3):
        talk(session, engine, 1, number)
        settle(session)
        assert missing(session) == []
    sent = embedded(engine)
    assert len(sent) == len(set(sent)) == 6
    assert sent[1].startswith("Question 0")


def test_without_a_model_nothing_is_sent(engine: Engine) -> None:
    opened = build(Wishes({"host": engine.url, "model": "demo", "num_ctx": "1k"}))
    talk(opened, engine, 12)
    say(opened, "What of thing number 1?")
    opened.close()
    assert embedded(engine) == []


def test_an_older_conversation_is_caught_up_on_little_by_little(
    session: Session, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embeddings, "ROUND", 4)
    monkeypatch.setattr(embeddings, "AT_ONCE", 3)
    do(session, "set recall off")
    talk(session, engine, 5)
    do(session, "set recall on")
    rests = []
    for number in range(5, 9):
        talk(session, engine, 1, number)
        settle(session)
        rests.append(len(missing(session)))
    assert rests == [8, 6, 4, 2]
    assert all(len(each.body["input"]) <= 3 for each in engine.requests if each.path == "/api/embed")


def test_the_question_is_embedded_once_and_only_when_recall_looks_for_it(session: Session, engine: Engine) -> None:
    talk(session, engine, 3)
    settle(session)
    assert not [text for text in embedded(engine) if text.startswith("Where")]
    talk(session, engine, 9, 3)
    settle(session)
    assert session.conversation.state.cut is not None
    say(session, "Where was thing number 1 a matter of taste?")
    shown(do(session, "context"))
    assert embedded(engine).count("Where was thing number 1 a matter of taste?") == 1
    assert session.plan is not None
    assert session.plan.of(PartKind.RECALLED).tokens


def test_a_server_that_is_slow_to_embed_keeps_no_question_waiting_for_long(
    session: Session, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embeddings, "PATIENCE", 0.2)
    talk(session, engine, 12)
    settle(session)
    engine.script(Hang(0), path="/api/embed")
    say(session, "Where was thing number 1 a matter of taste?")
    assert session.plan is not None
    assert session.plan.of(PartKind.RECALLED).tokens  # by words alone
    assert session.warnings == ()


def refusing(words: str, _request: HttpRequest, _answer: Answer) -> HttpResponse:
    return whole({"error": words}, 500)


def test_a_model_that_fails_is_said_once_and_asked_no_more(session: Session, engine: Engine) -> None:
    engine.script(partial(refusing, "unable to load model"), path="/api/embed")
    talk(session, engine, 1)
    assert session.background.wait("embedding", 10)
    talk(session, engine, 2, 1)
    assert len(session.warnings) == 1
    assert "matches words only" in str(session.warnings[0])
    assert len(embedded(engine)) <= 2
    do(session, "set embedding_model demo-embed")
    talk(session, engine, 1, 3)
    settle(session)
    assert missing(session) == []


def test_a_broken_connection_is_no_reason_to_give_up(session: Session, engine: Engine) -> None:
    engine.script(Cut(0), path="/api/embed")
    talk(session, engine, 1)
    settle(session)
    talk(session, engine, 1, 1)
    settle(session)
    assert missing(session) == []
    assert session.warnings == ()


def test_a_model_that_is_not_there_or_makes_no_vectors_is_not_taken(session: Session) -> None:
    with pytest.raises(Missing):
        do(session, "set embedding_model nope")
    with pytest.raises(Refused, match="not an embedding model"):
        do(session, "set embedding_model demo-thinking")
    assert "demo-embed" in shown(do(session, "set embedding_model"))


def test_doctor_says_whether_the_embedding_model_is_there(session: Session, engine: Engine) -> None:
    assert "demo-embed is installed" in shown(do(session, "doctor"))
    engine.inside.shelf.delete("demo-embed")
    assert "no model named demo-embed" in shown(do(session, "doctor"))


def alone(_request: HttpRequest, _answer: Answer) -> HttpResponse:
    return whole({"models": [{"name": "demo-embed:latest"}]})


def test_a_server_with_room_for_one_model_only_is_left_alone(session: Session, engine: Engine) -> None:
    engine.script(lambda request, answer: answer(request), alone, path="/api/ps")
    session.window.get()
    engine.script(lambda request, answer: answer(request), alone, path="/api/ps")
    talk(session, engine, 1)
    assert session.background.wait("embedding", 10)
    session.embeddings.question_comes()
    assert "no room" in " ".join(map(str, session.warnings))
    sent = len(embedded(engine))
    talk(session, engine, 2, 1)
    assert len(embedded(engine)) == sent


def test_the_chat_keeps_its_window_while_vectors_are_made(session: Session, engine: Engine) -> None:
    talk(session, engine, 2)
    settle(session)
    loaded = {row.name: row.context_length for row in session.client.get().loaded()}
    assert loaded["demo:latest"] == 1024
    assert {each["options"]["num_ctx"] for each in engine.chats} == {1024}


def test_a_new_question_stops_the_making_and_keeps_what_was_made(
    session: Session, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embeddings, "AT_ONCE", 1)
    engine.script(lambda request, answer: answer(request), Hang(0), path="/api/embed")
    talk(session, engine, 1)
    for _ in range(200):  # until its second request hangs
        if len(embedded(engine)) == 2:
            break
        session.background.wait("embedding", 0.05)
    talk(session, engine, 1, 1)
    settle(session)
    assert missing(session) == []


def test_what_was_made_is_kept_when_the_program_ends(engine: Engine, home: Path) -> None:
    opened = build(Wishes({"host": engine.url, "model": "demo", "embedding_model": "demo-embed"}))
    talk(opened, engine, 1)
    assert opened.background.wait("embedding", 10)
    opened.close()
    again = build(Wishes({"host": engine.url, "model": "demo"}, resume=True))
    assert missing(again) == []
    again.close()


def made(session: Session, engine: Engine) -> None:
    session.embeddings.reply_ended()
    assert session.background.wait("embedding", 10)


def being_made(session: Session, engine: Engine) -> None:
    engine.script(Hang(0), path="/api/embed")
    session.embeddings.reply_ended()
    while not embedded(engine):
        assert not session.background.wait("embedding", 0.01)


def given_up(session: Session, engine: Engine) -> None:
    engine.script(partial(refusing, "unable to load model"), path="/api/embed")
    made(session, engine)
    session.embeddings.question_comes()


STATES: dict[str, Callable[[Session, Engine], None]] = {
    "idle": lambda session, engine: None,
    "being made": being_made,
    "made": made,
    "given up": given_up,
}
EVENTS: dict[str, Callable[[Session], None]] = {
    "a reply ended": lambda session: session.embeddings.reply_ended(),
    "a question comes": lambda session: session.embeddings.question_comes(),
    "the program ends": lambda session: session.embeddings.close(),
    "the messages got other ids": lambda session: session.embeddings.numbers_changed(),
    "the model was set": lambda session: session.embeddings.model_set(),
}
# For each state, in the order of the events: whether all vectors are then stored, and whether some are asked for.
AFTER: dict[str, list[tuple[bool, bool]]] = {
    "idle": [(False, True), (False, False), (False, False), (False, False), (False, False)],
    "being made": [(False, True), (False, False), (False, False), (False, False), (False, False)],
    "made": [(True, False), (True, False), (True, False), (False, False), (False, False)],
    "given up": [(False, False), (False, False), (False, False), (False, False), (False, False)],
}


@pytest.mark.parametrize("state", STATES)
def test_every_event_in_every_state(session: Session, engine: Engine, state: str) -> None:
    after: dict[str, tuple[bool, bool]] = {}
    for event, act in EVENTS.items():
        session.begin()
        session.ensure_stored()
        session.store.append(session.conversation, Message.user(f"What happens when {event}?"))
        engine.requests.clear()
        STATES[state](session, engine)
        asked = len(embedded(engine))
        act(session)
        if event == "a reply ended":
            assert session.background.wait("embedding", 10)
        after[event] = not missing(session), len(embedded(engine)) > asked
        session.embeddings.numbers_changed()
        assert session.background.wait("embedding", 10)
        session.embeddings.model_set()
        made(session, engine)
        settle(session)
        assert missing(session) == []  # whatever happened, the next round makes what is missing
    assert after == dict(zip(EVENTS, AFTER[state], strict=True))
