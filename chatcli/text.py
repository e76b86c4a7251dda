"""Characters and text sizes: which characters are never shown, how many cells a text takes, and how long it is.

Unwanted characters control a terminal, or they hide or reorder the text beside them. Escape sequences are removed
whole, so that no `[31m` or clipboard payload stays behind as text.

Visible characters and their widths in cells are those of wcwidth, everywhere. Terminals differ in joined emoji
(families, flags, skin tones, hearts made red): one that has mode 2027 shows each in two cells; others show the
parts side by side, or join them in a way of their own. If the terminal is not known, the largest possible width is
counted, so that no line is ever wrapped by the terminal.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import lru_cache

from chatcli.dataclass import dataclass
from chatcli.pattern import pattern

LONG_LINES = 8
LONG_CHARACTERS = 1000
# More cells than any screen has.
ENDLESS = 1_000_000

LONE_SURROGATES = pattern("[\ud800-\udfff]")
# Scripts written without spaces: each character counts as a word, so that any part of a line can be found.
UNSPACED = (
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uac00-\ud7af\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff]"
)
_VARIANT = "\ufe0f"

# Controls but tab and newline, bidi marks and overrides, interlinear marks, lone surrogates, tag characters.
UNWANTED = pattern(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)


_STRING = (
    r"[^\x07\x1b\x9c\n]*"  # the body of an OSC, DCS, APC, PM or SOS; a newline ends one that was never closed
)
# Each matches all it can and never fails once begun, so a text is read once. Groups 1, 3, 4: it is complete.
SEQUENCE = pattern(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*([@-~])?"
    rf"|(\x1b[\]PX^_]|[\x90\x98\x9d-\x9f]){_STRING}(?:(\x07|\x1b\\|\x9c)|\x1b\Z)?"
    r"|\x1b[ -/]*([0-Z\\`-~])?"
)
SEPARATOR = pattern("[\u2028\u2029]")


def without_unwanted(text: str) -> str:
    return UNWANTED.sub("", text)


def clean(text: str) -> str:
    """Returns `text` with nothing in it that a terminal would obey. Newlines and tabs stay; CRLF becomes LF."""
    text = SEPARATOR.sub("\n", text)
    if not UNWANTED.search(text):
        return text
    return without_unwanted(SEQUENCE.sub("", text))


def escaped(text: str) -> str:
    """The same JSON, valid as UTF-8, with every unwanted character escaped, in case it is shown in a terminal."""
    return UNWANTED.sub(lambda found: json.dumps(found[0])[1:-1], text)


# Printable in the sense of Unicode, and still nothing is seen: fillers, the blank of braille, variation selectors.
_UNSEEN = pattern("[\u115f\u1160\u2800\u3164\uffa0\ufe00-\ufe0f\U000e0100-\U000e01ef]")


def revealed(text: str) -> str:
    """The text with every character that is not seen, or moves others, spelled as an escape; newlines stay."""
    return "".join(
        each if each == "\n" or (each.isprintable() and not _UNSEEN.match(each)) else json.dumps(each)[1:-1]
        for each in text
    )


def as_name(text: str) -> str:
    """A name in the form it can be shown: on one line, without unwanted characters."""
    return re.sub(r"[\n\t\u2028\u2029]", " ", without_unwanted(text))


def is_long(text: str) -> bool:
    """Whether `text` has the size of pasted material rather than of something a person types."""
    return len(text) >= LONG_CHARACTERS or lines_in(text) >= LONG_LINES


def first_clause(text: str) -> str:
    """The beginning of a text that ends with a period, as a sentence of its own: for a list of many."""
    return re.split(r"\. |; |: | \(", text)[0].rstrip(".") + "."


def lines_in(text: str) -> int:
    """How many lines it has. A newline at the end does not begin another one."""
    return text.removesuffix("\n").count("\n") + 1


@dataclass(slots=True)
class _Terminal:
    joins_emoji: bool = False


_terminal = _Terminal()


def join_emoji(joined: bool) -> None:
    """From now on count as a terminal that shows joined emoji in two cells."""
    _terminal.joins_emoji = joined
    cluster_cells.cache_clear()


# Characters that take one cell each and never join: ASCII, Latin letters, dashes, quotes, the lines of trees.
_SINGLE = pattern("[ -~\u00c0-\u024f\u2010-\u2026\u2500-\u257f\u22ee\u25cf]*")


def cells(text: str) -> int:
    """The number of cells that `text` takes."""
    is_plain = text.isascii() or _SINGLE.fullmatch(text)
    return len(text) if is_plain else sum(map(cluster_cells, clusters(text)))


def is_sure(text: str) -> bool:
    """Whether every terminal uses the same number of cells for it, or this terminal has told its own."""
    if text.isascii() or _terminal.joins_emoji:
        return True
    return all(_joined(cluster) == _apart(cluster) for cluster in clusters(text))


def clusters(text: str) -> Iterator[str]:
    """The visible characters as Unicode defines them: a base and what joins it."""
    from wcwidth import iter_graphemes  # loads its tables, which ASCII does not need

    return iter_graphemes(text)


def shortened(text: str, columns: int) -> str:
    """`text` in at most `columns` cells, with an ellipsis where something is left out."""
    if _SINGLE.fullmatch(text):
        return text if len(text) <= columns else text[: max(0, columns - 1)].rstrip() + "…"
    kept, end, used = 0, 0, 0
    for cluster in clusters(text):
        used += cluster_cells(cluster)
        end += len(cluster)
        if used > columns:
            return text[:kept].rstrip() + "…"
        if used < columns:
            kept = end
    return text


@lru_cache(maxsize=8192)
def cluster_cells(cluster: str) -> int:
    """The number of cells that one visible character takes."""
    joined = _joined(cluster)
    return joined if _terminal.joins_emoji else max(joined, _apart(cluster) + cluster.count(_VARIANT))


def _joined(cluster: str) -> int:
    from wcwidth import width

    return width(cluster, control_codes="ignore")


def _apart(cluster: str) -> int:
    from wcwidth import wcwidth

    return sum(max(0, wcwidth(char)) for char in cluster)
