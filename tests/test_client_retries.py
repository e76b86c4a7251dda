"""What fails in passing is asked again while nothing has come: visibly, and a few times."""

from __future__ import annotations

import itertools
import json
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from chatcli.client import retries
from chatcli.client.ollama import Client
from chatcli.client.request import Request
from chatcli.conversation.events import Done, Event, Retry, Text, Tick
from chatcli.conversation.message import Message
from chatcli.errors import BadReply, Busy, ChatcliError, Missing, Refused, StreamBroken, Unreachable
from tests.faults import Cut, Engine, Status, error_line, nobody_there
from tests.raw_server import FIRST, LAST, STREAM, Play, Script, reset, sends, whole

HELLO = Request("tiny", (Message.user("Hello"),), {"num_ctx": 2048})
REPLY = sends(STREAM, FIRST, LAST)
MODELS = whole(b'{"models":[]}')
ONE = b'{"embeddings":[[1.0]]}'


def in_turn(*plays: Play) -> Play:
    """One after another, and the last for ever."""
    coming = itertools.chain(plays, itertools.repeat(plays[-1]))

    def play(connection: socket.socket) -> None:
        next(coming)(connection)

    return play


def refuses(status: str, error: str, *headers: str) -> Play:
    return whole(json.dumps({"error": error}).encode(), status, *headers)


def client(script: Script, most: int = 4) -> Client:
    return Client(script.url, retries=lambda: most)


def heard(events: Iterator[Event]) -> list[Event]:
    return [event for event in events if not isinstance(event, Tick)]


def reset_after_the_head(connection: socket.socket) -> None:
    connection.sendall(STREAM)
    reset(connection)


def closes(_: socket.socket) -> None:
    """It takes the request and hangs up."""


PASSING: dict[str, Play] = {
    "busy": refuses("503 Service Unavailable", "server busy, please try again"),
    "too many": refuses("429 Too Many Requests", "slow down"),
    "failed": refuses("500 Internal Server Error", "something unexpected"),
    "runner": refuses("500 Internal Server Error", "llama runner process has terminated: exit status 2"),
    "no body": whole(b"", "500 Internal Server Error"),
    "restarts": whole(b"<html>Bad Gateway</html>", "502 Bad Gateway"),
    "too late": whole(b"<html>Timeout</html>", "504 Gateway Timeout"),
    "reset": reset,
    "closed": closes,
    "only a head": sends(STREAM),
    "reset after the head": reset_after_the_head,
    "failed in the stream": sends(STREAM, b'{"error":"an error was encountered while running the model: EOF"}\n'),
    "half a line": sends(STREAM, b'{"message":{"con'),
}
LASTING: dict[str, tuple[Play, type[ChatcliError]]] = {
    "bad request": (refuses("400 Bad Request", "invalid options"), Refused),
    "login": (refuses("401 Unauthorized", "unauthorized"), Refused),
    "missing": (refuses("404 Not Found", "model 'tiny' not found"), Missing),
    "unknown path": (whole(b"404 page not found", "404 Not Found"), BadReply),
    "too large": (refuses("413 Request Entity Too Large", "too large"), Refused),
    "memory": (
        refuses("500 Oops", "model requires more system memory (9 GiB)"),
        Refused,
    ),
    "broken model": (refuses("500 Oops", "unable to load model: /x"), Refused),
    "an option": (refuses("500 Oops", 'option "num_ctx" must be of type integer'), Refused),
    "no Ollama": (whole(b"<html>hello</html>\n"), BadReply),
    "no HTTP": (sends(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), BadReply),
}


@pytest.mark.parametrize("name", PASSING)
@pytest.mark.parametrize("times", [1, 3])
def test_what_passes_is_asked_again_and_the_reply_comes_whole(name: str, times: int) -> None:
    with Script(in_turn(*[PASSING[name]] * times, REPLY)) as script, client(script) as asked:
        events = heard(asked.chat(HELLO))
    assert [type(event) for event in events] == [*[Retry] * times, Text, Done]
    assert len(script.heads) == times + 1
    told = [event for event in events if isinstance(event, Retry)]
    assert [event.number for event in told] == [*range(1, times + 1)]
    assert [event.seconds for event in told] == [0.001 * 2**number for number in range(times)]


@pytest.mark.parametrize("name", PASSING)
def test_it_is_asked_so_often_and_no_more(name: str) -> None:
    for most in (0, 2):
        with Script(PASSING[name]) as script, client(script, most) as asked, pytest.raises(ChatcliError):
            heard(asked.chat(HELLO))
        assert len(script.heads) == most + 1


@pytest.mark.parametrize("name", LASTING)
def test_what_does_not_pass_is_asked_once(name: str) -> None:
    play, kind = LASTING[name]
    with Script(play) as script, client(script) as asked, pytest.raises(kind):
        heard(asked.chat(HELLO))
    assert len(script.heads) == 1


