"""Reads the messages and the tool definitions of a chat request from its JSON."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from chatcli.dataclass import dataclass
from chatcli.demo.protocol import HttpRefusal

Definition = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DemoCall:
    """`arguments` are an object, except where a reply is to be nonsense. `index`: its place among the calls of a
    reply.
    """

    name: str
    arguments: Any
    id: str = ""
    index: int = 0

    def field(self) -> dict[str, Any]:
        """Returns the call as a reply has it."""
        return {
            "id": self.id,
            "function": {"index": self.index, "name": self.name, "arguments": self.arguments},
        }


@dataclass(frozen=True, slots=True)
class DemoMessage:
    """`images` are the bytes of image files. `calls`: what a reply asked for. A message of role tool is the result
    of a call: `tool` is its name, `answers` its id.
    """

    role: str
    content: str
    thinking: str = ""
    images: tuple[bytes, ...] = ()
    calls: tuple[DemoCall, ...] = ()
    tool: str = ""
    answers: str = ""


def read_messages(value: object) -> tuple[DemoMessage, ...]:
    """Returns the "messages" of a body; raises HttpRefusal (400) unless it is a list of objects with strings."""
    if value is None:
        return ()
    if not isinstance(value, list):
        raise _wrong("ChatRequest.messages of type []api.Message")
    return tuple(_read_message(item) for item in value)


def _read_message(item: Any) -> DemoMessage:
    if not isinstance(item, dict):
        raise _wrong("ChatRequest.messages of type api.Message")
    names = ("role", "content", "thinking", "tool_name", "tool_call_id")
    words = {name: _string(item, name, "Message.messages") for name in names}
    calls = item.get("tool_calls") or ()
    if not isinstance(calls, (list, tuple)):
        raise _wrong("Message.messages.tool_calls of type []api.ToolCall")
    return DemoMessage(
        words["role"].lower(),
        words["content"],
        words["thinking"],
        read_images(item.get("images") or ()),
        tuple(map(_read_call, calls)),
        words["tool_name"],
        words["tool_call_id"],
    )


def last_question(messages: Sequence[DemoMessage]) -> int:
    """Returns its place, or -1."""
    return max((at for at, message in enumerate(messages) if message.role == "user"), default=-1)


def read_images(images: Sequence[object]) -> tuple[bytes, ...]:
    try:
        return tuple(base64.b64decode(str(image), validate=True) for image in images)
    except binascii.Error as error:
        raise HttpRefusal(400, "illegal base64 data in a message's images") from error


def _read_call(item: Any) -> DemoCall:
    where = "Message.messages.tool_calls"
    if not isinstance(item, dict):
        raise _wrong(f"{where} of type api.ToolCall")
    function = _object(item, "function", where, "api.ToolCallFunction")
    arguments = _object(function, "arguments", f"{where}.function", "map[string]interface {}")
    name, answered = _string(function, "name", f"{where}.function"), _string(item, "id", where)
    index = function.get("index") or 0
    if not isinstance(index, int):
        raise _wrong(f"{where}.function.index of type int")
    return DemoCall(name, {key: _plain(value) for key, value in arguments.items()}, answered, index)


def read_tools(value: object) -> tuple[Definition, ...]:
    """Returns the "tools" of a body as a template sees them; raises HttpRefusal (400) for wrong kinds.

    As in Ollama, whose types hold some keys only: those keys in an order of their own, all others dropped.
    """
    if value is None:
        return ()
    if not isinstance(value, list):
        raise _wrong("ChatRequest.tools of type api.Tools")
    return tuple(map(_read_tool, value))


def _read_tool(item: Any) -> Definition:
    if not isinstance(item, dict):
        raise _wrong("ChatRequest.tools of type api.Tool")
    function = _object(item, "function", "Tool.tools", "api.ToolFunction")
    where = "ToolFunction.tools.function"
    described = {"description": text} if (text := _string(function, "description", where)) else {}
    parameters = _object(function, "parameters", where, "api.ToolFunctionParameters")
    shaped = _filled(parameters, ("$defs", "items", "required"))
    return {
        "type": _string(item, "type", "Tool.tools"),
        **_filled(item, ("items",)),
        "function": {
            "name": _string(function, "name", where),
            **described,
            "parameters": {
                "type": _string(parameters, "type", f"{where}.parameters"),
                **shaped,
                "properties": _read_properties(parameters.get("properties")),
            },
        },
    }


def _read_properties(value: object) -> dict[str, Any] | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise _wrong(
            "ToolFunctionParameters.tools.function.parameters.properties of type map[string]api.ToolProperty"
        )
    return {name: _read_property(inner) for name, inner in value.items()}


def _read_property(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _wrong("ToolProperty.tools.function.parameters.properties of type api.ToolProperty")
    read: dict[str, Callable[[Any], Any]] = {
        "anyOf": lambda several: [_read_property(each) for each in several],
        "type": lambda kinds: kinds[0] if isinstance(kinds, list) and len(kinds) == 1 else kinds,
        "items": _plain,
        "description": str,
        "enum": _plain,
        "properties": _read_properties,
        "required": _plain,
    }
    return {name: reader(value[name]) for name, reader in read.items() if value.get(name)}


def _filled(value: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: _plain(value[name]) for name in names if value.get(name)}


def _plain(value: Any) -> Any:
    """Returns a value as Go's maps have it: keys sorted, no difference between 3 and 3.0."""
    if isinstance(value, dict):
        return {key: _plain(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return list(map(_plain, value))
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 1e21 else value


def _string(value: Mapping[str, Any], name: str, where: str) -> str:
    found = value.get(name) or ""
    if not isinstance(found, str):
        raise _wrong(f"{where}.{name} of type string")
    return found


def _object(value: Mapping[str, Any], name: str, where: str, kind: str) -> Mapping[str, Any]:
    found = value.get(name)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise _wrong(f"{where}.{name} of type {kind}")
    return found


def _wrong(where: str) -> HttpRefusal:
    return HttpRefusal(400, f"json: cannot unmarshal value into Go struct field {where}")
