"""From text to the symbols that merging starts with, and from tokens to bytes: byte-level and SentencePiece."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from chatcli.demo.merging import Rank
from chatcli.demo.splitting import split

SPACE = "▁"  # how SentencePiece writes a space


class Spelling(Protocol):
    """`pieces` cuts text where no token crosses; `symbols` spells a piece out; `rank` orders the joinings."""

    rank: Rank

    def pieces(self, text: str) -> Iterable[str]: ...

    def symbols(self, piece: str) -> Sequence[str]: ...

    def unknown(self, symbol: str) -> list[str]:
        """The tokens for a symbol that is none itself."""

    def read(self, token: str) -> bytes:
        """What a token stands for, as UTF-8 (perhaps a part of a character)."""


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
    """A symbol is a character, a space is ▁; two are joined if the vocabulary has the whole, highest score first.

    Cutting before each run of spaces loses nothing as long as no token has a space behind another character.
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
    """The one that a vocabulary's tokenizer.ggml fields ask for."""
    if fields["model"] == "llama":
        normal = zip(fields["tokens"], fields["scores"], fields["token_type"], strict=True)
        return SentencePiece({token: score for token, score, kind in normal if kind == 1})
    return ByteLevel(fields["merges"], digits=3 if fields["pre"] == "llama-bpe" else 1)


def _alphabet() -> dict[int, str]:
    """GPT-2's: printable bytes stand for themselves, the others for the characters from U+0100 on."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + at) for at, byte in enumerate(others)}


LETTERS = _alphabet()
_BYTES = {letter: byte for byte, letter in LETTERS.items()}
_WORDS = re.compile(f"{SPACE}*[^{SPACE}]+|{SPACE}+")
_BYTE_TOKEN = re.compile("<0x([0-9A-F]{2})>")
