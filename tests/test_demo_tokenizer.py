"""The demo's tokens: split by the published patterns, merged as the plain loop would, and nothing lost."""

from __future__ import annotations

import string
import unicodedata
from itertools import pairwise

import pytest
import regex  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st

from chatcli.demo.tokenizer import Rank, merge, split, vocabulary

NAMES = ("llama-bpe", "qwen2", "spm")
PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,DIGITS}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
# What either table of Unicode does not know yet is left out: they are of different years.
ASSIGNED = st.characters(exclude_categories=["Cs", "Cn"])
AWKWARD = st.sampled_from(
    [
        *" \t\n\r\v\f\x1c\x1f\x85\u00a0\u2028\u3000'ſ’SsTtREVMLDaé1٣Ⅷ½²一日本ก้क्ि\u0301\u200d👩💻🇩_-=.,(<|>▁",
        *(
            "\r\n",
            "'s",
            "'LL",
            "'Re",
            "  ",
            "\n\n",
            "👩\u200d💻",
            "<|eot_id|>",
            "<think>",
            "<unk>",
            "don't",
            "x  y",
        ),
    ]
)
TEXT = st.lists(st.one_of(AWKWARD, ASSIGNED), max_size=40).map("".join)


@pytest.mark.parametrize("digits", [1, 3])
@settings(max_examples=300)
@given(text=TEXT)
def test_text_is_split_as_the_published_pattern_splits_it(digits: int, text: str) -> None:
    expected = regex.findall(PATTERN.replace("DIGITS", str(digits)), text)
    assert list(split(text, digits)) == expected


@pytest.mark.parametrize("digits", [1, 3])
def test_every_assigned_character_is_of_the_right_kind(digits: int) -> None:
    pattern = regex.compile(PATTERN.replace("DIGITS", str(digits)))
    for code in range(0x30000):
        character = chr(code)
        if unicodedata.category(character) not in {"Cs", "Cn"}:
            text = f"a{character}1{character} {character}"
            assert list(split(text, digits)) == pattern.findall(text), hex(code)


def literally(symbols: list[str], rank: Rank) -> list[str]:
    """The rule, word for word: the pair of lowest rank, the leftmost of equals, until there is none."""
    while True:
        ranked = [(found, at) for at, pair in enumerate(pairwise(symbols)) if (found := rank(*pair)) is not None]
        if not ranked:
            return symbols
        _, at = min(ranked)
        symbols = [*symbols[:at], symbols[at] + symbols[at + 1], *symbols[at + 2 :]]


@given(
    symbols=st.lists(st.sampled_from("abc"), max_size=30),
    joins=st.dictionaries(
        st.tuples(st.text("abc", min_size=1, max_size=4), st.text("abc", min_size=1, max_size=4)),
        st.integers(0, 5),
        max_size=40,
    ),
)
def test_merging_is_the_plain_loop(symbols: list[str], joins: dict[tuple[str, str], int]) -> None:
    def rank(left: str, right: str) -> float | None:
        return joins.get((left, right))

    assert merge(symbols, rank) == literally(symbols, rank)


@given(
    symbols=st.lists(st.sampled_from("abc"), max_size=30),
    scores=st.dictionaries(st.text("abc"), st.integers(0, 3)),
)
def test_merging_by_score_takes_the_leftmost_of_equals(symbols: list[str], scores: dict[str, int]) -> None:
    def rank(left: str, right: str) -> float | None:
        return scores.get(left + right)

    assert merge(symbols, rank) == literally(symbols, rank)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=100)
@given(text=TEXT)
def test_tokens_read_again_are_the_text(name: str, text: str) -> None:
    known = vocabulary(name)
    read = "".join(known.read(known.tokens(text)))
    assert read == (text.replace("▁", " ") if name == "spm" else text)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=100)
@given(text=TEXT)
def test_no_text_has_more_tokens_than_bytes(name: str, text: str) -> None:
    assert sum(1 for _ in vocabulary(name).tokens(text)) <= len(text.encode())


@pytest.mark.parametrize("name", NAMES)
def test_every_token_of_text_is_what_its_own_text_becomes(name: str) -> None:
    known = vocabulary(name)
    fields = known.fields
    for at, (token, kind) in enumerate(zip(fields["tokens"], fields["token_type"], strict=True)):
        text = "".join(known.read([at]))
        if kind == 1 and text and len(list(known._spelling.pieces(text))) == 1:
            assert list(known.tokens(text)) == [at], token


@pytest.mark.parametrize("name", NAMES)
def test_a_vocabulary_is_complete(name: str) -> None:
    fields = vocabulary(name).fields
    assert 3000 <= len(fields["tokens"]) == len(set(fields["tokens"])) == len(fields["token_type"]) <= 6000
    if name == "spm":
        assert len(fields["scores"]) == len(fields["tokens"])
        assert not any("▁" in token.lstrip("▁") for token in fields["tokens"])
    else:
        assert all("".join(join.split(" ")) in set(fields["tokens"]) for join in fields["merges"])
    assert fields["token_type"][fields["bos_token_id"]] == fields["token_type"][fields["eos_token_id"]] == 3


def test_the_orders_are_not_what_a_careless_reader_takes_them_for() -> None:
    """One list has several ways to the same token, in another the ids say nothing of the order of merging."""
    joins = vocabulary("llama-bpe").fields["merges"]
    assert len({join.replace(" ", "") for join in joins}) < len(joins)
    fields = vocabulary("qwen2").fields
    ids = {token: at for at, token in enumerate(fields["tokens"])}
    order = [ids[join.replace(" ", "")] for join in fields["merges"]]
    assert order != sorted(order)


def test_special_tokens_are_one_token_each_in_a_prompt_and_letters_in_a_text() -> None:
    known = vocabulary("qwen2")
    assert len(list(known.prompt("<|im_start|><think></think>"))) == 3
    assert len(list(known.tokens("<think>"))) > 1


def test_characters_without_a_token_fall_back_on_bytes() -> None:
    known = vocabulary("spm")
    assert [known.fields["tokens"][at] for at in known.tokens("𓂀")] == ["<0xF0>", "<0x93>", "<0x82>", "<0x80>"]


def test_an_unfinished_character_waits_for_its_last_byte() -> None:
    known = vocabulary("spm")
    assert list(known.read(known.tokens("a𓂀b"))) == ["a", "", "", "", "𓂀", "b"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "text", [" " * 20_000, "a" * 20_000, "日本" * 10_000, "\n" * 20_000, string.printable * 200]
)
def test_a_long_piece_is_no_trap(name: str, text: str) -> None:
    known = vocabulary(name)
    assert "".join(known.read(known.tokens(text))) == text
