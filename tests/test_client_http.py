"""The client against all that a socket can do to it, byte for byte, and against changes in the pinned library."""

from __future__ import annotations

import gzip
import inspect
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from chatcli.client.ollama import Client
from chatcli.client.request import Request
from chatcli.conversation.events import Done, Text, Tick
from chatcli.conversation.message import Message
from chatcli.errors import BadReply, BadValue, ChatcliError, Refused, StreamBroken, Unreachable
from tests.faults import Engine, nobody_there
from tests.raw_server import FIRST, LAST, STREAM, Play, Script, reset, sends, whole

HELLO = Request("tiny", (Message.user("Hello"),), {"num_ctx": 2048})


@pytest.fixture(autouse=True)
def no_reader_is_left_behind() -> Iterator[None]:
    yield
    assert "chatcli-reader" not in {thread.name for thread in threading.enumerate()}


def failure(play: Play, request: Request = HELLO) -> ChatcliError:
    with Script(play) as script, Client(script.url) as client, pytest.raises(ChatcliError) as caught:
        list(client.chat(request))
    return caught.value


def test_the_pinned_library_still_offers_what_the_subclass_uses() -> None:
    import httpx
    import ollama

    assert list(inspect.signature(ollama.Client.__init__).parameters) == ["self", "host", "kwargs"]
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(302, headers={"location": "/elsewhere"})

    given = {"authorization": "mine", "x-more": "1"}
    transport = httpx.MockTransport(answer)
    url = "http://127.0.0.1:1/path"
    with ollama.Client(host=url, headers=given, follow_redirects=False, transport=transport) as client:
        assert isinstance(client._client, httpx.Client)
        with client._client.stream("POST", "/api/chat", content=b"{}") as response:
            assert response.status_code == 302
    (request,) = seen
    assert request.url == "http://127.0.0.1:1/path/api/chat"
    assert (request.headers["authorization"], request.headers["x-more"]) == ("mine", "1")
    assert request.headers["content-type"] == "application/json"


def test_the_pinned_httpcore_still_tells_of_the_sockets_it_makes() -> None:
    import httpx

    told: list[str] = []
    with Engine() as engine, httpx.Client() as client:
        client.get(engine.url, extensions={"trace": lambda event, _info: told.append(event)})
    assert "connection.connect_tcp.complete" in told


def test_a_reply_without_length_or_chunks_ends_with_its_connection() -> None:
    with Script(sends(STREAM, FIRST, LAST.rstrip())) as script, Client(script.url) as client:
        events = [event for event in client.chat(HELLO) if not isinstance(event, Tick)]
    assert events == [Text("Hel"), Done("stop")]


def test_lines_that_arrive_in_pieces_are_put_together() -> None:
    pieces = [bytes([byte]) for byte in FIRST + b"\n\r\n" + LAST]
    with Script(sends(STREAM, *pieces)) as script, Client(script.url) as client:
        assert [e for e in client.chat(HELLO) if not isinstance(e, Tick)] == [Text("Hel"), Done("stop")]


def test_a_compressed_reply_is_read() -> None:
    play = whole(gzip.compress(FIRST + LAST), "200 OK", "Content-Encoding: gzip")
    with Script(play) as script, Client(script.url) as client:
        assert [e for e in client.chat(HELLO) if not isinstance(e, Tick)] == [Text("Hel"), Done("stop")]


@pytest.mark.parametrize(
    ("play", "words"),
    [
        (reset, "closed the connection without an answer"),
        (sends(), "closed the connection without an answer"),
        (sends(b"HTTP/1.1 200 OK\r\nContent-"), "closed the connection without an answer"),
    ],
)
def test_a_connection_that_ends_before_any_answer_means_nobody_is_there(play: Play, words: str) -> None:
    error = failure(play)
    assert isinstance(error, Unreachable)
    assert words in error.message


def cut_by_reset(connection: socket.socket) -> None:
    connection.sendall(STREAM + FIRST)
    reset(connection)


