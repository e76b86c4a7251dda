"""Finds the conversations in the JSON of an export: which program's form it is, and where each one begins.

A form is recognized by what is in it, never by a file's name. Each conversation is read by itself: one that cannot
be read is named, and the others are read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field
from typing import Any

from chatcli.dataclass import dataclass
from chatcli.errors import UserError
from chatcli.store.chatgpt import Files, is_chatgpt, read_chatgpt
from chatcli.store.conversations import clean_title
from chatcli.store.import_chat import ImportedChat
from chatcli.store.import_message import are_messages, listed, mapped, name_of, time_of, unwrapped
from chatcli.store.open_webui import is_open_webui, read_open_webui
from chatcli.store.own_json import FORM, from_plain

# What is read, in the words of an error.
FORMS = (
    "These can be read: JSON and JSONL of chatcli, lists of role and content, requests of Ollama and OpenAI, and "
    "what ChatGPT, Claude, Open WebUI, LibreChat, ShareGPT, DeepSeek, Grok and llm export; the databases of the "
    "Ollama app, oterm and llm; aichat's sessions and messages.md."
)

# Under these names programs keep the messages of a conversation; under the last ones, their conversations, too.
_LISTS = ("messages", "chat_messages", "linear_conversation", "responses", "items", "contents", "conversations")
_CHATS = ("conversations", "chats", "conversation", "data", "items")
_TITLES = ("title", "name", "conversation_name")
_LONGEST_TITLE = 40


@dataclass(slots=True)
class Found:
    """The conversations of an export, and a sentence about each part of it that could not be read."""

    chats: list[ImportedChat] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)

    def add(self, value: Any, files: Files) -> None:
        """Reads all that is in this JSON value."""
        chats = list(_chats_in(value))
        for place, each in enumerate(chats, start=1):
            try:
                chat = _read_one(each, files)
                if not chat.conversation.nodes and len(chats) > 1:
                    raise UserError("There is no message in it.")
                self.chats.append(chat)
            except UserError as error:
                if len(chats) == 1:
                    raise
                self.unread.append(f"{_called(each, place)} is left out: {_clause(error)}")


def _clause(error: UserError) -> str:
    return error.message[:1].lower() + error.message[1:].rstrip(".")


def _called(value: Any, place: int) -> str:
    title = clean_title(str(_title(mapped(value)) or ""))[:_LONGEST_TITLE]
    return f'conversation {place} ("{title}")' if title else f"conversation {place}"


def _title(value: Mapping[str, Any]) -> Any:
    inner = mapped(value.get("conversation"))
    return next((each[name] for each in (value, inner) for name in _TITLES if each.get(name)), None)


def _chats_in(value: Any) -> Iterator[Any]:
    """Yields each conversation; what holds none as a whole."""
    value = [value] if _is_exchange(value) else value
    if isinstance(value, list) and any(map(_is_chat, value)):
        yield from value
    elif isinstance(value, list) and any(map(_is_exchange, value)):
        yield from _from_log([mapped(each) for each in value])
    elif isinstance(value, dict) and not _is_chat(value) and (inside := _wrapped(value)) is not None:
        yield from _chats_in(inside)
    else:
        yield value


def _wrapped(value: Mapping[str, Any]) -> Any:
    """The conversations in {"conversations": [...]}, or the one in {"conversation": {...}}."""
    for name in _CHATS:
        inside = value.get(name)
        if isinstance(inside, dict) and _is_chat(inside):
            return inside
        if isinstance(inside, list) and (are_messages(inside) or any(map(_is_chat, inside))):
            return inside
    return None


def _is_chat(value: Any) -> bool:
    if isinstance(value, list):
        return are_messages(value)
    return isinstance(value, dict) and (
        is_chatgpt(value) or is_open_webui(value) or "chatcli" in value or _messages(value) is not None
    )


def _messages(value: Mapping[str, Any]) -> list[Any] | None:
    """The list of its messages; an empty one only under a name that means nothing else."""
    for name in _LISTS:
        items = value.get(name)
        if isinstance(items, list) and (are_messages(items) or (not items and name in _LISTS[:2])):
            return items
    return None


def _read_one(value: Any, files: Files) -> ImportedChat:
    if isinstance(value, list) and are_messages(value):
        return from_plain({"messages": value})
    if not isinstance(value, dict) or not _is_chat(value):
        raise UserError("There is no message of a conversation in it.", FORMS)
    if is_chatgpt(value):
        return read_chatgpt(value, files)
    if is_open_webui(value):
        return read_open_webui(value)
    if "chatcli" in value:
        if isinstance(value["chatcli"], int) and value["chatcli"] > FORM:
            raise UserError("That file was written by a newer chatcli.", "Update chatcli to read it.")
        if not isinstance(value.get("messages", []), list):
            raise UserError("There is no list of messages in it.", FORMS)
        return from_plain(value)
    return _read_other(value)


def _read_other(value: Mapping[str, Any]) -> ImportedChat:
    """Reads an object with a list of messages, whatever it is called: a request, or another program's export."""
    about = {**mapped(value.get("conversation")), **value}
    settings = {**mapped(value.get("settings"))}
    system = about.get("system")
    if isinstance(system, str) and system.strip():
        settings.setdefault("system", system)
    model = about.get("model") or mapped(value.get("options")).get("model")
    items = [unwrapped(each) for each in _in_sequence(_messages(value) or [])]
    plain = {
        "title": _title(value),
        "settings": settings,
        "messages": items,
        "model": model,
        "created": time_of(about),
    }
    return from_plain(
        {**{name: value[name] for name in ("state", "names", "files", "tip") if name in value}, **plain}
    )


