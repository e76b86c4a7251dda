"""Formulas, arithmetic, addresses and wide tables in a reply: as they were written, in pieces as at once."""

from __future__ import annotations

import re

import pytest
from rich.color import ColorSystem

from chatcli.render import inline
from chatcli.render.dialect import LONGEST
from chatcli.render.html import to_html
from chatcli.render.lines import plain
from chatcli.render.markdown import render
from chatcli.render.theme import Palette
from tests.growing import grown, pieces, rendered
from tests.test_render_growing import characters, piecewise
from tests.test_render_markdown import shown

COLORED = Palette("dark", "monokai", ColorSystem.TRUECOLOR)
FORMULAS = [
    "$x*y*z$",
    "$a_1 + b_1$",
    "$5*x*6$",
    "$a \\$ *b* c$",
    "$\\alpha$",
    "$$a*b*c$$",
    "\\(a\\)",
    "\\(x_1*y_1*z\\)",
    "\\(a \\\\ b\\)",
    "\\[b*c*d\\]",
    "\\begin{pmatrix} a & b \\\\ *c* & d \\end{pmatrix}",
]
DISPLAYS = [
    "$$\nx *y* z\n- b\n= c\n$$",
    "\\[\n  a &= *b* \\\\\n    &= c\n\\]",
    "\\[ x = *y*\n+ z \\]",
    "\\begin{align*}\n# a &= b \\\\\n> &= _c_\n\\end{align*}",
    "$$\n\nx\n\n    y\n\n$$",
    "\\[ a *b* c \\].",
]
PRODUCTS = ["5*6*78", "2**10 and 2**20", "5*6 and 7*8", "x**2 + y**2", "2*x and 3*y", "n*(n+1)*(2*n+1)/6", "a*b*c"]
PRODUCTS += ["1.5*2*3", "3*(4+5)*6", "2*π*r", "10*20*30*40", "(a+b)*(c+d)*(e+f)", "snake_case_name", "5_6_7"]


def both_ways(text: str, width: int = 200) -> list[str]:
    whole = [plain(line) for line in render(text, COLORED, width)]
    for seed, sizes in enumerate([(1,), (1, 3, 10), (7,)] if len(text) < 1000 else [(40, 200)]):
        assert [plain(line) for line in piecewise(pieces(text, seed, sizes), width)] == whole
    return whole


@pytest.mark.parametrize("formula", FORMULAS + PRODUCTS)
@pytest.mark.parametrize(
    "place", ["With {} in it.", "{}", "- {} *or*", "> so: {}", "# {}", "| {} |\n|:-|", "**so {} is**"]
)
def test_what_is_calculated_stays_as_it_was_written(formula: str, place: str) -> None:
    assert formula in " ".join(both_ways(place.replace("{}", formula)))


@pytest.mark.parametrize("formula", DISPLAYS)
@pytest.mark.parametrize("indent", ["", "> ", "- "])
def test_a_display_formula_keeps_its_lines(formula: str, indent: str) -> None:
    rest = "  " if indent == "- " else indent
    text = "\n".join([f"{indent}Text:", *(rest + line for line in formula.split("\n")), f"{rest}*More*"])
    found = [line.removeprefix("▎").removeprefix(" ") if indent == "> " else line for line in both_ways(text)]
    found = [line.removeprefix("•").removeprefix("  " if indent == "- " else "").lstrip("•") for line in found]
    assert [found[0].strip(), found[-1].strip()] == ["Text:", "More"]
    around = 1 if indent == "- " else 2  # a tight list has no blank lines
    assert "\n".join(found[around:-around]) == formula


def test_a_formula_that_begins_in_mid_paragraph_keeps_its_lines() -> None:
    assert both_ways("So *it* is $$\na\n- b\n= c\n$$ and\n*so* on") == [
        "So it is $$",
        "a",
        "- b",
        "= c",
        "$$ and so on",
    ]


@pytest.mark.parametrize(
    ("prose", "expected"),
    [
        ("It is $5 and $6 *now*.", "It is $5 and $6 now."),
        ("$ 5 *and* 6$", "$ 5 and 6$"),
        ("a $x$5 *b* c", "a $x$5 b c"),
        ("`$HOME` and *`$PATH`*", "$HOME and $PATH"),
        ("\\$a *b* c$", "$a b c$"),
        ("\\[not *a* link](/foo)", "[not a link](/foo)"),
        ("\\(open *to* the end", "(open to the end"),
        ("**5**th and *x*2 and **bo**ld", "5th and x2 and bold"),
        ("foo*bar*baz and **2*x**", "foobarbaz and 2*x"),
    ],
)
def test_prose_stays_prose(prose: str, expected: str) -> None:
    assert both_ways(prose) == [expected]


