"""/api/chat: reads and checks the request, makes its prompt fit or refuses it, and begins the reply."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from chatcli.demo.generation import Generation, chunk, last, talk, together
from chatcli.demo.models import DemoModel
from chatcli.demo.options import Options, seconds, settle
from chatcli.demo.protocol import HttpRefusal, HttpRequest, HttpResponse, lines, whole
from chatcli.demo.replies import read_format
from chatcli.demo.request import Definition, DemoMessage, read_messages, read_tools
from chatcli.demo.runner import Engine
from chatcli.demo.truncation import Prompt, cut, fit, prompt_of, refuse_if_too_long

_LEVELS = ("low", "medium", "high", "max")


def chat(engine: Engine, request: HttpRequest) -> HttpResponse:
    """Without messages, the model is loaded, or unloaded with keep_alive 0."""
    body = request.fields()
    name = str(body.get("model") or "")
    model = engine.shelf.find(name)
    messages = read_messages(body.get("messages"))
    keep = seconds(body.get("keep_alive"))
    if not messages and not keep:
        engine.runners.unload(model)
        return whole(last(name, "unload"))
    if "completion" not in model.capabilities:
        raise HttpRefusal(400, f'"{name}" does not support chat')
    if "vision" not in model.capabilities:
        messages = tuple(replace(message, images=()) for message in messages)  # silently, as Ollama does
    think = may_think(name, model, body.get("think"))
    tools = read_tools(body.get("tools"))
    if tools and "tools" not in model.capabilities:
        raise HttpRefusal(400, f"registry.example/library/{model.name} does not support tools")
    schema = read_format(body.get("format"))
    options = settle(body.get("options"), model, engine.window)
    wait = partial(request.pause, engine.loading)
    runner, load = engine.runners.load(model, options.num_ctx, keep, wait)
    if not messages:
        return whole(last(name, "load"))
    prompt = _prompt(model, messages, think, tools, options, body)
    if body.get("_debug_render_only"):
        return whole(chunk(name, "") | {"_debug_info": {"rendered_template": prompt.text}})
    shift = body.get("shift") is not False
    turn = Generation(name, messages, prompt, options, bool(think), shift, schema, load, tools)
    chunks = talk(turn, engine, runner, request.pause)
    return lines(chunks) if body.get("stream") is not False else whole(together(chunks))


def may_think(name: str, model: DemoModel, wish: object) -> bool | None:
    """Whether to think; None if the model cannot. A model that can does so unless it is told not to."""
    if isinstance(wish, str) and wish not in _LEVELS:
        raise HttpRefusal(
            400, f'invalid think value: "{wish}" (must be "high", "medium", "low", "max", true, or false)'
        )
    if "thinking" in model.capabilities:
        return wish is None or bool(wish)
    if wish:
        raise HttpRefusal(400, f'"{name}" does not support thinking')
    return None


def _prompt(
    model: DemoModel,
    messages: tuple[DemoMessage, ...],
    think: bool | None,
    tools: tuple[Definition, ...],
    options: Options,
    body: dict[str, Any],
) -> Prompt:
    """Returns the prompt to evaluate: all of it, or what is left after dropping and cutting to fit."""
    every = (*model.messages, *messages)
    if model.system and messages[0].role != "system":
        every = (DemoMessage("system", model.system), *every)
    if body.get("truncate") is False:
        prompt = prompt_of(model, every, think, tools)
        if not body.get("_debug_render_only"):  # nothing is evaluated
            refuse_if_too_long(prompt, options.num_ctx)
        return prompt
    prompt = fit(model, every, think, tools, options.num_ctx)
    return Prompt(prompt.text, cut(prompt.tokens, options.num_ctx, options.num_keep))
