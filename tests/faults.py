"""The demo engine on a real socket inside the test's own process, with scripted faults on that socket.

    with Engine() as engine:
        engine.say("Hello **there**.")  # the next reply, word for word; without it the engine's own
        engine.script(Cut(after=2))  # what goes wrong with the next chat
        ...                          # talk to engine.url
        assert engine.chats[0]["options"]["num_ctx"] == 4096

A fault takes a request and the engine's true response, and returns what is sent instead. Each is used once, in
order.
"""

from __future__ import annotations

import json
import socket
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from chatcli.demo.api import answer
from chatcli.demo.protocol import NDJSON, Answer, HttpRequest, HttpResponse, whole
from chatcli.demo.replies import DemoReply
from chatcli.demo.request import Definition, DemoMessage
from chatcli.demo.runner import READING
from chatcli.demo.runner import Engine as DemoEngine
from chatcli.demo.server import DemoServer, closing_chunks
from chatcli.demo.tool_script import reply_or_call

Fault = Callable[[HttpRequest, Answer], HttpResponse]


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it came in; `body` is its JSON object, empty where it had none."""

    method: str
    path: str
    body: dict[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)


class Engine:
    """A context manager. `inside` are the engine's own parts (its shelf of models, its runners).

    `pace`: seconds between two pieces of a reply; `window`: the default num_ctx; `loading`: seconds to load a
    model; `port`: 0 for any that is free; `reading`: tokens of a prompt that it says to have read in a second.
    """

    def __init__(
        self,
        *,
        pace: float = 0.0,
        window: int = 4096,
        loading: float = 0.0,
        port: int = 0,
        reading: float = READING,
    ) -> None:
        self.requests: list[Received] = []
        self._faults: defaultdict[str, deque[Fault]] = defaultdict(deque)
        self._says: deque[DemoReply] = deque()
        self._left = threading.Semaphore(0)
        self.inside = DemoEngine(pace, window, self._speak, loading=loading, reading=reading)
        self._answer: Answer = partial(answer, self.inside)
        self._server = DemoServer(self._receive, port)

    def __enter__(self) -> Engine:
        self._server.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.__exit__()

    @property
    def url(self) -> str:
        return self._server.url

    @property
    def chats(self) -> list[dict[str, Any]]:
        """The bodies of the chat requests so far; loads, unloads and renderings are not among them."""
        return [received.body for received in self.requests if _is_chat(received.path, received.body)]

    def say(self, *replies: str | DemoReply) -> None:
        """Queue these as the next replies."""
        self._says.extend(DemoReply(said) if isinstance(said, str) else said for said in replies)

    def forget(self) -> None:
        """Drop the replies and the faults that nobody has asked for yet."""
        self._says.clear()
        self._faults.clear()

    def script(self, *faults: Fault, path: str = "/api/chat") -> None:
        """Queue these for the next requests to `path`; loads and renderings on /api/chat are let through."""
        self._faults[path].extend(faults)

    def client_left(self, timeout: float = 5.0) -> bool:
        """Wait until a client has hung up in the middle of a reply; False when none did in time."""
        return self._left.acquire(timeout=timeout)

    def _speak(
        self, messages: Sequence[DemoMessage], schema: dict[str, Any] | None, tools: Sequence[Definition]
    ) -> DemoReply:
        return self._says.popleft() if self._says else reply_or_call(messages, schema, tools)

    def _receive(self, request: HttpRequest) -> HttpResponse:
        received = Received(request.method, request.path, _object(request.body), request.headers)
        self.requests.append(received)
        faults = self._faults[request.path]
        scripted = faults and (request.path != "/api/chat" or _is_chat(request.path, received.body))
        try:
            response = faults.popleft()(request, self._answer) if scripted else self._answer(request)
        except ConnectionAbortedError:
            self._left.release()
            raise
        return replace(response, chunks=self._watched(response))

    def _watched(self, response: HttpResponse) -> Iterator[bytes]:
        try:
            yield from response.chunks
        except (GeneratorExit, ConnectionAbortedError):
            self._left.release()
            raise


@dataclass(frozen=True, slots=True)
class Slow:
    """Seconds before anything is sent, and before each further line."""

    first: float = 0.0
    between: float = 0.0

    def __call__(self, request: HttpRequest, answer: Answer) -> HttpResponse:
        request.pause(self.first)
        response = answer(request)
        return replace(response, chunks=self._lines(request, response))

    def _lines(self, request: HttpRequest, response: HttpResponse) -> Iterator[bytes]:
        for at, line in enumerate(response.chunks):
            if at:
                request.pause(self.between)
            yield line


@dataclass(frozen=True, slots=True)
class Drip:
    """Every line in small bits, whatever their borders: a chunk on the wire is not a line."""

    size: int = 3
    between: float = 0.0

    def __call__(self, request: HttpRequest, answer: Answer) -> HttpResponse:
        response = answer(request)
        return replace(response, chunks=self._bits(request, response))

    def _bits(self, request: HttpRequest, response: HttpResponse) -> Iterator[bytes]:
        for line in response.chunks:
            for start in range(0, len(line), self.size):
                yield line[start : start + self.size]
                request.pause(self.between)


@dataclass(frozen=True, slots=True)
class Cut:
    """The connection breaks after so many lines (0: headers only)."""

    after: int = 2

    def __call__(self, request: HttpRequest, answer: Answer) -> HttpResponse:
        response = answer(request)
        return replace(response, chunks=self._lines(response), length=None)

    def _lines(self, response: HttpResponse) -> Iterator[bytes]:
        yield b""  # the headers go out
        yield from _first(response, self.after)
        raise ConnectionResetError("cut on purpose")


@dataclass(frozen=True, slots=True)
class Hang:
    """So many lines, then nothing more until the client leaves."""

    after: int = 2

    def __call__(self, request: HttpRequest, answer: Answer) -> HttpResponse:
        response = answer(request)
        return replace(response, chunks=self._lines(request, response), length=None)

    def _lines(self, request: HttpRequest, response: HttpResponse) -> Iterator[bytes]:
        yield b""
        yield from _first(response, self.after)
        while True:
            request.pause(60)


@dataclass(frozen=True, slots=True)
class NoDone:
    """The stream ends in good order after so many lines, but without the line that says done."""

    after: int = 2

    def __call__(self, request: HttpRequest, answer: Answer) -> HttpResponse:
        response = answer(request)
        return replace(response, chunks=_first(response, self.after))


@dataclass(frozen=True, slots=True)
class Line:
    """After so many lines comes this one, as it stands, and the stream ends.

    `Line("<html>")` is no JSON; `Line("[1, 2]")` is no object; see also `error_line`.
    """

    written: str
    after: int = 2

    def __call__(self, request: HttpRequest, answer: Answer) -> HttpResponse:
        response = answer(request)
        return replace(response, chunks=self._lines(response))

    def _lines(self, response: HttpResponse) -> Iterator[bytes]:
        yield from _first(response, self.after)
        yield self.written.encode() + b"\n"


@dataclass(frozen=True, slots=True)
class Lines:
    """These lines for a stream, each a JSON object or text as it stands; the engine is not asked."""

    written: Sequence[str | dict[str, Any]]

    def __call__(self, _request: HttpRequest, _answer: Answer) -> HttpResponse:
        return HttpResponse(200, NDJSON, [_written(line).encode() + b"\n" for line in self.written])


@dataclass(frozen=True, slots=True)
class Status:
    """An HTTP error (or any status) with a body: `{"error": ...}` from a text, or as it stands with `raw`."""

    status: int
    body: str
    raw: bool = False

    def __call__(self, _request: HttpRequest, _answer: Answer) -> HttpResponse:
        if not self.raw:
            return whole({"error": self.body}, self.status)
        body = self.body.encode()
        return HttpResponse(self.status, "text/html", [body], len(body))


def error_line(message: str = "an error was encountered while running the model", after: int = 2) -> Line:
    """The model fails when the reply has begun: HTTP 200, some lines, then {"error": ...}."""
    return Line(json.dumps({"error": message}), after)


def too_long(needed: int | None = None, available: int = 4096, *, nested: bool = False) -> Status:
    """HTTP 400, the prompt does not fit: in v0.24's words, or in llama-server's where `needed` is given.

    `nested`: llama-server's own JSON, passed on as the text of the error.
    """
    if needed is None:
        return Status(400, "the input length exceeds the context length")
    words = f"request ({needed} tokens) exceeds the available context size ({available} tokens), try increasing it"
    return Status(400, json.dumps({"error": {"code": 400, "message": words}}) if nested else words)


@contextmanager
def nobody_there() -> Iterator[str]:
    """A URL on loopback where every connection is refused: the port is taken and nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


def _first(response: HttpResponse, count: int) -> Iterator[bytes]:
    """The first lines of a reply; never its last one."""
    with closing_chunks(response) as chunks:
        before = next(chunks, b"")
        for _ in range(count):
            following = next(chunks, None)
            if following is None:
                return
            yield before
            before = following


def _is_chat(path: str, body: dict[str, Any]) -> bool:
    return path == "/api/chat" and bool(body.get("messages")) and not body.get("_debug_render_only")


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body or b"{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _written(line: str | dict[str, Any]) -> str:
    return line if isinstance(line, str) else json.dumps(line)
