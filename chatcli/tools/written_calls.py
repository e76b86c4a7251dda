"""Finds a call that a model has written as text, instead of calling the tool. It is not run; the model is told."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from chatcli.conversation.message import Message, ToolUse
from chatcli.errors import BadData
from chatcli.reading.json_toml import read_json

LONGEST = 20_000  # characters; a longer text is no call
_OPENS = re.compile(r"<tool_call>|<function_calls?>|<\|tool_call\|?>|\[TOOL_CALLS\]|```(?:json|tool_\w+)?\s")
_MARKS = re.compile(r"</?tool_call>|</?function_calls?>|<\|?/?tool_call\|?>|\[/?TOOL_CALLS\]|```\w*")
_XML = re.compile(r"<function=([\w-]+)>(.*?)(?:</function>|$)", re.DOTALL)
_PARAMETER = re.compile(r"<parameter=([\w-]+)>\s*(.*?)\s*</parameter>", re.DOTALL)


def written_call(reply: Message, names: Collection[str]) -> ToolUse | None:
    """The call of one of these tools that is all that the reply says, or with which its thinking ends."""
    if reply.calls or not (reply.has_text or reply.thinking):
        return None
    text = reply.text if reply.has_text else _last_opened(reply.thinking)
    text = _MARKS.sub("", text).strip() if len(text) <= LONGEST else ""
    if (xml := _XML.match(text)) is not None and xml[1] in names:
        return ToolUse(xml[1], dict(_PARAMETER.findall(xml[2])))
    if text[:1] not in {"{", "["}:
        return None
    try:
        found = read_json(text)
    except BadData:
        return None
    return _read(found[0] if isinstance(found, list) and found else found, names)


def _last_opened(thinking: str) -> str:
    begins = [each.start() for each in _OPENS.finditer(thinking[-LONGEST:])]
    return thinking[-LONGEST:][begins[-1] :] if begins else ""


def _read(found: Any, names: Collection[str]) -> ToolUse | None:
    """From the forms that models write: a name with arguments or parameters, perhaps inside "function"."""
    if not isinstance(found, Mapping):
        return None
    inner = found.get("function")
    about = inner if isinstance(inner, Mapping) else found
    name = about.get("name") or (inner if isinstance(inner, str) else None)
    arguments = next((about[key] for key in ("arguments", "parameters") if key in about), None)
    known = isinstance(name, str) and name in names
    return ToolUse(str(name), arguments) if known and isinstance(arguments, Mapping) else None
