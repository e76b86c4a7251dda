"""How well are prompts counted before they are sent? python -m tests.bench.tokens [--host URL] [--models M ...]

Chats in many scripts with a real server, or with the demo engine when no host is given; prints one JSON line.
`turns` that were measured, of all models; `missed`: planned as exact and measured otherwise; `estimated`: planned
as an estimate. For each model `differ` counts those whose planned tokens are not the measured ones, and `worst` is
the largest difference.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from chatcli.client.ollama import Client
from chatcli.client.request import Request
from chatcli.client.server import start_demo
from chatcli.conversation.events import Done, Text, Thinking
from chatcli.conversation.message import Message
from chatcli.conversation.plan import Fate, Part, PartKind, Plan
from chatcli.conversation.usage import Usage
from chatcli.tokens.counter import Counter
from chatcli.tokens.model_source import ModelSource

TEXTS = (
    "What is a context window, and why does a long conversation outgrow it?",
    "def area(radius: float) -> float:\n    return 3.14159 * radius**2  # π\n\n\nprint(f'{area(2.5):.3f}')\n",
    "Wie groß ist das Kontextfenster, und weshalb läuft es über? Schöne Grüße aus Köln.",
    "Привет! Сколько токенов занимает эта строка, и почему их больше, чем слов?",
    "नमस्ते, यह वाक्य कितने टोकन लेता है? कृपया संक्षेप में समझाइए।",
    "今天天气很好，我们一起去公园散步吧。模型的上下文窗口有多大？",
    "👩‍👩‍👧‍👦 🎉 emoji, ZWJ and flags 🇩🇪🇯🇵 — how many tokens? ½ × ² = ①",
    "",
    "| a | b |\n|---|---|\n| 1 | 12345678 |\n\n\n\t- tabs\r\n  and    blanks   \n",
    "It's <b>markup</b>, <|im_end|> typed by hand, {{ braces }} and `code`. I'LL WE'VE don't ",
    "long: " + "The quick brown fox jumps over the lazy dog; 1234567 times. " * 40,
)


def main() -> None:
    given = arguments().parse_args()
    server = None if given.host else start_demo()
    client = Client(given.host or (server.url if server else ""))
    try:
        print(json.dumps(measure_all(client, given), ensure_ascii=False))
    finally:
        client.close()
        if server:
            server.close()


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="")
    parser.add_argument("--models", nargs="+", default=["demo"])
    parser.add_argument("--turns", type=int, default=30)
    parser.add_argument("--num-ctx", type=int, default=16384)
    parser.add_argument("--think", choices=["on", "off"])
    parser.add_argument("--no-render", action="store_true", help="as with a server that does not render")
    return parser


def measure_all(client: Client, given: argparse.Namespace) -> dict[str, Any]:
    found = {}
    for model in given.models:
        with tempfile.TemporaryDirectory() as cache:
            found[model] = measure(client, given, model, Path(cache))
    sums = {name: sum(each[name] for each in found.values()) for name in ("turns", "missed", "estimated")}
    return {**sums, **found}


def measure(client: Client, given: argparse.Namespace, name: str, cache: Path) -> dict[str, Any]:
    model = client.model(name)
    options = {"num_ctx": given.num_ctx, "num_predict": 40, "temperature": 0.8, "seed": 1}
    think = {"on": True, "off": False, None: None}[given.think]

    def request(messages: Sequence[Message]) -> Request:
        return Request(name, tuple(messages), options, think=think)

    source = ModelSource(
        lambda: client.vocabulary(name),
        lambda messages, _: None if given.no_render else client.render(request(messages)),
        given.think or "",
    )
    preset = [*([Message.system(model.system)] if model.system else []), *model.messages]
    counter = Counter(cache)
    counter.use(model.name, model.digest, preset, source)
    built = _timed(counter.prepare)
    again = Counter(cache)
    again.use(model.name, model.digest, preset, source)
    cpu = time.process_time()
    loaded = _timed(again.prepare)
    loaded_cpu = round(time.process_time() - cpu, 3)
    counter.warm_up()
    turns = list(_converse(client, counter, request, given))
    text = TEXTS[1] * 2000
    counted = _timed(lambda: counter.text(text))
    return {
        "counted_by": counter.describe(),
        "notice": counter.notice(),
        "turns": len(turns),
        "differ": sum(planned != measured for planned, _, measured in turns),
        "differ_from_second": sum(planned != measured for planned, _, measured in turns[1:]),
        "exact": sum(exact for _, exact, _ in turns),
        "missed": sum(exact and planned != measured for planned, exact, measured in turns),
        "estimated": sum(not exact for _, exact, _ in turns),
        "worst": max(abs(planned - measured) for planned, _, measured in turns),
        "planned_measured": [(planned, measured) for planned, _, measured in turns],
        "build_seconds": built,
        "load_seconds": loaded,
        "load_cpu_seconds": loaded_cpu,
        "megabytes_per_second": round(len(text.encode()) / 1e6 / counted, 2),
        "cache_bytes": sum(path.stat().st_size for path in cache.iterdir()),
    }


def _converse(
    client: Client, counter: Counter, request: Any, given: argparse.Namespace
) -> Iterator[tuple[int, bool, int]]:
    path = [Message.system("You are a patient guide. Ответь кратко.")]
    for turn in range(given.turns):
        path.append(Message.user(TEXTS[turn % len(TEXTS)] + (f" ({turn})" if turn >= len(TEXTS) else "")))
        planned = counter.prompt(path)
        plan = Plan(tuple(path), (Part(PartKind.VERBATIM, Fate.SENT, planned),), given.num_ctx, 0)
        text, thinking, usage = "", "", Usage()
        for event in client.chat(request(path)):
            match event:
                case Text(part):
                    text += part
                case Thinking(part):
                    thinking += part
                case Done():
                    usage = event.usage
        reply = Message.assistant(text, thinking)
        counter.learn(plan, usage, reply)
        yield planned.tokens, planned.exact, usage.prompt_tokens or 0
        path.append(reply)


def _timed(work: Any) -> float:
    start = time.perf_counter()
    work()
    return round(time.perf_counter() - start, 3)


if __name__ == "__main__":
    main()
