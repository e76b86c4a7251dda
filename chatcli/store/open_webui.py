"""Reads Open WebUI's export: a list of chats, each with all its branches, or a single chat. Thinking and calls of
tools are inside the text of a reply, as HTML.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from html import unescape
from typing import Any

from chatcli.conversation.tree import Ended
from chatcli.errors import BadData
from chatcli.reading.json_toml import read_json
from chatcli.settings.from_imports import imported_settings
from chatcli.settings.table import SYSTEM
from chatcli.store.import_chat import ImportedChat, Seed, chained, grown, turn_of
from chatcli.store.import_message import listed, mapped, read_messages, read_time

_DETAILS = re.compile(
    r'<details type="(\w+)"([^>]*)>\s*(?:<summary>.*?</summary>)?(.*?)(?:</details>\s*|\Z)', re.DOTALL
)
_ATTRIBUTE = re.compile(r'(\w+)="([^"]*)"')


def is_open_webui(value: Mapping[str, Any]) -> bool:
    chat = mapped(value.get("chat", value))
    history = mapped(chat.get("history")).get("messages")
    return isinstance(history, dict) or ("chat" in value and isinstance(chat.get("messages"), list))


def read_open_webui(value: Mapping[str, Any]) -> ImportedChat:
    """Reads {"title", "chat": {"history": {"messages": {id: {"parentId", ...}}, "currentId"}}}, or `chat` alone.

    Without a history, `chat` has a list of messages in sequence.
    """
    repairs: list[str] = []
    chat = mapped(value.get("chat", value))
    history = mapped(chat.get("history"))
    items = mapped(history.get("messages")) or _one_after_the_other(listed(chat.get("messages")))
    seeds: list[Seed] = []
    for place, (name, item) in enumerate(items.items(), start=1):
        seeds += _seeds(name, mapped(item), f"message {place}", repairs)
    began = read_time(value.get("created_at")) or read_time(chat.get("timestamp"))
    made = grown(value.get("title") or chat.get("title"), seeds, history.get("currentId"), began, repairs)
    system = chat.get("system") or mapped(chat.get("params")).get("system")
    if isinstance(system, str) and system.strip():
        made.conversation.settings |= imported_settings({SYSTEM.name: system}, repairs)
    return made


def _seeds(name: str, item: Mapping[str, Any], where: str, repairs: list[str]) -> Iterator[Seed]:
    """The message, after those that are in its text; nothing if it holds none."""
    about = dict(item)
    files = [mapped(file) for file in listed(about.pop("files", None))]
    pictures = [{"image_url": file.get("url")} for file in files if file.get("type") == "image"]
    text = about.get("content")
    if isinstance(text, str):
        about["thinking"], parts = _taken_apart(text)
        about["content"] = [*parts, *pictures]
    names = [str(file.get("name") or "file")[:60] for file in files if file.get("type") != "image"]
    repairs += [f"{where}: the file {each!r} is not read" for each in names]
    messages = read_messages(about, where, {}, repairs)
    if not messages:
        return
    parent = about.get("parentId")
    created, turn = read_time(about.get("timestamp")), turn_of(messages[-1], about.get("model"))
    ended = Ended.BROKEN if about.get("error") else Ended.COMPLETE
    if about.get("done") is False and turn is not None and ended is Ended.COMPLETE:
        ended = Ended.INTERRUPTED
    above = parent if isinstance(parent, str) else None
    yield from chained(messages[:-1], Seed(name, above, messages[-1], created, ended, turn), about.get("model"))


def _taken_apart(text: str) -> tuple[str, list[dict[str, Any]]]:
    """Returns the thinking, and the text and the calls of tools as the parts of a message."""
    thoughts: list[str] = []
    parts: list[dict[str, Any]] = []
    at = 0
    for found in _DETAILS.finditer(text):
        kind, attributes, inside = found.groups()
        parts.append({"text": text[at : found.start()]})
        at = found.end()
        if kind == "reasoning":
            thoughts.append(_unquoted(inside))
        elif kind == "tool_calls":
            parts.append({"type": "tool_call", "tool_call": _call(dict(_ATTRIBUTE.findall(attributes)))})
    parts.append({"text": text[at:]})
    said = [part for part in parts if "text" not in part or part["text"].strip()]
    return "\n".join(thoughts), said or [{"text": text[at:]}]


def _call(attributes: Mapping[str, str]) -> dict[str, Any]:
    """The call and its result, each written as JSON, the arguments as JSON in JSON."""
    given = {name: unescape(value) for name, value in attributes.items()}
    values = {name: _json(given.get(name)) for name in ("arguments", "result")}
    return {
        "id": given.get("id"),
        "name": given.get("name"),
        "args": values["arguments"],
        "output": values["result"],
    }


def _json(text: str | None) -> Any:
    try:
        return read_json(text) if text else None
    except BadData:
        return text


def _unquoted(thoughts: str) -> str:
    return "\n".join(line.removeprefix(">").removeprefix(" ") for line in thoughts.strip().splitlines())


def _one_after_the_other(items: list[Any]) -> dict[str, dict[str, Any]]:
    return {str(at): {**mapped(item), "parentId": str(at - 1) if at else None} for at, item in enumerate(items)}