@pytest.mark.parametrize(
    "play",
    [
        cut_by_reset,
        sends(STREAM, FIRST),
        sends(STREAM, FIRST, LAST[:20]),
        sends(STREAM.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n"), b"2c\r\n" + FIRST),
        sends(STREAM.replace(b"\r\n\r\n", b"\r\nContent-Length: 999\r\n\r\n"), FIRST),
        sends(STREAM),
    ],
    ids=["reset", "no end", "half a line", "half a chunk", "too short", "nothing"],
)
def test_a_reply_that_ends_early_is_broken_however_it_ends(play: Play) -> None:
    assert isinstance(failure(play), StreamBroken)


@pytest.mark.parametrize(
    ("play", "words"),
    [
        (sends(STREAM, b"<html>Sign in</html>\n"), "not JSON"),
        (sends(STREAM, b"[1, 2]\n"), "not a JSON object"),
        (sends(STREAM, b"[" * 100_000 + b"\n"), "nested more than"),
        (sends(STREAM, FIRST, b"\xff\xfe\n"), "not JSON"),
        (sends(b"220 mail.example ready\r\n\r\n"), "does not speak HTTP"),
        (whole(b"plain", "200 OK", "Content-Encoding: gzip"), "compression"),
    ],
)
def test_what_is_not_ollamas_protocol_is_a_bad_reply(play: Play, words: str) -> None:
    error = failure(play)
    assert isinstance(error, BadReply)
    assert words in error.message


@pytest.mark.parametrize("body", [b"[]", b"null", b"", b"<html>", b"\xff"])
def test_a_whole_answer_that_is_no_object_is_a_bad_reply(body: bytes) -> None:
    with Script(whole(body)) as script, Client(script.url) as client, pytest.raises(BadReply):
        client.version()


@pytest.mark.parametrize("body", [b"[1]", b'"words"', b"null", b"", b"x" * 200_000])
def test_an_error_body_of_any_shape_is_translated(body: bytes) -> None:
    assert isinstance(failure(whole(body, "500 Internal Server Error")), Refused)


def test_a_redirect_is_not_followed_but_named() -> None:
    error = failure(whole(b"", "301 Moved", "Location: https://me:secret@box.example/"))
    assert isinstance(error, BadReply)
    assert "https://box.example/" in error.message


def test_a_consumer_that_does_not_come_back_stops_the_server_not_the_memory() -> None:
    limit, sent, stopped = 256_000_000, [0], threading.Event()

    def pour(connection: socket.socket) -> None:
        line = json.dumps({"message": {"content": "x" * 50_000}}).encode() + b"\n"
        connection.settimeout(0.3)
        with suppress(OSError):
            connection.sendall(STREAM)
            while sent[0] < limit:
                connection.sendall(line)
                sent[0] += len(line)
        stopped.set()

    with Script(pour) as script, Client(script.url) as client:
        events = client.chat(HELLO)
        assert next(event for event in events if not isinstance(event, Tick))
        assert stopped.wait(60)
        events.close()
    assert sent[0] < limit / 4


def test_a_path_in_the_url_is_kept() -> None:
    with Script(whole(b'{"version":"1.2.3"}')) as script, Client(f"{script.url}/behind/it") as client:
        assert client.version() == "1.2.3"
    assert script.heads[-1].startswith("GET /behind/it/api/version ")


@pytest.mark.parametrize("host", [f"{'x' * 70}.example", "xn--a", "\u0661\u0662"])
def test_a_name_that_can_be_no_host_is_an_error_like_any_other(host: str) -> None:
    with Client(f"http://{host}:11434") as client, pytest.raises((Unreachable, BadValue)):
        client.version()


def test_half_a_character_in_a_message_is_sent_as_a_question_mark() -> None:
    with Engine() as engine, Client(engine.url) as client:
        list(client.chat(Request("demo", (Message.user("caf\udce9 …"),), {"num_ctx": 2048})))
        assert engine.chats[-1]["messages"][-1]["content"] == "caf? …"


def test_nobody_there_is_unreachable_for_every_question() -> None:
    with nobody_there() as url, Client(url) as client:
        asks: list[Callable[[], object]] = [
            client.models,
            client.loaded,
            client.version,
            lambda: client.model("tiny"),
            lambda: client.load("tiny", {}),
            lambda: client.unload("tiny"),
            lambda: client.vocabulary("tiny"),
            lambda: client.render(HELLO),
            lambda: list(client.chat(HELLO)),
            lambda: list(client.pull("tiny")),
        ]
        for ask in asks:
            with pytest.raises(Unreachable, match="nothing is listening there"):
                ask()
