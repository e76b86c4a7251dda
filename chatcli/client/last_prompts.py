"""What a server has read last of each model's prompts, so that it is known what it need not read again."""

from __future__ import annotations

import threading
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

from chatcli.client.request import NEVER_CUT, Request
from chatcli.conversation.events import Done, Event, Text, Thinking, ToolCall
from chatcli.conversation.message import Message

_Kind = tuple[Any, ...]


class LastPrompts:
    """The last prompt of each model, with its reply: what the next one begins with alike is in the server's cache.
    Another program may have asked in between, which cannot be known here. Several threads may use it at once.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._read: dict[str, tuple[_Kind, tuple[Message, ...]]] = {}
        self._asked: dict[str, Request] = {}

    def noting(self, request: Request, events: Generator[Event, None, None]) -> Generator[Event, None, None]:
        """The events of the reply; the Done says what of the prompt the server had to read."""
        unread, texts, others = self._asked_for(request), list[str](), list[Event]()
        with closing(events):
            for event in events:
                if isinstance(event, Text):
                    texts.append(event.text)
                elif isinstance(event, Thinking | ToolCall):
                    others.append(event)
                elif isinstance(event, Done):
                    self._replied(request, "".join(texts), others)
                    yield replace(event, unread=unread)
                    continue
                yield event

    def _asked_for(self, request: Request) -> tuple[Message, ...] | None:
        """What of its messages the server has to read, the first without the beginning that is known. What it will
        have read is not known until the reply is whole.
        """
        with self._lock:
            kind, before = self._read.pop(request.model, ((), ()))
            self._asked[request.model] = request
        return _unread(before, request.messages) if before and kind == _kind(request) else None

    def _replied(self, request: Request, text: str, others: Sequence[Event]) -> None:
        """Templates drop earlier thinking, so a reply with thinking is read again; how they write calls is not
        known here.
        """
        kind = _kind(request)
        if kind is None or any(isinstance(each, ToolCall) for each in others):
            return
        said = (Message.assistant(text),) if text and not others else ()
        with self._lock:
            if self._asked.get(request.model) is request:
                self._read[request.model] = kind, (*request.messages, *said)


def _kind(request: Request) -> _Kind | None:
    """What else a prompt depends on; None where what the server reads is not its messages alone."""
    if request.path != "/api/chat" or dict(request.cutting) != NEVER_CUT:
        return None
    if any(message.images for message in request.messages):
        return None
    return request.options.get("num_ctx"), request.think, request.tools


def _unread(before: Sequence[Message], messages: Sequence[Message]) -> tuple[Message, ...]:
    """`messages` without what they begin with like `before`."""
    alike = 0
    while alike < min(len(before), len(messages)) and before[alike] == messages[alike]:
        alike += 1
    rest = tuple(messages[alike:])
    if not rest or alike == len(before) or before[alike].role is not rest[0].role:
        return rest
    same = _alike(before[alike].text, rest[0].text)
    return (replace(rest[0], text=rest[0].text[same:]), *rest[1:])


def _alike(one: str, other: str) -> int:
    """How many characters the two begin with alike."""
    pairs = zip(one, other, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))
