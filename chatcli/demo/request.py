"""Reads the messages of a chat request from its JSON."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chatcli.demo.protocol import HttpRefusal


@dataclass(frozen=True, slots=True)
class DemoMessage:
    """`images` are the bytes of image files."""

    role: str
    content: str
    thinking: str = ""
    images: tuple[bytes, ...] = ()


def read_messages(value: object) -> tuple[DemoMessage, ...]:
    """Returns the "messages" of a body; raises HttpRefusal (400) unless it is a list of objects with strings."""
    if value is None:
        return ()
    if not isinstance(value, list):
        raise _wrong("ChatRequest.messages of type []api.Message")
    return tuple(_read_message(item) for item in value)


def _read_message(item: Any) -> DemoMessage:
    if not isinstance(item, dict):
        raise _wrong("ChatRequest.messages of type api.Message")
    words = {name: item.get(name) or "" for name in ("role", "content", "thinking")}
    for name, word in words.items():
        if not isinstance(word, str):
            raise _wrong(f"Message.messages.{name} of type string")
    return DemoMessage(
        words["role"].lower(), words["content"], words["thinking"], read_images(item.get("images") or ())
    )


def read_images(images: Sequence[object]) -> tuple[bytes, ...]:
    try:
        return tuple(base64.b64decode(str(image), validate=True) for image in images)
    except binascii.Error as error:
        raise HttpRefusal(400, "illegal base64 data in a message's images") from error


def _wrong(where: str) -> HttpRefusal:
    return HttpRefusal(400, f"json: cannot unmarshal value into Go struct field {where}")
