"""Vectors from /api/embed: one for each text, shortened on request, and every failure in our words."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import count
from typing import Any

import pytest

from chatcli.client.ollama import Client
from chatcli.demo.protocol import Answer, HttpRequest, HttpResponse, whole
from chatcli.errors import BadReply, Missing, Refused, StreamBroken, Unreachable
from tests.faults import Cut, Engine, Hang


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine() as engine:
        yield engine


@pytest.fixture
def client(engine: Engine) -> Iterator[Client]:
    with Client(engine.url) as client:
        yield client


def test_texts_become_vectors_in_their_order(engine: Engine, client: Client) -> None:
    one, other, same = client.embed("demo-embed", ["a heron", "the budget", "a heron"], keep_alive="5m")
    assert one == same != other
    assert len(one) == len(other)
    body = {"model": "demo-embed", "input": ["a heron", "the budget", "a heron"], "keep_alive": "5m"}
    assert engine.requests[-1].body == body


def test_models_that_want_to_be_told_what_is_asked_are_told(engine: Engine, client: Client) -> None:
    engine.inside.shelf.copy("demo-embed", "nomic-embed-text:v1.5")
    client.embed("nomic-embed-text:v1.5", ["a heron"])
    client.embed("nomic-embed-text:v1.5", ["which bird?"], asked=True)
    assert [each.body["input"] for each in engine.requests] == [
        ["search_document: a heron"],
        ["search_query: which bird?"],
    ]


def test_embedding_leaves_the_chats_model_as_it_was_loaded(engine: Engine, client: Client) -> None:
    client.load("demo", {"num_ctx": 2048})
    client.embed("demo-embed", ["a heron"])
    assert {row.name: row.context_length for row in client.loaded()}["demo:latest"] == 2048


def test_a_model_that_is_not_there_is_missing(client: Client) -> None:
    with pytest.raises(Missing, match="nope"):
        client.embed("nope", ["a"])


def refused(words: str, _request: HttpRequest, _answer: Answer) -> HttpResponse:
    return whole({"error": words}, 501)


def answered(body: dict[str, Any], _request: HttpRequest, _answer: Answer) -> HttpResponse:
    return whole(body)


def test_a_model_without_vectors_says_so(engine: Engine, client: Client) -> None:
    engine.script(partial(refused, "this model does not support embeddings"), path="/api/embed")
    with pytest.raises(Refused, match="does not support embeddings") as caught:
        client.embed("demo", ["a"])
    assert "nomic-embed-text" in caught.value.hint


@pytest.mark.parametrize("rows", [[], [[]], [[1.0], [1.0]], [["x"]], "no list", [[1.0], []], None])
def test_what_are_no_vectors_is_a_bad_reply(engine: Engine, client: Client, rows: Any) -> None:
    engine.script(partial(answered, {"embeddings": rows}), path="/api/embed")
    with pytest.raises(BadReply, match="no vectors"):
        client.embed("demo-embed", ["a"])


def test_a_broken_connection_is_an_error_of_ours(engine: Engine, client: Client) -> None:
    engine.script(Cut(0), path="/api/embed")
    with pytest.raises((StreamBroken, BadReply, Unreachable)):
        client.embed("demo-embed", ["a"])


def test_it_stops_when_it_is_told(engine: Engine, client: Client) -> None:
    engine.script(Hang(0), path="/api/embed")
    asked = count()
    assert client.embed("demo-embed", ["a"], stopped=lambda: next(asked) > 0) == []
    assert engine.client_left()
