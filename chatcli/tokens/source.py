"""Source: how the counter gets at a model. The caller makes it from the client; nothing here knows a server."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chatcli.conversation.message import Message


@dataclass(frozen=True, slots=True)
class Source:
    """Where a model can be asked what it is made of. Both functions may raise chatcli's errors.

    `vocabulary`: the verbose /api/show, best as the bytes of the answer (parsing it would hold up the keyboard),
    or its model_info. `render`: the prompt the server would make of these messages; None where it does not tell.
    `variant`: what else the rendering depends on (the think setting); it is part of the template's name on disk.
    """

    vocabulary: Callable[[], bytes | Mapping[str, Any]]
    render: Callable[[Sequence[Message]], str | None]
    variant: str = ""
