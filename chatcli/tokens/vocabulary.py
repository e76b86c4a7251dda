"""Vocabulary: a model's own, as a tiktoken encoding. vocabulary_file.py makes the file it is loaded from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from chatcli.tokens.cache import Memo
from chatcli.tokens.encoding import tokens_of
from chatcli.tokens.pretokenizers import FALLBACK, family_of
from chatcli.tokens.vocabulary_file import BLANK, Header, read

if TYPE_CHECKING:
    from tiktoken import Encoding

# Other ways in which servers may read a vocabulary (Ollama's own engine overrules some files).
OTHER_WAYS = ("llama-bpe", "qwen2", "gpt-2", "default")


class Vocabulary:
    """Counts text exactly. `known`: whether it is certain how this vocabulary splits text into pieces."""

    def __init__(self, file: bytes, way: str = "") -> None:
        """`file`: the bytes that `build` returned; `way`: how a server may split text, one of `others`."""
        header, ranks = read(file)
        self._file, self.way, self._own_way = file, way, header.pre
        self._header = header = _another_way(header, way) if way else header
        self.known = header.pieces != "" or family_of(header.pre) is not None
        self.is_sentencepiece = bool(header.pieces)
        self.pre = header.pre
        self.around = header.around
        self.marks = Specials(header.marks)
        self._specials = Specials(header.specials)
        self._encoding = _encoding(header, ranks)
        self._memo: Memo[int] = Memo()

    def count(self, text: str) -> int:
        """Tokens of `text` at the beginning of a prompt or right after a special token."""
        return self._memo.get(text, len(text), lambda: self._count(text))

    def _count(self, text: str) -> int:
        parts = self._specials.cut(text)
        return len(parts) // 2 + sum(self._ordinary(part) for part in parts[::2] if part)

    def others(self) -> Iterator[Vocabulary]:
        """The same vocabulary in each of the other ways a server may split text."""
        header = self._header
        ways = ("blank first", "no blank first") if header.pieces else (self._own_way, *OTHER_WAYS)
        for way in ways:
            if _another_way(header, way) != header:
                yield self.read_as(way)

    def read_as(self, way: str) -> Vocabulary:
        return Vocabulary(self._file, way)

    def _ordinary(self, text: str) -> int:
        if not self._header.pieces:
            return tokens_of(self._encoding, text)
        text = (" " + text if self._header.blank_first else text).replace(" ", BLANK)
        weights = self._header.weights
        return sum(weights.get(rank, 1) for rank in self._encoding.encode_ordinary(text))


class Specials:
    """Finds special tokens in a text, the longest first. There may be thousands: too many for one pattern."""

    def __init__(self, tokens: Sequence[str]) -> None:
        self._tokens = frozenset(tokens)
        self._memo: Memo[Sequence[str]] = Memo()
        lengths: dict[str, set[int]] = {}
        for token in tokens:
            lengths.setdefault(token[0], set()).add(len(token))
        self._lengths = {first: sorted(found, reverse=True) for first, found in lengths.items()}
        beginnings = sorted({token[:3] for token in tokens})
        self._first = re.compile("|".join(map(re.escape, beginnings)) or r"(?!)")

    def cut(self, text: str) -> Sequence[str]:
        """Text, special token, text, ...: special tokens have the odd indices."""
        return self._memo.get(text, len(text), lambda: self._cut(text))

    def _cut(self, text: str) -> list[str]:
        parts: list[str] = []
        start = at = 0
        while found := self._first.search(text, at):
            at = found.start()
            token = self._longest(text, at)
            if token:
                parts += (text[start:at], token)
                start = at = at + len(token)
            else:
                at += 1
        return [*parts, text[start:]]

    def _longest(self, text: str, at: int) -> str:
        candidates = (text[at : at + length] for length in self._lengths[text[at]])
        return next((candidate for candidate in candidates if candidate in self._tokens), "")


def _encoding(header: Header, ranks: Sequence[bytes]) -> Encoding:
    from tiktoken import Encoding

    pattern = header.pieces or (family_of(header.pre) or FALLBACK).pattern
    mergeable = {token: rank for rank, token in enumerate(ranks)}
    return Encoding("model", pat_str=pattern, mergeable_ranks=mergeable, special_tokens={})


def _another_way(header: Header, way: str) -> Header:
    if header.pieces:
        return replace(header, blank_first=way == "blank first")
    return replace(header, pre=way)
