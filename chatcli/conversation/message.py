"""Message, Role, Attachment: one message and the files that go with it. Values without ids; identity is the
store's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from enum import StrEnum
from functools import cached_property
from typing import Any, Literal

from chatcli.dataclass import dataclass
from chatcli.hints import Words
from chatcli.text import as_name, shortened

# Put before the thinking of a reply that has no text.
THOUGHT = "only thinking"
# Of one reply this many calls of tools are kept, and answered.
MOST_CALLS = 32


class Role(StrEnum):
    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


# What a message is called in lists, by its role.
ROLE_NAMES = {Role.USER: "you", Role.ASSISTANT: "reply", Role.SYSTEM: "system", Role.TOOL: "tool"}


def calling(names: Iterable[str]) -> str:
    """What stands for the text of a reply that has none, and calls these tools."""
    return f"(calls {', '.join(names)})"


def speaker(role: Role, tool: str = "") -> str:
    """What a message is called in lists: by its role, a result with its tool."""
    return f"{ROLE_NAMES[role]} {as_name(tool)}".rstrip() if tool else ROLE_NAMES[role]


@dataclass(frozen=True, slots=False)
class Attachment:
    """A file that goes with a message: an image, byte for byte as it was on disk, or the text of a file or page in
    UTF-8. `name`: the file's name, or the address. `notes`: what a person should know about how it was read; shown
    when it is attached, never stored.
    """

    kind: Literal["image", "text"]
    name: str
    media_type: str
    data: bytes = field(repr=False)
    notes: tuple[Words, ...] = field(default=(), repr=False, compare=False)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the bytes, in hex: the key under which the store keeps it."""
        return hashlib.sha256(self.data).hexdigest()

    @property
    def size(self) -> int:
        return len(self.data)


@dataclass(frozen=True, slots=True)
class ToolUse:
    """A tool call that the model asked for. `id` is the server's, "" where it gave none. Arguments that are no
    object are kept as one, under the name "arguments".
    """

    name: str
    arguments: Mapping[str, Any]
    id: str = ""

    @property
    def brief(self) -> str:
        """The call in one line: read_file(path=notes.md), long arguments shortened."""
        given = ", ".join(f"{name}={_one_line(value)}" for name, value in self.arguments.items())
        return f"{self.name}({given})"


def _one_line(value: object) -> str:
    return shortened(" ".join(str(value)[:500].split()), 60)


@dataclass(frozen=True, slots=True)
class Message:
    """`tool_uses`: the calls that a reply asks for; of a message of role tool, the one call whose result it is."""

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

    @classmethod
    def tool(cls, use: ToolUse, text: str) -> Message:
        """The result of that call."""
        return cls(Role.TOOL, text, tool_uses=(use,))

    @property
    def calls(self) -> tuple[ToolUse, ...]:
        """The calls that a reply asks for."""
        return self.tool_uses if self.role is Role.ASSISTANT else ()

    @property
    def answers(self) -> ToolUse | None:
        """The call whose result this is; None where that is not known, and for every other role."""
        return self.tool_uses[0] if self.role is Role.TOOL and self.tool_uses else None

    @property
    def has_text(self) -> bool:
        return bool(self.text.strip())

    @property
    def is_empty(self) -> bool:
        """Whether it has no text, no thinking, no tool call and no file."""
        return not (self.has_text or self.thinking.strip() or self.tool_uses or self.attachments)

    @property
    def source(self) -> str:
        """The text; if there is none, the model's thinking."""
        return self.text if self.has_text or not self.thinking else self.thinking

    @property
    def without_thinking(self) -> Message:
        return replace(self, thinking="") if self.thinking else self

    @property
    def brief(self) -> str:
        """The same in one line, preceded by its kind where it is not the text."""
        words = " ".join(self.source.split())
        if self.has_text or self.is_empty or self.attachments:
            return words
        return calling(use.name for use in self.calls) if self.calls else f"({THOUGHT}) {words}"

    @property
    def images(self) -> tuple[Attachment, ...]:
        return tuple(a for a in self.attachments if a.kind == "image") if self.attachments else ()
