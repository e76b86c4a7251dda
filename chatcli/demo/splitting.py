r"""How text is cut into the pieces that tokens never cross, for the two byte-level vocabularies.

Written by hand after the patterns of llama-bpe and qwen2, alternative by alternative, and on purpose without a
regular expression: chatcli's own counter uses those, and only what is made independently can check it. Letters and
numbers are what this Python's Unicode tables say; a code point assigned since then is a symbol here.
"""

from __future__ import annotations

from collections.abc import Iterator


def split(text: str, digits: int) -> Iterator[str]:
    """The pieces in order; joined they are the text. `digits`: how many share one (llama-bpe 3, qwen2 1)."""
    at = 0
    while at < len(text):
        end = (
            _contraction(text, at)
            or _word(text, at)
            or _number(text, at, digits)
            or _symbols(text, at)
            or _blank(text, at)
        )
        yield text[at:end]
        at = end


# Each of these gives where its piece ends, or 0 where the pattern beneath its name does not match at `at`.


def _contraction(text: str, at: int) -> int:
    # (?i:'s|'t|'re|'ve|'m|'ll|'d) where the long s counts as an s
    if text[at] != "'":
        return 0
    after = text[at + 1 : at + 3].lower().replace("ſ", "s")
    if after[:1] in {"s", "t", "m", "d"}:
        return at + 2
    return at + 3 if after in {"re", "ve", "ll"} else 0


def _word(text: str, at: int) -> int:
    # [^\r\n\p{L}\p{N}]?\p{L}+
    start = at
    if not text[at].isalpha():
        if text[at] in "\r\n" or _is_number(text[at]):
            return 0
        start += 1
    end = start
    while end < len(text) and text[end].isalpha():
        end += 1
    return end if end > start else 0


def _number(text: str, at: int, digits: int) -> int:
    # \p{N}{1,digits}
    end = at
    while end < min(len(text), at + digits) and _is_number(text[end]):
        end += 1
    return end if end > at else 0


def _symbols(text: str, at: int) -> int:
    # [ ]?[^\s\p{L}\p{N}]+[\r\n]*
    start = end = at + 1 if text[at] == " " else at
    while end < len(text) and _is_symbol(text[end]):
        end += 1
    if end == start:
        return 0
    while end < len(text) and text[end] in "\r\n":
        end += 1
    return end


def _blank(text: str, at: int) -> int:
    # \s*[\r\n]+|\s+(?!\S)|\s+
    end = at
    while end < len(text) and _is_space(text[end]):
        end += 1
    newline = max(text.rfind("\n", at, end), text.rfind("\r", at, end))
    if newline >= 0:
        return newline + 1
    return end if end == len(text) or end == at + 1 else end - 1  # the last space goes with what follows it


def _is_number(character: str) -> bool:
    return character.isnumeric() and not character.isalpha()


def _is_space(character: str) -> bool:
    return character.isspace() and character not in "\x1c\x1d\x1e\x1f"  # separators to Python, controls to Unicode


def _is_symbol(character: str) -> bool:
    return not (character.isalpha() or character.isnumeric() or _is_space(character))
