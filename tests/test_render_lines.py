"""Lines at a width: nothing is lost, nothing is too long."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcli.render.columns import Row, fit, total
from chatcli.render.lines import Span, cells, chop, plain, to_line, wrap

text = st.text(alphabet="ab ,-日本👍é\u0301\u200d\ufe0f🇩🇪", max_size=80)


@given(text, st.integers(2, 20))
def test_wrapping_keeps_all_text_and_the_width(said: str, width: int) -> None:
    lines = ["".join(span.text for span in line) for line in wrap([Span(said)], width)]
    assert "".join("".join(lines).split(" ")) == "".join(said.split(" "))
    assert all(cells(line) <= max(width, 3) for line in lines)


@given(st.lists(st.sampled_from(["one", " ", "longer word", "日本語", "\n"]), max_size=20), st.integers(3, 15))
def test_spans_are_wrapped_as_their_text_is(parts: list[str], width: int) -> None:
    apart = wrap([Span(part, str(at % 3)) for at, part in enumerate(parts)], width)
    joined = wrap([Span("".join(parts))], width)
    assert ["".join(span.text for span in line) for line in apart] == [
        "".join(span.text for span in line) for line in joined
    ]


def test_words_stay_whole_where_they_can() -> None:
    assert [line[0].text for line in wrap([Span("one two three")], 8)] == ["one two", "three"]
    assert [line[0].text for line in wrap([Span("a toolongword b")], 5)] == ["a", "toolo", "ngwor", "d b"]


def test_wide_characters_break_anywhere_and_are_not_cut() -> None:
    assert [line[0].text for line in wrap([Span("日本語です")], 5)] == ["日本", "語で", "す"]


def test_marks_stay_with_their_letter() -> None:
    assert [line[0].text for line in wrap([Span("abce\u0301f")], 4)] == ["abce\u0301", "f"]


@pytest.mark.parametrize(
    "said", ["e" + "\u0301" * 9000, "\u200b" * 9000, "👨\u200d" * 3000, "a \u200b" + "\ufe0f" * 9000]
)
def test_a_line_ends_however_little_of_it_can_be_seen(said: str) -> None:
    """Its end is drawn anew with all that comes."""
    lines = ["".join(span.text for span in line) for line in wrap([Span(said)], 10)]
    assert max(map(len, lines)) <= 320
    assert "".join(lines).replace(" ", "") == said.replace(" ", "")


def test_cells_are_those_of_a_terminal() -> None:
    assert [cells(each) for each in ("abc", "日本", "e\u0301", "👍", "❤\ufe0f")] == [3, 4, 1, 2, 2]


def test_a_line_says_its_width() -> None:
    line = to_line([Span("a", "1"), Span("日", "", "https://a")])
    assert line.cells == 3
    assert line.text == "\x1b[1ma\x1b[0m\x1b]8;;https://a\x1b\\日\x1b]8;;\x1b\\"


@given(text, st.integers(2, 20))
def test_a_chopped_line_is_all_there_and_looks_the_same(said: str, width: int) -> None:
    line = to_line([Span(said[:5], "1;31"), Span(said[5:9], "", "https://a"), Span(said[9:], "3")])
    pieces = chop(line, width)
    assert "".join(map(plain, pieces)) == plain(line)
    assert all(piece.cells == cells(plain(piece)) <= width for piece in pieces)
    assert all(piece.text.count("\x1b[0m") >= (1 if "\x1b[" in piece.text else 0) for piece in pieces)


@given(st.lists(st.lists(st.integers(0, 60), min_size=3, max_size=3), min_size=1, max_size=5), st.integers(10, 80))
def test_columns_fit_the_width(sizes: list[list[int]], width: int) -> None:
    rows = [Row([[Span("x" * size)] for size in row], ["left", "right", "center"]) for row in sizes]
    widths = fit(rows, width)
    assert total(widths) <= width
    assert all(line.cells <= width for row in rows for line in row.draw(widths))
