"""After a resize that lines on the screen do not survive: they stay as they are, and the text goes on below."""

from __future__ import annotations

import re
from collections.abc import Sequence

from chatcli.render.lines import ESCAPE, Line, plain
from chatcli.render.measure import cells

_NOT_INK = re.compile(r"[\s─▎•]+")  # what is there, or not, or how often, depending on the width


def ink(lines: Sequence[Line]) -> str:
    """What of the text is to be seen in these lines, at any width the same."""
    return _NOT_INK.sub("", "".join(map(plain, lines)))


def after(lines: Sequence[Line], shown: str) -> tuple[list[Line], str]:
    """`lines` without what is shown already, and what of `shown` goes beyond them.

    Where the text has changed its look meanwhile, the rest comes again: twice is better than not at all.
    """
    rest = list(lines)
    while rest and shown:
        seen = ink(rest[:1])
        same = _common(seen, shown)
        if same == len(seen):
            del rest[0]
        elif same == len(shown):
            rest[0] = _cut(rest[0], same)
        else:
            return rest, ""
        shown = shown[same:]
    return rest, shown


def _common(one: str, other: str) -> int:
    """How many characters they begin with in common."""
    pairs = zip(one, other, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _cut(line: Line, count: int) -> Line:
    """`line` without its first `count` characters of ink, and without the space after them."""
    kept: list[str] = []
    at = 0
    while at < len(line.text):
        if escape := ESCAPE.match(line.text, at):
            kept.append(escape[0])
            at = escape.end()
            continue
        char = line.text[at]
        at += 1
        if _NOT_INK.match(char) and count >= 0:
            continue
        if count > 0:
            count -= 1
            continue
        count = -1
        kept.append(char)
    text = "".join(kept)
    return Line(text, cells(ESCAPE.sub("", text)))
