"""Count, Usage, Turn: the tokens of something, what the server measured, and the provenance of a reply."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from typing import Any

from chatcli.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Count:
    """Tokens, and whether they are exact (`=`) or an estimate (`~`). A sum is exact when both parts are."""

    tokens: int
    exact: bool = False

    def __add__(self, other: Count) -> Count:
        return Count(self.tokens + other.tokens, self.exact and other.exact)

    def __str__(self) -> str:
        return f"{'=' if self.exact else '~'}{self.tokens}"


NOTHING = Count(0, exact=True)


def in_tokens(count: Count | int | str) -> str:
    """The count in words: 1 token, ~840 tokens."""
    said = str(count)
    return f"{said} token" if said.lstrip("=~") == "1" else f"{said} tokens"


def counted(number: int, what: str) -> str:
    """1 message, 2 messages."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def total(counts: Iterable[Count]) -> Count:
    return sum(counts, NOTHING)


@dataclass(frozen=True, slots=True)
class Usage:
    """What the server measured (from its last chunk). None: it did not say. Durations in seconds."""

    prompt_tokens: int | None = None  # Ollama's prompt_eval_count
    reply_tokens: int | None = None  # eval_count
    total_seconds: float | None = None  # total_duration
    load_seconds: float | None = None  # load_duration
    prompt_seconds: float | None = None  # prompt_eval_duration
    reply_seconds: float | None = None  # eval_duration


@dataclass(frozen=True, slots=True)
class Turn:
    """The provenance of one reply. Stored with the reply's node; a Message knows nothing of it.

    `options`: those of the request; `truncate` and `shift` among them where the server was allowed to cut.
    `sent`: the fingerprint of the prompt whose size `usage` has (tokens/measured.py); "" where that size is not
    reliable. `context`: the tokens of the conversation up to the reply, as /api/generate returned them, packed by
    `packed`; "" for none.

    `server`: a fingerprint of the server's address. `read`: about how many tokens of the prompt were not in its
    cache, None where that is not known. What recall cost of them: `quoted`, and `again`, read again because of
    quotes; `gave_way`: messages gave way to them.
    """

    model: str
    digest: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    planned: Count = NOTHING  # also where nothing was counted, since it fits in any case
    usage: Usage = Usage()
    done_reason: str = ""
    left_out: int = 0
    first_token_seconds: float | None = None
    sent: str = ""
    context: str = ""
    server: str = ""
    read: int | None = None
    quoted: int = 0
    again: int = 0
    gave_way: bool = False

    @property
    def overfull(self) -> bool:
        """Whether the server was allowed to cut the prompt and had to: the window has no room for all of it."""
        window = self.options.get("num_ctx")
        return self.options.get("truncate") is True and isinstance(window, int) and self.planned.tokens >= window

    def is_like(self, other: Turn) -> bool:
        """Whether the same model answered, with the same window and on the same server."""
        return self._where == other._where

    @property
    def _where(self) -> tuple[object, ...]:
        return self.server, self.digest or self.model, self.options.get("num_ctx")

    @property
    def unread(self) -> int | None:
        """The tokens of the prompt that the server dropped; None where that cannot be known."""
        read = self.usage.prompt_tokens
        if not self.overfull:
            return 0
        return max(0, self.planned.tokens - read) if self.planned.exact and read is not None else None


MOST_PACKED = 4 * 2**24  # bytes of unpacked tokens: longer than any window


def packed(tokens: Sequence[int]) -> str:
    """Tokens as a short text, for the store."""
    numbers = b"".join(each.to_bytes(4, "little") for each in tokens)
    return base64.b85encode(zlib.compress(numbers)).decode("ascii")


def unpacked(text: str) -> tuple[int, ...] | None:
    """The tokens that were packed; None where the text is none of `packed`."""
    try:
        numbers = zlib.decompressobj().decompress(base64.b85decode(text), MOST_PACKED)
    except (ValueError, zlib.error):
        return None
    parts = (numbers[at : at + 4] for at in range(0, len(numbers), 4))
    return tuple(int.from_bytes(each, "little") for each in parts)
