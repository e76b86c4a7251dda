"""Reads calls of tools from anybody's JSON, and finds out which call each result answers: some programs give its
id, some the tool's name, some only their order.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from chatcli.conversation.message import Message, Role, ToolUse
from chatcli.conversation.tree import Conversation
from chatcli.errors import BadData
from chatcli.reading.json_toml import is_within, read_json

# How deep a tool's arguments may be nested, without the levels around them here and in our own files.
_DEPTH = 100
_ID_NAMES = ("id", "tool_call_id", "tool_use_id")
_TOOL_NAMES = ("tool_name", "name")


def calls_of(item: Mapping[str, Any], where: str, repairs: list[str]) -> Iterator[ToolUse]:
    """The calls in `tool_calls` of a message, and OpenAI's older `function_call`."""
    given = item.get("tool_calls")
    calls = given if isinstance(given, list) else []
    old = item.get("function_call")
    for call in [*calls, *([old] if isinstance(old, dict) else [])]:
        yield from call_in(call, where, repairs)


def call_in(call: Any, where: str, repairs: list[str]) -> Iterator[ToolUse]:
    """One call: {"function": {"name", "arguments"}}, or without the inner object. OpenAI and Ollama call the
    arguments so, and may write them as a string of JSON; Claude calls them "input", LibreChat "args".
    """
    about: dict[str, Any] = call if isinstance(call, dict) else {}
    inner = about.get("function")
    function = inner if isinstance(inner, dict) else about
    given = next((function[name] for name in ("arguments", "input", "args") if name in function), None)
    arguments = _arguments(given)
    if isinstance(function.get("name"), str) and isinstance(arguments, dict):
        yield ToolUse(function["name"], arguments, _string(about, _ID_NAMES))
    else:
        repairs.append(f"{where} has a tool call that cannot be read; left out")


def answered_by(result: Mapping[str, Any]) -> tuple[ToolUse, ...]:
    """What a result says of its call: its id, its tool, both or nothing; see `link_results`."""
    name, known = _string(result, _TOOL_NAMES), _string(result, _ID_NAMES[1:])
    return (ToolUse(name, {}, known),) if name or known else ()


def _string(about: Mapping[str, Any], names: Sequence[str]) -> str:
    found = next((about[name] for name in names if about.get(name)), "")
    return found if isinstance(found, str) else ""


def _arguments(given: Any) -> Any:
    """Returns the arguments as a value. Text that cannot be parsed, or is nested too deeply, stays text."""
    if isinstance(given, str):
        try:
            return read_json(given, depth=_DEPTH)
        except BadData:
            return {"text": given}
    return given if is_within(given, _DEPTH) else {"text": json.dumps(given, ensure_ascii=False)}


def link_results(conversation: Conversation) -> None:
    """Gives each result the whole call that it answers: the one of its id, else of its tool, else the next one, of
    the reply above that has no result yet.
    """
    waiting: dict[int, tuple[ToolUse, ...]] = {}
    for node in sorted(conversation.nodes.values(), key=lambda each: each.id):
        message = node.message
        if message.calls:
            waiting[node.id] = message.calls
        elif message.role is Role.TOOL:
            calls = waiting.get(node.parent, ()) if node.parent is not None else ()
            use = _call_of(message, calls)
            uses = tuple(each for each in (use or message.answers,) if each is not None and each.name)
            conversation.nodes[node.id] = replace(node, message=replace(message, tool_uses=uses))
            waiting[node.id] = tuple(each for each in calls if each is not use)


def _call_of(result: Message, calls: Sequence[ToolUse]) -> ToolUse | None:
    said = result.answers or ToolUse("", {})
    by_id = [use for use in calls if use.id and use.id == said.id]
    by_name = [use for use in calls if use.name == said.name and not (use.id and said.id)]
    in_order = [] if said.name or said.id else calls
    return next(iter((*by_id, *by_name, *in_order)), None)
