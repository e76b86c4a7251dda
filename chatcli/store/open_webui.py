"""Reads Open WebUI's export: a list of chats, each with all its branches, or a single chat."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from chatcli.conversation.tree import Ended
from chatcli.settings.from_imports import imported_settings
from chatcli.settings.table import SYSTEM
from chatcli.store.import_chat import ImportedChat, Seed, grown, turn_of
from chatcli.store.import_message import listed, mapped, read_message, read_time

# Thinking and tool calls are inside the text of the reply.
_DETAILS = re.compile(
    r'<details type="(\w+)"[^>]*>\s*(?:<summary>.*?</summary>)?(.*?)(?:</details>\s*|\Z)', re.DOTALL
)


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
    seeds = []
    for place, (name, item) in enumerate(items.items(), start=1):
        seed = _seed(name, mapped(item), f"message {place}", repairs)
        if seed is not None:
            seeds.append(seed)
    began = read_time(value.get("created_at")) or read_time(chat.get("timestamp"))
    made = grown(value.get("title") or chat.get("title"), seeds, history.get("currentId"), began, repairs)
    system = chat.get("system") or mapped(chat.get("params")).get("system")
    if isinstance(system, str) and system.strip():
        made.conversation.settings |= imported_settings({SYSTEM.name: system}, repairs)
    return made


def _seed(name: str, item: Mapping[str, Any], where: str, repairs: list[str]) -> Seed | None:
    about = dict(item)
    files = [mapped(file) for file in listed(about.pop("files", None))]
    pictures = [{"image_url": file.get("url")} for file in files if file.get("type") == "image"]
    text = about.get("content")
    if isinstance(text, str):
        thoughts, tools, rest = _taken_apart(text)
        if tools:
            repairs.append(f"{where}: what its tools did is left out")
        about["content"] = [{"text": rest}, *pictures]
        about["thinking"] = thoughts
    names = [str(file.get("name") or "file")[:60] for file in files if file.get("type") != "image"]
    repairs += [f"{where}: the file {each!r} is not read" for each in names]
    message = read_message(about, where, {}, repairs)
    if message is None:
        return None
    parent = about.get("parentId")
    created, turn = read_time(about.get("timestamp")), turn_of(message, about.get("model"))
    ended = Ended.BROKEN if about.get("error") else Ended.COMPLETE
    if about.get("done") is False and turn is not None and ended is Ended.COMPLETE:
        ended = Ended.INTERRUPTED
    return Seed(name, parent if isinstance(parent, str) else None, message, created, ended, turn)


def _taken_apart(text: str) -> tuple[str, bool, str]:
    """Returns the thinking, whether tools were called, and the text."""
    found = _DETAILS.findall(text)
    thoughts = "\n".join(_unquoted(inside) for kind, inside in found if kind == "reasoning")
    return thoughts, any(kind != "reasoning" for kind, _ in found), _DETAILS.sub("", text)


def _unquoted(thoughts: str) -> str:
    return "\n".join(line.removeprefix(">").removeprefix(" ") for line in thoughts.strip().splitlines())


def _one_after_the_other(items: list[Any]) -> dict[str, dict[str, Any]]:
    return {str(at): {**mapped(item), "parentId": str(at - 1) if at else None} for at, item in enumerate(items)}
