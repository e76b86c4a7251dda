"""One message from anybody's JSON (Ollama's, OpenAI's, our own): read forgivingly, every guess said."""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from chatcli.conversation.message import Attachment, Message, Role, ToolUse

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
# The years a message can be of; what names another is no date, and the ends of the calendar are in no time zone.
_YEARS = range(1970, 2200)

_PICTURES = (
    (b"\x89PNG", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"GIF8", "gif"),
    (b"RIFF", "webp"),
)


def read_message(item: Any, where: str, files: Mapping[str, Any], repairs: list[str]) -> Message | None:
    """`where` names the item in repairs; `files` are base64 by SHA-256. None: there is no message in it."""
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
    """ISO 8601, or seconds since 1970 (thousandths and less are known by their size); None for anything else,
    and for a year that no message can be of.
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
        while abs(value) > _LATEST:  # thousandths of seconds, or even less
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
    """Text, or OpenAI's parts: {"type": "text", "text"} and {"type": "image_url", "image_url": {"url"}}."""
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
        elif isinstance(url, str) and (picture := _from_data_url(url, len(pictures) + 1)):
            pictures.append(picture)
        else:
            repairs.append(f"{where} has a part that is neither text nor a picture; left out")
    return "\n".join(texts), pictures


def _read_attachments(
    item: Mapping[str, Any], where: str, files: Mapping[str, Any], repairs: list[str]
) -> list[Attachment]:
    """Our own `attachments`, and Ollama's `images`, which are bare base64."""
    found: list[Attachment] = []
    for about in listed(item.get("attachments")):
        name = str(mapped(about).get("name") or "file")
        data = _decoded(files.get(str(mapped(about).get("sha256")), mapped(about).get("data")))
        if data is None:
            repairs.append(f"{where}: the file {name!r} is missing")
            continue
        kind: Literal["image", "text"] = "text" if mapped(about).get("kind") == "text" else "image"
        found.append(Attachment(kind, name, str(mapped(about).get("media_type") or ""), data))
    for place, image in enumerate(listed(item.get("images")), start=1):
        data = _decoded(image)
        if data is None:
            repairs.append(f"{where}: picture {place} cannot be read; left out")
            continue
        found.append(picture(data, place))
    return found


def _from_data_url(url: str, place: int) -> Attachment | None:
    head, comma, body = url.partition(",")
    if not comma or not head.startswith("data:") or not head.endswith(";base64"):
        return None
    data = _decoded(body)
    return picture(data, place) if data is not None else None


def picture(data: bytes, place: int) -> Attachment:
    """The kind is told by how the bytes begin."""
    kind = next((kind for start, kind in _PICTURES if data.startswith(start)), "png")
    return Attachment("image", f"picture{place}.{kind}", f"image/{kind}", data)


def _decoded(text: Any) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True) if isinstance(text, str) else None
    except (binascii.Error, ValueError):
        return None


def _read_tool_uses(item: Mapping[str, Any], where: str, repairs: list[str]) -> list[ToolUse]:
    """{"function": {"name", "arguments"}}; OpenAI writes the arguments as a string of JSON."""
    uses = []
    for call in listed(item.get("tool_calls")):
        function = mapped(mapped(call).get("function"))
        arguments = function.get("arguments")
        if isinstance(arguments, str):
            try:
                arguments = json.loads(arguments)
            except ValueError:
                arguments = {"text": arguments}
        if isinstance(function.get("name"), str) and isinstance(arguments, dict):
            uses.append(ToolUse(function["name"], arguments))
        else:
            repairs.append(f"{where} has a tool call that cannot be read; left out")
    return uses
