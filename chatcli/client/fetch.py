"""Fetches a web address that a person gave, or that a model gave and a person allowed: a page, a text, a document.
Nothing else is ever fetched.

Size, time and number of redirects are limited. It sends no cookies, no credentials except those in the address
itself, and nothing of Ollama's. The person may name an address of their own network; a model may not, and a public
server may not redirect there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from time import monotonic
from typing import TYPE_CHECKING, Any

from chatcli import __version__
from chatcli.addresses import Address, parse
from chatcli.client import decompress
from chatcli.client.guard import Guard
from chatcli.client.hosts import is_private, is_this_machine, look_up, number
from chatcli.client.proxies import route
from chatcli.client.reader_thread import Cut, relay
from chatcli.conversation.events import Progress
from chatcli.dataclass import dataclass
from chatcli.errors import BadFile
from chatcli.hints import Do, Hint
from chatcli.reading.raw import LARGEST, Raw, too_large
from chatcli.reading.signatures import HEAD, hopeless

if TYPE_CHECKING:
    import httpx

_HEADERS = {
    "user-agent": f"chatcli/{__version__} (terminal chat; fetches only what a person asked for or allowed)",
    # Prefer text made for reading, where a server has the choice.
    "accept": "text/markdown, text/plain;q=0.9, text/html;q=0.8, application/pdf;q=0.7, */*;q=0.5",
    "accept-encoding": decompress.ASKED,
}
_NO_TEXT = frozenset({"image", "audio", "video", "font", "model"})
_SAVE = "Open it in a browser, save it, and attach the file."


@dataclass(frozen=True, slots=True)
class Limits:
    """`size` in bytes, unpacked; `seconds` for the whole fetch, `silence` between two pieces."""

    size: int = LARGEST
    seconds: float = 120.0
    silence: float = 20.0
    redirects: int = 8


def fetch(
    address: str,
    limits: Limits = Limits(),  # noqa: B008 - it is frozen
    private: Callable[[str], bool] = is_private,
    look_up: Callable[[str], list[str]] = look_up,
    *,
    from_model: bool = False,
) -> Generator[Progress, None, Raw]:
    """The content, named by the address without password and fragment. Raises BadFile. Closing the generator cuts
    the connection.

    `private` judges an IP address (in tests every address is private); `look_up` gives the addresses of a host
    name. `from_model`: no person wrote the address, so it may lead to no private one at all, and to no other host:
    leave was given for this one.
    """
    read, cut = _read(address), Cut()
    name = read.bare
    progress, end = Progress(f"Fetching {name}"), monotonic() + limits.seconds
    exchange = _Exchange(name, limits, Guard(name, private, look_up, from_model), cut, from_model)
    with closing(relay(lambda: exchange.pieces(name, read.authorization), cut)) as items:
        for item in items:
            if isinstance(item, Raw):
                return item
            if monotonic() > end:
                raise BadFile(
                    f"{name} took longer than {limits.seconds:.0f} seconds.", "Try again later. " + _SAVE
                )
            progress = item or progress
            yield progress
    raise BadFile(f"{name} gave nothing.", _SAVE)


def _read(address: str) -> Address:
    """The parts of the address. A malformed one may have its password anywhere, so it is not shown."""
    import httpx

    found = parse(address)
    if found is None or found.scheme.lower() not in {"http", "https"}:
        scheme = f"{found.scheme}:" if found is not None and ":" not in found.scheme else "That"
        raise BadFile(
            f"{scheme} is no way to fetch a page.", "Give an address that begins with http:// or https://."
        )
    try:
        host = httpx.URL(found.bare).host if found.sound else ""
    except (httpx.InvalidURL, UnicodeError):
        host = ""
    if not host:
        raise BadFile("That is no address of the web.", "Check it; in a password, / is written %2F and @ %40.")
    return found._replace(rest=found.rest.partition("#")[0])


class _Exchange:
    """One fetch with its redirects, in the reader thread."""

    def __init__(self, name: str, limits: Limits, guard: Guard, cut: Cut, from_model: bool) -> None:
        self._from_model = from_model
        self._name = name
        self._limits = limits
        self._guard = guard
        self._cut = cut

    def pieces(self, address: str, authorization: str | None) -> Generator[Progress | Raw, None, None]:
        """Progress, and at the end the content. Every failure is a BadFile. `authorization` goes only to the
        server of that address.
        """
        import httpx

        from chatcli.client.connection import NoWay, cause

        url = httpx.URL(address)
        try:
            headers = {**_HEADERS, "authorization": authorization} if authorization else _HEADERS
            for _ in range(self._limits.redirects + 1):
                target = yield from self._one(url, headers)
                if target is None:
                    return
                if self._from_model and target.host != url.host:
                    elsewhere = parse(str(target))
                    shown = elsewhere.bare if elsewhere is not None else target.host
                    raise BadFile(f"{self._name} sends on to another host: {shown} would have to be fetched.")
                if (target.scheme, target.host, target.port) != (url.scheme, url.host, url.port):
                    headers = _HEADERS
                url = target
        except (httpx.InvalidURL, httpx.HTTPError, httpx.StreamError, OSError, UnicodeError) as error:
            if isinstance(error, httpx.InvalidURL) or "location header" in str(error):
                raise BadFile(f"{self._name} sends us on to what is no address.", _SAVE) from None
            raise self._not_fetched(url, cause(error)) from error
        except NoWay as error:
            raise BadFile(f"{self._name} cannot be fetched: {error.cause}.", error.remedy) from error
        except decompress.BadPacking as error:
            raise BadFile(f"{self._name} {error}.", "Try again later. " + _SAVE) from None
        raise BadFile(f"{self._name} sends us on too often.", _SAVE)

    def _one(
        self, url: httpx.URL, headers: Mapping[str, str]
    ) -> Generator[Progress | Raw, None, httpx.URL | None]:
        """Send one request; returns where it redirects to, or None."""
        trace = self._watching(url)
        with (
            self._client(url) as client,
            client.stream("GET", url, headers=headers, extensions={"trace": trace}) as response,
        ):
            if "location" in response.headers and 300 <= response.status_code < 400:
                return self._target(response)
            self._check(response)
            yield from self._body(response)
            return None

    def _client(self, url: httpx.URL) -> httpx.Client:
        """A new client for each address on the way, so that no cookie is passed from one to the next."""
        import httpx

        from chatcli.client.connection import CONNECT, transport

        timeout = httpx.Timeout(self._limits.silence, connect=CONNECT)
        way = transport(str(url), route(str(url)).proxy)
        return httpx.Client(timeout=timeout, follow_redirects=False, transport=way)

    def _not_fetched(self, url: httpx.URL, cause: str) -> BadFile:
        if proxy := route(str(url)).proxy:
            return BadFile(f"{self._name} cannot be fetched through {proxy}: {cause}.", proxy.remedy(str(url)))
        return BadFile(f"{self._name} cannot be fetched: {cause}.", "Check the address.")

    def _watching(self, url: httpx.URL) -> Callable[[str, Mapping[str, Any]], None]:
        """A trace function that has every connection judged before anything is sent on it."""
        host = url.raw_host.decode("ascii")
        by_name = False  # connected to directly, so its address is known only then

        def trace(event: str, info: Mapping[str, Any]) -> None:
            nonlocal by_name
            if event.endswith("connect_tcp.started"):
                by_name = self._is_known_by_name(host, info.get("host"))
            elif event.endswith("connect_tcp.complete") and by_name:
                stream = info["return_value"]
                try:
                    self._guard.connected(stream.get_extra_info("socket").getpeername()[0])
                except BadFile:
                    stream.close()
                    raise
            self._cut.trace(event, info)

        return trace

    def _is_known_by_name(self, host: str, connected: object) -> bool:
        """Judges what can be judged before there is a connection."""
        if connected != host:  # to a proxy
            self._guard.through_proxy(host)
        elif ip := number(host):
            self._guard.connected(str(ip))
        elif is_this_machine(host):
            self._guard.connected("127.0.0.1")
        else:
            return True
        return False

    def _target(self, response: httpx.Response) -> httpx.URL:
        """Where it redirects to, without any password in that address."""
        url = response.request.url
        target = url.join(response.headers["location"]).copy_with(fragment=None, userinfo=b"")
        if target.scheme not in {"http", "https"}:
            raise BadFile(f"{self._name} sends us on to a {target.scheme}: address, which is not fetched.", _SAVE)
        return target

    def _check(self, response: httpx.Response) -> None:
        """Refuse a response that is no success, no text, or too large by its own account."""
        status = response.status_code
        if not response.is_success:
            said = _STATUS.get(status, f"the server refuses it ({status})")
            proxy = route(str(response.request.url)).proxy if status in _PERHAPS_THE_PROXYS else None
            told = f"{said}; it was asked for through {proxy}" if proxy else said
            raise BadFile(f"{self._name}: {told}.", "Check the address." if status in {404, 410} else _SAVE)
        media_type = _media_type(response)
        if media_type.partition("/")[0] in _NO_TEXT and not media_type.endswith("+xml"):
            save = Hint("Save it, and attach it with ", Do("image"), ".")
            instead = save if media_type.startswith("image/") else Hint()
            raise BadFile(f"{self._name} is no text but {media_type}.", instead)
        if (_length(response) or 0) > self._limits.size:
            raise too_large(self._name, self._limits.size)

    def _body(self, response: httpx.Response) -> Generator[Progress | Raw, None, None]:
        data, looked = bytearray(), False
        packed = "content-encoding" in response.headers
        total = None if packed else _length(response)
        for piece in decompress.pieces(response):
            data += piece
            if max(len(data), response.num_bytes_downloaded) > self._limits.size:
                raise too_large(self._name, self._limits.size)
            if not looked and len(data) >= HEAD:
                looked = True
                if hopeless(bytes(data[:HEAD])):
                    break  # the reader says what it is
            yield Progress(f"Fetching {self._name}", len(data), total)
        charset = re.search(
            r"charset\s*=\s*[\"']?([\w.:-]+)", response.headers.get("content-type", ""), re.IGNORECASE
        )
        yield Raw(self._name, bytes(data), _media_type(response, data), charset[1] if charset else "")


_PERHAPS_THE_PROXYS = {403, 407, 502, 503, 504}
_STATUS = {
    401: "the server wants a login (401)",
    402: "the server wants to be paid (402)",
    403: "the server does not let us see it (403)",
    404: "there is nothing of that name (404)",
    407: "the proxy on the way wants a login (407)",
    410: "it is gone (410)",
    429: "the server wants to be asked later (429)",
    500: "the server has failed (500)",
    502: "the server cannot answer now (502)",
    503: "the server cannot answer now (503)",
    504: "the server cannot answer now (504)",
}


def _media_type(response: httpx.Response, data: bytes | bytearray = b"") -> str:
    """As declared; if nothing is declared, by whether it looks like HTML."""
    declared = str(response.headers.get("content-type", "")).partition(";")[0].strip().lower()
    if not declared and re.match(rb"\s*(<!doctype html|<html)", data[:HEAD], re.IGNORECASE):
        return "text/html"
    return declared


def _length(response: httpx.Response) -> int | None:
    said = response.headers.get("content-length", "")
    return int(said) if said.isascii() and said.isdigit() and len(said) < 19 else None
