"""The screen says that a model is being loaded, and only while it is."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic, sleep

import pytest

from chatcli.client.models import Loaded, Model
from chatcli.repl.loading import Loading
from chatcli.session.background import Later
from chatcli.session.session import Session
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
    monkeypatch.setattr("chatcli.repl.loading._FIRST", 0.0)
    monkeypatch.setattr("chatcli.repl.loading._AGAIN", 0.05)
    return lambda: sum(each.path == "/api/ps" for each in engine.requests)


def test_it_is_said_until_the_server_lists_the_model(session: Session, asked: Callable[[], int]) -> None:
    loading = Loading(session, "demo")
    until(lambda: loading().startswith("is being loaded ("))
    session.client.get().load("demo", {})
    until(lambda: loading() == "")
    session.background.wait("loading", 5)
    before = asked()
    for _ in range(20):
        assert loading() == ""
        sleep(0.01)
    assert asked() == before


def test_nothing_is_waited_for(session: Session, engine: Engine) -> None:
    loading = Loading(session, "demo")
    assert loading() == ""
    assert engine.requests == []


def test_a_server_that_does_not_tell_is_not_asked_again(
    session: Session, engine: Engine, asked: Callable[[], int]
) -> None:
    engine.script(Status(404, "no such page"), path="/api/ps")
    loading = Loading(session, "demo")
    until(lambda: (loading(), asked())[1] == 1)
    session.background.wait("loading", 5)
    sleep(0.1)
    assert loading() == ""
    assert asked() == 1


def test_a_model_listed_under_the_name_of_its_twin_is_loaded(
    session: Session, asked: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = {"family": "llama", "parameter_size": "8.0B", "quantization_level": "Q4_K_M"}
    monkeypatch.setattr(session, "model", Later(lambda: Model("demo", details=kind)))
    session.model.get()
    rows = [Loaded("twin:latest", 1, 0, 4096, None, kind)]
    monkeypatch.setattr(type(session.client.get()), "loaded", lambda _: rows)
    loading = Loading(session, "demo")
    loading()
    session.background.wait("loading", 5)
    assert loading() == ""


def test_the_spinner_tells_it_on_the_screen() -> None:
    with Engine(loading=2.5) as engine, terminal("-m", "demo", "--num-ctx", "2k", url=engine.url) as person:
        engine.say("Here I am.")
        person.see("Send a message")
        person.enter("hi")
        person.see("demo is being loaded (")
        text = person.see("Here I am.")
        assert "being loaded" not in text
