"""Counts the rows whose colors differ from those of a whole rendering; part of the line of bench/streaming.py.

Two counts: a reply in pieces against the same reply at once (both ours), and code line by line against Pygments,
which sees the whole block. What Pygments decides from later lines cannot be known when a line is printed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pygments.lexers import get_lexer_by_name, get_lexer_for_filename
from pygments.util import ClassNotFound
from rich.color import ColorSystem

from chatcli.render.code import Highlighter
from chatcli.render.markdown import Blocks, render
from chatcli.render.theme import Palette
from tests.test_render_lexing import CODE

PALETTE = Palette("dark", "monokai", ColorSystem.TRUECOLOR)
WIDTH = 80
HERE = Path(__file__).parent.parent.parent
LONGEST = 200  # lines of a file: a block in a reply is no longer
Row = list[tuple[str, str]]  # the characters that can be seen, each with its look


def colours(replies: list[list[str]], folder: Path | None) -> dict[str, Any]:
    """`replies` in pieces; `folder`: more code to judge by, besides the checkout's own and a few samples."""
    rows: Counter[str] = Counter()
    differ: Counter[str] = Counter()
    for language, code in _code(folder):
        count, other = against_pygments(language, code)
        rows[language] += count
        differ[language] += other
    streamed = [in_pieces(pieces) for pieces in replies]
    return {
        "streamed_against_whole": {"rows": sum(n for n, _ in streamed), "differ": sum(n for _, n in streamed)},
        "line_by_line_against_pygments": {
            "rows": rows.total(),
            "differ": differ.total(),
            "differ_by_language": {name: [count, rows[name]] for name, count in differ.most_common() if count},
        },
    }


def in_pieces(pieces: list[str]) -> tuple[int, int]:
    """Rows, and how many of them are not what one rendering of the whole reply has."""
    blocks = Blocks(PALETTE, WIDTH)
    shown = [line for piece in pieces for line in blocks.feed(piece)] + blocks.finish()
    whole = render("".join(pieces), PALETTE, WIDTH)
    other = sum(1 for one, two in zip(shown, whole, strict=False) if one != two)
    return len(whole), other + abs(len(shown) - len(whole))


def against_pygments(language: str, code: str) -> tuple[int, int]:
    """Rows, and how many of them are not coloured as in the whole."""
    highlighter = Highlighter(language, PALETTE)
    lines = [_row((span.text, span.sgr) for span in highlighter.line(line)) for line in code.split("\n")]
    whole: list[Row] = [[]]
    for kind, text in get_lexer_by_name(language, stripnl=False).get_tokens(code):
        first, *more = text.split("\n")
        whole[-1] += _row([(first, PALETTE.token(kind))])
        whole += [_row([(part, PALETTE.token(kind))]) for part in more]
    return len(lines), sum(1 for one, two in zip(lines, whole, strict=False) if one != two)


def _row(parts: Any) -> Row:
    return [(char, sgr) for text, sgr in parts for char in text if not char.isspace()]


def _code(folder: Path | None) -> Iterator[tuple[str, str]]:
    for language, code in CODE.items():
        yield language, code.strip("\n")
    every = [*HERE.glob("chatcli/**/*.py"), *HERE.glob("*.md"), *HERE.glob("*.toml")]
    for path in sorted([*every, *(folder.rglob("*") if folder else ())]):
        try:
            language = get_lexer_for_filename(path.name).aliases[0]
            text = path.read_text(encoding="utf-8")
        except (ClassNotFound, IndexError, OSError, UnicodeDecodeError):
            continue
        lines = [line.expandtabs(4).rstrip() for line in text.split("\n")]
        if lines and max(map(len, lines)) < 2000 and (folder is None or len(lines) <= LONGEST):
            yield language, "\n".join(lines).strip("\n")
