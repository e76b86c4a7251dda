"""The pretokenizer patterns: each covers all of a text, and one pattern replaces several stages."""

from __future__ import annotations

import importlib
import random
from typing import Any

import pytest
import tiktoken

from chatcli.tokens.pretokenizers import FALLBACK, FAMILIES, Family, family_of

regex: Any = importlib.import_module("regex")

LETTERS = [
    *"aBé 12_.!'$+|`~中のー。\t\n\r²٣ह½",
    "ि",
    "\u0301",
    "\u00a0",
    "\u3000",
    "  ",
    "'s",
    "34",
    "🎉",
    "DŽ",
    "ǅ",
]
STAGES = {
    "default": (
        r"[\p{P}\$\+<=>\^~\|]+",
        r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)",
        r"\p{N}+",
        r"[0-9][0-9][0-9]",
    ),
    "starcoder": (r"\p{N}", r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)"),
    "deepseek3": (
        r"\p{N}{1,3}",
        "[一-龥぀-ゟ゠-ヿ]+",
        r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"""
        r"| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    ),
}


def texts(number: int) -> list[str]:
    chance = random.Random(7)
    return ["".join(chance.choices(LETTERS, k=chance.randrange(1, 12))) for _ in range(number)]


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_every_pattern_keeps_all_of_a_text(family: Family) -> None:
    ranks = {bytes([byte]): byte for byte in range(256)}
    made = tiktoken.Encoding("bytes", pat_str=family.pattern, mergeable_ranks=ranks, special_tokens={})
    for text in texts(1500):
        assert made.decode_bytes(made.encode_ordinary(text)) == text.encode()


@pytest.mark.parametrize("name", STAGES)
def test_one_pattern_cuts_as_the_stages_do(name: str) -> None:
    (family,) = (family for family in FAMILIES if family.name == name)
    pattern = regex.compile(family.pattern, regex.V1)
    for text in texts(5000):
        assert pattern.findall(text) == staged(text, STAGES[name])


def staged(text: str, stages: tuple[str, ...]) -> list[str]:
    """Each stage cuts the pieces of the one before; what it does not match stays a piece."""
    parts = [text]
    for stage in stages:
        cut = [regex.split(f"({stage})", part) for part in parts]
        parts = [piece for pieces in cut for piece in pieces if piece]
    return parts


@pytest.mark.parametrize(
    ("pre", "text", "pieces"),
    [
        (
            "llama-bpe",
            "I'LL pay 12345 now\n\n  ok",
            ["I", "'LL", " pay", " ", "123", "45", " now", "\n\n", " ", " ok"],
        ),
        ("qwen2", "a 12", ["a", " ", "1", "2"]),
        ("gpt-2", "it's 12 !!", ["it", "'s", " 12", " !!"]),
        ("gpt-4o", "HelloWorld's x/\n", ["Hello", "World's", " x", "/\n"]),
        ("tekken", "HelloWorld 12", ["Hello", "World", " ", "1", "2"]),
        ("qwen35", "नमस्ते", ["नमस्ते"]),
        ("llama-bpe", "नमस्ते", ["नमस", "्त", "े"]),
    ],
)
def test_known_pieces(pre: str, text: str, pieces: list[str]) -> None:
    family = family_of(pre)
    assert family is not None
    assert regex.findall(family.pattern, text) == pieces


def test_no_name_stands_twice_and_an_unknown_one_is_unknown() -> None:
    names = [name for line in FAMILIES.values() for name in line.split()]
    assert len(names) == len(set(names)) > 60
    assert family_of("no-such-thing") is None
    assert family_of("") == family_of("default") != FALLBACK
