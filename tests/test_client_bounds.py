"""What a server can send without end has a bound: answers, lines, errors, replies, compressed or not."""

from __future__ import annotations

import gzip
import json
import re
import socket
import zlib
from collections.abc import Callable
from contextlib import suppress

import pytest

from chatcli.client import http, stream
from chatcli.client.ollama import Client
from chatcli.conversation.events import Done, Text, Tick
from chatcli.errors import BadReply, ContextTooLong, Refused, StreamBroken
from tests.raw_server import FIRST, LAST, STREAM, Play, Script, sends, whole
from tests.test_client_http import HELLO, failure


class Endless:
    """Sends `head`, and the same bytes again and again until the client has left; `sent` of them went out."""

    def __init__(self, again: bytes, head: bytes = b"HTTP/1.1 200 OK\r\n\r\n", most: int = 10**9) -> None:
        self._head = head
        self._again = again * (1_000_000 // len(again))
        self._most = most
        self.sent = 0

    def __call__(self, connection: socket.socket) -> None:
        connection.sendall(self._head)
        with suppress(OSError):
            while self.sent < self._most:
                connection.sendall(self._again)
                self.sent += len(self._again)


ANSWERS: list[tuple[str, Callable[[Client], object], int]] = [
    ("tags", lambda client: client.models(), 64),
    ("ps", lambda client: client.loaded(), 64),
    ("version", lambda client: client.version(), 64),
    ("show", lambda client: client.model("tiny"), 64),
    ("show verbose", lambda client: client.model("tiny", verbose=True), 256),
    ("vocabulary", lambda client: client.vocabulary("tiny"), 256),
]
LINES: list[tuple[str, Callable[[Client], object]]] = [
    ("chat", lambda client: list(client.chat(HELLO))),
    ("pull", lambda client: list(client.pull("tiny"))),
    ("create", lambda client: list(client.create("tiny", "demo"))),
    ("embed", lambda client: client.embed("tiny", ["words"])),
    ("load", lambda client: client.load("tiny", {})),
]
GZIP = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n"


def given_up(play: Play, ask: Callable[[Client], object]) -> str:
    with Script(play) as script, Client(script.url) as client, pytest.raises(BadReply) as caught:
        ask(client)
    return caught.value.message


@pytest.mark.parametrize(("ask", "most"), [each[1:] for each in ANSWERS], ids=[each[0] for each in ANSWERS])
def test_an_answer_without_end_is_read_no_further_than_its_bound(
    ask: Callable[[Client], object], most: int
) -> None:
    endless = Endless(b" ")
    assert f"with more than {most} MB" in given_up(endless, ask)
    assert endless.sent < (most + 30) * 1_000_000  # what the sockets hold


@pytest.mark.parametrize(("ask", "most"), [each[1:] for each in ANSWERS], ids=[each[0] for each in ANSWERS])
def test_the_bound_of_an_answer_counts_what_is_unpacked(ask: Callable[[Client], object], most: int) -> None:
    pack = zlib.compressobj(wbits=31)
    bomb = b"".join(pack.compress(b" " * 1_000_000) for _ in range(most + 5)) + pack.flush()
    assert len(bomb) < 1_000_000
    assert f"with more than {most} MB" in given_up(sends(GZIP, bomb), ask)


@pytest.mark.parametrize(
    "head",
    [
        GZIP + b"\x1f\x8b\x08\x08" + bytes(6),  # a name without end goes before what is packed
        GZIP + b"\x1f\x8b\x08\x04" + bytes(6) + b"\xff\xff",
    ],
)
def test_what_unpacks_to_nothing_has_a_bound_too(head: bytes) -> None:
    endless = Endless(b"x", head)
    assert re.search("with more than 64 MB|arrives damaged", given_up(endless, lambda client: client.version()))
    assert endless.sent < 100_000_000


def test_what_follows_the_end_of_what_is_packed_is_not_read() -> None:
    endless = Endless(b"x", GZIP + gzip.compress(b'{"version":"1.2.3"}'))
    with Script(endless) as script, Client(script.url) as client:
        assert client.version() == "1.2.3"
    assert endless.sent < 30_000_000


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "compress"])
def test_what_is_packed_in_a_way_that_was_not_asked_for_is_refused(encoding: str) -> None:
    play = whole(gzip.compress(b'{"version":"1"}'), "200 OK", f"Content-Encoding: {encoding}")
    with Script(play) as script, Client(script.url) as client, pytest.raises(BadReply, match="not asked for"):
        client.version()
    assert "accept-encoding: gzip\n" in script.heads[0].lower().replace("\r", "")


