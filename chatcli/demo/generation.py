"""Generates the reply token by token: what ends it, the chunks it is sent in, and the counts in the last chunk."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable
from typing import Any, Literal

from chatcli.dataclass import dataclass
from chatcli.demo.models import DemoModel
from chatcli.demo.options import Options
from chatcli.demo.protocol import timestamp
from chatcli.demo.replies import DemoReply
from chatcli.demo.request import Definition, DemoCall, DemoMessage
from chatcli.demo.runner import Engine, Runner
from chatcli.demo.truncation import Prompt

Chunks = Generator[dict[str, Any]]
_Spoken = tuple[Literal["content", "thinking", "tag"], int]


@dataclass(frozen=True, slots=True)
class Generation:
    """One request to answer. `load` is its load_duration in nanoseconds."""

    name: str
    messages: tuple[DemoMessage, ...]
    prompt: Prompt
    options: Options
    thinks: bool
    shift: bool
    schema: dict[str, Any] | None
    load: int
    tools: tuple[Definition, ...] = ()


def talk(turn: Generation, engine: Engine, runner: Runner, pause: Callable[[float], None]) -> Chunks:
    """Returns a chunk for each token that completes a character, one for each tool call, then the last. The runner
    caches the tokens.
    """
    model, vocabulary = runner.model, runner.model.vocabulary
    with runner.turn(pause):
        reading = engine.reading_time(runner.evaluate(turn.prompt.tokens))
        if engine.reads:
            pause(reading / 1e9)
        reply = engine.speak(turn.messages, turn.schema, turn.tools)
        spoken = list(_spoken(reply, turn, model))
        limit = _limit(turn)
        reason = "stop" if limit is None or len(spoken) <= limit else "length"
        began, said = time.monotonic_ns(), 0
        texts = vocabulary.read(token for _, token in spoken)
        try:
            for (kind, _), text in zip(spoken[:limit], texts, strict=False):
                if text and kind != "tag":
                    yield chunk(turn.name, text, kind)
                said += 1
                pause(engine.pace)
        finally:
            runner.read = (*turn.prompt.tokens, *(token for _, token in spoken[:said]))
        calls = reply.calls if reason == "stop" else ()
        if not reply.late:
            yield from (_calling(chunk(turn.name, ""), (call,)) for call in calls)
        ending = last(turn.name, reason) | _account(turn, reading, said, time.monotonic_ns() - began)
        yield _calling(ending, calls) if reply.late and calls else ending


def together(chunks: Chunks) -> dict[str, Any]:
    """Joins all chunks into the single one that is sent without streaming."""
    texts = {"content": "", "thinking": ""}
    calls: list[dict[str, Any]] = []
    one: dict[str, Any] = {}
    for one in chunks:
        for kind in texts:
            texts[kind] += one["message"].get(kind, "")
        calls += one["message"].get("tool_calls", ())
    thinking = {"thinking": texts["thinking"]} if texts["thinking"] else {}
    called = {"tool_calls": calls} if calls else {}
    return one | {"message": {"role": "assistant", "content": texts["content"], **thinking, **called}}


def chunk(name: str, text: str, kind: str = "content") -> dict[str, Any]:
    message = {"role": "assistant", "content": "", kind: text}
    return {"model": name, "created_at": timestamp(), "message": message, "done": False}


def last(name: str, reason: str) -> dict[str, Any]:
    return chunk(name, "") | {"done": True, "done_reason": reason}


def _calling(chunk: dict[str, Any], calls: Iterable[DemoCall]) -> dict[str, Any]:
    return chunk | {"message": chunk["message"] | {"tool_calls": [call.field() for call in calls]}}


def _spoken(reply: DemoReply, turn: Generation, model: DemoModel) -> Iterable[_Spoken]:
    """Returns the tokens of the reply. Thinking is between tags that are generated and counted, but not sent; so
    is what the model writes for its calls. A stop text ends the reply wherever it comes, in the thinking, too.
    """
    vocabulary = model.vocabulary
    if turn.thinks and reply.thinking:
        thoughts = _before_stop(reply.thinking, turn.options.stop)
        yield from (("tag", token) for token in vocabulary.prompt("<think>\n"))
        yield from (("thinking", token) for token in vocabulary.tokens(thoughts))
        if thoughts != reply.thinking:
            return
        yield from (("tag", token) for token in vocabulary.prompt("\n</think>\n\n"))
    content = _before_stop(reply.content, turn.options.stop)
    yield from (("content", token) for token in vocabulary.tokens(content))
    written = model.template.calls(reply.calls) if reply.written is None else reply.written
    yield from (("tag", token) for token in vocabulary.prompt(written if reply.calls else ""))


def _before_stop(text: str, stops: Iterable[str]) -> str:
    for stop in stops:
        text = text.partition(stop)[0]
    return text


def _limit(turn: Generation) -> int | None:
    """Returns how many tokens can be sent; None when nothing ends the reply early.

    The token that num_predict counts last is not sent, and neither is the one that no longer fits into the window.
    """
    limits = []
    if turn.options.num_predict is not None:
        limits.append(turn.options.num_predict - 1)
    if not turn.shift:
        limits.append(turn.options.num_ctx - len(turn.prompt.tokens))
    return min(limits, default=None)


def _account(turn: Generation, reading: int, said: int, elapsed: int) -> dict[str, int]:
    """Returns the counts as Ollama v0.24 does: the prompt with its cached part, the reply with its end token."""
    return {
        "total_duration": turn.load + reading + elapsed,
        "load_duration": turn.load,
        "prompt_eval_count": len(turn.prompt.tokens),
        "prompt_eval_duration": reading,
        "eval_count": said + 1,
        "eval_duration": elapsed,
    }
