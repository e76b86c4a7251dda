"""Counts in a conversation that another process began: they start from the stored measurements."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from chatcli.conversation.tree import Node
from chatcli.conversation.usage import Turn
from chatcli.demo.models import BRIEF, DEMO, THINKING, VISION
from chatcli.demo.protocol import Answer, HttpRequest, HttpResponse, whole
from chatcli.session.build import Wishes, build
from chatcli.session.session import Session
from chatcli.store.transfer import export, read_chat
from chatcli.turn import answer, ask
from tests.faults import Engine, Status
from tests.starting import run as run_chatcli

ODD = "\n\n\n\n"
SAID = "It is a matter of taste, and of the weather. " * 3
MODELS = {model.name.split(":")[0]: model for model in (DEMO, VISION, THINKING, BRIEF)}


@pytest.fixture
def engine() -> Iterator[Engine]:
    """One whose models all take a certain run of newlines for a token more than their vocabulary tells."""
    with Engine() as running:
        for model in MODELS.values():
            running.inside.shelf.put(replace(model, odd=ODD))
        yield running


@contextmanager
def process(engine: Engine, **values: str) -> Iterator[Session]:
    """What a new process would have: nothing but what is on the disk."""
    session = build(Wishes({"host": engine.url, "num_ctx": "16k", **values}, resume=True))
    session.counting.get()  # on a busy machine this may take longer than a question waits for it
    try:
        yield session
    finally:
        session.close()


def first(engine: Engine, **values: str) -> None:
    session = build(Wishes({"host": engine.url, "num_ctx": "16k", **values}))
    session.counting.get()
    say(session, engine, "What is a token?")
    session.close()


def say(session: Session, engine: Engine, text: str) -> Turn:
    engine.forget()
    engine.say(SAID)
    node = answer(session, ask(session, text), lambda event: None)
    assert isinstance(node, Node)
    assert node.turn is not None
    assert session.background.wait("summary", 30)
    return node.turn


def off(turn: Turn) -> int:
    assert turn.usage.prompt_tokens is not None
    return turn.planned.tokens - turn.usage.prompt_tokens


def silent(request: HttpRequest, answer: Answer) -> HttpResponse:
    """A server that renders nothing."""
    if b"_debug_render_only" in request.body:
        return whole({"model": "x", "message": {"role": "assistant", "content": ""}, "done": True})
    return answer(request)


def mute(engine: Engine) -> None:
    engine._answer = lambda request, true=engine._answer: silent(request, true)  # type: ignore[misc]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("odd_turn", [0, 1, 2])
def test_one_odd_message_makes_no_later_count_of_other_processes_an_estimate(
    engine: Engine, model: str, odd_turn: int
) -> None:
    first(engine, model=model)
    turns = []
    for number in range(9):
        with process(engine, model=model) as session:
            turns.append(say(session, engine, f"Question {number}{ODD * (number == odd_turn)}, and on."))
    assert [off(turn) for turn in turns[odd_turn + 3 :]] == [0] * len(turns[odd_turn + 3 :])
    assert all(turn.planned.exact for turn in turns[odd_turn + 4 :])
    assert all(abs(off(turn)) <= 1 for turn in turns)


def test_where_nothing_is_rendered_what_was_learnt_is_kept_from_process_to_process(engine: Engine) -> None:
    mute(engine)
    first(engine, model="demo-vision")
    turns = []
    for number in range(6):
        with process(engine) as session:
            turns.append(say(session, engine, f"Question {number}, and on."))
    assert [(off(turn), turn.planned.exact) for turn in turns[2:]] == [(0, True)] * 4


def test_without_a_vocabulary_counts_start_from_what_was_measured(engine: Engine) -> None:
    first(engine, model="demo", tokenizer="o200k_base")
    for number in range(5):
        with process(engine) as session:
            before = next(node.turn for node in session.conversation.back() if node.turn is not None)
            turn = say(session, engine, f"Question {number}, and on.")
            assert before.usage.prompt_tokens is not None
            known = before.usage.prompt_tokens + (before.usage.reply_tokens or 0)
            assert known < turn.planned.tokens < known + 40
            assert abs(off(turn)) <= 20


def test_another_conversation_is_not_charged_for_the_odd_message(engine: Engine) -> None:
    first(engine, model="demo")
    for text in (f"Odd{ODD}one.", "And now?", "And then?"):
        with process(engine) as session:
            say(session, engine, text)
    for _ in range(2):
        session = build(Wishes({"host": engine.url, "num_ctx": "16k", "model": "demo"}))
        turn = say(session, engine, "Something else.")
        session.close()
        assert (off(turn), turn.planned.exact) == (0, True)


def test_a_switch_of_models_and_back_goes_on_from_what_each_has_measured(engine: Engine) -> None:
    first(engine, model="demo")
    for number, model in enumerate(["demo", "demo", "demo-vision", "demo", "demo-vision", "demo", "demo-vision"]):
        with process(engine, model=model) as session:
            turn = say(session, engine, f"Question {number}{ODD * (number == 1)}.")
        assert abs(off(turn)) <= 1
        assert number < 5 or off(turn) == 0


def test_thinking_on_and_off_are_measured_apart(engine: Engine) -> None:
    first(engine, model="demo-thinking")
    for number, think in enumerate(["on", "off", "on", "off", "on", "off"]):
        with process(engine, think=think) as session:
            turn = say(session, engine, f"Question {number}.")
        assert (off(turn), turn.planned.exact) == (0, True)


def test_a_branch_starts_from_what_was_measured_of_its_own_path(engine: Engine) -> None:
    first(engine, model="demo")
    for text in (f"Odd{ODD}one.", "And now?", "And then?"):
        with process(engine) as session:
            say(session, engine, text)
    with process(engine) as session:
        session.store.go_to(session.conversation, session.conversation.path()[1].id)
        assert off(say(session, engine, "Another way.")) == 0
    with process(engine) as session:
        turn = say(session, engine, "And on.")
    assert (off(turn), turn.planned.exact) == (0, True)


def test_counts_of_a_conversation_that_was_cut_and_summarised_stay_within_a_token(engine: Engine) -> None:
    first(engine, model="demo")
    turns = []
    for number in range(14):
        with process(engine, num_ctx="1k") as session:
            turns.append(say(session, engine, f"What of thing {number}{ODD * (number == 3)}, and the weather?"))
    assert turns[-1].left_out > 0
    assert all(abs(off(turn)) <= 1 for turn in turns)


def test_an_imported_conversation_is_counted_from_what_was_measured_elsewhere(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first(engine, model="demo")
    for text in (f"Odd{ODD}one.", "And now?"):
        with process(engine) as session:
            say(session, engine, text)
    with process(engine) as session:
        exported = export(session.store.whole(session.conversation.id), "json")
    monkeypatch.setenv("CHATCLI_HOME", str(tmp_path / "elsewhere"))
    session = build(Wishes({"host": engine.url, "num_ctx": "16k", "model": "demo"}))
    try:
        session.open(session.store.take_in(read_chat(exported).conversation).id)
        turn = say(session, engine, "And then?")
    finally:
        session.close()
    assert (off(turn), turn.planned.exact) == (0, True)


@pytest.mark.parametrize("share", [0.3, 0.98])
def test_a_count_that_is_not_to_be_learnt_is_not_gone_on_from(engine: Engine, share: float) -> None:
    first(engine, model="demo", num_ctx="1k")
    told: Callable[[int], int] = (lambda true: int(true * share)) if share < 0.5 else (lambda true: 1010)

    def wrong(request: HttpRequest, answer: Answer) -> HttpResponse:
        response = answer(request)
        lines = [json.loads(line) for line in response.chunks]
        lines[-1]["prompt_eval_count"] = told(lines[-1]["prompt_eval_count"])
        return replace(response, chunks=[json.dumps(line).encode() + b"\n" for line in lines], length=None)

    with process(engine, num_ctx="1k") as session:
        engine.forget()
        engine.script(wrong)
        node = answer(session, ask(session, "And now?"), lambda event: None)
        assert node is not None
        assert node.turn is not None
        assert node.turn.sent == ""
    with process(engine, num_ctx="1k") as session:
        turn = say(session, engine, "And then?")
    assert (off(turn), turn.planned.exact) == (0, True)


def test_two_commands_in_a_shell_count_alike(engine: Engine, home: Path) -> None:
    def run(*words: str) -> tuple[int, int, bool]:
        done = run_chatcli(["--host", engine.url, "-m", "demo-vision", "--json", *words], os.environ)
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        return told["planned_tokens"], told["prompt_eval_count"], told["planned_exact"]

    assert os.environ["CHATCLI_HOME"] == str(home)
    engine.say(*[SAID] * 4)
    found = [run("What?"), *(run("--continue", text) for text in (f"Odd{ODD}one.", "Now?", "Then?"))]
    assert found[-1] == (found[-1][1], found[-1][1], True)
    assert abs(found[-2][0] - found[-2][1]) <= 1


# What fails in passing


def test_a_rendering_that_fails_in_passing_is_asked_for_again_and_that_is_said(engine: Engine) -> None:
    failing = [True]
    true = engine._answer

    def sometimes(request: HttpRequest) -> HttpResponse:
        if b"_debug_render_only" in request.body and failing[0]:
            return Status(503, "server busy")(request, true)
        return true(request)

    engine._answer = sometimes
    session = build(Wishes({"host": engine.url, "num_ctx": "16k", "model": "demo"}))
    try:
        turn = say(session, engine, "What is a token?")
        assert not turn.planned.exact
        assert "It is tried again after the next reply." in session.counter.notice()
        assert session.background.wait("counting", 30)
        failing[0] = False
        say(session, engine, "And now?")
        assert session.background.wait("counting", 30)
        assert session.counter.why() == ""
        turn = say(session, engine, "And then?")
        assert (off(turn), turn.planned.exact) == (0, True)
    finally:
        session.close()


def test_a_failure_that_stays_is_not_tried_for_ever(engine: Engine) -> None:
    asked = [0]
    true = engine._answer

    def never(request: HttpRequest) -> HttpResponse:
        if b"_debug_render_only" in request.body:
            asked[0] += 1
            return Status(503, "server busy")(request, true)
        return true(request)

    engine._answer = never
    session = build(Wishes({"host": engine.url, "num_ctx": "16k", "model": "demo"}))
    try:
        for number in range(8):
            say(session, engine, f"Question {number}.")
            assert session.background.wait("counting", 30)
        assert asked[0] <= 5
        assert "again" not in session.counter.why()
    finally:
        session.close()