@pytest.mark.parametrize("ask", [each[1] for each in LINES], ids=[each[0] for each in LINES])
@pytest.mark.parametrize("packed", [False, True])
def test_a_line_without_end_is_given_up(ask: Callable[[Client], object], packed: bool) -> None:
    pack = zlib.compressobj(wbits=31)
    bomb = b"".join(pack.compress(b"x" * 1_000_000) for _ in range(40)) + pack.flush()
    endless = Endless(b'{"a":"x')
    assert "without end" in given_up(sends(GZIP, bomb) if packed else endless, ask)
    assert endless.sent < 60_000_000


def test_a_line_in_very_many_pieces_is_put_together_in_one_go() -> None:
    line = b'{"message":{"content":"' + b"x" * 2_000_000 + b'"}}\n'
    pieces = [line[at : at + 5] for at in range(0, len(line), 5)]
    assert list(http._split(iter(pieces), BadReply)) == [(line[:-1], True)]


@pytest.mark.parametrize(
    "body", [b"[", b"<", b"<a", b"<title", b"<title>", b"<script>", b"{", b'{"error":', b"&#9"]
)
@pytest.mark.parametrize("packed", [False, True])
def test_an_error_without_end_is_read_no_further_than_its_bound(body: bytes, packed: bool) -> None:
    head = b"HTTP/1.1 500 No\r\nContent-Encoding: gzip\r\n\r\n" if packed else b"HTTP/1.1 500 No\r\n\r\n"
    endless = Endless(body, head)
    if packed:
        pack = zlib.compressobj(wbits=31)
        bomb = b"".join(pack.compress(body * 1_000_000) for _ in range(20))
        error = failure(sends(head, bomb, pack.flush()))
    else:
        error = failure(endless)
    assert isinstance(error, Refused)
    assert len(error.message) < 500
    assert endless.sent < 30_000_000


@pytest.mark.parametrize("what", ["content", "thinking"])
def test_a_reply_without_end_ends_at_its_bound_and_keeps_what_had_come(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "LONGEST", 1_000_000)
    endless = Endless(json.dumps({"message": {what: "x" * 50_000}}).encode() + b"\n", STREAM)
    came = 0

    def listen(client: Client) -> None:
        nonlocal came
        for event in client.chat(HELLO):
            came += len(getattr(event, "text", ""))

    with Script(endless) as script, Client(script.url) as client, pytest.raises(StreamBroken, match="longer than"):
        listen(client)
    assert 900_000 < came <= 1_000_000


def test_lines_that_go_on_behind_the_last_one_are_left() -> None:
    with Script(Endless(b'{"message":{}}\n', STREAM + FIRST + LAST)) as script, Client(script.url) as client:
        assert [each for each in client.chat(HELLO) if not isinstance(each, Tick)] == [Text("Hel"), Done("stop")]


@pytest.mark.parametrize("modified", ["0001-01-01T00:00:00", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00Z"])
def test_a_date_of_no_sense_does_no_harm(modified: str) -> None:
    rows = json.dumps({"models": [{"name": "a", "modified_at": modified}]}).encode()
    with Script(whole(rows)) as script, Client(script.url) as client:
        assert [row.name for row in client.models()] == ["a"]


def test_a_number_of_thousands_of_digits_in_a_refusal_does_no_harm() -> None:
    body = f'exceeds the available context size {{"n_prompt_tokens": {"9" * 5000}, "n_ctx": {"9" * 5000}}}'
    assert isinstance(failure(whole(body.encode(), "400 No")), ContextTooLong)
