"""How many cells text takes on the terminal, and where it may be cut: never inside what is seen as one character.

Terminals differ in joined emoji (families, flags, skin tones, hearts made red): one that has mode 2027 shows each
in two cells, others show the parts beside each other, as wide as wcwidth says, or join them in a way of their own.
Where nothing is known the most it can take is counted, so that no line is ever wrapped by the terminal.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

_VARIANT, _JOINER = "\ufe0f", "\u200d"
_FLAG_LETTERS, _SKIN_TONES = range(0x1F1E6, 0x1F200), range(0x1F3FB, 0x1F400)
_FIRST_SYMBOL = 0x2190  # letters below it are not joined to one cell, whatever stands before them
_LONGEST_RUN = 64  # flag letters that are looked back over
_MAY_JOIN = re.compile("[\u200d\ufe0f\u20e3\U0001f1e6-\U0001f1ff\U0001f3fb-\U0001f3ff]")


@dataclass(slots=True)
class _Terminal:
    joins_emoji: bool = False


_terminal = _Terminal()


def join_emoji(joined: bool) -> None:
    """Count from now on as a terminal does that shows what belongs together in two cells."""
    _terminal.joins_emoji = joined


def cells(text: str) -> int:
    """The cells `text` takes."""
    if text.isascii():
        return len(text)
    if _terminal.joins_emoji and _MAY_JOIN.search(text):
        return sum(map(_joined_cells, clusters(text)))
    return sum(map(char_cells, text)) + text.count(_VARIANT)


def is_sure(text: str) -> bool:
    """Whether every terminal takes the same number of cells for it, or this one has told."""
    return text.isascii() or _terminal.joins_emoji or not _MAY_JOIN.search(text)


def clusters(text: str) -> Iterator[str]:
    """What is seen as one character each, roughly as Unicode has it: a base and what joins it."""
    start = 0
    for at in range(1, len(text)):
        if not joins(text, at):
            yield text[start:at]
            start = at
    if text:
        yield text[start:]


def joins(text: str, at: int) -> bool:
    """Whether text[at] belongs to the character before it."""
    char, before = text[at], text[at - 1]
    if char.isascii():
        return False
    if ord(char) in _FLAG_LETTERS:
        letters = 0
        while letters < min(at, _LONGEST_RUN) and ord(text[at - 1 - letters]) in _FLAG_LETTERS:
            letters += 1
        return letters % 2 == 1
    if ord(char) in _SKIN_TONES:
        return not before.isspace()
    return (before == _JOINER and ord(char) >= _FIRST_SYMBOL) or not char_cells(char)


@lru_cache(maxsize=8192)
def char_cells(char: str) -> int:
    from rich.cells import get_character_cell_size

    if ord(char) in _FLAG_LETTERS or ord(char) in _SKIN_TONES:
        return 2
    return get_character_cell_size(char)


def _joined_cells(cluster: str) -> int:
    return 2 if _VARIANT in cluster else max(map(char_cells, cluster))
