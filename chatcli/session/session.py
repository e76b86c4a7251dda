"""Session: the open conversation, the settings and the parts. Dataclasses with hardly any logic."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from chatcli.conversation.message import Attachment
from chatcli.conversation.plan import Plan
from chatcli.conversation.tree import Conversation
from chatcli.paths import Paths
from chatcli.session.background import Background, Later
from chatcli.session.background_summary import Summarizer
from chatcli.settings.layers import Settings

if TYPE_CHECKING:
    from chatcli.client.models import Model
    from chatcli.client.ollama import Client
    from chatcli.client.server import Server
    from chatcli.conversation.retrieval import Embedder, Meaning, Passage
    from chatcli.errors import ChatcliError
    from chatcli.store.store import Store
    from chatcli.tokens.counter import Counter


@dataclass(slots=True)
class Vectorising:
    """Vectors being made by `model` for the path to `tip`; the main thread takes them. `refused`: why no more are
    made; `whole`: the path was searched back to where an earlier search ended.
    """

    model: str
    conversation: int
    tip: int
    embedder: Embedder | None = None
    made: list[tuple[Passage, tuple[bytes, bytes]]] = field(default_factory=list)
    cancelled: threading.Event = field(default_factory=threading.Event)
    refused: ChatcliError | None = None
    whole: bool = False


@dataclass(slots=True)
class Meanings:
    """The vectors of the last questions, by text (None: not available), and the vectors being made
    (session/embeddings.py). `wanted`: the question whose vector was asked for and is not known. `refused`: the
    model that is not asked again.
    """

    known: dict[str, Meaning | None] = field(default_factory=dict)
    wanted: str = ""
    refused: str = ""
    round: Vectorising | None = None

    def of(self, text: str, model: str) -> Meaning | None:
        """The text's meaning by that model ("": none), or None; never waits."""
        meaning = self.known.get(text) if model else None
        if meaning is not None and meaning.embedder.name == model:
            return meaning
        if model and text not in self.known:
            self.wanted = text
        return None


@dataclass(slots=True)
class Session:
    """`conversation.id` is 0 until the first message is stored. `model` is what the server says about the model in
    use, `window` its context window in tokens, `counting` the counter once it knows that model's vocabulary.
    `pending` is sent with the next message; `plan` is that of the last request; `warnings` are still to be shown.
    `summarizer` makes summaries (session/background_summary.py). `meanings` holds the vectors
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
    meanings: Meanings = field(default_factory=Meanings)
    summarizer: Summarizer = field(init=False)

    def __post_init__(self) -> None:
        self.summarizer = Summarizer(self)

    def keep_settings(self) -> None:
        """Store with the conversation what was set in it."""
        if self.conversation.id:
            self.store.keep_settings(self.conversation, self.settings.kept())
