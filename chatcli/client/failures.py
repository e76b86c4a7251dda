"""Translates the server's refusals and the network's failures into chatcli's errors, each with what to do about
it.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from typing import Any

from chatcli import addresses
from chatcli.client import address
from chatcli.client.proxies import Proxy
from chatcli.conversation.usage import in_tokens
from chatcli.dataclass import dataclass
from chatcli.errors import (
    BadData,
    BadReply,
    Busy,
    CannotSee,
    CannotThink,
    CannotUseTools,
    ChatcliError,
    ContextTooLong,
    Missing,
    Refused,
    StreamBroken,
    Unreachable,
)
from chatcli.hints import Do, Either, Hint, Words
from chatcli.reading.json_toml import read_json

WITHOUT_THINKING = Hint(
    "Turn it off with ", Do("set", "think", "off"), ", or choose another model with ", Do("model"), "."
)
A_VISION_MODEL = Hint("Choose a vision model with ", Do("model"), ", or send the text alone.")
_ANOTHER_VALUE = Either(
    Hint("Change that option with ", Do("set"), ", or reset it with ", Do("unset", "NAME"), "."),
    "Change that option, or leave it out.",
)
_HOST = Hint(Do("set", "host"), " or OLLAMA_HOST")
_DEMO = Hint(Do("chatcli", demo=True), " works without a server.")
_RETRY = Hint(" with ", Do("retry"))

LONGEST = 300  # characters of the server's words that are shown


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refusal by the server. `status` is 0 for an error line in a stream; `model` is "" where none was named;
    `proxy`: the one that the request went through; `retry_after`: the seconds it asks to wait, 0 for none.
    """

    status: int
    body: str
    where: str
    model: str = ""
    location: str = ""
    proxy: Proxy | None = None
    retry_after: float = 0.0

    @property
    def words(self) -> str:
        return one_line(_unwrapped(self.body)) or f"HTTP status {self.status}"


def translated(refusal: Refusal) -> ChatcliError:
    """The chatcli error for this refusal: by its words where they are known, else by its status."""
    words = refusal.words
    for pattern, build in _BY_WORDS:
        if re.search(pattern, words, re.IGNORECASE):
            return build(refusal)
    build = _elsewhere if 300 <= refusal.status < 400 else _BY_STATUS.get(refusal.status, _refused)
    error = build(refusal)
    if refusal.proxy is None or isinstance(_json(refusal.body), dict):  # Ollama's own; a proxy answers with a page
        return error
    hint = Hint(error.advice, _came_through(refusal.proxy))
    return type(error)(error.message, hint, retry_after=error.retry_after)


def unreachable(url: str, cause: str, proxy: Proxy | None = None, retry_after: float | None = None) -> Unreachable:
    """`cause` is a clause: "nothing is listening there". `proxy`: the one that the request went to."""
    if proxy is not None:
        told = f"{address.shown(url)} cannot be reached through {proxy}: {cause}."
        return Unreachable(told, proxy.remedy(url), retry_after=retry_after)
    if address.is_loopback(url):
        start = Hint("Start Ollama with ", Either(Do("serve"), "`ollama serve`"), ".")
        if not shutil.which("ollama"):
            start = Hint("Get Ollama at https://ollama.com/download, and start it with `ollama serve`.")
        hint = Hint(start, " Name another host with ", _HOST, ". ", _DEMO)
    else:
        hint = Hint(
            "Check the name, and that Ollama on that machine listens to others (OLLAMA_HOST=0.0.0.0 there). "
            "Name another host with ",
            _HOST,
            ", or use Ollama on this machine: `ollama serve`, from https://ollama.com/download. ",
            _DEMO,
        )
    return Unreachable(f"No Ollama server at {address.shown(url)}: {cause}.", hint, retry_after=retry_after)


def no_way(url: str, cause: str, hint: str) -> Unreachable:
    """Something in the environment prevents every connection to that server."""
    return Unreachable(f"{address.shown(url)} cannot be reached: {cause}.", hint)


def broken(cause: str, proxy: Proxy | None = None) -> StreamBroken:
    return StreamBroken(
        f"The reply broke off: {cause}{f' (it came through {proxy})' if proxy else ''}.",
        Hint("The server may have stopped; its log says more. Ask again", _RETRY, " when it is back."),
        retry_after=0.0,
    )


