"""The exports of other programs: ChatGPT's conversations.json and Open WebUI's chats, with all their branches."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from dataclasses import replace
from typing import Any

from chatcli.conversation.message import Message, Role
from chatcli.conversation.tree import Conversation
from chatcli.conversation.usage import Turn
from chatcli.store.imported import ImportedChat, Seed, plant
from chatcli.store.messages import listed, mapped, read_message, read_time
from chatcli.store.title import clean_title

# Open WebUI keeps what a model thought inside the reply's text.
_REASONING = re.compile(
    r'<details type="reasoning"[^>]*>\s*(?:<summary>.*?</summary>)?(.*?)</details>\s*', re.DOTALL
)

# Kinds of content that ChatGPT shows as messages.
_SHOWN = {"text", "multimodal_text", "code", "execution_output"}
_HIDDEN = "is_visually_hidden_from_conversation"


def is_openai(value: Mapping[str, Any]) -> bool:
    return isinstance(value.get("mapping"), dict)


def is_open_webui(value: Mapping[str, Any]) -> bool:
    chat = mapped(value.get("chat", value))
    return isinstance(mapped(chat.get("history")).get("messages"), dict)


def read_openai(value: Mapping[str, Any]) -> ImportedChat:
    """{"title", "mapping": {id: {"message", "parent"}}, "current_node"}. Pictures are in other files."""
    repairs: list[str] = []
    mapping = {name: mapped(node) for name, node in mapped(value.get("mapping")).items()}
    spoken: dict[str, Message] = {}
    for place, (name, node) in enumerate(mapping.items(), start=1):
        message = _openai_message(mapped(node.get("message")), f"message {place}", repairs)
        if message is not None:
            spoken[name] = message
    seeds = []
    for name, message in spoken.items():
        about = mapped(mapping[name]["message"])
        parent, thoughts = _above(name, mapping, spoken)
        if message.role is Role.ASSISTANT:
            message = replace(message, thinking="\n\n".join(thoughts))  # noqa: PLW2901
        turn = _turn(message, mapped(about.get("metadata")).get("model_slug"))
        seeds.append(Seed(name, parent, message, read_time(about.get("create_time")), turn=turn))
    tip = value.get("current_node")
    if isinstance(tip, str) and tip not in spoken:
        tip, _ = _above(tip, mapping, spoken)
    return _grown(value.get("title"), seeds, tip, repairs)


def read_open_webui(value: Mapping[str, Any]) -> ImportedChat:
    """{"title", "chat": {"history": {"messages": {id: {"parentId", ...}}, "currentId"}}}, or `chat` alone."""
    repairs: list[str] = []
    chat = mapped(value.get("chat", value))
    history = mapped(chat.get("history"))
    seeds = []
    for place, (name, item) in enumerate(mapped(history.get("messages")).items(), start=1):
        about = dict(mapped(item))
        files = [mapped(file) for file in listed(about.pop("files", None))]
        pictures = [{"image_url": file.get("url")} for file in files if file.get("type") == "image"]
        text = about.get("content")
        if isinstance(text, str):
            about["content"] = [{"text": _REASONING.sub("", text)}, *pictures]
            about["thinking"] = "\n".join(_unquoted(found) for found in _REASONING.findall(text))
        message = read_message(about, f"message {place}", {}, repairs)
        if message is not None:
            created, turn = read_time(about.get("timestamp")), _turn(message, about.get("model"))
            parent = about.get("parentId")
            seeds.append(Seed(name, parent if isinstance(parent, str) else None, message, created, turn=turn))
    return _grown(value.get("title") or chat.get("title"), seeds, history.get("currentId"), repairs)


def _grown(title: Any, seeds: list[Seed], tip: Any, repairs: list[str]) -> ImportedChat:
    conversation = Conversation(id=0, title=clean_title(str(title or "")))
    ids = plant(seeds, conversation, repairs)
    if isinstance(tip, str) and tip in ids:
        conversation.tip = ids[tip]
    return ImportedChat(conversation, repairs)


def _turn(message: Message, model: Any) -> Turn | None:
    return Turn(model) if message.role is Role.ASSISTANT and isinstance(model, str) else None


def _openai_message(about: Mapping[str, Any], where: str, repairs: list[str]) -> Message | None:
    """None for what that program does not show: roots, settings, thoughts, hidden and empty messages."""
    content = mapped(about.get("content"))
    if content.get("content_type") not in _SHOWN or mapped(about.get("metadata")).get(_HIDDEN):
        return None
    parts = content.get("parts") or [content.get("text")]
    readable = [part for part in listed(parts) if part and isinstance(part, str | dict)]
    item = {"role": mapped(about.get("author")).get("role"), "content": readable}
    return read_message(item, where, {}, repairs) if readable else None


def _above(name: str, mapping: Mapping[str, Any], spoken: Container[Any]) -> tuple[str | None, list[str]]:
    """The nearest ancestor that is a message, and what was thought on the way from there."""
    thoughts: list[str] = []
    seen: set[str] = set()
    at = mapped(mapping.get(name)).get("parent")
    while isinstance(at, str) and at in mapping and at not in spoken and at not in seen:
        seen.add(at)
        content = mapped(mapped(mapping[at].get("message")).get("content"))
        thoughts[:0] = [str(mapped(each).get("content") or "") for each in listed(content.get("thoughts"))]
        at = mapping[at].get("parent")
    return at if isinstance(at, str) and at in spoken else None, list(filter(None, thoughts))


def _unquoted(thoughts: str) -> str:
    return "\n".join(line.removeprefix(">").removeprefix(" ") for line in thoughts.strip().splitlines())
