"""Scripts: the parts of Unicode that vocabularies treat alike, and how to take a text apart by them."""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple


class Script(NamedTuple):
    """`prior`: how many tokens for one of o200k_base a model may need, until that model has been measured.

    It is on the safe side: a small vocabulary needs 1.6 for English, and spells out a script it hardly knows.
    """

    name: str
    prior: float
    characters: str  # the inside of a regular expression's class; "" for all that is in no other


SCRIPTS = (
    Script("greek and cyrillic", 2.0, r"\u0370-\u058f\u1f00-\u1fff"),
    Script("semitic", 2.5, r"\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefe"),
    Script("indic", 3.0, r"\u0900-\u1cff"),
    Script("han", 2.0, r"\u2e80-\ud7ff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff"),
    Script("latin", 1.5, r"\u0000-\u024f\u1e00-\u1eff\u2000-\u206f"),
    Script("other", 2.5, ""),
)
LATIN = 4


def split(text: str) -> list[str]:
    """The text of each script, in the order of SCRIPTS; together they have all its characters."""
    if text.isascii():
        return [text if place == LATIN else "" for place in range(len(SCRIPTS))]
    found = []
    for runs in _runs():
        found.append("".join(runs.findall(text)))
        text = runs.sub("", text) if found[-1] else text
    return [*found, text]


@cache
def _runs() -> list[re.Pattern[str]]:
    """Blanks between words of one script belong to it."""
    return [re.compile(rf"[{s.characters}]+(?: +[{s.characters}]+)*") for s in SCRIPTS if s.characters]
