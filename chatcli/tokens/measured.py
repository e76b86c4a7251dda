"""Measured: the prompts that a server has counted, recognized by a fingerprint of their messages.

A conversation grows at its end, so the last measured prompt is mostly the beginning of the next one. The
fingerprint is stored with the reply (Turn.sent): another process, or another machine, continues the count from
there. It includes the model and the think setting, because others write the same messages differently.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import NamedTuple

from chatcli.conversation.message import Message
from chatcli.tokens.cache import Memo

MOST = 2000  # prompts remembered, the newest


class Beginning(NamedTuple):
    """The first `messages` of a prompt, which the server counted as `tokens`."""

    messages: int
    tokens: int


class Measured:
    """Prompts of one model, written in one way: `kind` names both."""

    def __init__(self, kind: str = "") -> None:
        self._kind = kind
        self._tokens: dict[str, int] = {}

    def note(self, fingerprint: str, tokens: int) -> None:
        self._tokens.pop(fingerprint, None)
        self._tokens[fingerprint] = tokens
        if len(self._tokens) > MOST:
            del self._tokens[next(iter(self._tokens))]

    def fingerprint(self, messages: Sequence[Message]) -> str:
        """The fingerprint of a whole prompt; "" where there is none."""
        return list(self._fingerprints(messages))[-1] if messages else ""

    def longest(self, messages: Sequence[Message]) -> Beginning | None:
        """The longest beginning of this prompt that was measured."""
        if not self._tokens:
            return None
        found = [
            Beginning(number, self._tokens[each])
            for number, each in enumerate(self._fingerprints(messages), start=1)
            if each in self._tokens
        ]
        return found[-1] if found else None

    def _fingerprints(self, messages: Sequence[Message]) -> Iterator[str]:
        """The fingerprint of each beginning of the prompt, the shortest first."""
        so_far = sha256(self._kind.encode("utf-8", "surrogatepass"))
        for message in messages:
            so_far.update(name_of(message).encode())
            yield so_far.hexdigest()[:32]


def name_of(message: Message) -> str:
    """What distinguishes a message as a part of a prompt: a fingerprint, not its text."""
    size = len(message.text) + len(message.thinking) + sum(each.size for each in message.attachments)
    return _names.get(id(message), size, lambda: (message, _name_of(message)))[1]


# By the identity of a message, which stays in use here as long as its name.
_names: Memo[tuple[Message, str]] = Memo()


def _name_of(message: Message) -> str:
    calls = [(use.name, sorted(map(repr, use.arguments.items()))) for use in message.tool_uses]
    parts = (str(message.role), message.text, message.thinking, *(image.digest for image in message.images), calls)
    return sha256(repr(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]
