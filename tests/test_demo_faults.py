"""The scripted faults do on the wire what their names say."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.faults import (
    Cut,
    Drip,
    Engine,
    Hang,
    Line,
    Lines,
    NoDone,
    Slow,
    Status,
    error_line,
    nobody_there,
    too_long,
)

HELLO = {"model": "demo", "messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine() as engine:
        yield engine


def post(url: str, body: dict[str, Any], path: str = "/api/chat") -> tuple[int, str]:
    """Status and whole body; http.client.IncompleteRead when the connection breaks before the end."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=5)
    try:
        connection.request("POST", path, json.dumps(body))
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def said(body: str) -> str:
    return "".join(json.loads(line)["message"]["content"] for line in body.splitlines())


def test_a_reply_can_be_put_into_the_engines_mouth(engine: Engine) -> None:
    engine.say("First *reply*, 日本語 and 👩‍👩‍👧.", "Second.")
    assert [said(post(engine.url, HELLO)[1]) for _ in range(2)] == ["First *reply*, 日本語 and 👩‍👩‍👧.", "Second."]


def test_what_was_sent_can_be_looked_at(engine: Engine) -> None:
    post(engine.url, {"model": "demo", "messages": []})
    post(engine.url, HELLO | {"options": {"num_ctx": 512}})
    assert [received.path for received in engine.requests] == ["/api/chat", "/api/chat"]
    assert [chat["options"] for chat in engine.chats] == [{"num_ctx": 512}]


def test_a_fault_is_used_once_and_loading_does_not_use_it_up(engine: Engine) -> None:
    engine.script(Status(500, "out of luck"))
    assert post(engine.url, {"model": "demo", "messages": []})[0] == 200
    assert post(engine.url, HELLO) == (500, '{"error":"out of luck"}')
    assert post(engine.url, HELLO)[0] == 200


def test_a_cut_connection_breaks_in_mid_stream(engine: Engine) -> None:
    engine.script(Cut(after=2))
    with pytest.raises(http.client.IncompleteRead) as broken:
        post(engine.url, HELLO)
    assert broken.value.partial.count(b"\n") == 2


def test_a_stream_can_end_without_done(engine: Engine) -> None:
    engine.script(NoDone(after=3))
    _, body = post(engine.url, HELLO)
    assert [json.loads(line)["done"] for line in body.splitlines()] == [False, False, False]


@pytest.mark.parametrize("line", ["<html>", "[1, 2]", "3"])
def test_a_line_can_be_anything(engine: Engine, line: str) -> None:
    engine.script(Line(line, after=1))
    assert post(engine.url, HELLO)[1].splitlines()[1:] == [line]


def test_an_error_can_come_after_the_headers(engine: Engine) -> None:
    engine.script(error_line("the model died", after=1))
    status, body = post(engine.url, HELLO)
    assert status == 200
    assert json.loads(body.splitlines()[-1]) == {"error": "the model died"}


def test_lines_can_be_given_whole(engine: Engine) -> None:
    engine.script(Lines([{"message": {"content": "a"}}, "junk"]))
    assert post(engine.url, HELLO)[1] == '{"message": {"content": "a"}}\njunk\n'


def test_a_slow_and_dripping_reply_is_still_the_whole_reply(engine: Engine) -> None:
    engine.say("one", "one")
    engine.script(Slow(first=0.01, between=0.001), Drip(size=7))
    assert [said(post(engine.url, HELLO)[1]) for _ in range(2)] == ["one", "one"]


def test_a_client_that_leaves_is_noticed(engine: Engine) -> None:
    engine.script(Hang(after=1))
    connection = http.client.HTTPConnection(urlsplit(engine.url).netloc, timeout=5)
    connection.request("POST", "/api/chat", json.dumps(HELLO))
    response = connection.getresponse()
    response.readline()
    response.close()
    connection.close()
    assert engine.client_left()


def test_leaving_the_context_hangs_up_on_everybody() -> None:
    with Engine() as engine:
        engine.script(Hang(after=0))
        waiting = http.client.HTTPConnection(urlsplit(engine.url).netloc, timeout=5)
        waiting.request("POST", "/api/chat", json.dumps(HELLO))
        response = waiting.getresponse()
    with pytest.raises(http.client.IncompleteRead):
        response.read()
    response.close()
    waiting.close()


def test_too_long_is_said_in_both_wordings(engine: Engine) -> None:
    engine.script(too_long(), too_long(5000, 4096), too_long(5000, 4096, nested=True))
    assert post(engine.url, HELLO) == (400, '{"error":"the input length exceeds the context length"}')
    plain, nested = (json.loads(post(engine.url, HELLO)[1])["error"] for _ in range(2))
    assert plain.startswith("request (5000 tokens) exceeds the available context size (4096 tokens)")
    assert json.loads(nested)["error"]["message"] == plain


def test_nobody_answers_where_nobody_listens() -> None:
    with nobody_there() as url, pytest.raises(ConnectionRefusedError):
        post(url, HELLO)
