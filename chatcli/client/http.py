"""One HTTP exchange with the server, through a small subclass of the ollama library's client. The subclass posts
bodies with fields that the library does not know (truncate, shift, verbose, _debug_render_only). Importing this
module takes 0.3 s, so ollama.py does it late.

It reads responses itself, through the library's httpx client: the library's own `_request` splits lines at U+0085
inside a reply, loses why a connection failed, and fails on an error body that is not a JSON object.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import ollama

from chatcli.client import address, decompress, failures
from chatcli.client.connection import CONNECT, NoWay, cause, is_close, is_reset, transport
from chatcli.client.proxies import route
from chatcli.client.reader_thread import Cut
from chatcli.client.server import USUAL, Trust
from chatcli.errors import BadData, BadValue, ChatcliError
from chatcli.hints import Do, Hint
from chatcli.reading.json_toml import read_json

# Sent with every request. Without it httpcore treats a finished connection as idle until it is closed. Another
# thread may then use it for its own request, which is cut together with the earlier exchange.
ALONE = {"connection": "close"}

ANSWER = 30.0  # seconds of silence allowed where no model has to be loaded
MOST_OF_AN_ERROR = 64 * 1024  # bytes
LARGEST = 64 * 1000**2  # bytes of a whole response, packed or unpacked
LARGEST_VOCABULARY = 256 * 1000**2  # bytes of /api/show with all of a model's tokens
DEPTH = 100  # nested lists and objects; an argument of a tool may be an object of objects
LONGEST_LINE = 8 * 1024 * 1024  # bytes


class Wire(ollama.Client):
    """`url` without credentials; `headers` with the Authorization, if any."""

    def __init__(self, url: str, headers: Mapping[str, str], trust: Trust = USUAL) -> None:
        self.url, self._trust = url, trust
        self._proxy = route(url).proxy
        self._was_there = False
        # Without an Authorization the library would send OLLAMA_API_KEY to any host.
        given = {"authorization": "none", "accept-encoding": decompress.ASKED, **headers, **ALONE}
        try:
            way = transport(url, self._proxy, trust)
            super().__init__(host=url, headers=given, follow_redirects=False, transport=way)
        except (httpx.InvalidURL, UnicodeError) as error:
            raise BadValue(
                f"{address.shown(url)} does not name a server: {error}.", Hint("Check ", Do("set", "host"), ".")
            ) from error
        except NoWay as error:
            raise failures.no_way(url, error.cause, error.remedy) from error
        if "authorization" not in headers:
            del self._client.headers["authorization"]

    def lines(
        self, path: str, body: Mapping[str, Any], cut: Cut, model: str
    ) -> Generator[dict[str, Any], None, None]:
        """Post `body`; yields the JSON objects of the response, one per line. No limit on the time
        between them.
        """
        with self._exchange("POST", path, body, cut, model, patience=None) as response:
            for line, whole in _split(decompress.pieces(response), self._odd):
                yield self._object(line, whole, model)

    def answer(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        cut: Cut,
        model: str,
        large: bool = False,
    ) -> dict[str, Any]:
        """The response as a whole, which is one JSON object."""
        try:
            return self._object(self.body(method, path, body, cut, model, large), True, model)
        except MemoryError:
            raise self._no_memory() from None

    def body(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        cut: Cut,
        model: str,
        large: bool = False,
    ) -> bytes:
        """The response's bytes, not parsed; `large`: it may be as large as a vocabulary."""
        most = LARGEST_VOCABULARY if large else LARGEST
        with self._exchange(method, path, body, cut, model, patience=ANSWER) as response:
            came = bytearray()
            for piece in decompress.pieces(response):
                came += piece
                if max(len(came), response.num_bytes_downloaded) > most:
                    raise self._odd(f"it answers {path} with more than {most / 1e6:.0f} MB")
            return bytes(came)

    def shut(self) -> None:
        self._client.close()

    @contextmanager
    def _exchange(
        self, method: str, path: str, body: Mapping[str, Any] | None, cut: Cut, model: str, patience: float | None
    ) -> Iterator[httpx.Response]:
        """An open, successful response; every failure is raised as a chatcli error."""
        begun = False
        timeout = httpx.Timeout(patience, connect=CONNECT)
        extensions = {"trace": cut.trace}
        # Half a character (a lone surrogate, from a file name or a broken paste) cannot be sent: it becomes "?".
        content = None if body is None else json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        try:
            with self._client.stream(
                method, path, content=content, timeout=timeout, extensions=extensions
            ) as response:
                self._was_there = True
                if not response.is_success:
                    raise failures.translated(self._refusal(response, model))
                begun = True
                yield response
        except decompress.BadPacking as error:
            raise self._odd(f"its compression is wrong, what it sends {error}") from None
        except MemoryError:
            raise self._no_memory() from None
        except (httpx.HTTPError, httpx.StreamError, OSError, UnicodeError) as error:
            raise self._network_failure(error, begun) from error

    def _object(self, line: bytes, whole: bool, model: str) -> dict[str, Any]:
        try:
            found = read_json(line, depth=DEPTH)
        except BadData as error:
            if not whole:
                raise failures.broken("the connection was closed in the middle of a line") from None
            what = "not JSON" if error.line else f"no answer of Ollama's: {error.why}"
            raise self._odd(f"it sent {_start(line)}, which is {what}") from None
        if not isinstance(found, dict):
            raise self._odd(f"it sent {_start(line)}, which is not a JSON object")
        if found.get("error"):
            refusal = failures.Refusal(0, line.decode("utf-8", "replace"), address.shown(self.url), model)
            raise failures.translated(refusal)
        return found

    def _no_memory(self) -> ChatcliError:
        return self._odd("it sent more than there is memory for")

    def _odd(self, what: str) -> ChatcliError:
        return failures.not_ollama(self.url, what, self._proxy)

    def _refusal(self, response: httpx.Response, model: str) -> failures.Refusal:
        body = b""
        with suppress(decompress.BadPacking):
            for piece in decompress.pieces(response):
                body += piece
                if max(len(body), response.num_bytes_downloaded) > MOST_OF_AN_ERROR:
                    break
        text = body[:MOST_OF_AN_ERROR].decode("utf-8", "replace")
        location = response.headers.get("location", "")
        wait = _asked_to_wait(response)
        where = address.shown(self.url)
        return failures.Refusal(response.status_code, text, where, model, location, self._proxy, wait)

    def _network_failure(self, error: Exception, begun: bool) -> ChatcliError:
        if begun:
            said = "the server closed the connection" if is_close(error) else cause(error, self._trust)
            return failures.broken(said, self._proxy)
        if isinstance(error, httpx.RemoteProtocolError) and not is_close(error):
            return self._odd(f"it does not speak HTTP ({failures.one_line(str(error))})")
        # A server that was there and refuses connections is being restarted; one that never was is not there.
        restarts = self._was_there and isinstance(error, httpx.ConnectError)
        passing = restarts or is_close(error) or is_reset(error)
        return failures.unreachable(self.url, cause(error, self._trust), self._proxy, 0.0 if passing else None)


def _split(pieces: Iterable[bytes], odd: Callable[[str], ChatcliError]) -> Iterator[tuple[bytes, bool]]:
    """The lines without blank ones, and whether each was complete: the last may lack its end."""
    rest = bytearray()
    for piece in pieces:
        *lines, last = piece.split(b"\n")
        for line in lines:
            whole, rest = bytes(rest + line), bytearray()
            if whole.strip():
                yield whole, True
        rest += last
        if len(rest) > LONGEST_LINE:
            raise odd("it sent a line without end")
    if rest.strip():
        yield bytes(rest), False


def _asked_to_wait(response: httpx.Response) -> float:
    """The seconds of Retry-After, which may also be a date; 0 where there are none."""
    said = response.headers.get("retry-after", "").strip()
    if said.isascii() and said.isdigit():
        return float(said[:9])
    with suppress(ValueError, OverflowError):
        moment = parsedate_to_datetime(said)
        return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
    return 0.0


def _start(line: bytes) -> str:
    text = line[:80].decode("utf-8", "replace")
    return repr(failures.one_line(text) or text)
