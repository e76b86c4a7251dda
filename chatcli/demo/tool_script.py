"""Decides which tools the demo model calls: those that the last question names, or that fit its plain words.

A question may hold, anywhere and as often as wanted:

    call NAME {...}         these calls, all in one reply
    call late NAME {...}    in the last chunk, where a model without a renderer has them
    call again NAME {...}   the same calls again after every result, without end
    call odd KIND           nonsense; ODD lists the kinds
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from chatcli.demo.replies import DemoReply, asks_for_summary, question_of, reply
from chatcli.demo.request import Definition, DemoCall, DemoMessage, last_question

_SCRIPTED = re.compile(r"\bcall (?P<how>late |again |)(?P<name>[\w.-]+) +(?=\{)")
_ODD = re.compile(r"\bcall odd (\w+)")
_MANY = 1000

# What plain words lead to which tool; a group is the value of the tool's first parameter.
_PLAIN = (
    (r"(?i)\bwhat (?:is the )?(?:time|date|day)\b", "now"),
    (r"(?<![\w.-])(\(*\d[\d.]*(?:\s*[-+*/%^)(][-+*/%^)(\s]*\d[\d.]*)+\)*)", "calculate"),
    (r"\bread (?:the file )?`?(?=\S*[./A-Z])([\w./~-]*\w)", "read_file"),
    (r"(?i)\b(?:list|which|what) (?:\w+ )?files\b", "list_files"),
    (r"(?i)\bsearch (?:my |our |the )?(?:chats? |conversations? )?(?:for )?(.+)", "search_chats"),
)


def reply_or_call(
    messages: Sequence[DemoMessage], schema: dict[str, Any] | None, tools: Sequence[Definition]
) -> DemoReply:
    """Returns the calls that the last question leads to, or a reply in words: without any, and after results."""
    at = last_question(messages)
    if not tools or at < 0 or messages[-1].role == "assistant" or asks_for_summary(messages[at].content):
        return reply(messages, schema)
    answered = at < len(messages) - 1
    called = _called(question_of(messages[at].content), tools, answered)
    if called is None:
        return reply(messages, schema)
    return replace(called, calls=tuple(_with_id(call, len(messages)) for call in called.calls))


def _called(question: str, tools: Sequence[Definition], answered: bool) -> DemoReply | None:
    """Returns None when there is nothing to call, or when it has been called and nothing asks for it again."""
    scripted = list(_scripted(question))
    if answered:
        scripted = [(how, call) for how, call in scripted if how == "again"]
        return DemoReply("", calls=_numbered(call for _, call in scripted)) if scripted else None
    if odd := _ODD.search(question):
        make = ODD.get(odd[1])
        return make(str(tools[0]["function"]["name"])) if make else None
    if scripted:
        late = any(how == "late" for how, _ in scripted)
        return DemoReply("", calls=_numbered(call for _, call in scripted), late=late)
    plain = _numbered(_plain_calls(question, tools))
    return DemoReply("", calls=plain) if plain else None


def _scripted(question: str) -> Iterator[tuple[str, DemoCall]]:
    for found in _SCRIPTED.finditer(question):
        try:
            arguments, _ = json.JSONDecoder().raw_decode(question, found.end())
        except (ValueError, RecursionError):
            continue
        yield found["how"].strip(), DemoCall(found["name"], arguments)


def _plain_calls(question: str, tools: Sequence[Definition]) -> Iterator[DemoCall]:
    offered = {tool["function"]["name"]: tool["function"]["parameters"] for tool in tools}
    for words, name in _PLAIN:
        found = re.search(words, question) if name in offered else None
        if found is not None:
            parameter = next(iter(offered[name].get("required") or offered[name]["properties"] or ()), "")
            value = found[1].strip(" .?!`") if found.re.groups else ""
            yield DemoCall(name, {parameter: value} if parameter and value else {})


def _numbered(calls: Iterator[DemoCall]) -> tuple[DemoCall, ...]:
    return tuple(replace(call, index=at) for at, call in enumerate(calls))


def _with_id(call: DemoCall, position: int) -> DemoCall:
    """The same conversation always has the same ids, and no two calls of it share one."""
    seed = repr((position, call.index, call.name, call.arguments, call.id))
    return replace(call, id=f"call_{hashlib.sha256(seed.encode()).hexdigest()[:8]}")


def _many(name: str) -> DemoReply:
    calls = tuple(DemoCall(name, {"n": at}, index=at) for at in range(_MANY))
    return DemoReply("", calls=calls, written="nonsense")


def _one(arguments: Any) -> Callable[[str], DemoReply]:
    return lambda name: DemoReply("", calls=(DemoCall(name, arguments),), written="nonsense")


# Each makes a reply from the name of a tool that is offered. What it writes is short: no window cuts it off.
ODD: Mapping[str, Callable[[str], DemoReply]] = {
    "unknown": lambda _name: DemoReply("", calls=(DemoCall("no_such_tool", {}),), written="nonsense"),
    "unnamed": lambda _name: DemoReply("", calls=(DemoCall("", {}),), written="nonsense"),
    "string": _one('{"text": "a string, not an object"}'),
    "list": _one([1, 2, 3]),
    "kind": _one({"no_such_parameter": {"deep": [None]}}),
    "missing": _one(None),
    "index": lambda name: DemoReply(
        "", calls=tuple(DemoCall(name, {}, id=str(at)) for at in range(3)), written="nonsense"
    ),
    "text": lambda name: DemoReply(f'<tool_call>{{"name": "{name}", "arguments": {{}}}}</tool_call>'),
    "many": _many,
}
