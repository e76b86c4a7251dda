"""Texts in quotes, as a shell has them: read as words or as one text, and written."""

from __future__ import annotations

import re
from collections.abc import Sequence

from chatcli.errors import BadValue
from chatcli.paths import shown
from chatcli.pattern import pattern

_DOUBLE, _SINGLE = r'"(?:[^"\\]|\\.)*"', r"'[^']*'"
# In quotes, or not: there a quote after a letter is an apostrophe.
_PIECE = pattern(rf"""(?s)({_DOUBLE})|(?<!\w)({_SINGLE})|\\([\s"'\\])|([^\s"']|(?<=\w)')""")


def words_of(given: str) -> tuple[str, ...]:
    """The words of a text, quoted as in a shell; in double quotes also \\n, \\t and \\r. Raises BadValue."""
    words, begun, at = [""], False, 0
    while at < len(given):
        if given[at].isspace():
            words += [""] * begun
            begun, at = False, at + 1
            continue
        piece = _PIECE.match(given, at)
        if piece is None:
            raise BadValue(f"A quote is not closed in '{shown(given)}'.")
        double, single, escaped, bare = piece.groups()
        words[-1] += _unescaped(double[1:-1]) if double else single[1:-1] if single else escaped or bare
        begun, at = True, piece.end()
    return tuple(filter(None, words))


# All of it is in quotes.
_IN_QUOTES = pattern(f"(?:{_DOUBLE}|{_SINGLE})+", re.DOTALL)


def unquoted(given: str) -> str:
    """A text without the quotes around all of it, which are those of a shell or three; else as it is."""
    if len(given) >= 6 and given.startswith('"""') and given.endswith('"""'):
        return given[3:-3].strip("\n")
    if not _IN_QUOTES.fullmatch(given):
        return given
    import shlex

    return shlex.split(given)[0]


_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\"}


def _unescaped(quoted: str) -> str:
    return re.sub(r"(?s)\\(.)", lambda match: _ESCAPES.get(match[1], match[0]), quoted)


_QUOTING = str.maketrans({meant: f"\\{letter}" for letter, meant in _ESCAPES.items()})


def quoted(texts: Sequence[str]) -> str:
    return " ".join(f'"{text.translate(_QUOTING)}"' for text in texts) or '""'
