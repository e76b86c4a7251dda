"""Client: the only way to an Ollama server. Every method can be interrupted while it waits, and raises only
chatcli's errors.

The ollama library and httpx are imported by the first exchange (in http.py), not when this module is imported.
"""

from __future__ import annotations

import importlib
import os
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any, TypeVar

from chatcli.client import address, failures, models, stream, web_search
from chatcli.client.last_prompts import LastPrompts
from chatcli.client.models import Listed, Loaded, Model
from chatcli.client.reader_thread import Cut, relay
from chatcli.client.request import NEVER_CUT, Request, duration
from chatcli.client.retries import again
from chatcli.client.server import USUAL, Trust
from chatcli.conversation.events import Event, Progress, Retry
from chatcli.conversation.message import Message
from chatcli.errors import BadReply, BadValue, Busy, Refused, StreamBroken, Unreachable
from chatcli.hints import Do, Hint

if TYPE_CHECKING:
    from chatcli.client.http import Wire

T = TypeVar("T")

_STEERING = {"OLLAMA_HOST", "OLLAMA_API_KEY", "SSL_CERT_FILE", "SSL_CERT_DIR"}


class Client:
    """Talks to the server at `url` (as server.find gives it). Several threads may use it at once.

    user:password@ in the URL becomes a Basic header; else OLLAMA_API_KEY is sent as a Bearer token, but only over
    https or to this machine. `headers` are sent with every request and take precedence over both. `trust`: whose
    certificates are accepted.

    A request that fails before anything came of it is sent again, `retries()` times, if the failure may pass. A
    Retry says so each time: among the events of a chat, else as the argument of `told`.
    """

    def __init__(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        trust: Trust = USUAL,
        retries: Callable[[], int] = int,
        told: Callable[[Retry], object] = bool,
    ) -> None:
        self._retries, self._told = retries, told
        self.url, basic = address.without_credentials(url)
        self._trust = trust
        self._headers = {**_authorization(self.url, basic), **{k.lower(): v for k, v in (headers or {}).items()}}
        self._lock = threading.Lock()
        self._wire: Wire | None = None
        self._cuts: set[Cut] = set()
        self._described: dict[str, Model] = {}
        self._prompts = LastPrompts()
        self._closed = False

    def chat(self, request: Request) -> Generator[Event, None, None]:
        """The reply as it is generated. Closing the generator disconnects at once, and the server stops
        generating. The Done says what of the prompt the server had to read, as far as that is known here.
        """
        body = request.body()

        def ask(wire: Wire, cut: Cut) -> Generator[dict[str, Any], None, None]:
            came = False
            with closing(wire.lines(request.path, body, cut, request.model)) as lines:
                for line in lines:
                    came = True
                    yield line
            if not came:
                raise failures.broken("it ended before it began")

        yield from self._prompts.noting(request, stream.events(self._relayed(ask)))

    def models(self) -> list[Listed]:
        """The models on the server's disk, in its order; those changed at the same time, by name."""
        rows = [models.read_listed(row) for row in self._rows("/api/tags")]
        return sorted(sorted(rows, key=lambda row: row.name), key=_age)

    def model(self, name: str, verbose: bool = False) -> Model:
        """What the server knows of one model. Raises Missing. `verbose`: with its vocabulary, which is
        megabytes.
        """
        shown = self._answer("POST", "/api/show", {"model": name, "verbose": verbose}, name, large=verbose)
        return models.read_model(name, shown, models.digest_of(name, self.models()))

    def described(self, listed: Listed | Loaded) -> Model | None:
        """What is known of a model from an earlier describe(); None where that is nothing."""
        return self._described.get(listed.digest)

    def describe(self, listed: Listed | Loaded) -> Model:
        """What the server knows of a model, asked once for each digest."""
        if listed.digest not in self._described:
            shown = self._answer("POST", "/api/show", {"model": listed.name}, listed.name)
            self._described[listed.digest] = models.read_model(listed.name, shown, listed.digest)
        return self._described[listed.digest]

    def vocabulary(self, name: str) -> bytes:
        """The verbose /api/show as bytes: megabytes of JSON, better parsed in another process. The
        tokenizer.ggml.* arrays in its model_info are missing or empty for models without a vocabulary here.
        """

        def ask(wire: Wire, cut: Cut) -> Generator[bytes, None, None]:
            yield wire.body("POST", "/api/show", {"model": name, "verbose": True}, cut, name, large=True)

        with closing(self._once(ask)) as answers:
            return next(answer for answer in answers if answer is not None)

    def embed(
        self,
        model: str,
        texts: Sequence[str],
        keep_alive: str | None = None,
        stopped: Callable[[], bool] = lambda: False,
        asked: bool = False,
    ) -> list[list[float]]:
        """A vector for each text, in their order; [] once `stopped`, called ten times a second, returns True.
        `asked`: the texts are questions; else they are what is searched for answers.

        Raises Missing, and Refused when the model makes no vectors. The server cuts a text that is too long.
        """
        kept = {} if keep_alive is None else {"keep_alive": duration(keep_alive)}
        body = {"model": model, "input": [models.to_embed(model, text, asked) for text in texts], **kept}
        with closing(self._lines("/api/embed", body, model, self._told if asked else bool)) as answers:
            for answer in answers:
                if answer is not None:
                    return models.read_vectors(answer, len(texts), self.url)
                if stopped():
                    return []
        raise failures.not_ollama(self.url, "it answers /api/embed with nothing")

    def loaded(self) -> list[Loaded]:
        """The models in the server's memory, with their windows as allocated."""
        return [models.read_loaded(row) for row in self._rows("/api/ps")]

    def load(
        self,
        name: str,
        options: Mapping[str, Any],
        keep_alive: str | None = None,
        cutting: Mapping[str, bool] = NEVER_CUT,
    ) -> None:
        """Load a model without generating anything. A later request with the same options and the same `cutting`
        does not load it again.
        """
        kept = {} if keep_alive is None else {"keep_alive": duration(keep_alive)}
        self._settle({"model": name, "messages": [], "options": dict(options), **cutting, **kept}, name)

    def unload(self, name: str) -> None:
        self._settle({"model": name, "messages": [], "keep_alive": 0}, name)

    def copy(self, name: str, copy: str) -> None:
        """Give the model another name, too; a model that has that name already is replaced. Raises Missing."""
        self._order("POST", "/api/copy", {"source": name, "destination": copy}, name)

    def delete(self, name: str) -> None:
        """Delete the model from the server's disk. Raises Missing."""
        self._order("DELETE", "/api/delete", {"model": name}, name)

    def version(self) -> str:
        return str(self._answer("GET", "/api/version").get("version", ""))

    def pull(self, name: str, insecure: bool = False) -> Generator[Progress, None, None]:
        """Download a model. Closing the generator stops it; the next pull continues where it stopped.

        `insecure`: also from a registry without a certificate.
        """
        broken = StreamBroken(f"The download of {name} broke off.", Hint(Do("pull", name), " goes on from there."))
        more = {"insecure": True} if insecure else {}
        yield from self._progress("/api/pull", {"model": name, "stream": True, **more}, name, broken)

    def create(
        self,
        name: str,
        from_: str,
        system: str = "",
        parameters: Mapping[str, Any] | None = None,
        messages: Sequence[Message] = (),
    ) -> Generator[Progress, None, None]:
        """Make the model `name` from `from_`, as `ollama run` saves a chat. An existing model of that name is
        replaced.

        Empty arguments are inherited from `from_`. Raises Missing when there is no `from_`.
        """
        said = Request(from_, tuple(messages), {}).body()["messages"]
        given = {"system": system, "parameters": dict(parameters or {}), "messages": said}
        body = {"model": name, "from": from_, "stream": True, **{key: each for key, each in given.items() if each}}
        broken = StreamBroken(f"{name} was not made: the server broke off.", "Try again; its log says more.")
        yield from self._progress("/api/create", body, from_, broken)

    def render(self, request: Request) -> str | None:
        """The prompt that the model's template makes of this request; None where the server does not say.

        An old server would begin to generate instead: the connection is cut at its first chunk. Raises Busy.
        """
        body = {**request.body(), "_debug_render_only": True}
        try:
            with closing(self._once(lambda wire, cut: wire.lines("/api/chat", body, cut, request.model))) as lines:
                first = next((line for line in lines if line is not None), {})
        except Busy:
            raise
        except (BadReply, Refused):
            return None
        told = first.get("_debug_info")
        prompt = told.get("rendered_template") if isinstance(told, dict) else None
        return prompt if isinstance(prompt, str) else None

    def searches_the_web(self) -> bool:
        """Whether the server can be asked to: one that can refuses an empty request, and passes nothing on."""
        try:
            self._answer("POST", web_search.path_at(self.url))
        except Refused:
            return True
        except BadReply:
            return False
        return True

    def web_search(
        self, question: str, most: int, stopped: Callable[[], bool] = lambda: False
    ) -> list[web_search.Found]:
        """Pages of the web that fit; none once `stopped` returns True. A server on this machine asks ollama.com in
        the name of who is signed in on it; ollama.com itself wants OLLAMA_API_KEY.
        """

        def ask(wire: Wire, cut: Cut) -> Generator[dict[str, Any], None, None]:
            body = {"query": question, "max_results": most}
            yield wire.answer("POST", web_search.path_at(self.url), body, cut, "")

        with closing(self._once(ask)) as answers:
            for answer in answers:
                if answer is not None:
                    return web_search.read_found(answer, most)
                if stopped():
                    break
        return []

    def warm_up(self) -> None:
        """Import the library and prepare to connect, without connecting: for a background thread."""
        self._opened()

    def close(self) -> None:
        """Cut every open exchange, in whichever thread. Later requests raise Unreachable."""
        self._closed = True
        for cut in list(self._cuts):
            cut()
        if self._wire is not None:
            self._wire.shut()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _lines(
        self, path: str, body: Mapping[str, Any], model: str, told: Callable[[Retry], object] | None = None
    ) -> Generator[dict[str, Any] | None, None, None]:
        asked = self._relayed(lambda wire, cut: wire.lines(path, body, cut, model))
        return _without_retries(asked, told or self._told)

    def _progress(
        self, path: str, body: Mapping[str, Any], model: str, broken: StreamBroken
    ) -> Generator[Progress, None, None]:
        """The progress of a long job; raises `broken` when it ends before it says success."""
        progress, cause, layers = Progress(""), None, models.Layers(model)
        try:
            with closing(self._lines(path, body, model)) as lines:
                for line in lines:
                    if line is not None:
                        progress = layers.read(line)
                        yield progress
        except StreamBroken as error:
            cause = error
        if progress.status != "success":
            raise broken from cause

    def _answer(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        model: str = "",
        large: bool = False,
    ) -> dict[str, Any]:
        """The JSON object of a response; `large`: it may be as large as a vocabulary."""

        def ask(wire: Wire, cut: Cut) -> Generator[dict[str, Any], None, None]:
            yield wire.answer(method, path, body, cut, model, large)

        with closing(_without_retries(self._relayed(ask), self._told)) as answers:
            return next(answer for answer in answers if answer is not None)

    def _rows(self, path: str) -> list[Mapping[str, Any]]:
        rows = self._answer("GET", path).get("models") or []
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise failures.not_ollama(self.url, f"{path} has no list of models")
        return rows

    def _settle(self, body: Mapping[str, Any], model: str) -> None:
        """Send a request that may take minutes and whose response is not used."""
        with closing(self._lines("/api/chat", body, model)) as lines:
            for _ in lines:
                pass

    def _order(self, method: str, path: str, body: Mapping[str, Any], model: str) -> None:
        """Have something done; the response has no body."""

        def ask(wire: Wire, cut: Cut) -> Generator[bytes, None, None]:
            yield wire.body(method, path, body, cut, model)

        with closing(_without_retries(self._relayed(ask), self._told)) as answers:
            for _ in answers:
                pass

    def _relayed(
        self, ask: Callable[[Wire, Cut], Generator[T, None, None]]
    ) -> Generator[T | Retry | None, None, None]:
        """Run an exchange, and again where its failure may pass."""
        return again(lambda: self._once(ask), self._retries(), lambda: self._closed)

    def _once(self, ask: Callable[[Wire, Cut], Generator[T, None, None]]) -> Generator[T | None, None, None]:
        """Run one exchange in a reader thread; close() can cut it."""
        cut = Cut()

        def produce() -> Generator[T, None, None]:
            yield from ask(self._opened(), cut)

        self._cuts.add(cut)
        try:
            yield from relay(produce, cut)
        finally:
            self._cuts.discard(cut)

    def _opened(self) -> Wire:
        with self._lock:
            if self._closed:
                raise Unreachable("The connection to the server is closed.")
            if self._wire is None:
                self._wire = _library().Wire(self.url, self._headers, self._trust)
            return self._wire


