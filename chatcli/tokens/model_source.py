"""ModelSource: where to ask what a model is made of, for exact counts. Naming one imports nothing that counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from chatcli.conversation.message import Message
from chatcli.dataclass import dataclass
from chatcli.tokens.tool_costs import Definitions, name_of_set


@dataclass(frozen=True, slots=True)
class ModelSource:
    """Where to ask what a model is made of. Both functions may raise chatcli's errors.

    `vocabulary`: the verbose /api/show, best as the bytes of the answer (parsing it would hold up the keyboard),
    or its model_info. `render`: the prompt the server would make of these messages, with these tools; None where
    it does not say. `think`: the think setting, on which the rendering depends; `tools`: the definitions sent with
    every request.
    """

    vocabulary: Callable[[], bytes | Mapping[str, Any]]
    render: Callable[[Sequence[Message], Definitions], str | None]
    think: str = ""
    tools: Definitions = ()

    @property
    def variant(self) -> str:
        """What the rendering depends on besides the messages: a part of the template's file name."""
        return "-".join(filter(None, (self.think, name_of_set(self.tools))))

    def write(self, messages: Sequence[Message]) -> str | None:
        """`render`, with the tools in use."""
        return self.render(messages, self.tools)
