"""Turns text to tokens and back, with the demo engine's own vocabularies.

Counts made here check those of chatcli.tokens, so nothing is shared with it: no code, no tiktoken, no pattern. The
vocabularies were made by tests/bench/demo_vocabularies.py and are stored as the fields that /api/show returns.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, cached_property
from heapq import heappop, heappush
from pathlib import Path
from typing import Any, Protocol

Rank = Callable[[str, str], float | None]


def merge(symbols: Iterable[str], rank: Rank) -> list[str]:
    """Joins two neighbors, those of lowest rank first and the leftmost of equals, until no two have a rank.

    A heap replaces the search of every pair after each step, so that a piece of 100,000 symbols does not take
    forever; the tests compare it with the plain loop.
    """
    parts = list(symbols)  # a part that was joined to its left neighbor is empty from then on
    before = list(range(-1, len(parts) - 1))
    after = list(range(1, len(parts) + 1))
    pairs: list[tuple[float, int, str, str]] = []

    def consider(at: int) -> None:
        if at >= 0 and after[at] < len(parts):
            left, right = parts[at], parts[after[at]]
            found = rank(left, right)
            if found is not None:
                heappush(pairs, (found, at, left, right))

    for at in range(len(parts)):
        consider(at)
    while pairs:
        _, at, left, right = heappop(pairs)
        other = after[at]
        if parts[at] != left or other >= len(parts) or parts[other] != right:
            continue  # one of the two was joined to something else meanwhile
        parts[at], parts[other] = left + right, ""
        after[at] = after[other]
        if after[at] < len(parts):
            before[after[at]] = at
        consider(before[at])
        consider(at)
    return [part for part in parts if part]


def split(text: str, digits: int) -> Iterator[str]:
    """Returns the pieces in order; joined they are the text. `digits`: how many in one (llama-bpe 3, qwen2 1)."""
    at = 0
    while at < len(text):
        end = (
            _contraction(text, at)
            or _word(text, at)
            or _number(text, at, digits)
            or _symbols(text, at)
            or _blank(text, at)
        )
        yield text[at:end]
        at = end


# Each of these returns where its piece ends, or 0 if the pattern below its name does not match at `at`.


def _contraction(text: str, at: int) -> int:
    # (?i:'s|'t|'re|'ve|'m|'ll|'d) where the long s counts as an s
    if text[at] != "'":
        return 0
    after = text[at + 1 : at + 3].lower().replace("ſ", "s")
    if after[:1] in {"s", "t", "m", "d"}:
        return at + 2
    return at + 3 if after in {"re", "ve", "ll"} else 0


def _word(text: str, at: int) -> int:
    # [^\r\n\p{L}\p{N}]?\p{L}+
    start = at
    if not text[at].isalpha():
        if text[at] in "\r\n" or _is_number(text[at]):
            return 0
        start += 1
    end = start
    while end < len(text) and text[end].isalpha():
        end += 1
    return end if end > start else 0


def _number(text: str, at: int, digits: int) -> int:
    # \p{N}{1,digits}
    end = at
    while end < min(len(text), at + digits) and _is_number(text[end]):
        end += 1
    return end if end > at else 0


def _symbols(text: str, at: int) -> int:
    # [ ]?[^\s\p{L}\p{N}]+[\r\n]*
    start = end = at + 1 if text[at] == " " else at
    while end < len(text) and _is_symbol(text[end]):
        end += 1
    if end == start:
        return 0
    while end < len(text) and text[end] in "\r\n":
        end += 1
    return end


def _blank(text: str, at: int) -> int:
    # \s*[\r\n]+|\s+(?!\S)|\s+
    end = at
    while end < len(text) and _is_space(text[end]):
        end += 1
    newline = max(text.rfind("\n", at, end), text.rfind("\r", at, end))
    if newline >= 0:
        return newline + 1
    return end if end == len(text) or end == at + 1 else end - 1  # the last space goes with what follows it


def _is_number(character: str) -> bool:
    return character.isnumeric() and not character.isalpha()


def _is_space(character: str) -> bool:
    return character.isspace() and character not in "\x1c\x1d\x1e\x1f"  # separators to Python, controls to Unicode


def _is_symbol(character: str) -> bool:
    return not (character.isalpha() or character.isnumeric() or _is_space(character))


SPACE = "▁"  # how SentencePiece writes a space


class Spelling(Protocol):
    """`pieces` cuts text where no token crosses; `symbols` splits a piece in symbols; `rank` orders the merges."""

    rank: Rank

    def pieces(self, text: str) -> Iterable[str]: ...

    def symbols(self, piece: str) -> Sequence[str]: ...

    def unknown(self, symbol: str) -> list[str]:
        """Returns the tokens for a symbol that is not a token itself."""

    def read(self, token: str) -> bytes:
        """Returns the UTF-8 bytes of a token (perhaps a part of a character)."""


class ByteLevel:
    """A symbol is a byte, written as one printable character; merges are ordered by their place in the list."""

    def __init__(self, merges: Sequence[str], digits: int) -> None:
        ranks = {(left, right): at for at, (left, right) in enumerate(merge.split(" ") for merge in merges)}
        self._digits = digits
        self.rank: Rank = lambda left, right: ranks.get((left, right))

    def pieces(self, text: str) -> Iterable[str]:
        return split(text, self._digits)

    def symbols(self, piece: str) -> Sequence[str]:
        return [LETTERS[byte] for byte in piece.encode()]

    def unknown(self, symbol: str) -> list[str]:
        raise AssertionError(f"every byte has its token, but {symbol!r} has none")

    def read(self, token: str) -> bytes:
        return bytes(_BYTES[letter] for letter in token)


class SentencePiece:
    """A symbol is a character, a space is ▁; two are joined if the vocabulary has the result, highest score first.

    Cutting before each run of spaces loses nothing as long as no token has a space after another character.
    """

    def __init__(self, scores: Mapping[str, float]) -> None:
        def rank(left: str, right: str) -> float | None:
            score = scores.get(left + right)
            return None if score is None else -score

        self.rank: Rank = rank

    def pieces(self, text: str) -> Iterable[str]:
        return _WORDS.findall(text.replace(" ", SPACE))

    def symbols(self, piece: str) -> Sequence[str]:
        return piece

    def unknown(self, symbol: str) -> list[str]:
        return [f"<0x{byte:02X}>" for byte in symbol.encode()]

    def read(self, token: str) -> bytes:
        if byte := _BYTE_TOKEN.fullmatch(token):
            return bytes.fromhex(byte[1])
        return token.replace(SPACE, " ").encode()


def spelling_of(fields: Mapping[str, Any]) -> Spelling:
    """Returns the spelling that a vocabulary's tokenizer.ggml fields ask for."""
    if fields["model"] == "llama":
        normal = zip(fields["tokens"], fields["scores"], fields["token_type"], strict=True)
        return SentencePiece({token: score for token, score, kind in normal if kind == 1})
    return ByteLevel(fields["merges"], digits=3 if fields["pre"] == "llama-bpe" else 1)