def not_ollama(url: str, what: str, proxy: Proxy | None = None) -> BadReply:
    """`what` says what came instead."""
    return BadReply(
        f"The server at {address.shown(url)} does not answer as Ollama does: {what}.",
        Hint("Is something else listening there? Name the right host with ", _HOST, ".", _came_through(proxy)),
    )


def _came_through(proxy: Proxy | None) -> str:
    return f" The answer came through {proxy}, and may be its own." if proxy is not None else ""


def one_line(text: str) -> str:
    """Any text as one clean line of at most LONGEST characters; of an HTML page only its words."""
    if re.search(r"<(!doctype|html|head|body|h1|title)\b", text, re.IGNORECASE):
        from chatcli.reading.tags import unescaped  # a table of thousands of names

        # Each pattern reads a character once, in any page: it may be 64 kB of "<".
        title = re.search(r"<title[^<>]*>([^<]*)", text, re.IGNORECASE)
        text = re.sub(r"<(script|style)\b.*?(?:</\1>|\Z)", " ", text, flags=re.IGNORECASE | re.DOTALL)
        words = title[1] if title and title[1].strip() else re.sub(r"<[^<>]*>", " ", text)
        text = unescaped(words)
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return text if len(text) <= LONGEST else text[: LONGEST - 4].rstrip() + " ..."


def _unwrapped(body: str) -> str:
    """The words inside {"error": ...}, however nested: Ollama passes on llama-server's own JSON as a string."""
    words, said = body, _json(body)
    for _ in range(6):
        if isinstance(said, dict):
            said = next((said[key] for key in ("error", "message", "detail") if said.get(key)), None)
        elif isinstance(said, str):
            words, said = said, _json(said)
    return words


def _json(text: str) -> Any:
    try:
        return read_json(text)
    except BadData:
        return None


def _too_long(refusal: Refusal) -> ContextTooLong:
    needed = _tokens(r"request \((\d{1,18}) tokens\)|n_prompt_tokens\W+(\d{1,18})", refusal.body)
    available = _tokens(r"context size \((\d{1,18}) tokens\)|n_ctx\W+(\d{1,18})", refusal.body)
    sizes = [f"it has {in_tokens(needed)}"] if needed else []
    sizes += [f"the window has {available}"] if available else []
    return ContextTooLong(
        f"The request does not fit the context window{': ' if sizes else ''}{', '.join(sizes)}.",
        Hint("Send less at once, or make the window larger with ", Do("set", "num_ctx"), "."),
        needed=needed,
        available=available,
    )


def _tokens(pattern: str, body: str) -> int | None:
    found = re.search(pattern, body)
    return int(found[found.lastindex or 0]) if found else None


def _missing(refusal: Refusal) -> Missing:
    named = re.search(r"model ['\"](.+?)['\"]", refusal.words)
    name = refusal.model or (named[1] if named else "")
    return Missing(
        f"The server at {refusal.where} has no model named {name}.",
        Hint("Get it with ", Do("pull", name), "."),
        model=name,
    )


def _not_published(refusal: Refusal) -> Missing:
    return Missing(
        f"There is no model named {refusal.model} to pull: {refusal.words}.",
        "Look for its exact name at https://ollama.com/search.",
    )


def _cannot_think(refusal: Refusal) -> CannotThink:
    return CannotThink(
        f"{_model(refusal)} does not support thinking.",
        WITHOUT_THINKING,
    )


def _cannot_think_so_hard(refusal: Refusal) -> CannotThink:
    return CannotThink(
        f"{_model(refusal)} does not know that level of thinking: {refusal.words}.",
        Hint("Use ", Do("set", "think", "on"), " or ", Do("set", "think", "off"), "."),
    )


def _cannot_use_tools(refusal: Refusal) -> CannotUseTools:
    return CannotUseTools(
        f"{_model(refusal)} does not support tools.", Hint("Choose another model with ", Do("model"), ".")
    )


def _cannot_see(refusal: Refusal) -> CannotSee:
    return CannotSee(
        f"{_model(refusal)} cannot see pictures.",
        A_VISION_MODEL,
    )


def _model(refusal: Refusal) -> str:
    return refusal.model or "This model"


def _refused(refusal: Refusal) -> Refused:
    return _said_no("")(refusal)


def _said_no(hint: Words, passes: bool = False) -> Callable[[Refusal], Refused]:
    """The server's own words, with a hint where there is one. `passes`: the same request may work later."""

    def build(refusal: Refusal) -> Refused:
        status = f" ({refusal.status})" if refusal.status else ""
        after = refusal.retry_after if passes else None
        return Refused(f"The server refused{status}: {refusal.words}", hint, retry_after=after)

    return build


