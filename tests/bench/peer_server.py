"""The server for other programs that are measured: the demo engine, with chats in OpenAI's form for some of them.

    python -m tests.bench.peer_server [--pace SECONDS]

Prints its address, and answers until its standard input closes. A question that has COUNT in it gets numbered
words, one with LONG some thousand tokens of Markdown; any other gets one word. The long replies end with END.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from chatcli.demo.api import answer
from chatcli.demo.protocol import HttpRequest, HttpResponse, whole
from chatcli.demo.replies import DemoReply
from chatcli.demo.request import DemoMessage
from chatcli.demo.runner import Engine
from chatcli.demo.server import DemoServer
from tests.bench.corpus import reply

COUNT, LONG, END = "tally", "essay", "Xylophone"
WORDS = [f"w{number:04}" for number in range(2000)]
CHATS = "/v1/chat/completions"


def said(messages: Sequence[DemoMessage]) -> str:
    """The reply to the last of these messages. Summaries and titles that a program asks for are short."""
    question = messages[-1].content[-200:]
    if COUNT in question:
        return " ".join([*WORDS, END])
    return "".join(reply("prose", 2000)) + f"\n\n{END}" if LONG in question else "Hello."


def answered(engine: Engine, request: HttpRequest) -> HttpResponse:
    path = request.path.partition("?")[0]
    if path == "/v1/models":
        return whole({"object": "list", "data": [{"id": each.name, "object": "model"} for each in engine.shelf]})
    if path != CHATS:
        return answer(engine, request)
    asked = request.fields()
    messages = [{**each, "content": _text(each.get("content"))} for each in asked["messages"]]
    body = {"model": asked["model"], "messages": messages, "stream": bool(asked.get("stream"))}
    response = answer(engine, replace(request, path="/api/chat", body=json.dumps(body).encode()))
    if response.status != 200:
        return response
    if body["stream"]:
        return replace(response, content_type="text/event-stream", chunks=_events(response.chunks))
    made = json.loads(b"".join(response.chunks))
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", **_words(made)}}
    return whole(_named(made, "chat.completion") | {"choices": [choice], "usage": _usage(made)})


def _text(content: Any) -> str:
    """A message's text, where it comes in parts, too."""
    if isinstance(content, list):
        return "".join(part.get("text", "") for part in content)
    return content or ""


def _events(chunks: Any) -> Iterator[bytes]:
    for line in chunks:
        made = json.loads(line)
        done = "stop" if made["done"] else None
        choice = {"index": 0, "delta": {"role": "assistant", **_words(made)}, "finish_reason": done}
        event = _named(made, "chat.completion.chunk") | {"choices": [choice]}
        if done:
            event["usage"] = _usage(made)
        yield b"data: " + json.dumps(event).encode() + b"\n\n"
    yield b"data: [DONE]\n\n"


def _words(made: dict[str, Any]) -> dict[str, str]:
    return {"content": made["message"]["content"]}


def _named(made: dict[str, Any], form: str) -> dict[str, Any]:
    return {"id": "chatcmpl-1", "object": form, "created": 1, "model": made["model"]}


def _usage(made: dict[str, Any]) -> dict[str, int]:
    read, wrote = made.get("prompt_eval_count", 0), made.get("eval_count", 0)
    return {"prompt_tokens": read, "completion_tokens": wrote, "total_tokens": read + wrote}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pace", type=float, default=0.0)
    wishes = parser.parse_args()
    engine = Engine(wishes.pace, speak=lambda messages, _schema, _tools: DemoReply(said(messages)))
    with DemoServer(lambda request: answered(engine, request)) as server:
        print(server.url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