@pytest.mark.parametrize(
    ("opening", "ending"), [("$", "$"), ("$$", "$$"), ("\\(", "\\)"), ("\\[", "\\]"), ("\\begin{a}", "\\end{a}")]
)
def test_a_formula_in_a_line_ends_within_its_limit_or_is_text_that_is_drawn_once(
    opening: str, ending: str
) -> None:
    longest = ("*x* " * LONGEST)[: LONGEST - 1] + "y"
    assert f"{opening}{longest}{ending}" in " ".join(both_ways(f"So {opening}{longest}{ending} *is*", 5000))
    assert "*" not in " ".join(both_ways(f"So {opening}{longest}y{ending} *is*", 5000))
    words = ("word " * LONGEST)[: LONGEST - 1]
    assert inline.settled(f"So {opening}{words}", COLORED, "", None) is None
    assert inline.settled(f"So {opening}{words} and some more", COLORED, "", None) is not None


def test_a_formula_that_never_ends_ends_with_its_paragraph() -> None:
    assert both_ways("\\[ a\n*b*\n\n*c*") == ["\\[ a", "*b*", "", "c"]


@pytest.mark.parametrize("formula", FORMULAS + DISPLAYS + PRODUCTS)
def test_an_export_has_it_as_it_was_written_too(formula: str) -> None:
    html = re.sub(r"<[^>]+>", "", to_html(f"Text:\n\n{formula}\n\n*More*"))
    assert formula in html.replace("&amp;", "&").replace("&gt;", ">")


ADDRESS = "https://example.org/_next_/" + "a_b/" * 35 + "*end*?x=1&y=(2)"
ADDRESS = ADDRESS.replace("*", "")


@pytest.mark.parametrize("place", ["See {}, please.", "- ({})", "# {}", "> **{}**", "a\n{}\nb", "<{}>"])
@pytest.mark.parametrize("width", [40, 80])
def test_a_long_address_is_one_link_and_left_whole(place: str, width: int) -> None:
    text = place.replace("{}", ADDRESS)
    lines = [plain(line) for line in piecewise(pieces(text, 1, (7,)), width)]
    assert sum(ADDRESS in line for line in lines) == 1
    linked = [(char, link) for line in render(text, COLORED, width) for char, _, link in characters(line)]
    assert "".join(char for char, link in linked if link == f"\x1b]8;;{ADDRESS}\x1b\\") == ADDRESS
    seen = grown(pieces(text, 1, (7,)), width, 24, 1)
    assert seen.text == rendered(text, width).text


def test_without_links_it_is_left_to_the_terminal_to_wrap() -> None:
    assert shown(f"See {ADDRESS} and so on") == ["See", ADDRESS, "and so on"]


def test_in_a_table_its_pieces_lead_to_the_whole_address() -> None:
    lines = render(f"| a | b |\n|---|---|\n| 1 | {ADDRESS} |", COLORED, 60)
    targets = {link for line in lines for _, _, link in characters(line)}
    assert targets == {"", f"\x1b]8;;{ADDRESS}\x1b\\"}


def test_an_export_links_it() -> None:
    assert f'<a href="{ADDRESS}">'.replace("&", "&amp;") in to_html(f"See {ADDRESS}.")


NAMES = [f"column{n}" for n in range(16)]


def wide(rows: int) -> str:
    every = [NAMES, ["---"] * 16, *([f"the value {n} of row {row}" for n in range(16)] for row in range(rows))]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in every)


@pytest.mark.parametrize("rows", [0, 1, 3, 20])
def test_a_table_that_is_too_wide_to_read_is_a_block_for_each_row(rows: int) -> None:
    blocks = "\n".join(both_ways(wide(rows), 80)).split("\n\n")
    assert [line.split()[0] for line in blocks[0].split("\n")] == NAMES
    if rows:
        assert blocks == [
            "\n".join(f"{name:<8}  the value {n} of row {row}" for n, name in enumerate(NAMES))
            for row in range(rows)
        ]


def test_columns_that_can_be_read_stay_a_table() -> None:
    small = "|" + "a|" * 16 + "\n|" + "-|" * 16 + "\n|" + "bc|" * 16
    assert len(shown(small, 80)) == 3
    assert len(shown(wide(3), 700)) == 5
    text = "| a | b |\n|---|---|\n| 1 | " + "word " * 60 + "|"
    assert shown(text, 40)[0] == "a  b"
