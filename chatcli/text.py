"""Characters and words, once: what no name may bring onto the screen, and how large a text is.

Unwanted characters command a terminal, or they hide or turn what stands beside them.
"""

from __future__ import annotations

import re

LONG_LINES = 8
LONG_CHARACTERS = 1000

# Controls but tab and newline, bidi marks and overrides, interlinear marks, lone surrogates, tag characters.
UNWANTED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)


def without_unwanted(text: str) -> str:
    return UNWANTED.sub("", text)


def as_name(text: str) -> str:
    """A name as it can be shown: without them, and in one line."""
    return re.sub(r"[\n\t\u2028\u2029]", " ", without_unwanted(text))


def is_long(text: str) -> bool:
    """Whether `text` is of the size of material rather than of something a person types."""
    return len(text) >= LONG_CHARACTERS or lines_in(text) >= LONG_LINES


def lines_in(text: str) -> int:
    """How many lines it has. A newline at the end begins no further one."""
    return text.removesuffix("\n").count("\n") + 1
