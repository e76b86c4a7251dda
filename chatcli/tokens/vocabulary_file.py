"""A vocabulary file from what the server shows (verbose /api/show). Made in a process of its own, since it takes
seconds in which nothing else of a Python program would run.

The file: a line of JSON (Header), and the ranks as encoding.pack gives them.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from chatcli.errors import BadData
from chatcli.reading.json_toml import read_json
from chatcli.tokens import merges
from chatcli.tokens.encoding import pack, unpack
from chatcli.tokens.pretokenizers import FALLBACK, family_of

FORMAT = 1  # part of the file's name: raise it when what is in the file, or how ranks are made, changes
MOST_TOKENS = 600_000
SECONDS = 120


class Unusable(Exception):
    """This vocabulary cannot be counted with; says why, in words that can follow "the model's vocabulary"."""


@dataclass(frozen=True, slots=True)
class Header:
    """`pre` is "" and `pieces` the pattern for SentencePiece. `marks`: special tokens that no person types
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
    # Nothing of the directory the person stands in is to be imported: hence -P, and the path at its end.
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
    """JSON on stdin, the file on stdout; exit code 3 and one line on stderr when there is nothing to be made."""
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
    """What `write` was given."""
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
    made = merges.by_merge(tokens, types, order, family.whole)
    marks, specials = _specials(tokens, types)
    return Header(str(pre), "", marks, specials, {}, _around(info, family.bos), False), made.tokens


def _sentencepiece(info: Mapping[str, Any], by_merges: bool) -> tuple[Header, list[bytes]]:
    tokens, types = _tokens(info)
    if sum(kind == merges.BYTE for kind in types) < 256:
        raise Unusable("has no tokens for single bytes")
    scores = [0.0] * len(tokens) if by_merges else _list(info, "scores")
    if len(scores) != len(tokens) or not all(isinstance(score, (int, float)) for score in scores):
        raise Unusable("is incomplete: scores")
    made = merges.by_score(tokens, types, scores, _strings(info, "merges") if by_merges else None)
    normal = (token for token, kind in zip(tokens, types, strict=True) if kind == merges.NORMAL)
    pieces = merges.pieces_of(normal, by_merges)
    # Gemma's own say so, and Ollama's engine for them never does it; llama.cpp does, unless the file says no.
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
        return tokens, [merges.NORMAL] * len(tokens)
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
    marks = [token for token, kind in pairs if kind == merges.CONTROL]
    return marks, [token for token, kind in pairs if kind in {merges.CONTROL, merges.USER_DEFINED, merges.UNKNOWN}]


def _around(info: Mapping[str, Any], usual: bool) -> int:
    begins = info.get("tokenizer.ggml.add_bos_token", usual)
    return bool(begins) + bool(info.get("tokenizer.ggml.add_eos_token", False))
