"""What is waited for is said while it is waited for: a model is loaded, or the prompt is read."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import monotonic, sleep

import pytest

from chatcli.cli.main import run
from chatcli.client.models import Loaded, Model
from chatcli.conversation.events import Awaited
from chatcli.conversation.plan import Fate, Part, PartKind, Plan
from chatcli.conversation.usage import Count, Turn, Usage
from chatcli.demo.protocol import Answer, HttpRequest, HttpResponse, whole
from chatcli.repl.waiting import Waiting, reading_speed, unread
from chatcli.session.background import Later
from chatcli.session.session import Session
from chatcli.settings import table
from chatcli.settings.layers import Layer
from tests.commanding import say
from tests.faults import Engine, Status
from tests.test_terminal import terminal


def until(what: Callable[[], bool], patience: float = 10.0) -> None:
    end = monotonic() + patience
    while not what():
        assert monotonic() < end
        sleep(0.02)


@pytest.fixture
def asked(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How often the server was asked what it has loaded."""
    monkeypatch.setattr("chatcli.repl.waiting._FIRST", 0.0)
    monkeypatch.setattr("chatcli.repl.waiting._AGAIN", 0.05)
    return lambda: sum(each.path == "/api/ps" for each in engine.requests)


def test_it_is_said_until_the_server_lists_the_model(session: Session, asked: Callable[[], int]) -> None:
    waiting = Waiting(session, "demo")
    until(lambda: waiting().what == "is being loaded")
    session.client.get().load("demo", {})
    until(lambda: waiting() == Awaited())
    session.background.wait("waiting", 5)
    before = asked()
    for _ in range(20):
        assert waiting() == Awaited()
        sleep(0.01)
    assert asked() <= before + 1  # a second look, to see that it is no longer being loaded


def test_nothing_is_waited_for(session: Session, engine: Engine) -> None:
    waiting = Waiting(session, "demo")
    assert waiting() == Awaited()
    assert engine.requests == []


def test_a_server_that_does_not_tell_is_not_asked_again(
    session: Session, engine: Engine, asked: Callable[[], int]
) -> None:
    engine.script(Status(404, "no such page"), path="/api/ps")
    waiting = Waiting(session, "demo")
    until(lambda: (waiting(), asked())[1] == 1)
    session.background.wait("waiting", 5)
    sleep(0.1)
    assert waiting() == Awaited()
    assert asked() == 1


def test_a_model_listed_under_the_name_of_its_twin_is_loaded(
    session: Session, asked: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = {"family": "llama", "parameter_size": "8.0B", "quantization_level": "Q4_K_M"}
    monkeypatch.setattr(session, "model", Later(lambda: Model("demo", details=kind)))
    session.model.get()
    rows = [Loaded("twin:latest", 1, 0, 4096, None, kind)]
    monkeypatch.setattr(type(session.client.get()), "loaded", lambda _: rows)
    waiting = Waiting(session, "demo")
    waiting()
    session.background.wait("waiting", 5)
    assert waiting() == Awaited()


def test_the_screen_tells_it() -> None:
    with Engine(loading=2.5) as engine, terminal("-m", "demo", "--num-ctx", "2k", url=engine.url) as person:
        engine.say("Here I am.")
        person.see("Send a message")
        person.enter("hi")
        person.see("is being loaded (")
        text = person.see("Here I am.", "Send a message")
        assert "being loaded" not in text


def turn(prompt: int | None, reply: int = 0, seconds: float | None = None) -> Turn:
    return Turn("demo", usage=Usage(prompt, reply, prompt_seconds=seconds))


def test_the_speed_is_that_of_tokens_that_were_not_cached() -> None:
    assert reading_speed([]) is None
    assert reading_speed([turn(None)]) is None
    assert reading_speed([turn(1000, 100, 2.0)]) == 500
    assert reading_speed([turn(1000, 100, 2.0), turn(1300, 50, 0.5)]) == 400
    assert reading_speed([turn(1000, 100, 2.0), turn(1110, 50, 0.001)]) == 500  # too few to tell


def test_a_loaded_model_reads_the_prompt_as_far_as_its_speed_says_and_then_may_be_busy(
    session: Session, asked: Callable[[], int]
) -> None:
    say(session, "words " * 300)
    waiting = Waiting(session, "demo")
    assert waiting() == Awaited()  # nothing has been sent
    session.sending(session.next_request.plan())
    until(lambda: waiting().what.startswith("reads the prompt"))
    assert "tokens" in waiting().detail
    until(lambda: "another request" in waiting().what)


def test_a_model_that_has_not_answered_yet_may_still_be_loading_although_it_is_listed(
    session: Session, engine: Engine, asked: Callable[[], int]
) -> None:
    """Ollama lists it with a time of expiry that moves with the clock."""
    say(session, "hi")
    moments = iter(range(100))

    def moving(request: HttpRequest, answer: Answer) -> HttpResponse:
        said = json.loads(b"".join(answer(request).chunks))
        said["models"][0]["expires_at"] = f"2030-01-01T00:00:{next(moments):02d}Z"
        return whole(said)

    engine.script(*[moving] * 5, path="/api/ps")
    waiting = Waiting(session, "demo")
    session.sending(session.next_request.plan())
    until(lambda: waiting().what == "is being loaded, or reads the prompt")
    until(lambda: waiting().what == "reads the prompt")


def test_without_a_measured_speed_no_percentage_is_said(session: Session, asked: Callable[[], int]) -> None:
    say(session, "hi")
    waiting = Waiting(session, "demo")
    session.sending(session.next_request.plan())
    until(lambda: waiting().what == "reads the prompt")
    assert "%" not in waiting().detail


def test_a_model_loaded_with_another_window_is_loaded_again(session: Session, asked: Callable[[], int]) -> None:
    say(session, "hi")
    waiting = Waiting(session, "demo")
    session.settings.put("num_ctx", "1k", Layer.SET)
    session.setting_changed(table.NUM_CTX)
    session.sending(session.next_request.plan())
    until(lambda: waiting() == Awaited("is loaded again", "a window of 1024"))


def test_what_is_cached_is_not_read_again() -> None:
    plan = Plan((), (Part(PartKind.VERBATIM, Fate.SENT, Count(1500)),), 4096, 256)
    assert unread(plan, turn(1000, 100)) == 400
    assert unread(plan, None) == unread(plan, turn(None)) == 1500
    assert unread(plan, replace(turn(1000, 100), left_out=2)) == 1500


@pytest.mark.usefixtures("asked")
@pytest.mark.parametrize("flags", [[], ["--json"]], ids=["text", "json"])
def test_a_pipe_says_it_on_standard_error_after_a_while(
    flags: list[str], capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatcli.render.reply._PATIENCE", 0.0)
    with Engine(loading=1.5) as engine, Path(os.devnull).open() as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        engine.say("Here I am.")
        assert run(["--host", engine.url, "-m", "demo", "--num-ctx", "2k", *flags, "hi"]) == 0
    out, err = capfd.readouterr()
    assert "Here I am." in out
    assert "loaded" not in out
    assert err.count("demo is being loaded (") == 1