def _without_retries(
    items: Generator[T | Retry | None, None, None], told: Callable[[Retry], object]
) -> Generator[T | None, None, None]:
    with closing(items):
        for item in items:
            if isinstance(item, Retry):
                told(item)
            else:
                yield item


def _library() -> Any:
    """Import http.py, and with it the ollama library.

    On import the library makes a client of its own from OLLAMA_HOST, the proxy variables and SSL_CERT_FILE, and
    fails if it cannot use them, although we do not need that client: then it is imported without them.
    """
    try:
        return importlib.import_module("chatcli.client.http")
    except Exception:
        aside = {name: os.environ.pop(name) for name in list(os.environ) if _steers_the_library(name)}
        try:
            return importlib.import_module("chatcli.client.http")
        finally:
            os.environ.update(aside)


def _steers_the_library(name: str) -> bool:
    return name.upper() in _STEERING or name.upper().endswith("_PROXY")


def _age(row: Listed) -> float:
    try:
        return -row.modified.timestamp() if row.modified is not None else 0.0
    except (OverflowError, ValueError):  # a year that the system's clock does not know
        return 0.0


def _authorization(url: str, basic: str | None) -> dict[str, str]:
    if basic is not None:
        return {"authorization": basic}
    key = os.environ.get("OLLAMA_API_KEY", "").strip()
    if key and (url.startswith("https:") or address.is_loopback(url)):
        if not (key.isascii() and key.isprintable()):
            raise BadValue("OLLAMA_API_KEY is not a key: it has characters that no key has.", "Set it again.")
        return {"authorization": f"Bearer {key}"}
    return {}
