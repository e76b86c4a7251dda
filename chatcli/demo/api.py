"""Routes each request to its endpoint, and answers all but chat.py, generate.py and create_embed.py."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from chatcli.demo.chat import chat
from chatcli.demo.create_embed import create, embed
from chatcli.demo.describe import listed, loaded, shown
from chatcli.demo.generate import generate
from chatcli.demo.protocol import HttpRefusal, HttpRequest, HttpResponse, lines, nothing, text, whole
from chatcli.demo.runner import Engine


def answer(engine: Engine, request: HttpRequest) -> HttpResponse:
    """Returns the response of `engine` to `request`, refusals included."""
    methods = _ENDPOINTS.get(request.path.partition("?")[0])
    if methods is None:
        return text("404 page not found", 404)
    endpoint = methods.get(request.method)
    if endpoint is None:
        return text("405 method not allowed", 405)
    try:
        return endpoint(engine, request)
    except HttpRefusal as refusal:
        return refusal.response()


def _root(_engine: Engine, _request: HttpRequest) -> HttpResponse:
    return text("Ollama is running")


def _version(_engine: Engine, _request: HttpRequest) -> HttpResponse:
    return whole({"version": "0.0.0"})


def _tags(engine: Engine, _request: HttpRequest) -> HttpResponse:
    return whole({"models": [listed(model) for model in engine.shelf]})


def _ps(engine: Engine, _request: HttpRequest) -> HttpResponse:
    return whole({"models": [loaded(runner) for runner in engine.runners]})


def _show(engine: Engine, request: HttpRequest) -> HttpResponse:
    body = request.fields()
    return whole(shown(engine.shelf.find(_name(body)), bool(body.get("verbose"))))


def _copy(engine: Engine, request: HttpRequest) -> HttpResponse:
    body = request.fields()
    engine.shelf.copy(str(body.get("source") or ""), str(body.get("destination") or ""))
    return nothing()


def _delete(engine: Engine, request: HttpRequest) -> HttpResponse:
    engine.shelf.delete(_name(request.fields()))
    return nothing()


def _pull(_engine: Engine, request: HttpRequest) -> HttpResponse:
    """Fails as Ollama does without a network: this engine cannot download anything."""
    body = request.fields()
    name, _, tag = _name(body).partition(":")
    address = f"https://registry.example/v2/library/{name}/manifests/{tag or 'latest'}"
    error = f'pull model manifest: Get "{address}": dial tcp: lookup registry.example : no such host'
    if body.get("stream") is False:
        raise HttpRefusal(500, error)

    def progress() -> Generator[dict[str, Any]]:
        yield {"status": "pulling manifest"}
        yield {"error": error}

    return lines(progress())


def _name(body: dict[str, Any]) -> str:
    return str(body.get("model") or body.get("name") or "")


_Endpoint = Callable[[Engine, HttpRequest], HttpResponse]
_ENDPOINTS: dict[str, dict[str, _Endpoint]] = {
    "/": {"GET": _root, "HEAD": _root},
    "/api/version": {"GET": _version, "HEAD": _version},
    "/api/tags": {"GET": _tags, "HEAD": _tags},
    "/api/ps": {"GET": _ps},
    "/api/show": {"POST": _show},
    "/api/chat": {"POST": chat},
    "/api/generate": {"POST": generate},
    "/api/embed": {"POST": embed},
    "/api/create": {"POST": create},
    "/api/copy": {"POST": _copy},
    "/api/delete": {"DELETE": _delete},
    "/api/pull": {"POST": _pull},
}
