"""Markdown line by line: the blocks of CommonMark, at any cut, with never much of it open."""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from rich.color import ColorSystem

from chatcli.render import inline
from chatcli.render.lines import plain
from chatcli.render.markdown import Blocks, Layout, render
from chatcli.render.theme import Palette

PLAIN = Palette("dark")  # for a terminal without colors: lines are only text
MONO = Palette("mono", colors=ColorSystem.STANDARD)


def shown(markdown: str, width: int = 80) -> list[str]:
    return [line.text for line in render(markdown, PLAIN, width)]


def piecewise(markdown: str, seed: int, width: int = 80) -> list[str]:
    """The same, for text that comes in pieces and is looked at after each of them."""
    chance = random.Random(seed)
    blocks = Blocks(PLAIN, width)
    lines, at = [], 0
    while at < len(markdown):
        size = chance.choice([1, 3, 10, 100])
        lines += blocks.feed(markdown[at : at + size])
        blocks.open_lines()
        at += size
    return [line.text for line in lines + blocks.finish()]


PARTS = ["a", "b c", " ", "  ", "    ", "\n", "\n\n", "- ", "* ", "1. ", "7) ", "> ", "# ", " #", "```", "~~~"]
PARTS += ["---", "===", "***", "`", "\n- ", "\n  - ", "\n    ", "\n> ", "<div>", "<b>", "&"]


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(PARTS), max_size=14).map("".join))
def test_blocks_are_those_of_commonmark(markdown: str) -> None:
    # In some places markdown-it takes ">" behind four spaces for a quote (by the specification it is code), and
    # blank lines under an empty item for the end of its list.
    assume(not re.search(r">[^\n]*(\n[\s>]*)*\n {4}|(?:[-*]|\d[.)]) *\n\s*?\n", markdown))
    found = [line.rstrip() for line in shown(markdown, 10_000)]
    found = ["".join(line.split("─")) + "─" if "─" in line else line for line in found]
    assert [line for line in found if line.strip(" ▎")] == _by_markdown_it(markdown)


def _by_markdown_it(markdown: str) -> list[str]:
    """The lines that have something in them, made from the blocks that markdown-it finds."""
    lines: list[str] = []
    boxes: list[list[str]] = []  # what stands before the next line, and before the others
    numbers: list[int | None] = []

    def say(text: str, always: bool = False) -> None:
        if text.strip() or always:
            lines.append(("".join(box[0] for box in boxes) + text).rstrip())
            for box in boxes:
                box[0] = box[1]

    for token in MarkdownIt("commonmark").parse(markdown):
        if token.type.endswith("list_open"):
            numbers.append(int(token.attrs.get("start", 1)) if token.type.startswith("ordered") else None)
        elif token.type.endswith("list_close"):
            numbers.pop()
        elif token.type == "list_item_open":
            number = numbers[-1]
            mark = "• " if number is None else f"{number}. "
            numbers[-1] = None if number is None else number + 1
            boxes.append([mark, " " * len(mark)])
        elif token.type == "blockquote_open":
            boxes.append(["▎ ", "▎ "])
        elif token.type.endswith(("list_item_close", "blockquote_close")):
            if boxes[-1][0] != boxes[-1][1]:
                say("", always=True)
            boxes.pop()
        elif token.type == "inline":
            source = "\n".join(line.lstrip() for line in token.content.rstrip().split("\n"))
            for line in "".join(span.text for span in inline.spans(source, PLAIN)).split("\n"):
                say(line)
        elif token.type in {"fence", "code_block", "html_block"}:
            for line in token.content.split("\n"):
                say(line.rstrip())
        elif token.type == "hr":
            say("─")
    return lines


LONG = {
    "one line of words": "word " * 8000,
    "one line without a space": "x" * 20_000,
    "one line with a bracket open": "[" + "word " * 4000,
    "emphasis that never ends": "**" + "some words and\n" * 1500,
    "marks that never end": "e" + "\u0301" * 12_000,
    "nothing to be seen": "\u200b" * 12_000,
    "no spaces in many lines": "日本語\n" * 3000,
    "a list": "- item with **bold** text\n" * 800,
    "a numbered list": "\n".join(f"{n}. item" for n in range(1, 500)),
    "a table": "| a | b |\n|---|---|\n" + "| cell | another `cell` |\n" * 400,
    "code": "```python\n" + "def f(x): return x  # no\n" * 600 + "```",
    "code in a list": "- text\n\n  ```js\n" + "  let a = `b\n  c`\n" * 300 + "  ```",
    "one line of code": "```\n" + "x = 1; " * 3000 + "\n```",
    "a quote": "> some words\n" * 800,
    "a deep nest": "\n".join("  " * n + f"- level {n}" for n in range(60)),
    "quotes in quotes": "\n".join(">" * n + " text" for n in range(1, 60)),
}


