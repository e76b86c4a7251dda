"""Whole turns: the demo engine on a real socket, a real store, and nothing mocked between them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from chatcli.conversation.events import Event, Text, Tick
from chatcli.conversation.message import Attachment, Role
from chatcli.conversation.tree import Ended, Node
from chatcli.errors import BadReply, CannotSee, ContextTooLong, Missing, StreamBroken, Unreachable
from chatcli.session.build import Wishes, build
from chatcli.session.session import Session
from chatcli.settings.strategies import Strategy
from chatcli.turn import answer, ask
from tests.faults import Cut, Engine, Hang, Line, nobody_there, too_long
from tests.remembering import ALWAYS_FIT

pytestmark = pytest.mark.usefixtures("prepared")
PICTURE = Attachment("image", "dot.png", "image/png", b"\x89PNG\r\n\x1a\n" + bytes(50))


@contextmanager
def talking_to(url: str, resume: bool = False, **values: str) -> Iterator[Session]:
    session = build(Wishes({"host": url, "model": "demo", **values}, resume=resume))
    try:
        yield session
    finally:
        session.close()


def unheard(event: Event) -> None:
    pass


def say(session: Session, text: str) -> Node | None:
    return answer(session, ask(session, text), unheard)


def spoken(session: Session) -> list[tuple[Role, str]]:
    return [(node.message.role, node.message.text) for node in session.conversation.path()]


def test_a_turn_keeps_question_and_reply_with_what_it_cost() -> None:
    with Engine() as engine, talking_to(engine.url) as session:
        engine.say("Hello **there**.")
        reply = say(session, "hi")
        assert reply is not None
        assert spoken(session) == [(Role.USER, "hi"), (Role.ASSISTANT, "Hello **there**.")]
        assert reply.ended is Ended.COMPLETE
        assert reply.turn is not None
        assert reply.turn.done_reason == "stop"
        assert reply.turn.usage.prompt_tokens
        assert session.plan is not None


def test_every_request_carries_num_ctx_and_forbids_the_server_to_cut() -> None:
    with Engine() as engine, talking_to(engine.url, num_ctx="2k", temperature="0", system="Be kind.") as session:
        say(session, "hi")
        say(session, "and now?")
        assert len(engine.chats) == 2
        for body in engine.chats:
            assert body["truncate"] is False
            assert body["shift"] is False
            assert body["options"] == {"num_ctx": 2048, "temperature": 0.0}
            assert body["messages"][0] == {"role": "system", "content": "Be kind."}
        assert [m["role"] for m in engine.chats[1]["messages"]] == ["system", "user", "assistant", "user"]


def test_num_ctx_is_the_window_as_loaded_and_then_stays_with_the_conversation() -> None:
    with Engine(window=8192) as engine:
        with talking_to(engine.url) as session:
            say(session, "hi")
        with talking_to(engine.url, resume=True) as session:
            say(session, "again")
            assert [body["options"]["num_ctx"] for body in engine.chats] == [8192, 8192]
            assert len(spoken(session)) == 4


def test_a_question_without_any_reply_is_off_the_path_but_still_there() -> None:
    with Engine() as engine, talking_to(engine.url) as session:
        say(session, "first")
        engine.script(*[Cut(after=0)] * 5)  # retries included
        lost = ask(session, "second")
        with pytest.raises(StreamBroken):
            answer(session, lost, unheard)
        assert len(spoken(session)) == 2
        assert session.store.children(session.conversation, lost.parent)[0].message.text == "second"
        say(session, "second, again")
        assert [role for role, _ in spoken(session)] == [Role.USER, Role.ASSISTANT] * 2


def test_a_reply_that_breaks_off_is_kept_and_the_error_is_told() -> None:
    with Engine() as engine, talking_to(engine.url) as session:
        engine.say("one two three four five six seven")
        engine.script(Cut(after=3))
        with pytest.raises(StreamBroken):
            say(session, "count")
        last = session.conversation.last
        assert last is not None
        assert last.ended is Ended.BROKEN
        assert last.message.text.startswith("one")
        assert len(spoken(session)) == 2


def test_a_line_that_is_not_json_ends_the_reply_but_not_the_program() -> None:
    with Engine() as engine, talking_to(engine.url) as session:
        engine.say("one two three four five")
        engine.script(Line("<html>oops</html>"))
        with pytest.raises(BadReply):
            say(session, "count")
        assert say(session, "go on") is not None


def test_stopping_keeps_what_came() -> None:
    heard: list[str] = []
    with Engine() as engine, talking_to(engine.url) as session:
        engine.say("one two three four five six seven")
        engine.script(Hang(after=3))
        question = ask(session, "count")
        reply = answer(
            session,
            question,
            lambda event: heard.extend([event.text] if isinstance(event, Text) else []),
            lambda: len(heard) >= 3,
        )
        assert reply is not None
        assert reply.ended is Ended.STOPPED
        assert reply.message.text == "".join(heard)
        assert engine.client_left()


def test_stopping_before_anything_came_takes_the_question_back() -> None:
    ticks: list[Event] = []

    def note(event: Event) -> None:
        ticks.extend([event] if isinstance(event, Tick) else [])

    with Engine() as engine, talking_to(engine.url) as session:
        say(session, "first")
        engine.script(Hang(after=0))
        assert answer(session, ask(session, "second"), note, lambda: bool(ticks)) is None
        assert spoken(session)[0] == (Role.USER, "first")
        assert len(spoken(session)) == 2


def test_a_reply_ended_by_num_predict_says_so() -> None:
    with Engine() as engine, talking_to(engine.url, num_predict="3") as session:
        reply = say(session, "tell me everything")
        assert reply is not None
        assert reply.ended is Ended.LENGTH


def test_a_server_that_is_gone_leaves_the_question_stored() -> None:
    with Engine() as engine, talking_to(engine.url) as session:
        say(session, "first")
        session.client.get().close()
    with nobody_there() as url, talking_to(url, resume=True) as session:
        with pytest.raises(Unreachable) as caught:
            say(session, "second")
        assert "--demo" in caught.value.hint
        assert len(spoken(session)) == 2


def test_a_missing_model_is_answered_with_those_that_are_there() -> None:
    with Engine() as engine, talking_to(engine.url, model="nope") as session:
        with pytest.raises(Missing) as caught:
            say(session, "hi")
        assert "demo" in caught.value.message
        assert "nope" in caught.value.message


def test_a_picture_for_a_model_that_cannot_see_is_refused_before_anything_is_stored() -> None:
    with Engine() as engine, talking_to(engine.url) as session:
        with pytest.raises(CannotSee):
            ask(session, "what is this?", (PICTURE,))
        assert session.conversation.tip is None
        assert session.store.last() is None


def test_pictures_stay_in_the_history_for_models_that_see() -> None:
    with Engine() as engine, talking_to(engine.url, model="demo-vision") as session:
        answer(session, ask(session, "what is this?", (PICTURE,)), unheard)
        say(session, "and its colour?")
        first = next(m for m in engine.chats[1]["messages"] if m["role"] == "user")
        assert len(first["images"]) == 1


def test_a_message_larger_than_the_window_never_leaves() -> None:
    with Engine() as engine, talking_to(engine.url, num_ctx="512") as session:
        with pytest.raises(ContextTooLong) as caught:
            say(session, "word " * 3000)
        assert caught.value.biggest[0][0] == "this message"
        assert engine.chats == []
        assert session.conversation.tip is None


def test_a_400_too_long_is_learnt_from_and_planned_again_once() -> None:
    with Engine() as engine, talking_to(engine.url, num_ctx="1k", strategy="trim") as session:
        for number in range(8):
            say(session, f"question {number}")
        sent = len(engine.chats)
        engine.script(too_long(needed=1100, available=1024))
        assert say(session, "one more") is not None
        first, second = engine.chats[sent:]
        assert len(second["messages"]) < len(first["messages"])
        engine.script(too_long(needed=1100), too_long(needed=1100))
        with pytest.raises(ContextTooLong):
            say(session, "and more")


@pytest.mark.parametrize("strategy", ALWAYS_FIT, ids=str)
def test_a_long_conversation_never_overflows_its_window(strategy: Strategy) -> None:
    with Engine() as engine, talking_to(engine.url, num_ctx="2k", strategy=strategy.name) as session:
        reply = None
        for number in range(100):
            reply = say(session, f"Question {number}: what do you say to {'this, ' * (number % 23)}then?")
            assert reply is not None
            assert reply.turn is not None
            assert reply.turn.usage.prompt_tokens is not None
            assert reply.turn.usage.prompt_tokens <= 2048
        assert len([body for body in engine.chats if "num_predict" not in body["options"]]) == 100
        assert reply is not None
        assert reply.turn is not None
        assert reply.turn.left_out > 0


def test_conversations_of_the_demo_are_passed_over_by_continue(home: Path) -> None:
    with Engine() as engine, talking_to(engine.url) as session:
        say(session, "a real one")
        demo = session.store.create(demo=True)
        session.store.append(demo, session.conversation.path()[0].message)
        assert session.store.last(demo=False) == session.conversation.id
        assert session.store.last(demo=True) == demo.id


def test_pictures_of_earlier_messages_stay_out_for_a_model_that_cannot_see() -> None:
    with Engine() as engine, talking_to(engine.url, model="demo-vision") as session:
        answer(session, ask(session, "what is this?", (PICTURE,)), unheard)
        session.use_model("demo")
        say(session, "and now?")
        assert all("images" not in message for message in engine.chats[1]["messages"])
        session.store.go_to(session.conversation, session.conversation.path()[0].id)
        question = session.conversation.path()[-1]
        with pytest.raises(CannotSee):
            answer(session, question, unheard)


def test_a_reply_cut_short_goes_on_from_where_it_ended() -> None:
    with Engine() as engine, talking_to(engine.url) as session:
        engine.say("one two three four five six seven", "eight nine.")
        engine.script(Cut(after=3))
        with pytest.raises(StreamBroken):
            say(session, "count")
        question, partial = session.conversation.path()
        longer = answer(session, question, unheard, onward=partial)
        assert longer is not None
        assert longer.message.text == partial.message.text + "eight nine."
        assert engine.chats[1]["messages"][-1] == {"role": "assistant", "content": partial.message.text}
        assert len(session.store.children(session.conversation, question.id)) == 2
        engine.script(*[Cut(after=0)] * 5)  # retries included
        with pytest.raises(StreamBroken):
            answer(session, question, unheard, onward=longer)
        assert session.conversation.last == longer


def test_a_server_that_refuses_twice_does_not_spoil_what_is_asked_next() -> None:
    with Engine() as engine, talking_to(engine.url) as session:
        say(session, "first")
        engine.script(too_long(), too_long())
        with pytest.raises(ContextTooLong):
            say(session, "second")
        reply = say(session, "third")
        assert reply is not None
        assert reply.turn is not None
        assert reply.turn.planned.tokens == reply.turn.usage.prompt_tokens


def test_a_disk_that_fills_up_does_not_end_the_conversation() -> None:
    with Engine() as engine, talking_to(engine.url) as session:
        say(session, "first")
        fill = session.store._database
        with fill.writing() as connection:
            pages = connection.execute("PRAGMA page_count").fetchone()[0]
            connection.execute(f"PRAGMA max_page_count = {pages}")
        engine.say("x" * 20_000, "y" * 20_000)
        for text in ("second", "third"):
            assert say(session, text + " " + "word " * 2000) is not None
        assert [text[:6] for _, text in spoken(session)][2::2] == ["second", "third "]
        assert len(session.warnings) == 1
        assert "memory" in str(session.warnings[0])
