"""The bundled encodings are tiktoken's own, byte for byte, and take any text."""

from __future__ import annotations

import base64
import hashlib
import importlib
import struct
import subprocess
import sys
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcli.tokens import encoding

published = importlib.import_module("tiktoken_ext.openai_public")
names = pytest.mark.parametrize("name", encoding.NAMES)


@names
def test_the_bundled_ranks_have_the_hash_that_tiktoken_publishes(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected: list[str] = []

    def note_the_hash(_url: str, expected_hash: str) -> dict[bytes, int]:
        expected.append(expected_hash)
        return {}

    monkeypatch.setattr(published, "load_tiktoken_bpe", note_the_hash)
    made: dict[str, Any] = published.ENCODING_CONSTRUCTORS[name]()

    lines = (b"%s %d\n" % (base64.b64encode(token), rank) for rank, token in enumerate(encoding.rank_file(name)))
    assert [hashlib.sha256(b"".join(lines)).hexdigest()] == expected
    assert made["special_tokens"] == encoding.SPECIALS[name]


@names
def test_the_pattern_cuts_text_as_tiktoken_s_own_does(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import tiktoken

    ranks = {bytes([byte]): byte for byte in range(256)}
    monkeypatch.setattr(published, "load_tiktoken_bpe", lambda _url, expected_hash: ranks)
    theirs: dict[str, Any] = published.ENCODING_CONSTRUCTORS[name]()
    text = "It's  we'LL 12345 Über-Maß\r\n\n\t{a}//b\u00a0नमस्ते 中文。👩‍👩‍👧 x/\n/y  "
    merged = {token: rank for rank, token in enumerate(encoding.rank_file(name))}
    whole = tiktoken.Encoding(
        "theirs", pat_str=theirs["pat_str"], mergeable_ranks=merged, special_tokens=theirs["special_tokens"]
    )
    for start in range(len(text)):
        assert whole.encode_ordinary(text[start:]) == encoding.load(name).encode_ordinary(text[start:])


@given(st.text(st.characters(exclude_categories=[])))
def test_every_text_can_be_counted_and_none_is_dropped(text: str) -> None:
    made = encoding.load("cl100k_base")
    there = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    assert made.decode(made.encode_ordinary(text)) == there
    assert encoding.tokens_of(made, text) <= len(there.encode())


def test_text_that_spells_a_special_token_is_text() -> None:
    assert encoding.tokens_of(encoding.load("o200k_base"), "<|endoftext|>") > 1


def test_a_million_blanks_do_not_stop_the_program() -> None:
    assert encoding.tokens_of(encoding.load("cl100k_base"), " " * 1_200_000) > 1000


@given(st.lists(st.sampled_from(["a", "\n", " ", "/", ";", "é\n", "12", "\nb", "\r\n"])), st.integers(4, 9))
def test_long_text_is_cut_without_loss(words: list[str], longest: int) -> None:
    text = "".join(words)
    cut = list(encoding.pieces(text, longest))
    assert "".join(cut) == text
    assert all(len(piece) <= longest for piece in cut)


def test_a_cut_between_two_lines_changes_no_count() -> None:
    made, text = encoding.load("o200k_base"), "def f(x):\n    return {x};\n//comment\nend\n\nÜber 12\n" * 40
    cut = sum(len(made.encode_ordinary(piece)) for piece in encoding.pieces(text, 100))
    assert cut == len(made.encode_ordinary(text))


@given(st.lists(st.binary(max_size=300)))
def test_what_is_packed_comes_back(tokens: list[bytes]) -> None:
    assert encoding.unpack(encoding.pack(tokens)) == tokens


def test_damaged_ranks_are_noticed() -> None:
    packed = encoding.pack([b"a", b"bc"])
    with pytest.raises((zlib.error, struct.error)):
        encoding.unpack(packed[:-5])


def test_counting_before_an_encoding_is_needed_imports_no_tiktoken() -> None:
    code = (
        "import sys; from chatcli.tokens.counter import Counter; from chatcli.conversation.message import Message;"
        "print(Counter(None).count(Message.user('hello')), 'tiktoken' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("False\n")
