"""Strategy server: everything is sent, Ollama cuts it as the settings say, and what it read is told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chatcli import Chat
from chatcli.cli.json_object import account
from chatcli.conversation.message import Attachment, Message
from chatcli.conversation.plan import PartKind
from chatcli.conversation.tree import Node
from chatcli.conversation.usage import Turn
from chatcli.errors import ContextTooLong
from chatcli.render.screen import Screen
from chatcli.repl.notes import after_reply
from chatcli.repl.toolbar_data import meter
from chatcli.session.build import Wishes, build
from chatcli.session.session import Session
from chatcli.settings.strategies import AUTO, SERVER, TRIM
from chatcli.turn import answer, ask
from tests.commanding import do, shown
from tests.faults import Engine
from tests.screen import Seen

SAID = "So it goes, on and on, with one thing and another. " * 12


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    opened = build(Wishes({"host": engine.url, "model": "demo", "num_ctx": "512", "strategy": SERVER.name}))
    yield opened
    opened.close()


def say(session: Session, engine: Engine, text: str, *attachments: Attachment) -> tuple[Node, Turn]:
    engine.say(SAID)
    reply = answer(session, ask(session, text, attachments), lambda event: None)
    assert reply is not None
    assert reply.turn is not None
    return reply, reply.turn


def talk(session: Session, engine: Engine, exchanges: int = 6) -> tuple[Node, Turn]:
    for number in range(exchanges):
        reply = say(session, engine, f"Question {number}?")
    return reply


def test_everything_is_sent_and_what_the_server_read_is_measured(session: Session, engine: Engine) -> None:
    reply, turn = talk(session, engine)
    sent = engine.chats[-1]
    assert [each["content"] for each in sent["messages"]] == [
        node.message.text for node in session.conversation.path()[:-1]
    ]
    assert (sent["truncate"], sent["shift"]) == (True, True)
    assert turn.planned.exact
    assert turn.usage.prompt_tokens is not None
    assert turn.usage.prompt_tokens <= 512 < turn.planned.tokens
    assert turn.unread == turn.planned.tokens - turn.usage.prompt_tokens
    (note,) = after_reply(reply, verbose=False)
    assert note.text == (
        f"The server read {turn.usage.prompt_tokens} of {turn.planned.tokens} tokens and dropped {turn.unread}: "
        "which, it does not say."
    )
    told = account(session, reply)
    assert (told["left_out"], told["not_read"]) == (0, turn.unread)


def test_nothing_is_told_while_all_of_it_fits(session: Session, engine: Engine) -> None:
    reply, turn = say(session, engine, "Question?")
    assert turn.unread == 0
    assert after_reply(reply, verbose=False) == []
    assert turn.usage.prompt_tokens == turn.planned.tokens


def test_what_the_server_dropped_is_not_called_known_where_counts_are_estimates(engine: Engine) -> None:
    values = {"model": "demo", "num_ctx": "512", "strategy": SERVER.name, "tokenizer": "o200k_base"}
    session = build(Wishes({"host": engine.url, **values}))
    try:
        say(session, engine, "Question?")
        before = session.counter.count(Message.user("How much is this?"))
        reply, turn = talk(session, engine)
        assert turn.overfull
        assert turn.unread is None
        assert turn.sent == ""
        assert "may have room for" in after_reply(reply, verbose=False)[0].text
        assert account(session, reply)["not_read"] is None
        learnt = session.counter.count(Message.user("How much is this?"))
        assert learnt.tokens > before.tokens * 0.7
    finally:
        session.close()


# Not prepared: so the server is asked how it writes prompts, too.
@pytest.mark.parametrize("prepared", [None], ids=[""])
def test_the_settings_go_to_the_server_as_they_are(prepared: None, session: Session, engine: Engine) -> None:
    assert "has an effect in" not in shown(do(session, "set shift off"))
    do(session, "set num_keep 24")
    say(session, engine, "hi")
    assert (engine.chats[-1]["truncate"], engine.chats[-1]["shift"]) == (True, False)
    assert engine.chats[-1]["options"]["num_keep"] == 24
    loads = [each.body["shift"] for each in engine.requests if each.path == "/api/chat"]
    assert len(loads) > 1
    assert loads[-1] is False


@pytest.mark.parametrize("name", SERVER.settings)
def test_in_another_strategy_they_say_that_they_have_no_effect(
    session: Session, engine: Engine, name: str
) -> None:
    do(session, f"set strategy {TRIM}")
    assert f"in strategy {SERVER} only; the strategy is {TRIM}." in shown(do(session, f"set {name}"))
    say(session, engine, "hi")
    assert (engine.chats[-1]["truncate"], engine.chats[-1]["shift"]) == (False, False)


def test_with_truncate_off_the_servers_refusal_is_shown_and_nothing_sent_again(
    session: Session, engine: Engine
) -> None:
    do(session, "set truncate off")
    say(session, engine, "Question?")
    with pytest.raises(ContextTooLong, match="does not fit the context window") as caught:
        talk(session, engine)
    assert f"{AUTO}" in caught.value.hint
    assert len({str(each["messages"]) for each in engine.chats}) == len(engine.chats)
    assert engine.chats[-1]["truncate"] is False


def test_no_model_is_loaded_with_another_shift_than_the_chats(engine: Engine) -> None:
    with Chat("demo", host=engine.url, strategy=SERVER.name) as chat:
        chat.send("hi")
    assert {each.body.get("shift") for each in engine.requests if each.path == "/api/chat"} == {True}


def test_the_toolbar_shows_what_is_sent_and_how_much_was_not_read(session: Session, engine: Engine) -> None:
    _, turn = talk(session, engine)
    toolbar = meter(session)
    assert toolbar.tokens > turn.planned.tokens + (turn.usage.reply_tokens or 0)
    assert toolbar.tokens > toolbar.window == 512
    assert f"{turn.unread} tokens not read" in toolbar.notes
    assert toolbar.strategy == SERVER.name


def test_context_says_that_the_server_chooses(session: Session, engine: Engine) -> None:
    _, turn = talk(session, engine)
    for which in ("", " last"):
        seen = Seen(100, 60)
        screen = Screen(seen, seen, theme="dark", width=100, height=60)
        for view in getattr(do(session, f"context{which}"), "views"):  # noqa: B009
            screen.show(view)
        text = " ".join(" ".join(seen.text).split())
        assert "too long for the window. All of it is sent, and the server chooses what it drops." in text
        assert "of the reply's reserve" not in text
        assert "sent the server may drop it" in text
        assert f"it dropped {turn.unread}." in text
    assert "is sent word for word: the server may drop it." in shown(do(session, "context why 1"))


def test_files_go_whole_and_nothing_is_summarized_or_embedded(engine: Engine) -> None:
    values = {"model": "demo", "num_ctx": "512", "strategy": SERVER.name, "embedding_model": "demo-embed"}
    session = build(Wishes({"host": engine.url, **values}))
    try:
        file = Attachment("text", "log.txt", "text/plain", b"Nothing in particular happens here.\n" * 300)
        say(session, engine, "What happens?", file)
        talk(session, engine)
        assert engine.chats[-1]["messages"][0]["content"].count("Nothing in particular") == 300
        assert session.plan is not None
        assert not session.plan.of(PartKind.PASSAGES).tokens
        assert not [each for each in engine.requests if each.path == "/api/embed"]
        assert not [each for each in engine.chats if "num_predict" in each["options"]]
    finally:
        session.close()


def test_another_strategy_goes_on_from_there_within_the_window(session: Session, engine: Engine) -> None:
    talk(session, engine)
    do(session, f"set strategy {AUTO}")
    _, turn = say(session, engine, "And now?")
    assert turn.usage.prompt_tokens == turn.planned.tokens
    assert turn.left_out > 0
    assert (turn.unread, turn.overfull) == (0, False)
    do(session, f"set strategy {SERVER}")
    _, turn = say(session, engine, "And now?")
    assert turn.left_out == 0
    assert turn.unread
