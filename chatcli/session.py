"""What is open now: the conversation, the settings and the parts. A dataclass without logic."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from chatcli.background import Background, Later
from chatcli.conversation.message import Attachment
from chatcli.conversation.plan import Plan
from chatcli.conversation.tree import Conversation
from chatcli.paths import Paths
from chatcli.settings.settings import Settings

if TYPE_CHECKING:
    from chatcli.client.models import Model
    from chatcli.client.ollama import Client
    from chatcli.client.server import Server
    from chatcli.context.summary import Due
    from chatcli.store.store import Store
    from chatcli.tokens.counter import Counter


@dataclass(slots=True)
class Job:
    """One request for a summary, to `model` with a window of so many tokens. Its answer is taken by the main
    thread; cancelling it loses nothing.
    """

    due: Due
    conversation: int
    model: Model
    window: int
    cancelled: threading.Event = field(default_factory=threading.Event)
    answer: str = ""


@dataclass(slots=True)
class Session:
    """`conversation.id` is 0 until the first message is kept. `model` is what the server says of the model in
    use, `window` its context window in tokens, `counting` the counter once it knows that model's vocabulary;
    `pending` goes with the next message; `plan` is the last request's; `warnings`
    are to be shown; `summary` is the one being made (summarising.py).
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
    summary: Job | None = None
