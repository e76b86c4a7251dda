"""What a line of code may leave open: comments and strings that a lexer takes in one match, for which it must see
their end. While the end has not come, it is put behind the line, to see what the lexer would make of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_PAIRS = (
    ("/*", "*/"),
    ("```", "```"),
    ('"""', '"""'),
    ("'''", "'''"),
    ("`", "`"),
    ("<!--", "-->"),
    ("{-", "-}"),
    ("(*", "*)"),
    ("#|", "|#"),
    ("<#", "#>"),
    ('r#"', '"#'),
    ("'", "'"),
    ('"', '"'),
)
_HEREDOC = re.compile(r"<<[-~]?\s*[\"'\\]?([A-Za-z_]\w*)(?![\w>])")
_LONG_BRACKET = re.compile(r"\[(=*)\[")  # Lua and CMake
_BLOCK = re.compile(r"=[a-z]\w*")  # Perl's and Ruby's documentation, which =cut or =end ends


class Opening(NamedTuple):
    """`at`: where it opens in the line; `closer`: what is put behind it; `end`: the pattern that ends it."""

    at: int
    closer: str
    end: str


def left_open(text: str, start: int) -> Iterator[Opening]:
    """What `text` may leave open from `start` on."""
    for opener, closer in _PAIRS:
        last = text.rfind(opener, start)
        if last >= 0 and _is_open(text, start, last, opener, closer):
            yield Opening(last, f"\n{closer}", re.escape(closer))
    for bracket in _LONG_BRACKET.finditer(text, start):
        closer = f"]{bracket[1]}]"
        if closer not in text[bracket.end() :]:
            yield Opening(bracket.start(), f"\n{closer}", re.escape(closer))
    if heredoc := _HEREDOC.search(text, start):
        yield Opening(heredoc.start(), f"\n\n{heredoc[1]}", rf"^\s*{heredoc[1]}$")
    if start == 0 and _BLOCK.match(text):
        yield Opening(0, "\n\n=cut", "^=cut")
        yield Opening(0, "\n=end", "^=end")


def _is_open(text: str, start: int, last: int, opener: str, closer: str) -> bool:
    if opener == closer:
        return text.count(opener, start) % 2 == 1
    return text.find(closer, last + len(opener)) < 0
