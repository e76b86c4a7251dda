"""In pieces as at once: text, looks and positions do not depend on how a reply arrived or when it was drawn."""

from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.color import ColorSystem

from chatcli.render.lines import ESCAPE, Line, plain
from chatcli.render.markdown import Blocks, Layout, render
from chatcli.render.theme import Palette
from chatcli.text import ENDLESS
from tests.growing import grown, looks, pieces, rendered

PALETTE = Palette("dark", "monokai", ColorSystem.TRUECOLOR)
MONO = Palette("mono", "", ColorSystem.TRUECOLOR)
LONG = "https://images.example.org/1476029/29596343-9a8c62c6-8771-11e7-9026-b8eb8852cc4a-and-more.png"

CLOSED = [
    "word",
    "two words",
    "and prose that goes on for a while",
    "*em*",
    "**str ong**",
    "`code`",
    "`co de`",
    "2 * 3",
]
CLOSED += [
    "`` a ` b ``",
    "[link](https://e.org/x)",
    "[text][ref]",
    "[ref]",
    "<b>",
    "</b>",
    "<br>",
    "<br/>",
    "&amp;",
]
CLOSED += [
    "&#8238;",
    "&nbsp;",
    "&#10;",
    "\\*",
    "\\\\",
    "~~gone~~",
    "![an image](https://e.org/i.png)",
    "snake_case_name",
]
CLOSED += [
    "日本語のテキスト",
    "👍",
    "👨‍👩‍👧",
    "🇩🇪",
    "e\u0301",
    "a\u200bb",
    "\u00a0",
    LONG,
    "x" * 90,
    "$$\\int_0^1 x_i$$",
    "\\(a_b\\)",
    "$x*y*z$",
    "$5 and $6",
    "5*6*78",
    "x**2",
    "\\[a*b\\]",
    "(https://e.org/_a_/b).",
]
OPEN = [
    "*",
    "**",
    "_",
    "`",
    "``",
    "[",
    "](",
    "![",
    "<",
    "<a href=",
    "&",
    "&cop",
    "\\",
    "~~",
    "|",
    ":",
    "(",
    ")",
    "[ref",
    "$",
    "$$",
    "\\(",
    "\\[",
    "\\begin{a}",
    "\\end{a}",
    "*`c`",
]
BEGINNINGS = [
    "# ",
    "## ",
    "#",
    "- ",
    "* ",
    "1. ",
    "2) ",
    "10. ",
    "> ",
    ">",
    "    ",
    "  ",
    "\t",
    "```",
    "````",
    "~~~",
]
BEGINNINGS += [
    "```python",
    "<div>",
    "</div>",
    "<!-- ",
    "<img src=",
    "<pre>",
    "<script>",
    "[ref]: ",
    "[ref]: <u> 'of",
    "[other]:",
    '"a title"',
    "- [ ] ",
    "| a | b |",
]
LINES = [
    "",
    " ",
    "===",
    "---",
    "***",
    "- - -",
    "```",
    "~~~",
    "-->",
    "</pre>",
    "</script>",
    "|---|---|",
    "| a | b |",
]
LINES += [
    "[ref]: https://e.org/def",
    "[ref]:",
    "'title'",
    "def f(x): return '''a",
    "'''",
    "/* c",
    "| c | `d` | e |",
    "$$",
    "\\[",
    "\\]",
    "\\begin{align}",
    "\\end{align}",
]
BLOCKS = [
    "Setext heading\nof two lines\n===",
    "- tight\n- items\n\n- made loose",
    "1. one\n   - two\n\n     three\n2. four",
    f"| head | {LONG} |\n| --- | --: |\n| a | 1 |",
    "| h | i |\n|--|:-:|\n" + "| cell | another `cell` |\n" * 18,
    f'<img height="150" src="{LONG}">',
    f"<details>\n<summary>{LONG}</summary>\n\nInside.\n</details>",
    f"[ref]: {LONG}\n'title'",
    f"```\n{LONG}{LONG}\n```",
    f"    {LONG}{LONG}",
    "> quoted\nlazily continued\n> - a list\n> ```\n> code\n",
    "So $$\na\n- *b*\n= c\n$$ is",
    "Text\n\\[ a\n    *b*\n\\]\nText",
    "|" + "column |" * 16 + "\n|" + "-|" * 16 + "\n" + f"| a longer cell | {LONG} |\n" * 18,
    "Text\n***\nText\n---\n- text\n---",
]

ends = st.sampled_from([" ", " ", " ", "", " \n", "  \n", "\t\n", "\n", "\\\n", "\u00a0\n", "\n  "])
phrases = st.lists(st.tuples(st.sampled_from(CLOSED), ends), min_size=1, max_size=30).map(
    lambda said: "".join(word + end for word, end in said)
)
loose = st.lists(st.sampled_from(CLOSED + OPEN), max_size=8).map(" ".join)
lines = st.tuples(st.lists(st.sampled_from(BEGINNINGS), max_size=3).map("".join), loose | phrases).map("".join)
blocks = st.sampled_from(BLOCKS) | phrases | lines | st.sampled_from(LINES) | st.sampled_from(LINES)
documents = st.lists(st.tuples(blocks, st.sampled_from(["\n", "\n", "\n\n"])), min_size=1, max_size=8).map(
    lambda parts: "".join(block + end for block, end in parts)
)
sizes = st.sampled_from([(1,), (1, 2, 3, 5, 8), (7,), (1, 3, 10, 100), (40, 200)])
screens = st.sampled_from([(80, 24), (40, 10), (120, 40), (20, 6), (13, 3)])
proses = st.sampled_from([ENDLESS, ENDLESS, 30, 0])
seeds = st.integers(0, 10**6)