@pytest.mark.parametrize("name", LONG)
def test_a_long_reply_in_pieces_equals_the_whole(name: str) -> None:
    assert piecewise(LONG[name], 1) == shown(LONG[name])


@pytest.mark.parametrize("name", [name for name in LONG if "nest" not in name and "quotes in" not in name])
def test_what_is_open_stays_small(name: str) -> None:
    """Work and memory go with what is open: it must not grow with the reply."""
    blocks = Blocks(PLAIN, 80)
    most = 0
    for at in range(0, len(LONG[name]), 50):
        blocks.feed(LONG[name][at : at + 50])
        most = max(most, len(blocks.open_lines()))
    assert most < 110  # a slab of 4096 characters, and what is before it in its line


def test_a_table_keeps_its_columns_once_it_is_long() -> None:
    rows = [f"| {n} | text |" for n in range(30)] + ["| 31 | a cell that is wider than its column |"]
    lines = shown("| n | what |\n|--:|---|\n" + "\n".join(rows))
    assert lines[0] == " n  what"
    assert lines[2] == " 0  text"
    assert lines[-1] == "31  a cell that is wider than its column"
    narrow = shown("| n | what |\n|--:|---|\n" + "\n".join(rows), 20)
    assert narrow[-3:] == ["31  a cell that is", "    wider than its", "    column"]  # wrapped, in its column


@pytest.mark.parametrize("width", [20, 40, 80])
@pytest.mark.parametrize("mark", ["--:", "---", ":-:"])
def test_a_number_that_is_longer_than_all_before_it_stays_whole(mark: str, width: int) -> None:
    rows = [f"| {n} | item | {n * 49} |" for n in range(1, 104)]
    table = f"| n | what | sum |\n|{mark}|{mark}|{mark}|\n" + "\n".join(rows)
    lines = shown(table, width)
    assert [line.split() for line in lines[2:]] == [[str(n), "item", str(n * 49)] for n in range(1, 104)]
    assert piecewise(table, 3, width) == lines
    assert max(map(len, lines)) <= width


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(st.lists(st.integers(1, 14), min_size=3, max_size=3), min_size=17, max_size=24), st.integers(0, 9))
def test_no_word_of_a_table_is_broken_where_its_row_has_room(sizes: list[list[int]], seed: int) -> None:
    words = [["x" * size for size in row] for row in sizes]
    table = "| a | b | c |\n|---|--:|---|\n" + "\n".join(f"| {' | '.join(row)} |" for row in words)
    lines = shown(table, 46)
    assert [line.split() for line in lines[2:]] == words
    assert piecewise(table, seed, 46) == lines
    assert all(len(line) <= 30 for line in shown(table, 30))


def test_few_cells_are_wrapped_where_there_is_room_and_the_columns_behind_go_back_to_their_places() -> None:
    rows = ["| Oslo | 1 | north |"] * 20 + ["| San Francisco | 2 | west |", "| Rio | 3 | a longer remark on it |"]
    lines = shown("| city | a long head | where |\n|---|---|---|\n" + "\n".join(rows))
    assert lines[-3:] == [
        "Oslo  1            north",
        "San Francisco  2   west",
        "Rio   3            a longer remark on it",
    ]


def test_a_tab_may_stand_after_the_marks_of_a_heading() -> None:
    assert shown("#\tHeading\t##") == ["Heading"]


def test_a_list_item_that_is_still_a_marker_is_not_drawn() -> None:
    blocks = Blocks(PLAIN, 80)
    lines = blocks.feed("Some text\n-") + blocks.open_lines()
    assert [line.text for line in lines] == ["Some text"]


def test_code_is_not_padded_and_not_wrapped() -> None:
    long = "x = " + "1 + " * 40 + "1"
    assert shown(f"```python\n{long}\n\n    y\n\n```\n", 40) == [long, "", "    y"]


@pytest.mark.parametrize(
    ("markdown", "framed"),
    [
        ("Try this:\n\n```python\nx = 1\n\ny\n```", ["Try this:", "", "─── python", "x = 1", "", "y", "───"]),
        ("- a\n  ~~~\n  b\n\nc", ["• a", "  ───", "  b", "  ───", "", "c"]),
        ("    x = 1", ["x = 1"]),
    ],
)
def test_without_colors_code_is_recognized_and_its_lines_still_copy_cleanly(
    markdown: str, framed: list[str]
) -> None:
    assert [plain(line) for line in render(markdown, MONO, 80)] == framed
    assert shown(markdown) == [line for line in framed if "───" not in line]


WIDE = "| a | b |\n|---|---|\n| " + "cell " * 15 + "| " + "cell " * 8 + "|"


