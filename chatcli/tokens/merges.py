"""From a model file's tokenizer to tiktoken's ranks, for the two kinds of BPE. Imports nothing of tiktoken.

tiktoken joins the adjacent pair whose joined bytes have the lowest rank; the model joins the pair that stands
first among its merges, or whose token scores highest. Ranks in that order give the same tokens.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6
BLANK = "\u2581"  # what SentencePiece writes for a space


@dataclass(frozen=True, slots=True)
class Ranks:
    """`tokens` in order of rank; `weights`: what a rank counts for, where that is not one."""

    tokens: list[bytes]
    weights: Mapping[int, int]


def by_merge(tokens: Sequence[str], types: Sequence[int], merges: Iterable[str], whole: bool) -> Ranks:
    """Byte-level BPE: the single bytes, then each token at the first merge that makes it.

    `whole`: tokens that no merge makes are reached when a whole piece is one, and come last.
    """
    mentioned = {_to_bytes(token) for token, kind in zip(tokens, types, strict=True) if kind in {NORMAL, BYTE}}
    ranks = dict.fromkeys(bytes([byte]) for byte in range(256))
    for merge in merges:
        left, _, right = merge.partition(" ")
        joined = _to_bytes(left + right)
        if joined in mentioned:
            ranks[joined] = None
    if whole:
        ranks.update(dict.fromkeys(_to_bytes(t) for t, kind in zip(tokens, types, strict=True) if kind == NORMAL))
    return Ranks([token for token in ranks if token], {})


def by_score(
    tokens: Sequence[str], types: Sequence[int], scores: Sequence[float], merges: Iterable[str] | None = None
) -> Ranks:
    """SentencePiece BPE: the single bytes, the beginnings of characters, characters, then tokens by their score.

    SentencePiece starts from characters and tiktoken from bytes, so characters have to come together first; the
    beginning of one that is no token stands for as many byte tokens as it has bytes. With `merges`, they are the
    order instead of the scores.
    """
    normal = [
        (place, token) for place, (token, kind) in enumerate(zip(tokens, types, strict=True)) if kind == NORMAL
    ]
    characters = [token.encode() for _, token in normal if len(token) == 1]
    beginnings = {whole[:end] for whole in characters for end in range(2, len(whole))}
    ranks = {bytes([byte]): 1 for byte in range(256)}
    ranks.update((part, len(part)) for part in sorted(beginnings, key=lambda part: (len(part), part)))
    ranks.update(dict.fromkeys(characters, 1))
    if merges is None:
        normal.sort(key=lambda entry: (-scores[entry[0]], entry[0]))
        longer: Iterable[str] = (token for _, token in normal if len(token) > 1)
    else:
        known = {token for _, token in normal}
        joined = (merge[0] + merge[1:].replace(" ", "", 1) for merge in merges if merge)
        longer = (token for token in joined if token in known)
    for token in longer:
        ranks.setdefault(token.encode(), 1)
    return Ranks(list(ranks), {rank: weight for rank, weight in enumerate(ranks.values()) if weight != 1})


def pieces_of(tokens: Iterable[str], merges: bool) -> str:
    """The pattern that cuts text for a SentencePiece vocabulary: it has no pieces of its own.

    A cut before blanks is safe where no token goes on over one; else the text stays whole.
    """
    if merges:
        return r"[^\n]+|\n+"
    if any(BLANK in token.lstrip(BLANK) for token in tokens):
        return r"[\s\S]+"
    return rf"{BLANK}*[^{BLANK}]+|{BLANK}+"


def _alphabet() -> dict[int, int]:
    """GPT-2's: every byte has a character that can be printed; from its code point back to the byte."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in shown]
    return {byte: byte for byte in shown} | {256 + place: byte for place, byte in enumerate(hidden)}


_ALPHABET = _alphabet()
# What is not of the alphabet is sent out of Latin-1's reach.
_TO_LATIN = {code: chr(_ALPHABET.get(code, 0x10FFFF)) for code in range(512)}


def _to_bytes(token: str) -> bytes:
    """The bytes a token of that alphabet stands for; b"" for one that is written in another."""
    try:
        return token.translate(_TO_LATIN).encode("latin-1")
    except UnicodeEncodeError:
        return b""
