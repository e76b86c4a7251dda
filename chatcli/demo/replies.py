"""What the demo says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chatcli.demo.messages import Message


@dataclass(frozen=True, slots=True)
class Reply:
    content: str
    thinking: str = ""


def reply(messages: Sequence[Message]) -> Reply:
    question = next((m.content for m in reversed(messages) if m.role == "user"), "")
    return Reply(
        f"## The demo engine\n\nNo language model is behind this reply. You said:\n\n> {question}",
        "The question is short. A plain answer will do.",
    )