def test_prose_has_a_width_of_its_own_and_tables_and_code_take_the_whole() -> None:
    words = "several words and " * 12
    text = f"{words}\n\n# {words}\n\n- {words}\n\n***\n\n"
    lines = [plain(line) for line in render(text, PLAIN, 160, Layout(prose=50))]
    assert 40 < max(map(len, lines)) <= 50
    assert max(len(plain(line)) for line in render(WIDE, PLAIN, 160, Layout(prose=50))) > 100
    assert [plain(line) for line in render(text, PLAIN, 40, Layout(prose=50))] == shown(text, 40)


def test_prose_that_is_not_broken_is_one_line_for_each_paragraph() -> None:
    words = " ".join(f"word{n}" for n in range(200))
    lines = [plain(line) for line in render(f"{words}\n\n- {words}\n\n***", PLAIN, 40, Layout(prose=0))]
    assert lines == [words, "", f"• {words}", "", "─" * 40]


def test_definitions_of_links_are_used_and_not_shown() -> None:
    assert shown("[a]: https://example.org 'title'\n[b]: <x>\n\nSee [a] and [B].") == [
        "See a (https://example.org) and B (x).",
    ]
    assert shown("[^1]: a footnote") == ["[^1]: a footnote"]
    assert shown("[^1]: word") == ["[^1]: word"]


@pytest.mark.parametrize(
    "definition",
    [
        "[A]: /u",
        "[a]:\n  /u\n  'a title'",
        "[a]: </u> 'a title\nof two lines'",
        '[b]: /v "t"\n[a]: /u (title)\n[c]: /w',
        "   [a]: /u",
    ],
)
@pytest.mark.parametrize("after", ["\n\n", "\n"])
def test_a_definition_may_take_several_lines(definition: str, after: str) -> None:
    text = f"{definition}{after}See [x][a]."
    assert shown(text) == ["See x (/u)."] == piecewise(text, 3)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("See [a].\n\n[a]: /u\n[b]: /v\n\n[x][a] and [b]", ["See [a].", "", "[a]: /u", "", "x (/u) and b (/v)"]),
        ("# See [x][a]\n\n[a]: /u 'T'\nand [a]", ["See [x][a]", "", '[a]: /u "T"', "and a (/u)"]),
        ("| [a] |\n|:-|\n\n[a]:\n/u", ["[a]", "───", "", "[a]: /u"]),
        ("- [a]\n\n  [a]: /u", ["• [a]", "", "  [a]: /u"]),
        ("[a]\n\n[a]: /u\nTitle\n===", ["[a]", "", "[a]: /u", "", "Title"]),
        ("[a]\n\n[a]: /u\n| x |\n|:-|", ["[a]", "", "[a]: /u", "", "x", "─"]),
        ("[a]\n\n[a]: /u\n[a]: /v", ["[a]", "", "[a]: /u"]),
    ],
)
def test_a_definition_that_comes_after_its_use_is_shown_since_the_use_is_drawn_already(
    text: str, lines: list[str]
) -> None:
    assert shown(text) == lines
    for seed in range(5):
        assert piecewise(text, seed) == lines


def test_a_long_list_of_definitions_stays_one() -> None:
    lines = [
        f'[{n}]: https://example.org/a/rather/long/path/{n} "The title of page number {n}"' for n in range(200)
    ]
    text = "See [3].\n\n" + "\n".join(lines) + "\n\nSee [150] and [199]."
    assert shown(text) == [
        "See [3].",
        "",
        '[3]: https://example.org/a/rather/long/path/3 "The title of page number 3"',
        "",
        "See 150 (https://example.org/a/rather/long/path/150) and 199",
        "(https://example.org/a/rather/long/path/199).",
    ]
    for seed in range(5):
        assert piecewise(text, seed) == shown(text)
    under = text.replace("\n\nSee [150]", "\nSee [150]")
    assert shown(under) == [*shown(text)[:3], *shown(text)[4:]] == piecewise(under, 7)


def test_blank_lines_between_items_are_those_of_the_source() -> None:
    assert shown("Text:\n- a\n- b\n\n- c\n\nMore") == ["Text:", "• a", "• b", "", "• c", "", "More"]


def test_tasks_have_boxes() -> None:
    assert shown("- [ ] open\n- [x] done\n- [a] text") == ["• ☐ open", "• ☑ done", "• [a] text"]


def test_html_stays_as_it_is_and_breaks_are_heeded() -> None:
    assert shown("<details>\n<b>x</b>\n\na<br>b <i>c</i>") == ["<details>", "<b>x</b>", "", "a", "b <i>c</i>"]


def test_entities_bring_no_character_that_was_taken_out_before() -> None:
    assert shown("a&#8238;b &#x202e; [x](https://a.b/&#8238;)") == ["ab  x (https://a.b/%E2%80%AE)"]
