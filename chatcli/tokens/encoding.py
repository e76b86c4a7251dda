"""The bundled tiktoken encodings, built from package data, without network access.

A rank file is compressed with zlib: the number of tokens (uint32), their lengths in bytes (uint16 each), their
bytes; all in order of rank, little-endian. A model's own vocabulary is stored in the same form
(vocabulary_file.py).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import accumulate, pairwise
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from chatcli.pattern import pattern

if TYPE_CHECKING:
    from tiktoken import Encoding

DATA = Path(__file__).parent.parent / "data"

# Both patterns are tiktoken's own: they split text into pieces before any pair is merged.
_CASED = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"
_SMALL = r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_SHORT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
PATTERNS = {
    "o200k_base": (
        rf"{_CASED}*{_SMALL}+{_SHORT}|{_CASED}+{_SMALL}*{_SHORT}"
        r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    ),
    "cl100k_base": (
        r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+"
        r"|\s++$|\s*[\r\n]|\s+(?!\S)|\s"
    ),
}
SPECIALS = {
    "o200k_base": {"<|endoftext|>": 199999, "<|endofprompt|>": 200018},
    "cl100k_base": {
        "<|endoftext|>": 100257,
        "<|fim_prefix|>": 100258,
        "<|fim_middle|>": 100259,
        "<|fim_suffix|>": 100260,
        "<|endofprompt|>": 100276,
    },
}
NAMES = tuple(PATTERNS)

# tiktoken aborts on a run of about a million blanks, so it gets less at a time. In no pattern does a piece
# continue after a single newline between two visible characters (except a slash): a cut there changes no count.
LONGEST = 400_000
_JOINT = pattern(r"(?<=\S\n)(?=[^\s/])")

_building = Lock()


def load(name: str) -> Encoding:
    """The encoding `name` (one of NAMES), built once per process: about 0.15 s, in which no other thread runs."""
    with _building:
        return _build(name)


def tokens_of(encoding: Encoding, text: str) -> int:
    """How many tokens `text` has. The spelling of a special token counts as text; a lone surrogate as U+FFFD."""
    return sum(len(encoding.encode_ordinary(piece)) for piece in pieces(text))


def pieces(text: str, longest: int = LONGEST) -> Iterator[str]:
    """`text` in pieces of at most `longest` characters, cut between lines where possible."""
    start = 0
    while len(text) - start > longest:
        end = start + longest
        joints = [match.start() for match in _JOINT.finditer(text, end - longest // 2, end)]
        end = joints[-1] if joints else end
        yield text[start:end]
        start = end
    yield text[start:]


@cache
def _build(name: str) -> Encoding:
    from tiktoken import Encoding

    ranks = {token: rank for rank, token in enumerate(rank_file(name))}
    return Encoding(name, pat_str=PATTERNS[name], mergeable_ranks=ranks, special_tokens=SPECIALS[name])


def rank_file(name: str) -> list[bytes]:
    """The tokens of a bundled encoding in order of rank."""
    return unpack((DATA / f"{name}.ranks").read_bytes())


def pack(tokens: Sequence[bytes]) -> bytes:
    lengths = struct.pack(f"<I{len(tokens)}H", len(tokens), *map(len, tokens))
    return zlib.compress(lengths + b"".join(tokens), 9)


def unpack(packed: bytes) -> list[bytes]:
    """What `pack` was given. Raises zlib.error or struct.error when the bytes are damaged."""
    data = zlib.decompress(packed)
    (number,) = struct.unpack_from("<I", data)
    lengths = struct.unpack_from(f"<{number}H", data, 4)
    ends = accumulate(lengths, initial=4 + 2 * number)
    return [data[start:end] for start, end in pairwise(ends)]
