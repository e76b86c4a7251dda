"""HTTP requests, responses and refusals of the demo engine, and JSON written as Ollama writes it.

Knows nothing of sockets (server.py) and nothing of models (api.py).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import field
from datetime import UTC, datetime
from typing import Any

from chatcli.dataclass import dataclass

JSON = "application/json; charset=utf-8"
NDJSON = "application/x-ndjson"
TEXT = "text/plain; charset=utf-8"

Answer = Callable[["HttpRequest"], "HttpResponse"]

_BUFFER = 2048  # Go sends the length of a body up to this size; a larger one is sent in chunks


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """`pause(seconds)` waits, and raises ConnectionError as soon as the client has left. `headers`: their names in
    lower case.
    """

    method: str
    path: str
    body: bytes
    pause: Callable[[float], None]
    headers: Mapping[str, str] = field(default_factory=dict)

    def fields(self) -> dict[str, Any]:
        """Returns the body's JSON object; raises HttpRefusal (400) when there is none."""
        text = self.body.decode(errors="replace")
        if not text.strip():
            raise HttpRefusal(400, "missing request body")
        try:
            value = json.loads(text)
        except json.JSONDecodeError as error:
            raise HttpRefusal(400, _complaint(error)) from error
        except (RecursionError, ValueError):  # nested too deeply, or a number of thousands of digits
            raise HttpRefusal(400, "json: cannot unmarshal the request body") from None
        if not isinstance(value, dict):
            raise HttpRefusal(400, f"json: cannot unmarshal {_kind(value)} into Go value of type api.Request")
        return _well_formed(value) if "\\ud" in text.lower() else value


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """`length` is None when the chunks are generated while they are sent."""

    status: int
    content_type: str
    chunks: Iterable[bytes]
    length: int | None = None


class HttpRefusal(Exception):
    """Answers the request with an HTTP error: its status, and {"error": ...}."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status = status
        self.error = error

    def response(self) -> HttpResponse:
        return whole({"error": self.error}, self.status)


def whole(value: Mapping[str, Any], status: int = 200) -> HttpResponse:
    body = encode(value)
    return HttpResponse(status, JSON, [body], len(body) if len(body) <= _BUFFER else None)


def lines(values: Generator[Mapping[str, Any]]) -> HttpResponse:
    """Returns NDJSON, a line a chunk, each generated after the previous one is sent; `values` is closed in any
    case.
    """

    def written() -> Iterator[bytes]:
        with closing(values):
            for value in values:
                yield encode(value) + b"\n"

    return HttpResponse(200, NDJSON, written())


def text(words: str, status: int = 200) -> HttpResponse:
    body = words.encode()
    return HttpResponse(status, TEXT, [body], len(body))


def nothing() -> HttpResponse:
    return HttpResponse(200, "", [], 0)


def encode(value: Any) -> bytes:
    """Returns JSON as Go writes it: compact, with <, > and & escaped."""
    written = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        written = written.replace(character, f"\\u{ord(character):04x}")
    return written.encode()


def timestamp(moment: datetime | None = None) -> str:
    """Returns RFC 3339 with nanoseconds, in UTC; of now when no moment is given."""
    return (moment or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%S.%f000Z")


def _complaint(error: json.JSONDecodeError) -> str:
    """Returns Go's words for what Python's parser rejected."""
    if error.pos >= len(error.doc.rstrip()):
        return "unexpected EOF"
    place = {
        "Expecting property name enclosed in double quotes": "looking for beginning of object key string",
        "Expecting ':' delimiter": "after object key",
        "Expecting ',' delimiter": "after value",
        "Extra data": "after top-level value",
    }.get(error.msg, "looking for beginning of value")
    return f"invalid character {error.doc[error.pos]!r} {place}"


def _kind(value: object) -> str:
    names = {str: "string", bool: "bool", int: "number", float: "number", list: "array", dict: "object"}
    return names.get(type(value), "null")


def _well_formed(value: Any) -> Any:
    """Returns the same value with lone surrogates in its strings replaced by U+FFFD, as in Go."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_well_formed(item) for item in value]
    if isinstance(value, dict):
        return {_well_formed(key): _well_formed(item) for key, item in value.items()}
    return value
