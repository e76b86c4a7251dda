"""Tools: is what was planned what the server measured, on every round; and what does a round cost the client?

    python -m tests.bench.tools [--turns 30] [--tools 0 1 8 40] [--window 16384]
    python -m tests.bench.tools --host http://127.0.0.1:11434 --models NAME ...

Without a host the demo engine answers, in a process of its own, with a model for each way to write tools. With
one, its models are asked, and the calls are put into the conversation: no script makes a real model ask for them.

Prints one JSON line. For each model and number of tools: `rounds` with a measured prompt, `equal` ones, how many
were planned as `exact`, the `worst` difference in tokens. `round_ms`: CPU time of the client's process from the
end of a reply that asks for tools to the first word of the next reply.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from chatcli.conversation.events import Done, Text, Thinking, ToolCall, ToolResult
from chatcli.conversation.message import Message, Role, ToolUse
from chatcli.conversation.tree import Ended, Node
from chatcli.errors import CallsWithoutEnd, NoText
from chatcli.session.build import build
from chatcli.session.session import Session
from chatcli.session.wishes import Wishes
from chatcli.tools.tool import Reach, Tool, Workplace
from chatcli.turn import ask, stream

SERVE = "serve"
TEXTS = (
    "12:30",
    "",
    "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich. 你好",
    '{"rows": [[1, 2.5, null], ["a", "b\\n"]], "ok": true}',
    "\n".join(f"line {number}: {'=' * (number % 40)}" for number in range(60)),
    "\n".join(f"{number},{number * 37 % 1000},{number * 7919 % 100003}" for number in range(4000)),
)


def tools(number: int) -> list[Tool]:
    """So many tools with schemas of different forms; each returns one of TEXTS."""

    def run(arguments: Mapping[str, Any], _workplace: Workplace) -> str:
        return TEXTS[int(arguments.get("which", 0)) % len(TEXTS)]

    made = []
    for at in range(number):
        properties: dict[str, Any] = {"which": {"type": "integer", "description": f"Which of {at + 2} texts"}}
        if at % 2:
            properties["unit"] = {"type": "string", "enum": ["12h", "24h"], "default": "24h"}
        if at % 3 == 0:
            properties["names"] = {"type": "array", "items": {"type": "string"}, "maxItems": 9}
        if at % 5 == 0:
            inner = {"deep": {"type": "object", "properties": {"x": {"type": "number"}}, "required": ["x"]}}
            properties["options"] = {"type": "object", "properties": inner}
        schema = {"type": "object", "properties": properties, "required": ["which"]}
        made.append(Tool(f"text_{at:02}", f"Gives text {at}, as it is.\n\nNothing else.", schema, Reach.PURE, run))
    return made


def calls_of(turn: int, number: int) -> list[ToolUse]:
    """The calls of one turn: none, one, or three at once; with arguments of many kinds."""
    if not number or turn % 4 == 3:
        return []
    given: dict[str, Any] = {"which": turn}
    if turn % 5 == 0:
        given |= {"names": ["ä", 'quote " and \\', "line\nbreak"]}
    uses = [ToolUse(f"text_{turn % number:02}", given)]
    if turn % 3 == 1:
        uses += [ToolUse(f"text_{(turn + n) % number:02}", {"which": turn + n}) for n in (1, 2)]
    return uses


@dataclass(slots=True)
class Figures:
    rounds: int = 0
    equal: int = 0
    exact: int = 0
    worst: int = 0
    missed: list[tuple[int, int, int]] = field(default_factory=list)
    costs: list[float] = field(default_factory=list)

    def add(self, turn: int, session: Session, done: Done) -> None:
        measured, plan = done.usage.prompt_tokens, session.plan
        assert plan is not None
        if measured is None:
            return
        apart = plan.planned.tokens - measured
        self.rounds += 1
        self.equal += not apart
        self.exact += plan.planned.exact
        self.worst = max(self.worst, apart, -apart)
        if apart:
            self.missed.append((turn, plan.planned.tokens, measured))

    def told(self) -> dict[str, Any]:
        costs = sorted(1000 * each for each in self.costs)
        round_ms = (
            {"median": round(median(costs), 1), "p95": round(costs[int(len(costs) * 0.95)], 1)} if costs else {}
        )
        found = {"rounds": self.rounds, "equal": self.equal, "exact": self.exact, "worst": self.worst}
        return {**found, "missed": self.missed[:5], "round_ms": round_ms}


def measure(host: str, model: str, number: int, wishes: argparse.Namespace) -> dict[str, Any]:
    given = {"host": host, "model": model, "num_ctx": wishes.window, "num_predict": 200 if not wishes.host else 8}
    session = build(Wishes(given | ({"system": "Be brief."} if number % 2 else {})))
    figures = Figures()
    try:
        session.tools.add(tools(number))
        for turn in range(wishes.turns):
            question = f"Question {turn}: what does it say?"
            uses = calls_of(turn, number)
            if not wishes.host:
                scripted = "\n".join(f"call {use.name} {json.dumps(dict(use.arguments))}" for use in uses)
                _listen(session, ask(session, f"{question}\n{scripted}"), turn, figures)
            else:
                node = ask(session, question)
                _listen(session, _with_results(session, uses) if uses else node, turn, figures)
    finally:
        session.close()
    return figures.told()


def _with_results(session: Session, uses: Sequence[ToolUse]) -> Node:
    """The last of the results, after a reply that asked for them."""
    store, conversation = session.store, session.conversation
    store.append(conversation, Message(Role.ASSISTANT, "", tool_uses=tuple(uses)))
    for node in store.add_calls(conversation, [Message.tool(use, "") for use in uses]):
        text = TEXTS[node.message.tool_uses[0].arguments["which"] % len(TEXTS)]
        last = store.change_call(conversation, node, text, Ended.COMPLETE)
    return last


def _listen(session: Session, question: Node, turn: int, figures: Figures) -> None:
    """Read the replies to their end; note what each round between two of them costs."""
    ended, answered = 0.0, False
    with suppress(NoText, CallsWithoutEnd):  # a small model may say nothing; its prompt was measured
        for event in stream(session, question):
            match event:
                case Done():
                    figures.add(turn, session, event)
                    ended, answered = time.process_time(), False
                case ToolResult():
                    answered = True
                case Text() | Thinking() | ToolCall() if answered:
                    figures.costs.append(time.process_time() - ended)
                    answered = False


@contextmanager
def engine() -> Iterator[str]:
    """The address of a demo engine with the styles, in a process of its own."""
    command = [sys.executable, "-m", "tests.bench.tools", f"--{SERVE}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()


def serve() -> None:
    from tests.faults import Engine
    from tests.tool_styles import STYLES

    with Engine() as running:
        for style in STYLES:
            running.inside.shelf.put(style)
        print(running.url, flush=True)
        sys.stdin.read()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--turns", type=int, default=30)
    parser.add_argument("--tools", type=int, nargs="+", default=[0, 1, 8, 40])
    parser.add_argument("--window", type=int, default=16384)
    parser.add_argument("--host", default="")
    parser.add_argument("--models", nargs="*", default=[])
    parser.add_argument(f"--{SERVE}", action="store_true", help=argparse.SUPPRESS)
    wishes = parser.parse_args()
    if wishes.serve:
        serve()
        return
    with tempfile.TemporaryDirectory() as home:
        os.environ["CHATCLI_HOME"] = home
        if wishes.host:
            print(json.dumps(_all(wishes.host, wishes)))
        else:
            with engine() as host:
                print(json.dumps(_all(host, wishes)))


def _all(host: str, wishes: argparse.Namespace) -> dict[str, Any]:
    from tests.tool_styles import STYLES

    models = wishes.models or ["demo-tools", *(style.name.removesuffix(":latest") for style in STYLES)]
    return {
        model: {str(number): measure(host, model, number, wishes) for number in wishes.tools} for model in models
    }


if __name__ == "__main__":
    main()
