from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wcwidth import wcswidth

from chatcli.prompt.toolbar import Toolbar, draw, of_reply

BUSY = Toolbar("qwen2.5-coder:32b", "~1912", 8192, 1912, "summary", ("12 left out", "2 pictures attached"))


def drawn(toolbar: Toolbar, width: int = 200) -> str:
    return "".join(text for _, text in draw(toolbar, width))


def test_everything_is_there_when_there_is_room() -> None:
    assert drawn(BUSY) == (
        " qwen2.5-coder:32b · ~1912 of 8192 tokens (24 %) ■■□□□□□□ · summary · 12 left out · 2 pictures attached"
    )


def test_what_matters_least_goes_first() -> None:
    lines = []
    for width in range(120, 10, -1):
        line = drawn(BUSY, width)
        if line not in lines:
            lines.append(line)
    assert lines[:7] == [
        drawn(BUSY),
        " qwen2.5-coder:32b · ~1912 of 8192 tokens (24 %) ■■□□□□□□ · 12 left out · 2 pictures attached",
        " qwen2.5-coder:32b · ~1912 of 8192 tokens (24 %) · 12 left out · 2 pictures attached",
        " qwen2.5-coder:32b · ~1912 of 8192 tokens · 12 left out · 2 pictures attached",
        " qwen2.5-coder:32b · ~1912 of 8192 · 12 left out · 2 pictures attached",
        " qwen2.5-coder:32b · ~1912 of 8192 · 12 left out",
        " qwen2.5-coder:32b · ~1912 of 8192",
    ]
    assert lines[7] == " qwen2.5-coder:3… · ~1912 of 8192"
    assert lines[-1] == " ~1912 of 8192"


def test_only_an_estimate_is_marked() -> None:
    assert drawn(Toolbar("m", "=24", 2048, 24), 40) == " m · 24 of 2048 tokens (2 %) ■□□□□□□□"
    assert drawn(Toolbar("m", "~24", 2048, 24, notes=("=3 typed",))).endswith("tokens (2 %) ■□□□□□□□ · 3 typed")


def test_what_is_too_long_says_for_which_window() -> None:
    assert drawn(Toolbar("m", "too long", 2048, 2048), 30) == " m · too long for 2048 tokens"


@given(
    st.builds(
        Toolbar,
        st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=40),
        st.just("~1912"),
        st.integers(0, 10**6),
        st.integers(0, 10**6),
        st.sampled_from(["", "trim", "summary"]),
        st.lists(st.sampled_from(["12 left out", "demo", "枝"]), max_size=3).map(tuple),
    ),
    st.integers(20, 120),
    st.booleans(),
)
@settings(max_examples=100, deadline=None)
def test_it_always_fits_in_one_line(toolbar: Toolbar, width: int, ascii_only: bool) -> None:
    line = "".join(text for _, text in draw(toolbar, width, ascii_only=ascii_only))
    assert max(0, wcswidth(line)) < width
    assert "\n" not in line
    assert "~1912" in line


def test_without_a_known_window_there_is_no_meter() -> None:
    assert drawn(Toolbar("llama3.2", "=0", 0, 0)) == " llama3.2 · 0"


def test_the_meter_is_full_only_when_nothing_is_left() -> None:
    def meter(tokens: int) -> str:
        return drawn(Toolbar("m", "u", 4096, tokens)).split()[-1]

    assert meter(0) == "□□□□□□□□"
    assert meter(1) == "■□□□□□□□"
    assert meter(2048) == "■■■■□□□□"
    assert meter(4095) == "■■■■■■■□"
    assert meter(4096) == meter(9999) == "■■■■■■■■"


def test_above_85_percent_the_usage_warns() -> None:
    def warns(tokens: int) -> bool:
        return any("full" in style for style, _ in draw(Toolbar("m", "u", 1000, tokens), 80))

    assert not warns(850)
    assert warns(851)


@pytest.mark.parametrize(
    ("ascii_only", "line"),
    [
        (False, " ⠋ answers, 3 s · Ctrl-C stops it · Enter queues"),
        (True, " answers, 3 s - Ctrl-C stops it - Enter queues"),
    ],
)
def test_what_a_reply_does_is_said_in_the_characters_that_the_terminal_has(ascii_only: bool, line: str) -> None:
    told = of_reply("⠋ answers, 3 s", ascii_only=ascii_only)
    assert "".join(text for _, text in draw(told, 80, ascii_only=ascii_only)) == line
