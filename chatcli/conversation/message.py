"""Message, Role, Attachment: what is said. Values without ids; identity is the store's."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any, Literal


class Role(StrEnum):
    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


@dataclass(frozen=True, slots=False)
class Attachment:
    """What goes with a message: a picture, byte for byte as it was on disk, or the text of a file or page in
    UTF-8. `name` is the file's, or the address.
    """

    kind: Literal["image", "text"]
    name: str
    media_type: str
    data: bytes = field(repr=False)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the bytes, in hex: what the store keeps it under."""
        return hashlib.sha256(self.data).hexdigest()

    @property
    def size(self) -> int:
        return len(self.data)


@dataclass(frozen=True, slots=True)
class ToolUse:
    """A call of a tool that the model asked for."""

    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Message:
    role: Role
    text: str
    thinking: str = ""
    attachments: tuple[Attachment, ...] = ()
    tool_uses: tuple[ToolUse, ...] = ()

    @classmethod
    def system(cls, text: str) -> Message:
        return cls(Role.SYSTEM, text)

    @classmethod
    def user(cls, text: str, attachments: tuple[Attachment, ...] = ()) -> Message:
        return cls(Role.USER, text, attachments=attachments)

    @classmethod
    def assistant(cls, text: str, thinking: str = "") -> Message:
        return cls(Role.ASSISTANT, text, thinking)

    @property
    def images(self) -> tuple[Attachment, ...]:
        return tuple(a for a in self.attachments if a.kind == "image")
