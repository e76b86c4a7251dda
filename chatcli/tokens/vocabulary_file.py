"""Makes the vocabulary file from the server's verbose /api/show. Runs in a process of its own: it takes seconds in
which no other thread of a Python program would run.

The file has a line of JSON (Header), followed by the ranks as encoding.pack gives them.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from chatcli.dataclass import dataclass
from chatcli.errors import BadData
from chatcli.reading.json_toml import read_json
from chatcli.tokens.encoding import pack, unpack
from chatcli.tokens.pretokenizers import FALLBACK, family_of

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6
BLANK = "\u2581"  # what SentencePiece writes for a space


@dataclass(frozen=True, slots=True)
class Ranks:
    """`tokens` in order of rank; `weights`: what a rank counts as, where that is not one token."""

    tokens: list[bytes]
    weights: Mapping[int, int]


def by_merge(tokens: Sequence[str], types: Sequence[int], merges: Iterable[str], whole: bool) -> Ranks:
    """Byte-level BPE: the single bytes, then each token at the first merge that makes it.

    `whole`: tokens that no merge makes are used when a whole piece equals one; they come last.
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

    SentencePiece starts from characters and tiktoken from bytes, so bytes must first merge into characters; the
    beginning of a character that is no token counts as one token for each of its bytes. With `merges`, these give
    the order instead of the scores.
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
    """The pattern that splits text for a SentencePiece vocabulary, which has none of its own.

    A cut before blanks is safe if no token extends over one; else the text is not split.
    """
    if merges:
        return r"[^\n]+|\n+"
    if any(BLANK in token.lstrip(BLANK) for token in tokens):
        return r"[\s\S]+"
    return rf"{BLANK}*[^{BLANK}]+|{BLANK}+"