def _busy(refusal: Refusal) -> Busy:
    said = _refused(refusal)
    moment = f"{refusal.retry_after:.0f} seconds, as it asks" if refusal.retry_after else "a moment"
    hint = Hint(f"Wait {moment}, then ask again", _RETRY, ".")
    return Busy(said.message, hint, retry_after=refusal.retry_after)


def _sign_in(refusal: Refusal) -> Refused:
    return Refused(
        f"The server at {refusal.where} denies access ({refusal.status}): {refusal.words}",
        "Write user:password@ before the name of the host, or set OLLAMA_API_KEY; "
        "for a model in Ollama's cloud, run `ollama signin` first.",
    )


def _proxy_login(refusal: Refusal) -> Refused:
    variable = refusal.proxy.source if refusal.proxy else "HTTPS_PROXY or HTTP_PROXY"
    return _said_no(f"The proxy wants a user name and password: write them into {variable}.")(refusal)


def _behind_a_proxy(refusal: Refusal) -> Unreachable:
    return Unreachable(
        f"What answers at {refusal.where} could not reach Ollama ({refusal.status}): {refusal.words}",
        Hint("Is Ollama running behind it? Another host can be named with ", _HOST, "; ", _DEMO),
        retry_after=refusal.retry_after,
    )


def _unknown_path(refusal: Refusal) -> BadReply:
    return not_ollama(refusal.where, f"{refusal.words} ({refusal.status})")


def _elsewhere(refusal: Refusal) -> BadReply:
    target = one_line(addresses.shown(refusal.location)) or "another place"
    return BadReply(
        f"The server at {refusal.where} redirects to {target}.",
        Hint("Name that address with ", _HOST, "."),
    )


_MEMORY = Hint(
    "Free some memory, choose a smaller model, or make the window smaller with ", Do("set", "num_ctx"), "."
)

_LOG = Hint("The server's log says why. Often it is memory: ", _MEMORY)

# First match wins. The words are Ollama's and llama-server's own (see the recordings and tests).
_BY_WORDS: tuple[tuple[str, Callable[[Refusal], ChatcliError]], ...] = (
    (
        r"exceeds? the (available )?context|longer than the context length|exceeds? (the )?context (length|size)",
        _too_long,
    ),
    (r"pull model manifest: file does not exist", _not_published),
    (r"^model\b.*\bnot found", _missing),
    (r"does not support thinking", _cannot_think),
    (r"think value .* is not supported", _cannot_think_so_hard),
    (r"does not support tools", _cannot_use_tools),
    (
        r"missing data required for image input|image input is not supported|does not support (vision|image)",
        _cannot_see,
    ),
    (
        r"does not support (chat|generate|completion)",
        _said_no(Hint("It is not a chat model. Choose another with ", Do("model"), ".")),
    ),
    (
        r"does not support embed",
        _said_no(Hint("It is not an embedding model. Get one with ", Do("pull", "nomic-embed-text"), ".")),
    ),
    (r"more system memory|out of memory|cudamalloc failed|unable to allocate", _said_no(_MEMORY)),
    (r"unable to load model|error loading model", _said_no(_LOG)),
    (r"runner (process )?(has )?(terminated|stopped|no longer)|runner process", _said_no(_LOG, passes=True)),
    (
        r"error was encountered while running",
        _said_no(Hint("The server's log says more. Ask again", _RETRY, "."), passes=True),
    ),
    (r"option .* must be of type", _said_no(_ANOTHER_VALUE)),
    (
        r"invalid duration|unit in duration",
        _said_no(Hint("Give keep_alive as a duration: ", Do("set", "keep_alive", "5m"), ".")),
    ),
    (
        r"proxyconnect|socks connect",
        _said_no("That is the server's own proxy: HTTPS_PROXY where `ollama serve` runs."),
    ),
    (r"http request to an https server", _said_no("Write https:// before the host.")),
    (r"server busy|pending requests", _busy),
)

_BY_STATUS: dict[int, Callable[[Refusal], ChatcliError]] = {
    401: _sign_in,
    403: _sign_in,
    404: _unknown_path,
    405: _unknown_path,
    407: _proxy_login,
    413: _said_no("A proxy before Ollama refuses requests that large. Send fewer or smaller files."),
    429: _busy,
    500: _said_no("", passes=True),
    502: _behind_a_proxy,
    503: _busy,
    504: _behind_a_proxy,
}
