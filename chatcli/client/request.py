"""Request: what one chat asks of the server, and a check whether the model can do it at all.

The plan decides what goes into `messages` and `options`; num_ctx is sent when the caller put it there.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any

from chatcli.client.failures import A_VISION_MODEL, WITHOUT_THINKING
from chatcli.client.models import Model
from chatcli.conversation.message import Message, Role, ToolUse
from chatcli.dataclass import dataclass
from chatcli.errors import CannotSee, CannotThink
from chatcli.hints import Do, Hint

# The server neither cuts the prompt behind our back nor drops older context while it generates: so it is in every
# strategy but those that leave that to the server. `shift` is part of a runner's identity from v0.30 on, so
# everything that may load a model sends the same value.
NEVER_CUT: Mapping[str, bool] = {"truncate": False, "shift": False}


@dataclass(frozen=True, slots=True)
class Request:
    """`think`: None leaves it to the model; a str is a level ("low", ...). `keep_alive`: "5m", "-1", ...
    `cutting`: whether the server may cut the prompt (`truncate`) and what came before the reply (`shift`).

    `tools`: the definitions, as {"type": "function", "function": {...}}; only /api/chat takes them.

    With `context` or `raw` it goes to /api/generate: the last message after these tokens, with the system message
    if there is one; or the texts of all messages as one, without a template.
    """

    model: str
    messages: tuple[Message, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    think: bool | str | None = None
    format: str | Mapping[str, Any] | None = None
    keep_alive: str | None = None
    cutting: Mapping[str, bool] = field(default_factory=lambda: NEVER_CUT)
    context: tuple[int, ...] | None = None
    raw: bool = False
    tools: tuple[Mapping[str, Any], ...] = ()

    @property
    def path(self) -> str:
        """Where it is sent."""
        return "/api/chat" if self.context is None and not self.raw else "/api/generate"

    def body(self) -> dict[str, Any]:
        """The JSON object that is posted to `path`."""
        body: dict[str, Any] = {
            "model": self.model,
            **self._said(),
            "options": dict(self.options),
            "stream": True,
            **self.cutting,
        }
        if self.think is not None and not self.raw:
            body["think"] = self.think
        if self.format:
            body["format"] = self.format
        if self.keep_alive is not None:
            body["keep_alive"] = duration(self.keep_alive)
        return body

    def _said(self) -> dict[str, Any]:
        if self.path == "/api/chat":
            tools = {"tools": list(self.tools)} if self.tools else {}
            return {"messages": [_message(message) for message in self.messages], **tools}
        if self.raw:
            return {"prompt": "".join(message.text for message in self.messages), "raw": True}
        first, last = self.messages[0], self.messages[-1]
        said: dict[str, Any] = {"prompt": last.text}
        if first.role is Role.SYSTEM:
            said["system"] = first.text
        if last.images:
            said["images"] = _encoded(last)
        return said | ({"context": list(self.context)} if self.context else {})


def think_as(setting: str | None) -> bool | str | None:
    """The request's `think` for a value of the setting: on, off, or a level; None leaves it to the model."""
    return {"on": True, "off": False}.get(setting, setting) if setting is not None else None


def check(request: Request, model: Model, alternatives: Sequence[str] = ()) -> None:
    """Raise CannotSee or CannotThink when `model` is known to lack the capability; `alternatives` are models that
    accept images.

    Only the newest question's images count: earlier ones in the conversation are no reason to refuse the next
    question. A model without known capabilities (an old server) passes.
    """
    if not model.capabilities:
        return
    if _asks_with_pictures(request) and not model.sees:
        raise CannotSee(f"{request.model} cannot see pictures.", _who_can_see(alternatives))
    if request.think and "thinking" not in model.capabilities:
        raise CannotThink(
            f"{request.model} does not support thinking.",
            WITHOUT_THINKING,
        )


def duration(text: str) -> str | int | float:
    """A keep_alive as the server reads it: a bare number is seconds and must be a JSON number, not a string."""
    if re.fullmatch(r"-?\d{1,18}", text.strip()):
        return int(text)
    if re.fullmatch(r"-?\d*\.\d+", text.strip()):
        return float(text)
    return text.strip()


def _message(message: Message) -> dict[str, Any]:
    sent: dict[str, Any] = {"role": message.role.value, "content": message.text}
    if message.thinking:
        sent["thinking"] = message.thinking
    if message.images:
        sent["images"] = _encoded(message)
    if message.calls:
        sent["tool_calls"] = list(map(_call, message.calls))
    if (use := message.answers) is not None:
        sent["tool_name"] = use.name
        if use.id:
            sent["tool_call_id"] = use.id
    return sent


def _call(use: ToolUse) -> dict[str, Any]:
    function = {"name": use.name, "arguments": dict(use.arguments)}
    return {"id": use.id, "function": function} if use.id else {"function": function}


def _encoded(message: Message) -> list[str]:
    """Its pictures, as JSON has them."""
    return [base64.b64encode(image.data).decode("ascii") for image in message.images]


def _asks_with_pictures(request: Request) -> bool:
    question = next((message for message in reversed(request.messages) if message.role is Role.USER), None)
    return question is not None and bool(question.images)


def _who_can_see(alternatives: Sequence[str]) -> Hint:
    if alternatives:
        return Hint("Choose one that can with ", Do("model"), f": {', '.join(alternatives)}.")
    return A_VISION_MODEL