def _alphabet() -> dict[int, int]:
    """GPT-2's alphabet, in which every byte has a printable character: from its code point back to the byte."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in shown]
    return {byte: byte for byte in shown} | {256 + place: byte for place, byte in enumerate(hidden)}


_ALPHABET = _alphabet()
# Characters outside the alphabet are mapped out of Latin-1's range.
_TO_LATIN = {code: chr(_ALPHABET.get(code, 0x10FFFF)) for code in range(512)}


def _to_bytes(token: str) -> bytes:
    """The bytes that a token of that alphabet encodes; b"" for a token with other characters."""
    try:
        return token.translate(_TO_LATIN).encode("latin-1")
    except UnicodeEncodeError:
        return b""


FORMAT = 1  # part of the file's name: raise it when what is in the file, or how ranks are made, changes
MOST_TOKENS = 600_000
SECONDS = 120


class Unusable(Exception):
    """This vocabulary cannot be used for counting; says why, in words that can follow "the model's vocabulary"."""


@dataclass(frozen=True, slots=True)
class Header:
    """`pre` is "" for SentencePiece; `pieces` is its pattern. `marks`: special tokens that no person types
    (control); `specials`: all of them. `blank_first`: a blank is put before the text after a special token.
    """

    pre: str
    pieces: str
    marks: list[str]
    specials: list[str]
    weights: dict[int, int]
    around: int  # tokens put before and after every prompt
    blank_first: bool


def build(shown: bytes) -> bytes:
    """The vocabulary file for `shown`, the JSON of model_info (or of the whole answer). Raises Unusable."""
    package = Path(__file__).parent.parent.parent
    # Import nothing from the working directory: hence -P, and the path appended at the end.
    code = "import sys; sys.path.append(sys.argv[1]); from chatcli.tokens.vocabulary_file import main; main()"
    command = [sys.executable, "-P", "-c", code, str(package)]
    try:
        done = subprocess.run(command, input=shown, capture_output=True, timeout=SECONDS, check=False)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        raise Unusable("could not be prepared") from None
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise Unusable(said[-1] if done.returncode == 3 and said else "could not be prepared")
    return done.stdout


def main() -> None:
    """JSON on stdin, the file on stdout; exit code 3 and one line on stderr if no file can be made."""
    try:
        made = convert(sys.stdin.buffer.read())
    except Unusable as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(3)
    sys.stdout.buffer.write(made)


def convert(shown: bytes) -> bytes:
    try:
        answer = read_json(shown)
        info = answer.get("model_info", answer)
        kind = info.get("tokenizer.ggml.model")
    except (BadData, AttributeError):
        raise Unusable("is not JSON") from None
    if kind == "gpt2":
        return write(*_byte_level(info))
    if kind in ("llama", "gemma4"):
        return write(*_sentencepiece(info, kind == "gemma4"))
    raise Unusable(f"is of a kind that is not counted here: {kind}" if kind else "is not shown by this server")


def write(header: Header, ranks: Sequence[bytes]) -> bytes:
    return json.dumps(asdict(header)).encode() + b"\n" + pack(ranks)


def read(file: bytes) -> tuple[Header, list[bytes]]:
    """The arguments that `write` was given."""
    line, _, ranks = file.partition(b"\n")
    header = json.loads(line)
    weights = {int(rank): weight for rank, weight in header.pop("weights").items()}
    return Header(**header, weights=weights), unpack(ranks)


def _byte_level(info: Mapping[str, Any]) -> tuple[Header, list[bytes]]:
    tokens, types = _tokens(info)
    order = _strings(info, "merges")
    pre = info.get("tokenizer.ggml.pre") or "default"
    family = family_of(str(pre)) or FALLBACK
    known, first = set(tokens), order[:100]
    if sum(merge.replace(" ", "", 1) in known for merge in first) < len(first) / 2:
        raise Unusable("does not fit its merges")
    made = by_merge(tokens, types, order, family.whole)
    marks, specials = _specials(tokens, types)
    return Header(str(pre), "", marks, specials, {}, _around(info, family.bos), False), made.tokens


def _sentencepiece(info: Mapping[str, Any], by_merges: bool) -> tuple[Header, list[bytes]]:
    tokens, types = _tokens(info)
    if sum(kind == BYTE for kind in types) < 256:
        raise Unusable("has no tokens for single bytes")
    scores = [0.0] * len(tokens) if by_merges else _list(info, "scores")
    if len(scores) != len(tokens) or not all(isinstance(score, (int, float)) for score in scores):
        raise Unusable("is incomplete: scores")
    made = by_score(tokens, types, scores, _strings(info, "merges") if by_merges else None)
    normal = (token for token, kind in zip(tokens, types, strict=True) if kind == NORMAL)
    pieces = pieces_of(normal, by_merges)
    # Gemma's files say so, and Ollama's engine for them never does it; llama.cpp does, unless the file says no.
    usual = not str(info.get("general.architecture", "")).startswith("gemma")
    blank_first = bool(info.get("tokenizer.ggml.add_space_prefix", usual)) and not by_merges
    marks, specials = _specials(tokens, types)
    around = _around(info, not by_merges)
    return Header("", pieces, marks, specials, dict(made.weights), around, blank_first), made.tokens


def _tokens(info: Mapping[str, Any]) -> tuple[list[str], list[int]]:
    tokens = _strings(info, "tokens")
    if len(tokens) > MOST_TOKENS:
        raise Unusable(f"is too large: {len(tokens)} tokens")
    types = info.get("tokenizer.ggml.token_type")
    if types is None:
        return tokens, [NORMAL] * len(tokens)
    if not isinstance(types, list) or len(types) != len(tokens):
        raise Unusable("is incomplete: token_type")
    return tokens, types


def _strings(info: Mapping[str, Any], name: str) -> list[str]:
    found = _list(info, name)
    if not all(isinstance(entry, str) for entry in found):
        raise Unusable(f"is not readable: {name}")
    return found


def _list(info: Mapping[str, Any], name: str) -> list[Any]:
    found = info.get(f"tokenizer.ggml.{name}")
    if not isinstance(found, list) or not found:
        raise Unusable(f"is incomplete: {name}")
    return found


def _specials(tokens: Sequence[str], types: Sequence[int]) -> tuple[list[str], list[str]]:
    pairs = [(token, kind) for token, kind in zip(tokens, types, strict=True) if token]
    marks = [token for token, kind in pairs if kind == CONTROL]
    return marks, [token for token, kind in pairs if kind in {CONTROL, USER_DEFINED, UNKNOWN}]


def _around(info: Mapping[str, Any], usual: bool) -> int:
    begins = info.get("tokenizer.ggml.add_bos_token", usual)
    return bool(begins) + bool(info.get("tokenizer.ggml.add_eos_token", False))