@pytest.mark.parametrize(
    "rest", [b"", b'{"error":"an error was encountered while running the model"}\n', b'{"mess'], ids=repr
)
def test_after_the_first_token_nothing_is_asked_again(rest: bytes) -> None:
    came: list[Event] = []
    with Script(sends(STREAM, FIRST, rest)) as script, client(script) as asked:
        with pytest.raises((StreamBroken, Refused)):
            came.extend(heard(asked.chat(HELLO)))
        assert len(script.heads) == 1


ASKS: dict[str, tuple[Play, Callable[[Client], object], object]] = {
    "models": (MODELS, Client.models, []),
    "version": (whole(b'{"version":"1.2"}'), Client.version, "1.2"),
    "load": (sends(STREAM, LAST), lambda asked: asked.load("tiny", {}), None),
    "embed": (sends(STREAM, ONE), lambda asked: asked.embed("tiny", ["x"], asked=True), [[1.0]]),
    "pull": (
        sends(STREAM, b'{"status":"success"}\n'),
        lambda asked: [step.status for step in asked.pull("tiny")],
        ["success"],
    ),
}


@pytest.mark.parametrize("name", ASKS)
@pytest.mark.parametrize("fault", ["busy", "reset", "failed"])
def test_every_request_is_asked_again_and_whoever_waits_is_told(name: str, fault: str) -> None:
    told: list[Retry] = []
    play, ask, result = ASKS[name]
    with Script(in_turn(PASSING[fault], PASSING[fault], play)) as script:
        with Client(script.url, retries=lambda: 4, told=told.append) as asked:
            assert ask(asked) == result
        assert len(script.heads) == 3
    assert [(retry.number, retry.most) for retry in told] == [(1, 4), (2, 4)]


def test_a_server_that_never_was_there_is_not_waited_for_but_one_that_restarts_is() -> None:
    with nobody_there() as url, Client(url, retries=lambda: 4) as asked:
        with pytest.raises(Unreachable) as failed:
            heard(asked.chat(HELLO))
        assert failed.value.retry_after is None
    with Script(MODELS) as script:
        asked = client(script)
        assert asked.models() == []
    events: list[Event] = []
    with asked, pytest.raises(Unreachable, match="nothing is listening"):
        events.extend(heard(asked.chat(HELLO)))


def test_a_server_that_is_back_answers() -> None:
    with ExitStack() as running, Engine() as engine:
        port = int(engine.url.rpartition(":")[2])

        def returns(retry: Retry) -> None:
            if retry.number == 2:
                running.enter_context(Engine(port=port))

        with Client(engine.url, retries=lambda: 4, told=returns) as asked:
            listed = asked.models()
            engine.__exit__()
            assert asked.models() == listed


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_heeded_where_it_is_short_and_named_where_it_is_long(form: str) -> None:
    def after(seconds: int) -> Play:
        moment = format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)
        return refuses("429 No", "slow down", f"Retry-After: {seconds if form == 'seconds' else moment}")

    with Script(in_turn(after(1), REPLY)) as script, client(script) as asked:
        told = [event for event in asked.chat(HELLO) if isinstance(event, Retry)]
    assert len(told) == 1
    assert told[0].seconds <= 1
    assert told[0].seconds == 1 or form == "date"
    with Script(after(3600)) as script, client(script) as asked, pytest.raises(Busy) as failed:
        heard(asked.chat(HELLO))
    assert len(script.heads) == 1
    assert re.search(r"(3600|3599|3598) seconds, as it asks", failed.value.hint)
    assert failed.value.retry_after == pytest.approx(3600, abs=5)


@pytest.mark.parametrize("said", ["soon", "-5", "1e3", "", "9" * 400, "Mon, 99 Foo 9999 00:00:00 GMT"])
def test_a_retry_after_that_is_none_does_no_harm(said: str) -> None:
    play = refuses("503 No", "busy", f"Retry-After: {said}")
    with Script(in_turn(play, REPLY)) as script, client(script) as asked:
        if said.startswith("9"):
            with pytest.raises(Busy):
                heard(asked.chat(HELLO))
        else:
            assert Text("Hel") in heard(asked.chat(HELLO))


def test_closing_in_a_pause_ends_it_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "FIRST", 50.0)
    with Script(PASSING["busy"]) as script, client(script) as asked:
        events = asked.chat(HELLO)
        assert isinstance(next(event for event in events if event != Tick()), Retry)
        assert next(events) == Tick()
        events.close()
        events = asked.chat(HELLO)
        assert isinstance(next(event for event in events if event != Tick()), Retry)
        asked.close()
        with pytest.raises(Busy):
            list(events)
    assert len(script.heads) == 2


def test_the_faults_of_the_engine_pass_too() -> None:
    with Engine() as engine, Client(engine.url, retries=lambda: 4) as asked:
        engine.script(Status(503, "server busy"), Cut(after=0), error_line(after=0))
        events = heard(asked.chat(Request("demo", HELLO.messages, {})))
        assert [type(event) for event in events[:4]] == [Retry, Retry, Retry, Text]
        assert isinstance(events[-1], Done)
    assert len(engine.chats) == 4
