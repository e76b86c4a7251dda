"""Text to tokens and back, by the demo engine's own vocabularies.

Counts made here check those of chatcli.tokens, so nothing is shared with it: no code, no tiktoken, no pattern.
The vocabularies were made by tests/bench/demo_vocabularies.py and are kept as the fields /api/show gives.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from chatcli.demo.merging import merge
from chatcli.demo.spelling import spelling_of

_FIELD = "tokenizer.ggml."
_SPECIAL = {3, 4}  # token types: control, and defined by the user
_KEPT = 32  # characters of a piece that is worth remembering; longer ones hardly come again


class Vocabulary:
    """`fields` are the tokenizer.ggml entries of a model's info, without that prefix."""

    def __init__(self, fields: dict[str, Any]) -> None:
        self.fields = fields
        self._tokens: list[str] = fields["tokens"]
        self._ids = {token: at for at, token in enumerate(self._tokens)}
        special = [
            token for token, kind in zip(self._tokens, fields["token_type"], strict=True) if kind in _SPECIAL
        ]
        self._special = re.compile("(" + "|".join(map(re.escape, sorted(special, key=len, reverse=True))) + ")")
        self._spelling = spelling_of(fields)
        self._known: dict[str, tuple[int, ...]] = {}

    @property
    def size(self) -> int:
        return len(self._tokens)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the fields, in hex: what would be the model's file."""
        return hashlib.sha256(repr(self.fields).encode()).hexdigest()

    @property
    def beginning(self) -> tuple[int, ...]:
        """What stands before every prompt: the beginning token, or nothing."""
        return (self.fields["bos_token_id"],) if self.fields["add_bos_token"] else ()

    def prompt(self, text: str) -> Iterator[int]:
        """The tokens of a prompt; a special token's name is that token, whoever wrote it."""
        for at, part in enumerate(self._special.split(text)):
            yield from (self._ids[part],) if at % 2 else self.tokens(part)

    def tokens(self, text: str) -> Iterator[int]:
        """The tokens of ordinary text."""
        for piece in self._spelling.pieces(text):
            ids = self._known.get(piece)
            if ids is None:
                ids = tuple(self._merged(piece))
                if len(piece) < _KEPT:
                    self._known[piece] = ids
            yield from ids

    def read(self, tokens: Iterable[int]) -> Iterator[str]:
        """The text of each token; of one that ends inside a character nothing, until the character is whole."""
        rest = b""
        for token in tokens:
            rest += self._spelling.read(self._tokens[token])
            try:
                text = rest.decode()
            except UnicodeDecodeError:
                yield ""
            else:
                rest = b""
                yield text

    def described(self, verbose: bool) -> dict[str, Any]:
        """The fields as /api/show gives them: its long lists are null unless it is asked to be verbose."""
        return {
            _FIELD + name: None if isinstance(value, list) and not verbose else value
            for name, value in self.fields.items()
        }

    def _merged(self, piece: str) -> Iterator[int]:
        for token in merge(self._spelling.symbols(piece), self._spelling.rank):
            if token in self._ids:
                yield self._ids[token]
            else:
                yield from (self._ids[byte] for byte in self._spelling.unknown(token))


@cache
def vocabulary(name: str) -> Vocabulary:
    """llama-bpe and qwen2 (byte-level), or spm (SentencePiece with byte fallback)."""
    packed = Path(__file__).with_name(f"{name}.json.gz").read_bytes()
    fields = json.loads(gzip.decompress(packed))
    return Vocabulary({key.removeprefix(_FIELD): value for key, value in fields.items()})
