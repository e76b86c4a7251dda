"""Reply: what has come of a reply so far, saved every now and then while it comes."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace

from chatcli.conversation.events import Done, Event, Text, Thinking, ToolCall
from chatcli.conversation.message import Message, Role, ToolUse
from chatcli.conversation.tree import Ended
from chatcli.errors import StoreError

# A reply in progress is saved at least this often, in seconds.
SAVE_EVERY = 0.8


@dataclass(slots=True)
class Reply:
    """What has come of a reply so far, after `onward`, a reply that it goes on from. `save` is called with text
    and thinking every now and then.
    """

    save: Callable[[str, str], None]
    onward: Message = Message.assistant("")
    texts: list[str] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    tool_uses: list[ToolUse] = field(default_factory=list)
    done: Done | None = None
    stopped: bool = False
    began: float = field(default_factory=time.monotonic)
    first_token: float | None = None
    saved: float = 0.0

    def add(self, event: Event) -> None:
        match event:
            case Text(text):
                self.texts.append(text)
            case Thinking(text):
                self.thoughts.append(text)
            case ToolCall(use):
                self.tool_uses.append(use)
            case Done():
                self.done = event
        now = time.monotonic()
        if self.started and self.first_token is None:
            self.first_token = now - self.began
        if self.started and now - self.saved >= SAVE_EVERY:
            with suppress(StoreError):  # a full disk or a long lock is told at the end, when it still matters
                message = self.message
                self.save(message.text, message.thinking)
            self.saved = now

    @property
    def started(self) -> bool:
        return bool(self.texts or self.thoughts or self.tool_uses)

    @property
    def new(self) -> Message:
        """What has come, without what it goes on from."""
        texts, thoughts = "".join(self.texts), "".join(self.thoughts)
        return Message(Role.ASSISTANT, texts, thoughts, tool_uses=tuple(self.tool_uses))

    @property
    def message(self) -> Message:
        before, new = self.onward, self.new
        return replace(
            new,
            text=before.text + new.text,
            thinking=before.thinking + new.thinking,
            tool_uses=before.tool_uses + new.tool_uses,
        )

    @property
    def ended(self) -> Ended:
        if self.done is not None:
            return Ended.LENGTH if self.done.reason == "length" else Ended.COMPLETE
        return Ended.STOPPED if self.stopped else Ended.BROKEN
