"""/api/chat, from the body to the last chunk."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from chatcli.demo.messages import Message, read_messages
from chatcli.demo.models import Model, Shelf
from chatcli.demo.options import Options, seconds, settle
from chatcli.demo.protocol import Refusal, Request, Response, lines, timestamp, whole
from chatcli.demo.replies import Reply
from chatcli.demo.runner import PER_TOKEN, Runner, Runners
from chatcli.demo.window import Prompt, cut, fit, prompt_of, refuse_if_too_long

Speaker = Callable[[Sequence[Message]], Reply]
_LEVELS = ("low", "medium", "high", "max")


@dataclass(frozen=True, slots=True)
class Engine:
    """What answers: the models, those in memory, what they say, seconds between pieces, and the default window."""

    shelf: Shelf
    runners: Runners
    speak: Speaker
    pace: float
    window: int


@dataclass(frozen=True, slots=True)
class _Asked:
    """One chat request, read and found to be possible."""

    name: str
    model: Model
    messages: tuple[Message, ...]
    options: Options
    think: bool | None
    keep: float
    body: dict[str, Any]
    began: int


def chat(engine: Engine, request: Request) -> Response:
    asked = _read(engine, request.fields())
    if not asked.messages and not asked.keep:
        engine.runners.unload(asked.model)
        return whole(_last(asked, "unload"))
    runner, load = engine.runners.load(asked.model, asked.options.num_ctx, asked.keep)
    if not asked.messages:
        return whole(_last(asked, "load"))
    prompt = _prompt(asked)
    if asked.body.get("_debug_render_only"):
        return whole(_chunk(asked, {"content": ""}) | {"_debug_info": {"rendered_template": prompt.text}})
    chunks = _answer(engine, request, asked, runner, prompt, load)
    return lines(chunks) if asked.body.get("stream", True) else whole(_joined(chunks))


def _read(engine: Engine, body: dict[str, Any]) -> _Asked:
    began = time.monotonic_ns()
    name = str(body.get("model") or "")
    model = engine.shelf.find(name)
    messages = read_messages(body.get("messages"))
    think = _think(name, model, body.get("think"))
    if body.get("tools") and "tools" not in model.capabilities:
        raise Refusal(400, f"registry.example/library/{model.name} does not support tools")
    options = settle(body.get("options"), model, engine.window)
    return _Asked(name, model, messages, options, think, seconds(body.get("keep_alive")), body, began)


def _think(name: str, model: Model, wish: object) -> bool | None:
    """Whether to think; left out means yes on a model that can."""
    if isinstance(wish, str) and wish not in _LEVELS:
        raise Refusal(
            400, f'invalid think value: "{wish}" (must be "high", "medium", "low", "max", true, or false)'
        )
    if "thinking" in model.capabilities:
        return wish is None or bool(wish)
    if wish:
        raise Refusal(400, f'"{name}" does not support thinking')
    return None


def _prompt(asked: _Asked) -> Prompt:
    """The prompt as it is going to be read: whole, dropped and cut to fit, or refused."""
    messages = (*asked.model.messages, *asked.messages)
    if asked.model.system and asked.messages[0].role != "system":
        messages = (Message("system", asked.model.system), *messages)
    window = asked.options.num_ctx
    if asked.body.get("truncate") is False:
        prompt = prompt_of(asked.model, messages, asked.think)
        if not asked.body.get("_debug_render_only"):
            refuse_if_too_long(prompt, window)
        return prompt
    prompt = fit(asked.model, messages, asked.think, window)
    return Prompt(prompt.text, cut(prompt.tokens, window, asked.options.num_keep))


def _answer(
    engine: Engine, request: Request, asked: _Asked, runner: Runner, prompt: Prompt, load: int
) -> Generator[dict[str, Any]]:
    """A chunk a piece, then the account."""
    with runner.turn(request.pause):
        evaluated = runner.evaluate(prompt.tokens)
        began = time.monotonic_ns()
        reply = engine.speak(asked.messages)
        said = 0
        for piece in asked.model.vocabulary.pieces(reply.content):
            yield _chunk(asked, {"content": piece})
            said += 1
            request.pause(engine.pace)
        prompt_time = evaluated * PER_TOKEN
        reply_time = time.monotonic_ns() - began
        yield _last(asked, "stop") | {
            "total_duration": load + prompt_time + reply_time,
            "load_duration": load,
            "prompt_eval_count": len(prompt.tokens),
            "prompt_eval_duration": prompt_time,
            "eval_count": said + 1,
            "eval_duration": reply_time,
        }


def _chunk(asked: _Asked, message: dict[str, Any]) -> dict[str, Any]:
    return {
        "model": asked.name,
        "created_at": timestamp(),
        "message": {"role": "assistant", **message},
        "done": False,
    }


def _last(asked: _Asked, reason: str) -> dict[str, Any]:
    return _chunk(asked, {"content": ""}) | {"done": True, "done_reason": reason}


def _joined(chunks: Iterator[dict[str, Any]]) -> dict[str, Any]:
    """All chunks as the one that "stream": false gives."""
    content = thinking = ""
    for chunk in chunks:
        content += chunk["message"]["content"]
        thinking += chunk["message"].get("thinking", "")
    chunk["message"] = {"role": "assistant", "content": content} | ({"thinking": thinking} if thinking else {})
    return chunk
