"""A regular expression is compiled when it is first used, and then does what one of the standard library does."""

from __future__ import annotations

import re

import pytest

from chatcli.pattern import pattern


def test_it_is_compiled_when_it_is_first_used() -> None:
    wrong = pattern("(")
    with pytest.raises(re.error):
        wrong.search("text")


def test_it_has_what_a_compiled_one_has() -> None:
    words, same = (make(r"(?P<first>[a-z])[a-z]*", re.IGNORECASE) for make in (pattern, re.compile))
    assert words.pattern == same.pattern
    assert (words.flags, words.groups, words.groupindex) == (same.flags, same.groups, same.groupindex)
    for _ in range(2):  # the second time it is compiled
        assert words.findall("One two") == same.findall("One two")
        assert words.sub(r"\g<first>", "One two") == "O t"
    assert pattern(rb"\x00+").search(b"a\x00b")
    with pytest.raises(AttributeError):
        words.nothing  # type: ignore[attr-defined]  # noqa: B018