@pytest.fixture(autouse=True)
def colors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLORTERM", "truecolor")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(documents, sizes, screens, proses, seeds)
def test_however_a_reply_comes_the_screen_is_that_of_one_rendering(
    text: str, sizes: tuple[int, ...], screen: tuple[int, int], prose: int, seed: int
) -> None:
    seen, whole = grown(pieces(text, seed, sizes), *screen, seed, prose), rendered(text, *screen, prose)
    assert seen.text == whole.text
    assert looks(seen) == looks(whole)


@settings(max_examples=100, deadline=None)
@given(documents, sizes, st.sampled_from([20, 40, 80, 120]), proses, st.sampled_from([PALETTE, MONO]), seeds)
def test_however_text_is_cut_its_lines_and_where_its_links_lead_are_the_same(
    text: str, sizes: tuple[int, ...], width: int, prose: int, palette: Palette, seed: int
) -> None:
    cut = piecewise(pieces(text, seed, sizes), width, prose, palette)
    assert [*map(characters, cut)] == [*map(characters, render(text, palette, width, Layout(prose)))]


def piecewise(parts: list[str], width: int, prose: int = ENDLESS, palette: Palette = PALETTE) -> list[Line]:
    growing = Blocks(palette, width, Layout(prose))
    lines: list[Line] = []
    for part in parts:
        lines += growing.feed(part)
        growing.open_lines()
    return lines + growing.finish()


def characters(line: Line) -> list[tuple[str, str, str]]:
    """What can be seen, each with its look and the address behind it."""
    found = []
    look = link = ""
    for part in re.split(f"({ESCAPE.pattern})", line.text):
        if part.startswith("\x1b]"):
            link = part
        elif part.startswith("\x1b"):
            look = "" if part == "\x1b[0m" else look + part
        else:
            found += [(char, look, link) for char in part]
    return found


@pytest.mark.parametrize("width", [80, 40, 20])
@pytest.mark.parametrize(
    "text",
    [
        f'<img height="150" src="{LONG}">',
        f'<img height="150" src="{LONG}{LONG}">\n<b>',
        f"Some words {LONG}\n===",
        f"| {LONG} | b |\n|---|---|",
        f"[ref]: {LONG}",
        f"- {LONG}\n  <div {LONG}>",
        f"> <div\n> {LONG}",
        f"text\n\n    {LONG}{LONG}",
        f"`{LONG}\n```\n{LONG}{LONG}\n```",
        f"<!-- {LONG}\n{LONG} -->",
    ],
)
def test_a_block_that_becomes_another_leaves_nothing_of_what_it_was(text: str, width: int) -> None:
    """Whether or not there was time to draw what it became before it was final."""
    for seed in range(6):
        cuts = pieces(text, seed, [(7,), (1, 3, 10, 100)][seed % 2])
        assert grown(cuts, width, 24, seed).text == rendered(text, width).text


BEFORE = [
    "data",
    "`code`",
    "`co de`",
    "*em*",
    "**strong**",
    "[link](https://e.org)",
    "a <b>",
    "&amp;",
    "\\*",
    "~~s~~",
    "日本",
]


def both_ways(text: str) -> list[str]:
    """The lines of one rendering, which are those of the text in pieces too."""
    whole = [plain(line) for line in render(text, PALETTE, 500)]
    assert [plain(line) for line in piecewise(pieces(text, 1, (7,)), 500)] == whole
    return whole


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("block", ["{}", "> {}", "- {}", "{}\n---", "> - {}"])
def test_a_line_of_the_source_ends_in_one_blank(before: str, block: str) -> None:
    said = f"Words that are so many that the first of them are settled before the last of them come: {before}"
    for blanks in ("", " ", "\t", " \t", "\t ", "   \t"):
        for text in (f"{before}{blanks}\nas it is", f"{said}{blanks}\nas it is {said}"):
            assert re.search(r"\S as it is", both_ways(block.format(text))[0])


def test_so_does_one_that_ends_as_on_windows() -> None:
    text = "uses `code` data \r\nas it is\r\n"
    assert rendered(text).text == grown([*text], 80, 24, 1).text == ["uses code data as it is"]


@pytest.mark.parametrize("mark", ["  ", "   ", "\t  ", "\\", "<br>", "<br> ", "<br/>\t"])
@pytest.mark.parametrize("before", BEFORE)
def test_a_hard_break_begins_a_line_and_leaves_no_blank_before_it(before: str, mark: str) -> None:
    assert both_ways(f"{before}{mark}\nas it is{mark}")[1:] == ["as it is" + ("\\" if mark == "\\" else "")]


@pytest.mark.parametrize("text", ["a\\ \nb", "![a \nb](https://e.org)", "`a \nb`", "a&#32;\nb", "a&#10;b"])
def test_what_is_no_hard_break_is_one_blank(text: str) -> None:
    assert re.fullmatch(r"a\\? b( \(https://e.org\))?", both_ways(text)[0])
