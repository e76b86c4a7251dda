"""Reads what aichat keeps: a session (YAML), and messages.md, its log of questions outside of sessions."""

from __future__ import annotations

import re
from typing import Any

from chatcli.errors import BadData, UserError

_HEAD = re.compile(r"^# CHAT: (.*) \[(\d{4}-\d\d-\d\dT[^\]\n]*)\].*\n", re.MULTILINE)
_RULE = "\n--------\n"
_SESSION = re.compile(r"^(?:compressed_)?messages:\s*(?:\n|\Z)", re.MULTILINE)
_LARGEST = 20_000_000  # characters: parsed, YAML takes fifty times as much


def is_log(text: str) -> bool:
    return _HEAD.match(text.lstrip()) is not None


def read_log(text: str) -> list[dict[str, Any]]:
    """Returns questions with their replies, as lines of a log: {"prompt", "response", "title", "created_at"}."""
    heads = [each for each in _HEAD.finditer(text) if _may_begin(text, each.start())]
    ends = [*(each.start() for each in heads[1:]), len(text)]
    found = []
    for head, end in zip(heads, ends, strict=True):
        asked, _, said = f"\n{text[head.end() : end]}".partition(_RULE)
        said = said.rstrip().removesuffix("--------").removesuffix("\n")
        found.append({"prompt": asked[1:], "response": said, "title": head[1], "created_at": head[2]})
    return found


def _may_begin(text: str, at: int) -> bool:
    """Whether the rule of the entry before is above, and no text of a question or a reply."""
    before = text[max(0, at - 100) : at].rstrip()
    return not before or before.endswith("--------")


def is_session(text: str) -> bool:
    return "role:" in text and _SESSION.search(text) is not None


def read_session(text: str) -> dict[str, Any]:
    """Returns its model and messages, those that aichat has summarized first. Raises UserError without PyYAML."""
    try:
        import yaml
    except ImportError as error:
        raise UserError(
            "That is YAML, as aichat keeps its sessions; it is read with PyYAML.",
            'Install it beside chatcli: pip install "pyyaml>=6" (chatcli\'s extra [yaml] has it).',
        ) from error
    try:
        if len(text) > _LARGEST:
            raise BadData(f"it has more than {_LARGEST / 1e6:g} MB")
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.BaseLoader)):
            raise BadData("it has aliases, which aichat does not write")
        value = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506  BaseLoader makes text, lists and dicts only
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        why = error.why if isinstance(error, BadData) else str(error).partition("\n")[0] or "it is nested too deep"
        raise UserError(f"That is no YAML that can be read: {why}.", "Check the file.") from error
    value = value if isinstance(value, dict) else {}
    lists = [value.get(name) for name in ("compressed_messages", "messages")]
    messages = [_in_parts(each) for items in lists if isinstance(items, list) for each in items]
    settings = {name: value[name] for name in ("temperature", "top_p") if isinstance(value.get(name), str)}
    return {"model": value.get("model"), "messages": messages, "settings": settings}


def _in_parts(message: Any) -> Any:
    """The message; one with calls, {"text", "tool_results": [{"call": {"name", "arguments", "id"}, "output"}]}, in
    parts, as other programs write it.
    """
    content = message.get("content") if isinstance(message, dict) else None
    results = content.get("tool_results") if isinstance(content, dict) else None
    if not isinstance(content, dict) or not isinstance(results, list):
        return message
    results = [each for each in results if isinstance(each, dict) and isinstance(each.get("call"), dict)]
    calls = [{"type": "tool_use", **each["call"]} for each in results]
    answers = [
        {"type": "tool_result", "name": each["call"].get("name"), "tool_use_id": each["call"].get("id")}
        | {"content": each.get("output")}
        for each in results
    ]
    return {"role": "assistant", "content": [{"text": content.get("text") or ""}, *calls, *answers]}
