"""Reads one message from anybody's JSON (Ollama's, OpenAI's, our own): forgiving, and it reports every guess."""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from chatcli.conversation.message import Attachment, Message, Role, ToolUse
from chatcli.errors import BadData
from chatcli.paths import shown
from chatcli.reading.json_toml import is_within, read_json
from chatcli.reading.raw import LARGEST
from chatcli.reading.signatures import media_type_of, what_else

_ROLES = {
    **{role.value: role for role in Role},
    "developer": Role.SYSTEM,
    "human": Role.USER,
    "ai": Role.ASSISTANT,
    "bot": Role.ASSISTANT,
    "model": Role.ASSISTANT,
    "function": Role.TOOL,
}

# Seconds since 1970: the year 5138.
_LATEST = 1e11
# The years a message can be from: other values are not dates, and the calendar's ends fit no time zone.
_YEARS = range(1970, 2200)

# How deep a tool's arguments may be nested, without the levels around them here and in our own files.
_DEPTH = 100


def read_message(item: Any, where: str, files: Mapping[str, Any], repairs: list[str]) -> Message | None:
    """`where` names the item in repairs; `files` are base64 by SHA-256. Returns None if it holds no message."""
    if isinstance(item, str):
        repairs.append(f"{where} is bare text; taken as the user's")
        return Message.user(item)
    if not isinstance(item, dict):
        repairs.append(f"{where} is no message; left out")
        return None
    text, attachments = _read_content(item, where, repairs)
    attachments += _read_attachments(item, where, files, repairs)
    thinking = item.get("thinking") or item.get("reasoning_content") or ""
    return Message(
        role=_read_role(item, where, repairs),
        text=text,
        thinking=thinking if isinstance(thinking, str) else "",
        attachments=tuple(attachments),
        tool_uses=tuple(_read_tool_uses(item, where, repairs)),
    )


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
    given = item.get("role")
    if given is None:
        repairs.append(f"{where} has no role; taken as the user's")
        return Role.USER
    role = _ROLES.get(str(given).strip().lower())
    if role is None:
        repairs.append(f"{where} has the role {str(given)[:40]!r}, which means nothing here; taken as the user's")
        return Role.USER
    return role


def _read_content(item: Mapping[str, Any], where: str, repairs: list[str]) -> tuple[str, list[Attachment]]:
    """Reads text, or OpenAI's parts: {"type": "text", "text"} and {"type": "image_url", "image_url": {"url"}}."""
    content = item.get("content")
    if isinstance(content, str):
        return content, []
    if isinstance(content, list):
        return _read_parts(content, where, repairs)
    if content is None:
        if not item.get("tool_calls"):
            repairs.append(f"{where} has no content; taken as empty")
        return "", []
    repairs.append(f"{where} has content that is no text; taken as it is written")
    return json.dumps(content, ensure_ascii=False), []


def _read_parts(parts: Sequence[Any], where: str, repairs: list[str]) -> tuple[str, list[Attachment]]:
    texts: list[str] = []
    pictures: list[Attachment] = []
    for part in parts:
        about = mapped(part)
        link = about.get("image_url")
        url = mapped(link).get("url", link)
        if isinstance(part, str):
            texts.append(part)
        elif isinstance(about.get("text"), str):
            texts.append(about["text"])
        elif isinstance(url, str) and url.startswith("data:"):
            pictures += _taken(_from_data_url(url), len(pictures) + 1, where, repairs)
        else:
            repairs.append(f"{where} has a part that is neither text nor a picture; left out")
    return "\n".join(texts), pictures


def _read_attachments(
    item: Mapping[str, Any], where: str, files: Mapping[str, Any], repairs: list[str]
) -> list[Attachment]:
    """Reads our own `attachments`, and Ollama's `images`, which are plain base64."""
    found: list[Attachment] = []
    for about in listed(item.get("attachments")):
        name = str(mapped(about).get("name") or "file")
        data = _decoded(files.get(str(mapped(about).get("sha256")), mapped(about).get("data")))
        if data is None:
            repairs.append(f"{where}: the file {shown(name)!r} is missing, or too large")
        elif mapped(about).get("kind") == "text":
            found.append(Attachment("text", name, str(mapped(about).get("media_type") or ""), data))
        elif media_type := media_type_of(data):
            found.append(Attachment("image", name, media_type, data))
        else:
            repairs.append(f"{where}: the file {shown(name)!r} is {what_else(data)}; left out")
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


def _arguments(given: Any) -> Any:
    """Returns the arguments as a value. Text that cannot be parsed, or is nested too deeply, stays text."""
    if isinstance(given, str):
        try:
            return read_json(given, depth=_DEPTH)
        except BadData:
            return {"text": given}
    return given if is_within(given, _DEPTH) else {"text": json.dumps(given, ensure_ascii=False)}


def _read_tool_uses(item: Mapping[str, Any], where: str, repairs: list[str]) -> list[ToolUse]:
    """Reads {"function": {"name", "arguments"}}; OpenAI writes the arguments as a string of JSON."""
    uses = []
    for call in listed(item.get("tool_calls")):
        function = mapped(mapped(call).get("function"))
        arguments = _arguments(function.get("arguments"))
        if isinstance(function.get("name"), str) and isinstance(arguments, dict):
            uses.append(ToolUse(function["name"], arguments))
        else:
            repairs.append(f"{where} has a tool call that cannot be read; left out")
    return uses
