"""Reads one message from anybody's JSON (Ollama's, OpenAI's, Claude's, ShareGPT's, our own): forgiving, and it
reports every guess. The names that programs give to the same thing are the tables at the top.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import field
from datetime import UTC, datetime
from typing import Any

from chatcli.conversation.message import Attachment, Message, Role, ToolUse
from chatcli.dataclass import dataclass
from chatcli.paths import shown
from chatcli.reading.raw import LARGEST
from chatcli.reading.signatures import media_type_of, what_else
from chatcli.store.import_calls import answered_by, call_in, calls_of

_ROLES = {
    **{role.value: role for role in Role},
    "developer": Role.SYSTEM,
    "human": Role.USER,
    "ai": Role.ASSISTANT,
    "bot": Role.ASSISTANT,
    "model": Role.ASSISTANT,
    "function": Role.TOOL,
    "gpt": Role.ASSISTANT,
    "chatgpt": Role.ASSISTANT,
    "claude": Role.ASSISTANT,
    "function_call": Role.ASSISTANT,
    "observation": Role.TOOL,
}
_ROLE_NAMES = ("role", "author", "from", "sender", "type")
_TEXT_NAMES = ("content", "value", "text", "parts", "message", "data")
_THINKING_NAMES = ("thinking", "reasoning_content", "reasoning")
_TIME_NAMES = ("created", "created_at", "createdAt", "create_time", "timestamp", "date", "datetime_utc")
_ID_NAMES = ("id", "uuid", "messageId")
# "parent" is our own: it is always right. The others may name a root that is in no list.
_PARENT_NAMES = ("parentId", "parentMessageId", "parent_message_uuid")
_NO_PARENT = re.compile("0{8}-0{4}-[04]0{3}-[08]0{3}-0{12}|client-created-root|")

# Seconds since 1970: the year 5138.
_LATEST = 1e11
# The years a message can be from: other values are not dates, and the calendar's ends fit no time zone.
_YEARS = range(1970, 2200)

# Digits of a time: more are none.
_DIGITS = 100


def read_messages(item: Any, where: str, files: Mapping[str, Any], repairs: list[str]) -> list[Message]:
    """The message, or the messages where one item has the results of tools in it, too: each follows the one before
    it. `where` names the item in repairs; `files` are base64 by SHA-256. Empty if it holds no message.
    """
    item = unwrapped(item)
    if isinstance(item, str):
        repairs.append(f"{where} is bare text; taken as the user's")
        return [Message.user(item)]
    if not isinstance(item, dict):
        repairs.append(f"{where} is no message; left out")
        return []
    parts = _read_content(item, where, repairs)
    role = Role.TOOL if parts[0].is_result and len(parts) == 1 else _read_role(item, where, repairs)
    if role is Role.TOOL and "tool_calls" not in item:
        parts[0].tool_uses = parts[0].tool_uses or list(answered_by(item))
    own = next((said for said in parts if not said.is_result), parts[0])
    own.attachments += _read_attachments(item, where, files, repairs)
    thinking = _named(item, _THINKING_NAMES)
    own.thoughts = [thinking] if thinking and isinstance(thinking, str) else own.thoughts
    last = next((said for said in reversed(parts) if not said.is_result), parts[0])
    last.tool_uses += calls_of(item, where, repairs)
    return [said.as_message(role) for said in parts]


def read_message(item: Any, where: str, files: Mapping[str, Any], repairs: list[str]) -> Message | None:
    """The same for an item that holds no results of tools."""
    return next(iter(read_messages(item, where, files, repairs)), None)


def are_messages(items: Iterable[Any]) -> bool:
    """Whether these are messages of a conversation: one at least says who speaks, and one what was said."""
    inner = [unwrapped(item) for item in items if isinstance(item, dict)]
    return any(role_of(item) is not None for item in inner) and any(_has_content(item) for item in inner)


def unwrapped(item: Any) -> Any:
    """The message itself, where it is inside another object: {"response": {...}}, {"message": {...}}."""
    if isinstance(item, dict) and role_of(item) is None:
        return next((item[name] for name in ("message", "response") if isinstance(item.get(name), dict)), item)
    return item


def role_of(item: Mapping[str, Any]) -> Role | None:
    """Who speaks, in a message of any program. None where it is not said, or in an unknown word."""
    if isinstance(item.get("isCreatedByUser"), bool):
        return Role.USER if item["isCreatedByUser"] else Role.ASSISTANT
    for name in _ROLE_NAMES:
        given = mapped(item.get(name)).get("role", item.get(name))
        role = _ROLES.get(given.strip().lower()) if isinstance(given, str) else None
        if role is not None:
            return role
    return None


def time_of(item: Mapping[str, Any]) -> Any:
    """The time that a message or a conversation gives, as it is written; None where it gives none."""
    return _named(item, _TIME_NAMES)


def name_of(item: Mapping[str, Any]) -> int | str | None:
    name = _named(item, _ID_NAMES)
    return name if isinstance(name, int | str) else None


def parent_of(item: Mapping[str, Any], before: Hashable | None) -> Hashable | None:
    """The name of the message that this one follows; `before` where it does not say."""
    own = item.get("parent", [])
    if isinstance(own, int | str | None):
        return own
    parent = _named(item, _PARENT_NAMES)
    if isinstance(parent, str):
        return None if _NO_PARENT.fullmatch(parent) else parent
    return None if any(name in item for name in _PARENT_NAMES) else before


def _named(item: Mapping[str, Any], names: Iterable[str]) -> Any:
    return next((item[name] for name in names if item.get(name) is not None), None)


def _has_content(item: Mapping[str, Any]) -> bool:
    more = ("tool_calls", "function_call", "images", "attachments", *_THINKING_NAMES)
    return _content(item) is not None or any(item.get(name) for name in more)


def _content(item: Mapping[str, Any]) -> Any:
    """What was said: text, parts, or something else. None where there is nothing; the first that is not empty."""
    there = [_inner(item[name]) for name in _TEXT_NAMES if item.get(name) is not None]
    return next((each for each in there if each not in ("", [])), there[0] if there else None)


def _inner(content: Any) -> Any:
    """The text or the parts in {"parts": [...]}, {"value": "..."}, {"content": "..."}."""
    for _ in range(3):
        if not isinstance(content, dict):
            break
        content = next((content[name] for name in _TEXT_NAMES if content.get(name) is not None), content)
    return content


def read_time(value: Any) -> datetime | None:
    """Reads ISO 8601, or seconds since 1970 (thousandths and smaller units are recognized by their size). Returns
    None for anything else, and for a year that no message can be from.
    """
    try:
        moment = _moment(value)
    except (ValueError, OverflowError, OSError):
        return None
    return moment if moment is not None and moment.year in _YEARS else None


def _moment(value: Any) -> datetime | None:
    for inner in ("$date", "$numberLong"):  # a database's form
        value = mapped(value).get(inner, value)
    if isinstance(value, str) and value.isdecimal():
        value = int(value[:_DIGITS])
    if isinstance(value, str):
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        while abs(value) > _LATEST:  # thousandths of a second, or smaller units
            value /= 1000
        return datetime.fromtimestamp(value, UTC)
    return None


def mapped(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _read_role(item: Mapping[str, Any], where: str, repairs: list[str]) -> Role:
    role = role_of(item)
    if role is not None:
        return role
    given = _named(item, _ROLE_NAMES)
    if given is None:
        repairs.append(f"{where} has no role; taken as the user's")
    else:
        repairs.append(f"{where} has the role {str(given)[:40]!r}, which means nothing here; taken as the user's")
    return Role.USER


@dataclass(slots=True)
class _Said:
    """The parts of a message. `is_result`: it is what a tool answered, and `tool_uses` its call."""

    texts: list[str] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    tool_uses: list[ToolUse] = field(default_factory=list)
    is_result: bool = False

    def as_message(self, role: Role) -> Message:
        return Message(
            Role.TOOL if self.is_result else role,
            "\n".join(self.texts),
            "\n".join(self.thoughts),
            tuple(self.attachments),
            tuple(self.tool_uses),
        )


def _read_content(item: Mapping[str, Any], where: str, repairs: list[str]) -> list[_Said]:
    """At least one; more than one where there are results of tools among the parts."""
    content = _content(item)
    if isinstance(content, str):
        return [_Said([content])]
    if isinstance(content, list):
        return _read_parts(content, where, repairs)
    if content is None:
        if not _has_content(item):
            repairs.append(f"{where} has no content; taken as empty")
        return [_Said()]
    repairs.append(f"{where} has content that is no text; taken as it is written")
    return [_Said([json.dumps(content, ensure_ascii=False)])]


def _read_parts(parts: Sequence[Any], where: str, repairs: list[str]) -> list[_Said]:
    """Reads the parts of OpenAI {"type": "text", "text"}, {"type": "image_url", "image_url": {"url"}}, of Claude
    ("thinking", "tool_use", "tool_result", "image" with a "source"), of LibreChat ("think", "tool_call"), and of
    Gemini ("inlineData").
    """
    found: list[_Said] = []
    for part in parts:
        about = mapped(part)
        if about.get("type") == "tool_result":
            found.append(_read_result(about, where, repairs))
            continue
        if not found or found[-1].is_result:
            found.append(_Said())
        call = mapped(about.get("tool_call")) or about
        _read_part(part, found[-1], where, repairs)
        if about.get("type") == "tool_call" and call.get("output"):
            use = found[-1].tool_uses[-1:]
            found.append(_Said([_as_text(call["output"])], tool_uses=use, is_result=True))
    return found or [_Said()]


def _read_part(part: Any, said: _Said, where: str, repairs: list[str]) -> None:
    """Adds what the part says; it is no result of a tool."""
    about = mapped(part)
    kind = about.get("type")
    if isinstance(part, str):
        said.texts.append(part)
    elif kind in {"thinking", "think", "reasoning"}:
        thought = _inner(about.get("thinking") or about.get("think") or about.get("text"))
        said.thoughts += [thought] if isinstance(thought, str) else []
    elif kind in {"tool_use", "tool_call"}:
        said.tool_uses += call_in(mapped(about.get("tool_call")) or about, where, repairs)
    elif isinstance(text := _inner(about.get("text")), str):
        said.texts.append(text)
    elif (data := _bytes_in(about)) is not _NO_PICTURE:
        said.attachments += _taken(data, len(said.attachments) + 1, where, repairs)
    else:
        repairs.append(f"{where} has a part that is neither text nor a picture; left out")


def _read_result(about: Mapping[str, Any], where: str, repairs: list[str]) -> _Said:
    content = _content(about)
    inner = content if isinstance(content, list) else [_as_text(content or "")]
    texts = [text for said in _read_parts(inner, where, repairs) for text in said.texts]
    return _Said(texts, tool_uses=list(answered_by(about)), is_result=True)


def _as_text(output: Any) -> str:
    return output if isinstance(output, str) else json.dumps(output, ensure_ascii=False)


# No part with a picture; None is a picture that cannot be read.
_NO_PICTURE = b""


def _bytes_in(part: Mapping[str, Any]) -> bytes | None:
    link = part.get("image_url")
    url = mapped(link).get("url", link)
    if isinstance(url, str):
        return _from_data_url(url) if url.startswith("data:") else _NO_PICTURE
    data = mapped(part.get("source")).get("data", mapped(part.get("inlineData")).get("data"))
    return _decoded(data) if isinstance(data, str) else _NO_PICTURE


def _read_attachments(
    item: Mapping[str, Any], where: str, files: Mapping[str, Any], repairs: list[str]
) -> list[Attachment]:
    """Reads our own `attachments`, Claude's with their text, and Ollama's `images`, which are plain base64."""
    found: list[Attachment] = []
    for about in listed(item.get("attachments")):
        name = str(mapped(about).get("name") or mapped(about).get("file_name") or "file")
        text = mapped(about).get("extracted_content")
        if isinstance(text, str):
            found.append(Attachment("text", name, "text/plain", text.encode("utf-8", "replace")))
            continue
        data = _decoded(files.get(str(mapped(about).get("sha256")), mapped(about).get("data")))
        if data is None:
            repairs.append(f"{where}: the file {shown(name)!r} is missing, or too large")
        elif mapped(about).get("kind") == "text":
            found.append(Attachment("text", name, str(mapped(about).get("media_type") or ""), data))
        elif media_type := media_type_of(data):
            found.append(Attachment("image", name, media_type, data))
        else:
            repairs.append(f"{where}: the file {shown(name)!r} is {what_else(data)}; left out")
    known = {each.name for each in found}
    for about in listed(item.get("files")):
        name = str(
            mapped(about).get("file_name") or mapped(about).get("filename") or mapped(about).get("name") or "file"
        )
        if name not in known:
            repairs.append(f"{where}: the file {shown(name)!r} is not read")
    for place, image in enumerate(listed(item.get("images")), start=1):
        found += _taken(_decoded(image), place, where, repairs)
    return found


def _taken(data: bytes | None, place: int, where: str, repairs: list[str]) -> list[Attachment]:
    """Returns the picture in these bytes, if they are one. None for bytes that could not be read."""
    found = picture(data, place) if data is not None else None
    if found is None:
        what = f"is {what_else(data)}" if data is not None else "cannot be read, or is too large"
        repairs.append(f"{where}: picture {place} {what}; left out")
    return [found] if found is not None else []


def _from_data_url(url: str) -> bytes | None:
    head, comma, body = url.partition(",")
    return _decoded(body) if comma and head.endswith(";base64") else None


def picture(data: bytes, place: int) -> Attachment | None:
    """Returns None for bytes that are not a picture. The content alone decides what kind it is."""
    media_type = media_type_of(data)
    if media_type is None or len(data) > LARGEST:
        return None
    return Attachment("image", f"picture{place}.{media_type.partition('/')[2]}", media_type, data)


def _decoded(text: Any) -> bytes | None:
    """Returns None also for text that is too large; it is not decoded then."""
    if not isinstance(text, str) or len(text) > LARGEST * 4 // 3 + 4:
        return None
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
