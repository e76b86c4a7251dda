"""Conversations out of chatcli and into it: Markdown, JSON, JSONL, HTML out; JSON and JSONL in."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chatcli.conversation.tree import Conversation
from chatcli.errors import BadData, UserError
from chatcli.reading.json_toml import json_text, read_json
from chatcli.store.archive import unpacked
from chatcli.store.chatgpt import Files, is_chatgpt, read_chatgpt
from chatcli.store.export import html_page, markdown_page
from chatcli.store.import_chat import ImportedChat
from chatcli.store.open_webui import is_open_webui, read_open_webui
from chatcli.store.own_json import FORM, from_plain, to_plain

_LONE_SURROGATES = re.compile("[\ud800-\udfff]")


def export(
    conversation: Conversation,
    format: str,  # noqa: A002
    *,
    rendered: Callable[[str], str] | None = None,
    style: str = "",
) -> str:
    """The conversation as text that is valid in UTF-8.

    JSON and JSONL hold all of it (other branches as far as they are loaded: see Store.whole), and read_chat reads
    them back. Markdown and HTML show the path. For HTML, `rendered` may be given, which makes safe HTML of a
    reply's Markdown, to go with the CSS rules `style`; without it replies stand as they came.
    """
    match format:
        case "md":
            return markdown_page(conversation).encode(errors="replace").decode()
        case "html":
            return html_page(conversation, rendered, style).encode(errors="replace").decode()
        case "json":
            return _json(to_plain(conversation), indent=1) + "\n"
        case "jsonl":
            return _json_lines(conversation)
    raise UserError(f"There is no export format {format!r}.", "There are md, json, jsonl and html.")


def read_chat(source: str | Path) -> ImportedChat:
    """The one conversation in `source` (text, or a file). Raises BadFile and UserError; see read_chats."""
    chats = read_chats(source)
    if len(chats) > 1:
        raise UserError(
            f"There are {len(chats)} conversations in it, not one.", "chatcli chats import takes them all."
        )
    return chats[0]


def read_chats(source: str | Path) -> list[ImportedChat]:
    """Every conversation in `source`, at least one. What can be read: chatcli's own exports, lists of role and
    content, requests of Ollama and OpenAI, the exports of ChatGPT (also in their ZIP) and of Open WebUI.
    """
    if isinstance(source, str):
        return _read_all(_values(source), lambda _: None)
    with unpacked(source) as (contents, files):
        return [chat for data in contents for chat in _read_all(_values(data), files)]


def _read_all(value: Any, files: Files) -> list[ImportedChat]:
    if isinstance(value, list) and value and all(isinstance(each, dict) and _is_chat(each) for each in value):
        return [_read_one(each, files) for each in value]
    return [_read_one(value, files)]


def _is_chat(value: dict[str, Any]) -> bool:
    return is_chatgpt(value) or is_open_webui(value) or isinstance(value.get("messages"), list)


def _read_one(value: Any, files: Files) -> ImportedChat:
    if isinstance(value, dict) and is_chatgpt(value):
        return read_chatgpt(value, files)
    if isinstance(value, dict) and is_open_webui(value):
        return read_open_webui(value)
    if isinstance(value, list):
        return from_plain({"messages": value})
    if isinstance(value, dict) and isinstance(value.get("messages", [] if "chatcli" in value else None), list):
        if isinstance(value.get("chatcli"), int) and value["chatcli"] > FORM:
            raise UserError("That file was written by a newer chatcli.", "Update chatcli to read it.")
        return from_plain(value)
    raise UserError("That is no list of messages.", 'A list of {"role": ..., "content": ...} can be read.')


def _values(given: bytes | str) -> Any:
    """The JSON value in it; of JSON lines, one value made of all lines."""
    text = given if isinstance(given, str) else json_text(given)
    try:
        return read_json(text)
    except BadData as error:
        problem = error
    if problem.line is None:
        raise UserError(f"That is no list of messages: {problem.why}.", "Check the file.")
    lines = [line for line in text.split("\n") if line.strip()]
    try:
        values = [read_json(line) for line in lines]
    except BadData:
        raise UserError(f"That is neither JSON nor JSON lines: {problem.why}.", "Check the file.") from None
    if not values:
        raise UserError("There is nothing in it.", "Check the file.")
    head = values[0]
    if isinstance(head, dict) and "chatcli" in head and "role" not in head:
        return {**head, "messages": values[1:]}
    return values


def _json_lines(conversation: Conversation) -> str:
    """First a line about the conversation, then a line for each message, in the order they were made."""
    plain = to_plain(conversation)
    messages = [*plain.pop("messages"), *plain.pop("elsewhere", [])]
    messages.sort(key=lambda message: int(message["id"]))
    return "".join(_json(line) + "\n" for line in (plain, *messages))


def _json(value: object, indent: int | None = None) -> str:
    text = json.dumps(value, ensure_ascii=False, indent=indent, default=str)
    return _LONE_SURROGATES.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
