"""/api/create and /api/embed: makes a model from another one, and vectors from words."""

from __future__ import annotations

import hashlib
import math
import re
import zlib
from collections.abc import Generator, Iterator
from dataclasses import replace
from typing import Any

from chatcli.demo.models import DemoModel, full_name
from chatcli.demo.protocol import HttpRefusal, HttpRequest, HttpResponse, lines, timestamp, whole
from chatcli.demo.request import read_messages
from chatcli.demo.runner import Engine

_DIMENSIONS = 64


def create(engine: Engine, request: HttpRequest) -> HttpResponse:
    """Works as `ollama run` saves a chat: from a model, with its own system prompt, parameters and messages."""
    body = request.fields()
    name = str(body.get("model") or body.get("name") or "")
    if not name:
        raise HttpRefusal(400, "invalid model name")
    if not body.get("from"):
        raise HttpRefusal(400, "neither 'from' or 'files' was specified")
    if body.get("template"):
        raise HttpRefusal(400, "the demo engine keeps to its own templates")
    origin = engine.shelf.find(str(body["from"]))
    made = replace(
        origin,
        name=full_name(name),
        modified=timestamp(),
        system=str(body.get("system") or origin.system),
        messages=read_messages(body.get("messages")) or origin.messages,
        parameters={**origin.parameters, **(body.get("parameters") or {})},
        parent=origin.name,
    )
    return lines(_progress(engine, origin, made))


def _progress(engine: Engine, origin: DemoModel, made: DemoModel) -> Generator[dict[str, Any]]:
    for digest in (origin.vocabulary.digest, _digest(origin.template.source)):
        yield {"status": f"using existing layer sha256:{digest}"}
    own: tuple[object, ...] = (made.system, made.messages, made.parameters)
    for part in own:
        if part:
            yield {"status": f"creating new layer sha256:{_digest(repr(part))}"}
    yield {"status": "writing manifest"}
    engine.shelf.put(made)
    yield {"status": "success"}


def embed(engine: Engine, request: HttpRequest) -> HttpResponse:
    """Texts that share words get similar vectors; the vectors carry no more meaning than that."""
    body = request.fields()
    name = str(body.get("model") or "")
    model = engine.shelf.find(name)
    given = body.get("input", [])
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise HttpRefusal(400, "invalid input type")
    _, load = engine.runners.load(model, engine.window, 300.0)
    tokens = sum(sum(1 for _ in model.vocabulary.tokens(text)) for text in texts)
    return whole(
        {
            "model": name,
            "embeddings": [_vector(text) for text in texts],
            "total_duration": load + engine.reading_time(tokens),
            "load_duration": load,
            "prompt_eval_count": tokens,
        }
    )


def _vector(text: str) -> list[float]:
    """Every word, and every three letters of it, moves one dimension up or down; the length is 1."""
    vector = [0.0] * _DIMENSIONS
    for feature in _features(text):
        mark = zlib.crc32(feature.encode())
        vector[mark % _DIMENSIONS] += 1.0 if mark & 0x10000 else -1.0
    length = math.sqrt(sum(value * value for value in vector)) or 1.0
    return [round(value / length, 8) for value in vector]


def _features(text: str) -> Iterator[str]:
    for word in re.findall(r"\w+", text.lower()):
        yield word
        marked = f"<{word}>"
        yield from (marked[at : at + 3] for at in range(len(marked) - 2))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