def _alphabet() -> dict[int, str]:
    """GPT-2's: printable bytes are themselves, the others are the characters from U+0100 on."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + at) for at, byte in enumerate(others)}


LETTERS = _alphabet()
_BYTES = {letter: byte for byte, letter in LETTERS.items()}
_WORDS = re.compile(f"{SPACE}*[^{SPACE}]+|{SPACE}+")
_BYTE_TOKEN = re.compile("<0x([0-9A-F]{2})>")


_FIELD = "tokenizer.ggml."
_SPECIAL = {3, 4}  # token types: control, and defined by the user
_KEPT = 32  # characters of a piece that is worth caching; longer ones hardly occur again


class DemoVocabulary:
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
        """SHA-256 of the fields, in hex: it plays the part of the model file's digest."""
        return hashlib.sha256(repr(self.fields).encode()).hexdigest()

    @property
    def beginning(self) -> tuple[int, ...]:
        """The tokens before every prompt: the beginning token, or nothing."""
        return (self.fields["bos_token_id"],) if self.fields["add_bos_token"] else ()

    def prompt(self, text: str) -> Iterator[int]:
        """Returns the tokens of a prompt; the name of a special token is that token, whoever wrote it."""
        for at, part in enumerate(self._special.split(text)):
            yield from (self._ids[part],) if at % 2 else self.tokens(part)

    def tokens(self, text: str) -> Iterator[int]:
        """Returns the tokens of ordinary text."""
        for piece in self._spelling.pieces(text):
            ids = self._known.get(piece)
            if ids is None:
                ids = tuple(self._merged(piece))
                if len(piece) < _KEPT:
                    self._known[piece] = ids
            yield from ids

    def read(self, tokens: Iterable[int]) -> Iterator[str]:
        """Returns the text of each token; one that ends inside a character is held until it is complete."""
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
        """Returns the fields as /api/show does: its long lists are null unless `verbose`."""
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
def vocabulary(name: str) -> DemoVocabulary:
    """Loads llama-bpe and qwen2 (byte-level), or spm (SentencePiece with byte fallback)."""
    packed = Path(__file__).with_name(f"{name}.json.gz").read_bytes()
    fields = json.loads(gzip.decompress(packed))
    return DemoVocabulary({key.removeprefix(_FIELD): value for key, value in fields.items()})
