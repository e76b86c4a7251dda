"""Questions to /api/generate: the context it returns is passed back, and raw text goes on from itself."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatcli.commands.outcomes import Show
from chatcli.commands.spelling import at_prompt
from chatcli.conversation.message import Attachment
from chatcli.conversation.plan import PartKind
from chatcli.conversation.usage import packed, unpacked
from chatcli.demo.protocol import NDJSON, Answer, HttpRequest, HttpResponse
from chatcli.errors import ContextTooLong
from chatcli.hints import spelled
from chatcli.render.views import WindowView
from chatcli.repl.toolbar_data import meter
from chatcli.session.build import Wishes, build
from chatcli.session.session import Session
from chatcli.turn import answer, ask
from tests.commanding import Person, do, said, say
from tests.faults import Engine
from tests.starting import run
from tests.test_cli_oneshot import PNG

PICTURE = Attachment("image", "dot.png", "image/png", PNG)


def generated(engine: Engine) -> list[dict[str, Any]]:
    """The bodies of the questions that /api/generate got."""
    return [each.body for each in engine.requests if each.path == "/api/generate" and each.body.get("prompt")]


def warned(session: Session) -> list[str]:
    return [spelled(warning, at_prompt) for warning in session.take_warnings()]


def without_context(request: HttpRequest, answer: Answer) -> HttpResponse:
    """A server that no longer returns the context."""
    lines = [json.loads(line) for line in answer(request).chunks]
    plain = [json.dumps({name: each for name, each in line.items() if name != "context"}) for line in lines]
    return HttpResponse(200, NDJSON, iter([f"{line}\n".encode() for line in plain]))


@pytest.fixture
def generating(session: Session) -> Session:
    do(session, "set generate on")
    return session


@pytest.fixture
def completing(session: Session) -> Session:
    do(session, "set complete on")
    return session


def test_questions_go_to_generate_and_the_context_comes_back_with_the_next(
    generating: Session, engine: Engine
) -> None:
    do(generating, "system Be brief.")
    engine.say("A whale.", "A seal.")
    say(generating, "Name an animal.")
    say(generating, "Another?")
    first, second = generated(engine)
    assert engine.chats == []
    assert first["prompt"] == "Name an animal."
    assert first["system"] == second["system"] == "Be brief."
    assert "messages" not in first
    assert "context" not in first
    assert "raw" not in first
    assert first["truncate"] is False
    assert second["prompt"] == "Another?"
    text = "".join(engine.inside.shelf.find("demo").vocabulary.read(second["context"]))
    assert "Name an animal." in text
    assert "A whale." in text
    assert said(generating) == ["Name an animal.", "A whale.", "Another?", "A seal."]


def test_its_deprecation_is_said_once(generating: Session) -> None:
    for question in ("one", "two", "three"):
        say(generating, question)
    assert len([each for each in warned(generating) if "deprecated" in each]) == 1


def test_a_branch_goes_on_from_the_context_of_its_own_place(generating: Session, engine: Engine) -> None:
    for question in ("one", "two", "three"):
        say(generating, question)
    do(generating, "undo")
    do(generating, "undo")
    say(generating, "other")
    bodies = generated(engine)
    assert bodies[3]["context"] == bodies[1]["context"]
    assert engine.chats == []


def test_the_context_is_kept_with_the_conversation(generating: Session, engine: Engine) -> None:
    say(generating, "one")
    number = generating.conversation.id
    again = build(Wishes({"host": engine.url}))
    try:
        again.open(number)
        say(again, "two")
    finally:
        again.close()
    assert generated(engine)[1]["context"]


def test_without_a_context_chat_is_asked_with_all_messages_and_that_is_said_once(
    generating: Session, engine: Engine
) -> None:
    engine.script(without_context, path="/api/generate")
    for question in ("one", "two", "three"):
        say(generating, question)
    assert len(generated(engine)) == 1
    assert [len(body["messages"]) for body in engine.chats] == [3, 5]
    assert len([each for each in warned(generating) if "/api/chat is asked:" in each]) == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda session: do(session, "model demo-brief"),
        lambda session: do(session, "drop 1"),
        lambda session: do(session, "forget 1"),
        lambda session: do(session, "set generate off"),
    ],
    ids=["another model", "a dropped message", "a forgotten one", "switched off"],
)
def test_chat_is_asked_where_the_context_does_not_hold(
    generating: Session, engine: Engine, change: Callable[[Session], object]
) -> None:
    say(generating, "one")
    change(generating)
    say(generating, "two")
    assert len(generated(engine)) == 1
    assert engine.chats[-1]["messages"][-1]["content"] == "two"


def test_a_context_that_no_longer_fits_gives_way_to_the_strategy(generating: Session, engine: Engine) -> None:
    do(generating, "set num_ctx 1k")
    for number in range(12):
        say(generating, f"question {number} " + "of many words " * 20)
    assert generated(engine)
    assert engine.chats
    assert generating.plan is not None
    assert generating.plan.planned.tokens <= 1024


def test_a_reply_is_continued_by_chat(generating: Session, engine: Engine) -> None:
    do(generating, "set num_predict 3")
    engine.say("one two three four five six seven", " eight")
    say(generating, "count")
    person = Person(generating)
    from chatcli.commands.perform import perform

    perform(generating, do(generating, "continue"), person)
    assert engine.chats[-1]["messages"][-1]["role"] == "assistant"


def test_the_plan_counts_the_context_and_context_shows_it(generating: Session) -> None:
    say(generating, "one")
    say(generating, "two")
    last = generating.conversation.last
    assert last is not None
    assert last.turn is not None
    plan = generating.plan
    assert plan is not None
    assert plan.of(PartKind.VERBATIM).tokens == len(plan.context or ())
    assert abs(plan.planned.tokens - (last.turn.usage.prompt_tokens or 0)) <= 4
    outcome = do(generating, "context")
    assert isinstance(outcome, Show)
    view = outcome.views[0]
    assert isinstance(view, WindowView)
    assert view.plan.left_out == 0
    assert "/api/generate" in repr(do(generating, "context why 1"))


def test_a_picture_goes_along_and_what_follows_it_goes_to_chat(generating: Session, engine: Engine) -> None:
    """The picture is not among the tokens of the context."""
    do(generating, "model demo-vision")
    answer(generating, ask(generating, "what is it?", (PICTURE,)), lambda event: None)
    assert len(generated(engine)[-1]["images"]) == 1
    say(generating, "and now?")
    assert len(generated(engine)) == 1
    assert len(engine.chats[-1]["messages"][0]["images"]) == 1


def test_no_export_has_the_context_and_no_import_takes_one(
    generating: Session, engine: Engine, tmp_path: Path
) -> None:
    say(generating, "one")
    last = generating.conversation.last
    assert last is not None
    assert last.turn is not None
    assert last.turn.context
    file = tmp_path / "chat.json"
    do(generating, f"save {file}")
    text = file.read_text()
    assert last.turn.context not in text
    assert '"context"' not in text
    plain = json.loads(text)
    plain["messages"][-1]["turn"]["context"] = last.turn.context
    file.write_text(json.dumps(plain))
    other = build(Wishes({"host": engine.url, "save": False}))
    try:
        do(other, f"import {file}")
        imported = other.store.conversation(other.store.entries()[0].id).last
    finally:
        other.close()
    assert imported is not None
    assert imported.turn is not None
    assert imported.turn.context == ""


@settings(max_examples=30)
@given(st.lists(st.integers(0, 2**31 - 1)))
def test_what_is_packed_can_be_unpacked(tokens: list[int]) -> None:
    assert unpacked(packed(tokens)) == tuple(tokens)


@pytest.mark.parametrize("text", ["", "nonsense", "ü"])
def test_what_was_not_packed_is_no_context(text: str) -> None:
    assert not unpacked(text)


def test_raw_text_goes_on_from_itself(completing: Session, engine: Engine) -> None:
    do(completing, "system Be brief.")
    engine.say(" there was a whale.", " It sang.")
    say(completing, "Once upon a time")
    say(completing, " And then?")
    first, second = generated(engine)
    assert first["raw"] is True
    assert first["prompt"] == "Once upon a time"
    assert "system" not in first
    assert "think" not in first
    assert second["prompt"] == "Once upon a time there was a whale. And then?"
    assert engine.chats == []


def test_continue_goes_on_from_the_text(completing: Session, engine: Engine) -> None:
    from chatcli.commands.perform import perform

    engine.say(" there was", " a whale.")
    say(completing, "Once")
    perform(completing, do(completing, "continue"), Person(completing))
    assert generated(engine)[1]["prompt"] == "Once there was"
    assert said(completing) == ["Once", " there was a whale."]


def test_of_a_text_that_is_too_long_the_newest_is_sent(completing: Session, engine: Engine) -> None:
    do(completing, "set num_ctx 1k")
    for number in range(8):
        engine.say(f" reply {number}." + " and so on" * 30)
        say(completing, f" Part {number}." + " and so on" * 30)
    prompt = generated(engine)[-1]["prompt"]
    assert " Part 7." in prompt
    assert " Part 0." not in prompt
    assert completing.plan is not None
    assert completing.plan.left_out > 0
    with pytest.raises(ContextTooLong):
        say(completing, "too long " * 2000)


@pytest.mark.parametrize("flag", ["--generate", "--complete"])
def test_in_a_pipe_a_flag_asks_for_it(engine: Engine, flag: str) -> None:
    engine.say(" a whale.")
    done = run(["--host", engine.url, "-m", "demo", flag, "Once there was"], dict(os.environ), b"")
    assert done.returncode == 0, done.stderr
    assert done.stdout == b" a whale.\n"
    [body] = generated(engine)
    assert body["prompt"] == "Once there was"
    assert bool(body.get("raw")) == (flag == "--complete")
    assert (b"deprecated" in done.stderr) == (flag == "--generate")


@pytest.mark.parametrize("setting", ["generate", "complete"])
def test_no_summary_is_made_of_what_the_server_has_anyway(session: Session, engine: Engine, setting: str) -> None:
    do(session, f"set {setting} on")
    do(session, "set strategy summary")
    do(session, "set keep_recent 2")
    for number in range(6):
        say(session, f"question {number}")
    assert engine.chats == []
    assert len(generated(engine)) == 6


def test_the_toolbar_says_that_text_is_raw(completing: Session) -> None:
    assert "raw text" in meter(completing).notes
