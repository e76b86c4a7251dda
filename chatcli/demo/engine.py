"""The parts of one running engine, and the words it has for a conversation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from chatcli.demo.models import Shelf
from chatcli.demo.replies import Reply, reply
from chatcli.demo.request import Message
from chatcli.demo.runner import Runners

PACE = 0.012  # seconds

Speaker = Callable[[Sequence[Message], dict[str, Any] | None], Reply]


@dataclass(frozen=True, slots=True)
class Engine:
    """`pace`: seconds between two tokens of a reply. `window`: num_ctx where nobody asks for another. `loading`:
    seconds that it takes to load a model.

    `speak` is given the messages, and a JSON Schema where the request asks for that format, and says the reply.
    """

    pace: float = PACE
    window: int = 4096
    speak: Speaker = reply
    loading: float = 0.0
    shelf: Shelf = field(default_factory=Shelf)
    runners: Runners = field(default_factory=Runners)
