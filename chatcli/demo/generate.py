"""/api/generate: a prompt in the model's template after the tokens of an earlier context, or raw text."""

from __future__ import annotations

from functools import partial
from typing import Any

from chatcli.demo.chat import may_think
from chatcli.demo.generation import Chunks, Generation, last, talk, together
from chatcli.demo.models import DemoModel
from chatcli.demo.options import Options, seconds, settle
from chatcli.demo.protocol import HttpRefusal, HttpRequest, HttpResponse, lines, whole
from chatcli.demo.replies import read_format
from chatcli.demo.request import DemoMessage, read_images
from chatcli.demo.runner import Engine, Runner
from chatcli.demo.truncation import Prompt, cut, prompt_of, refuse_if_too_long, tokens_of


def generate(engine: Engine, request: HttpRequest) -> HttpResponse:
    """Without a prompt, the model is loaded, or unloaded with keep_alive 0."""
    body = request.fields()
    name, text = str(body.get("model") or ""), str(body.get("prompt") or "")
    model = engine.shelf.find(name)
    keep = seconds(body.get("keep_alive"))
    if not text and not keep:
        engine.runners.unload(model)
        return whole(_of_generate(last(name, "unload")))
    if "completion" not in model.capabilities:
        raise HttpRefusal(400, f'"{name}" does not support generate')
    raw = bool(body.get("raw"))
    think = None if raw else may_think(name, model, body.get("think"))
    schema = read_format(body.get("format"))
    options = settle(body.get("options"), model, engine.window)
    runner, load = engine.runners.load(model, options.num_ctx, keep, partial(request.pause, engine.loading))
    if not text:
        return whole(_of_generate(last(name, "load")))
    asked = DemoMessage("user", text, images=read_images(body.get("images") or ()))
    prompt = _prompt(model, asked, think, options, body)
    shift = body.get("shift") is not False
    turn = Generation(name, (asked,), prompt, options, bool(think), shift, schema, load)
    chunks = talk(turn, engine, runner, request.pause)
    if body.get("stream") is False:
        return whole(_with_context(_of_generate(together(chunks)), runner, raw))
    return lines(_streamed(chunks, runner, raw))


def _prompt(
    model: DemoModel, asked: DemoMessage, think: bool | None, options: Options, body: dict[str, Any]
) -> Prompt:
    """As Ollama does: the system prompt comes again after a context, and the Modelfile's messages do not."""
    if body.get("raw"):
        prompt = Prompt(asked.content, tuple(tokens_of(model, asked.content, asked.images)))
    else:
        context = _context(body.get("context"))
        system = str(body.get("system") or model.system)
        front = (DemoMessage("system", system),) if system else ()
        every = (*front, *(() if context else model.messages), asked)
        written = prompt_of(model, every, think)
        prompt = Prompt(written.text, (*context, *written.tokens))
    if body.get("truncate") is False:
        refuse_if_too_long(prompt, options.num_ctx)
    return Prompt(prompt.text, cut(prompt.tokens, options.num_ctx, options.num_keep))


def _context(value: object) -> tuple[int, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(each, int) for each in value):
        raise HttpRefusal(
            400, "json: cannot unmarshal value into Go struct field GenerateRequest.context of type int"
        )
    return tuple(value)


def _streamed(chunks: Chunks, runner: Runner, raw: bool) -> Chunks:
    for each in chunks:
        yield _with_context(_of_generate(each), runner, raw)


def _of_generate(chunk: dict[str, Any]) -> dict[str, Any]:
    """A chunk of /api/chat as /api/generate has it."""
    message = chunk["message"]
    thinking = {"thinking": message["thinking"]} if message.get("thinking") else {}
    said = {"response": message.get("content", ""), **thinking}
    return {name: value for name, value in chunk.items() if name != "message"} | said


def _with_context(chunk: dict[str, Any], runner: Runner, raw: bool) -> dict[str, Any]:
    """The last chunk with the tokens of prompt and reply, which the runner has read last."""
    if not chunk["done"] or raw:
        return chunk
    return chunk | {"context": [token for token in runner.read if token >= 0]}  # a picture is no token
