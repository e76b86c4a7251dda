"""Hit: a passage of a stored message that was searched for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from chatcli.conversation.message import Role


@dataclass(frozen=True, slots=True)
class Hit:
    """`text` is a passage of about 100 tokens from message `node`; `marks` are the spans in it that were sought.

    `score` is higher the better it fits, comparable within one search only.
    """

    conversation: int
    title: str
    node: int
    number: int
    role: Role
    created: datetime
    text: str
    marks: tuple[tuple[int, int], ...]
    score: float
