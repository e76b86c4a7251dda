"""A summary without a model: the sentences that hold the most names, numbers and decisions, in their order."""

from __future__ import annotations

import re
from collections.abc import Iterable

WORDS = 100

_SENTENCE = re.compile(r"[^\n.?]+[.?]?(?=\s|$)|[^\n.?]+[.?]\S*")
_DECIDES = re.compile(r"\b(?:decid|agree|chose|prefer|remember|deadline|budget|called|will|must)", re.IGNORECASE)


def summarise(texts: Iterable[str], words: int = WORDS) -> str:
    """A list in Markdown, of at most so many words; the same texts give the same."""
    sentences = [found[0].strip(" \t#>*-|") for text in texts for found in _SENTENCE.finditer(text)]
    distinct = list(dict.fromkeys(sentence for sentence in sentences if len(sentence.split()) > 2))
    chosen: set[str] = set()
    for sentence in sorted(distinct, key=_weight, reverse=True):
        if words - len(sentence.split()) >= 0:
            words -= len(sentence.split())
            chosen.add(sentence)
    kept = [f"- {sentence}" for sentence in distinct if sentence in chosen]
    return "\n".join(kept) or "- Nothing was said that could be kept."


def _weight(sentence: str) -> float:
    """Numbers, names in mid-sentence and words of deciding, per word."""
    words = sentence.split()
    telling = sum(any(character.isdigit() for character in word) for word in words)
    telling += sum(word[0].isupper() for word in words[1:])
    telling += 2 * len(_DECIDES.findall(sentence))
    return telling / (len(words) + 5)
