"""What outside text may not do to a terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcli.render.sanitize import Cleaner, one_line, safe_link
from chatcli.text import clean

HARMFUL = {
    "colour": "\x1b[1;31m",
    "private mode": "\x1b[?1049h",
    "cursor": "\x1b[10;10H",
    "title": "\x1b]0;title\x07",
    "clipboard": "\x1b]52;c;c2VjcmV0\x1b\\",
    "link": "\x1b]8;;file:///etc\x1b\\",
    "8-bit string": "\x9d0;title\x9c",
    "8-bit colour": "\x9b31m",
    "device control": "\x1bP$q\x1b\\",
    "application command": "\x1b_G1234\x1b\\",
    "reset": "\x1bc",
    "character set": "\x1b(0",
    "carriage return": "\r",
    "bell": "\x07",
    "delete": "\x7f",
    "bidi override": "\u202e",
    "bidi isolate": "\u2067",
    "tags": "\U000e0068\U000e0069",
    "lone surrogate": "\ud83d",
}


@pytest.mark.parametrize("name", HARMFUL)
def test_it_is_taken_out_whole(name: str) -> None:
    assert clean(f"a{HARMFUL[name]}b") == "ab"


@pytest.mark.parametrize("name", HARMFUL)
def test_it_is_taken_out_however_it_is_cut(name: str) -> None:
    text = f"a{HARMFUL[name]}b\n" * 2
    for size in range(1, len(text)):
        cleaner = Cleaner()
        pieces = [cleaner.feed(text[at : at + size]) for at in range(0, len(text), size)]
        assert "".join(pieces) + cleaner.finish() == "ab\nab\n"


def test_an_unfinished_sequence_takes_no_more_than_its_line() -> None:
    assert clean("a\x1b]52;c;secret\nb") == "a\nb"
    assert clean("a\x1b") == "a"
    assert clean("a\x1b[12") == "a"


def test_what_people_write_stays() -> None:
    text = "Tab\tand newline\n, é, 日本語, 👨‍👩‍👧, ❤️, 한국어, עברית, a\u200bb"
    assert clean(text) == text
    assert clean("one\r\ntwo\u2028three") == "one\ntwo\nthree"


@given(st.lists(st.sampled_from([*HARMFUL.values(), "\x1b", "[", "]", "m", "a", "1", ";", "\\", "\n", "\x9c"])))
def test_nothing_that_a_terminal_obeys_is_left(parts: list[str]) -> None:
    found = clean("".join(parts))
    assert all(char in "\n\t" or char.isprintable() for char in found)
    cleaner = Cleaner()
    assert all(char in "\n\t" or char.isprintable() for part in parts for char in cleaner.feed(part))


def test_a_long_string_is_not_kept() -> None:
    cleaner = Cleaner()
    cleaner.feed("\x1b]52;c;")
    for _ in range(100):
        assert cleaner.feed("x" * 1000) == ""
    assert len(cleaner._held) < 10
    assert cleaner.feed("\x07after") == "after"


@pytest.mark.parametrize("opener", ["\x90", "\x9d", "\x9b", "\x1b[", "\x1b]", "\x1b", "\x90\x9c", "\x9b0"])
def test_a_text_full_of_openers_is_read_once(opener: str) -> None:
    """A million of them: with work that goes with their square it would not end today."""
    text = opener * 1_000_000
    cleaner = Cleaner()
    assert cleaner.feed(text + "\n\x07x") + cleaner.finish() == "\nx"
    assert cleaner.feed("a" + text) == "a"
    assert len(cleaner._held) <= 64


def test_names_are_on_one_line() -> None:
    assert one_line("a\x1b[1m\n  b\tc\r") == "a b c"


@pytest.mark.parametrize("url", ["https://a.b/c?d=e#f", "http://a", "mailto:a@b.c", "HTTPS://A"])
def test_some_links_may_be_followed(url: str) -> None:
    assert safe_link(url) == url


@pytest.mark.parametrize(
    "url", ["javascript:x", "file:///x", "ssh://a", "data:x", "https://a b", "https://a\x1b", ""]
)
def test_others_may_not(url: str) -> None:
    assert safe_link(url) == ""
