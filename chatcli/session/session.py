"""Session: the open conversation, the settings and the parts. Dataclasses with hardly any logic."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from chatcli.conversation.message import Attachment
from chatcli.conversation.plan import Plan
from chatcli.conversation.tree import Conversation
from chatcli.paths import Paths
from chatcli.session.background import Background, Later
from chatcli.session.background_summary import Summarizer
from chatcli.session.embeddings import Embeddings
from chatcli.settings.layers import Settings

if TYPE_CHECKING:
    from chatcli.client.models import Model
    from chatcli.client.ollama import Client
    from chatcli.client.server import Server
    from chatcli.store.store import Store
    from chatcli.tokens.counter import Counter


@dataclass(slots=True)
class Session:
    """`conversation.id` is 0 until the first message is stored. `model` is what the server says about the model in
    use, `window` its context window in tokens, `counting` the counter once it knows that model's vocabulary.
    `pending` is sent with the next message; `plan` is that of the last request; `warnings` are still to be shown.
    `summarizer` makes summaries (session/background_summary.py). `embeddings` makes vectors
    (session/embeddings.py).
    """

    settings: Settings
    paths: Paths
    store: Store
    server: Server
    client: Later[Client]
    model: Later[Model]
    window: Later[int]
    counting: Later[Counter]
    counter: Counter
    background: Background
    conversation: Conversation
    pending: list[Attachment] = field(default_factory=list)
    plan: Plan | None = None
    warnings: list[str] = field(default_factory=list)
    summarizer: Summarizer = field(init=False)
    embeddings: Embeddings = field(init=False)

    def __post_init__(self) -> None:
        self.summarizer = Summarizer(self)
        self.embeddings = Embeddings(self)

    def keep_settings(self) -> None:
        """Store with the conversation what was set in it."""
        if self.conversation.id:
            self.store.keep_settings(self.conversation, self.settings.kept())
