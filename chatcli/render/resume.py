"""After a resize that lines on the screen do not survive: they stay as they are, and the text goes on below."""

from __future__ import annotations

import re
from collections.abc import Sequence

from chatcli.render.lines import ESCAPE, Line, plain
from chatcli.render.measure import cells, char_cells

_NOT_INK = re.compile(r"[\s─▎•]+")  # what is there, or not, or how often, depending on the width
_MARKUP = frozenset("`*_~[]()<>!\\|#")  # what may be seen of an emphasis, code or link until it ends


def ink(lines: Sequence[Line]) -> str:
    """What of the text is to be seen in these lines, at any width the same."""
    return _NOT_INK.sub("", "".join(map(plain, lines)))


def after(lines: Sequence[Line], shown: str) -> tuple[list[Line], str]:
    """`lines` without what is shown already, and what of `shown` goes beyond them.

    Where the text has become another one meanwhile, the rest comes again: twice is better than not at all.
    """
    rest = list(lines)
    while rest and shown:
        text = ink(rest[:1])
        same, seen = _met(text, shown)
        shown = shown[seen:]
        if same < len(text):
            rest[0] = _cut(rest[0], same) if same else rest[0]
            return rest, ""
        del rest[0]
    return rest, shown


def _met(text: str, shown: str) -> tuple[int, int]:
    """How far they are the same, in each of them, whether or not emphasis and the like have ended by now."""
    at = seen = 0
    while at < len(text) and seen < len(shown):
        if text[at] == shown[seen]:
            at, seen = at + 1, seen + 1
        elif shown[seen] in _MARKUP:
            seen += 1
        elif text[at] in _MARKUP:
            at += 1
        else:
            break
    return at, seen


def _cut(line: Line, count: int) -> Line:
    """`line` from the word on in which its first `count` characters of ink end, with its looks."""
    seen = plain(line)
    places = [at for at, char in enumerate(seen) if not _NOT_INK.match(char)]
    start = places[count]
    while start and not seen[start - 1].isspace() and char_cells(seen[start - 1]) + char_cells(seen[start]) < 3:
        start -= 1
    looks: list[str] = []
    at = passed = 0
    while passed < start or ESCAPE.match(line.text, at):
        if escape := ESCAPE.match(line.text, at):
            looks += [escape[0]] if escape[0][-1] in "m\\" else []
            at = escape.end()
        else:
            at, passed = at + 1, passed + 1
    return Line("".join(looks) + line.text[at:], cells(seen[start:]))