def _in_sequence(items: Iterable[Any]) -> Iterator[Any]:
    """Yields the messages, those that are inside others ({"children": [...]}) after the one that they follow."""
    waiting: list[tuple[Any, Any]] = [(each, None) for each in reversed(list(items))]
    while waiting:
        item, parent = waiting.pop()
        inside = listed(mapped(item).get("children"))
        if parent is not None and isinstance(item, dict):
            item = {"parentMessageId": parent, **item}
        yield item
        if any(isinstance(each, dict) for each in inside):
            waiting += [(each, name_of(item)) for each in reversed(inside)]


def _is_exchange(value: Any) -> bool:
    """Whether it is a line of a log: a prompt and its response, as llm writes them."""
    return (
        isinstance(value, dict) and isinstance(value.get("prompt"), str) and isinstance(value.get("response"), str)
    )


def _objects(line: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    return [mapped(each) for each in listed(line.get(name))]


def _from_log(lines: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yields the conversations in such a log; lines without a conversation's id are conversations of their own."""
    chats: dict[Any, dict[str, Any]] = {}
    for place, line in enumerate(lines):
        if not _is_exchange(line):
            chats[place] = line
            continue
        chat = chats.setdefault(line.get("conversation_id") or place, {"messages": [], "title": _title(line)})
        times = {"created": time_of(line)}
        if line.get("system"):
            chat.setdefault("system", line["system"])
        results = [
            {"role": "tool", "content": each.get("output"), **each} for each in _objects(line, "tool_results")
        ]
        chat["messages"] += [{**each, **times} for each in results]
        asked = {"role": "user", "content": line["prompt"], **times}
        files = [mapped(each) for each in listed(line.get("attachments"))]
        asked["attachments"] = [each for each in files if "data" in each]
        asked["files"] = [
            {"name": each.get("path") or each.get("url") or each.get("name")}
            for each in files
            if "data" not in each
        ]
        said = {"role": "assistant", "content": line["response"], "model": line.get("model"), **times}
        said |= {"thinking": line.get("reasoning"), "tool_calls": _objects(line, "tool_calls")}
        # A line that goes on after calls has their results, and no prompt.
        chat["messages"] += [said] if results and not line["prompt"].strip() else [asked, said]
    yield from chats.values()
