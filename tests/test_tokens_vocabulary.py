"""A model's own vocabulary, compared with the demo engine's literal merge loop, which shares no code with it."""

from __future__ import annotations

import json
import unicodedata
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatcli.demo.tokenizer import vocabulary as demo_vocabulary
from chatcli.tokens import vocabulary_file
from chatcli.tokens.vocabulary import Specials, Vocabulary
from chatcli.tokens.vocabulary_file import Unusable, build, convert

NAMES = ("llama-bpe", "qwen2", "spm")
names = pytest.mark.parametrize("name", NAMES)


def shown(name: str, **changes: Any) -> bytes:
    """What the server shows, with some of its fields changed (None: taken out)."""
    fields = {**demo_vocabulary(name).described(verbose=True), "general.architecture": "gemma3"}
    fields |= {f"tokenizer.ggml.{field}": value for field, value in changes.items()}
    return json.dumps({"model_info": {key: value for key, value in fields.items() if value is not None}}).encode()


@cache
def own(name: str) -> Vocabulary:
    return Vocabulary(convert(shown(name)))


def assigned(character: str) -> bool:
    """tiktoken's Unicode tables may be newer than Python's: only what both know can be compared."""
    return unicodedata.category(character) not in {"Cn", "Co", "Cs"}


SPECIAL = st.sampled_from(
    ["<|eot_id|>", "<|im_end|>", "<|im_start|>", "<end_of_turn>", "<|eot", "_id|>", "<", "<0x0A>"]
)
PLACES = st.sampled_from(
    ["hello", " the", "return self", "  ", "\n\n", "\t", "'ll", "12345", "नमस्ते", "今天", "👩‍👩‍👧", "ß", "▁"]
)
TEXTS = st.lists(st.one_of(st.text(st.characters().filter(assigned), max_size=6), PLACES, SPECIAL), max_size=20)


@names
@settings(max_examples=150, deadline=None)
@given(parts=TEXTS)
def test_counts_agree_with_the_literal_loop_on_any_text(name: str, parts: list[str]) -> None:
    text = "".join(parts)
    assert own(name).count(text) == sum(1 for _ in demo_vocabulary(name).prompt(text))


@names
def test_long_and_odd_texts_agree_too(name: str) -> None:
    odd = ["", " " * 5000, "a" * 5000, "\n" * 3000, "中" * 1000, "aB" * 2000, "word " * 3000, "\x00\u2028\x85"]
    for text in odd:
        assert own(name).count(text) == sum(1 for _ in demo_vocabulary(name).prompt(text))


@names
def test_the_process_apart_makes_the_same_file(name: str) -> None:
    assert build(shown(name)) == convert(shown(name))


def test_ranks_follow_the_merges_and_not_the_numbers_of_the_tokens() -> None:
    letters = [chr(byte) if 33 <= byte < 127 else chr(256 + byte) for byte in range(127)]
    tokens = [*letters, "abc", "bc", "ab"]
    made = vocabulary_file.by_merge(tokens, [1] * len(tokens), ["b c", "a b", "a bc", "ab c"], whole=False)
    assert made.tokens[256:] == [b"bc", b"ab", b"abc"]


def test_a_token_that_no_merge_makes_is_reached_whole_or_not_at_all() -> None:
    tokens = [*"abc", "ab", "abc"]
    for whole, last in ((True, b"abc"), (False, b"ab")):
        assert vocabulary_file.by_merge(tokens, [1] * 5, ["a b"], whole).tokens[-1] == last


def test_special_tokens_are_found_longest_first() -> None:
    found = Specials(["<a>", "<a><a>", "<b>"]).cut("x<a><a><a>y<c><b>")
    assert found == ["x", "<a><a>", "", "<a>", "y<c>", "<b>", ""]
    assert Specials([]).cut("<a>") == ["<a>"]


def test_thousands_of_special_tokens_are_no_trap() -> None:
    many = Specials([f"<unused{number}>" for number in range(6000)])
    assert len(many.cut("<" * 20000 + "<unused77>")) == 3


def test_user_text_that_spells_a_special_token_is_counted_as_the_server_does() -> None:
    assert own("llama-bpe").count("<|eot_id|>") == 1 < own("qwen2").count("<|eot_id|>")


def test_a_blank_is_put_first_where_the_vocabulary_says_so() -> None:
    plain, first = own("spm"), Vocabulary(convert(shown("spm", add_space_prefix=True)))
    for text in ("hello there", "x<end_of_turn>y", "", "<end_of_turn>"):
        blanks = "<end_of_turn>".join(part and f" {part}" for part in text.split("<end_of_turn>"))
        assert first.count(text) == plain.count(blanks)
    assert [other.count("hello") for other in first.others()] == [plain.count("hello")]


def test_an_unknown_way_of_cutting_is_counted_by_the_usual_one_and_says_so() -> None:
    unknown = Vocabulary(convert(shown("llama-bpe", pre="from-the-future")))
    assert not unknown.known
    assert unknown.count("What is a token?") == own("llama-bpe").count("What is a token?")


def test_a_vocabulary_may_be_read_as_another_server_reads_it() -> None:
    text = "In 1234567 words"
    assert own("qwen2").count(text) in {other.count(text) for other in own("llama-bpe").others()} | {
        own("llama-bpe").count(text)
    }


JUNK: list[tuple[str, dict[str, Any], str]] = [
    ("llama-bpe", {"tokens": None}, "incomplete: tokens"),
    ("llama-bpe", {"tokens": []}, "incomplete: tokens"),
    ("llama-bpe", {"tokens": "abc"}, "incomplete: tokens"),
    ("llama-bpe", {"tokens": [1, 2, None]}, "not readable: tokens"),
    ("llama-bpe", {"merges": None}, "incomplete: merges"),
    ("llama-bpe", {"merges": [["a", "b"]]}, "not readable: merges"),
    ("llama-bpe", {"merges": ["x y z", "", " ", "qq zz"]}, "does not fit its merges"),
    ("llama-bpe", {"token_type": [1, 1]}, "incomplete: token_type"),
    ("llama-bpe", {"token_type": "junk"}, "incomplete: token_type"),
    ("llama-bpe", {"tokens": [str(number) for number in range(1_000_000)], "token_type": None}, "too large"),
    ("spm", {"scores": None}, "incomplete: scores"),
    ("spm", {"scores": [0.5]}, "incomplete: scores"),
    ("spm", {"token_type": None}, "no tokens for single bytes"),
    ("spm", {"model": "t5"}, "of a kind that is not counted here: t5"),
    ("spm", {"model": None}, "not shown by this server"),
    ("spm", {"model": 7}, "of a kind"),
]


@pytest.mark.parametrize(("name", "changes", "why"), JUNK)
def test_what_cannot_be_counted_with_says_why(name: str, changes: dict[str, Any], why: str) -> None:
    with pytest.raises(Unusable, match=why):
        convert(shown(name, **changes))


@pytest.mark.parametrize("junk", [b"", b"null", b"[1]", b"{", b"\xff\xfe\x00", b'{"model_info": null}', b"{}"])
def test_an_answer_that_is_no_model_info_is_refused(junk: bytes) -> None:
    with pytest.raises(Unusable):
        convert(junk)


def test_junk_breaks_the_process_apart_and_not_this_one() -> None:
    with pytest.raises(Unusable, match="incomplete: scores"):
        build(shown("spm", scores=[1]))
    with pytest.raises(Unusable, match="could not be prepared"):
        build(shown("spm", tokens=["\ud800" for _ in demo_vocabulary("spm").fields["tokens"]]))
