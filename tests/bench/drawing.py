"""Streams real Markdown in random pieces and single characters, and compares with one rendering: one JSON line.

    python -m tests.bench.drawing [--spec spec.txt] [--most CHARACTERS] [--sizes 80x24,40x10,120x40,20x6,13x3]

Texts: the Markdown descriptions of the installed packages, and with --spec the examples of CommonMark's spec.txt.
`streamed`: screens (text, looks, history) that are not those of one rendering. `words`: texts whose words are not
those of markdown-it's HTML, when the text has its link definitions at its beginning: a reply that streams knows
none that are still to come, and what is drawn stays. `addresses`: texts of which, as they were written, the screen
lacks an address that the HTML links to: a late definition has to be shown. `by_dialect`: texts whose words are the
HTML's only with the rules of dialect.py. Wanted: 0, and for `by_dialect` only examples with formulas,
arithmetic, footnotes or addresses.
"""

from __future__ import annotations

import argparse
import json
import os
import re
from collections.abc import Sequence
from html import unescape
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.token import Token
from rich.color import ColorSystem

from chatcli.render.dialect import teach
from chatcli.render.lines import plain
from chatcli.render.markdown import render
from chatcli.render.theme import Palette
from chatcli.text import clean
from tests.growing import grown, looks, pieces, rendered
from tests.test_render_growing import characters

SINGLE = 600  # characters: longer texts come in pieces only, since drawing every character of them takes hours
_EXAMPLE = re.compile(r"^`{32} example\n(.*?)^\.\n.*?^`{32}$", re.MULTILINE | re.DOTALL)
_TAG = re.compile(r"<[^>]*>")
_TASK = re.compile(r"[☐☑]|\[[\sx]\]")
_OURS = re.compile(r"[\[;]8m")


class Marked(Palette):
    """Gives what is drawn and was not written, and addresses behind links, a look that nothing else has."""

    def __getitem__(self, kind: str) -> str:
        return "8" if kind in {"url", "bar", "bullet", "rule"} else super().__getitem__(kind)


def descriptions() -> dict[str, str]:
    every = (each.metadata.json for each in distributions())
    return {
        str(about["name"]): str(about.get("description", ""))
        for about in every
        if "markdown" in about.get("description_content_type", "")
    }


def examples(spec: str) -> dict[str, str]:
    return {f"example {n}": text.replace("→", "\t") for n, text in enumerate(_EXAMPLE.findall(spec), 1)}


def streams_as_whole(text: str, size: tuple[int, int], seed: int, steps: tuple[int, ...]) -> bool:
    seen, whole = grown(pieces(text, seed, steps), *size, seed), rendered(text, *size)
    return seen.text == whole.text and looks(seen) == looks(whole)


def words_of_html(text: str, with_dialect: bool) -> list[str]:
    """The signs of what markdown-it finds, with HTML as text and without the addresses of links."""
    parser = _parser()
    parser = teach(parser) if with_dialect else parser
    return _signs(unescape(_TAG.sub(" ", parser.render(text))))


def words_drawn(text: str) -> list[str]:
    lines = render(text, Marked("dark", "monokai", ColorSystem.TRUECOLOR), 100_000)
    seen = ("".join(char for char, look, _ in characters(line) if not _OURS.search(look)) for line in lines)
    return _signs("\n".join(seen))


def defined_first(text: str) -> str:
    """`text` after its own link definitions: a reply that streams knows none that are still to come."""
    env: dict[str, Any] = {}
    MarkdownIt("commonmark").parse(text, env)
    known = env.get("references", {}).items()
    return "".join(f"[{label}]: <{each['href']}>\n" for label, each in known if "\n" not in label) + "\n" + text


def lacks_address(text: str) -> bool:
    """Whether a link of the HTML leads to an address that is nowhere on the screen."""
    seen = "".join(plain(line) for line in render(text, Palette("mono"), 100_000))
    inner = [child for token in teach(_parser()).parse(text) for child in token.children or []]
    found = {str(each.attrs["href"]).removeprefix("mailto:") for each in inner if each.type == "link_open"}
    return any(clean(each) not in seen for each in found)


def _signs(text: str) -> list[str]:
    """Sorted, since a table may have one line for lines of several cells; where looks divide it are no blanks."""
    return sorted(re.findall(r"\S", _TASK.sub("", text)))


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    for name in ("html_block", "html_inline"):
        parser.add_render_rule(name, _as_text)
    parser.add_render_rule("image", _image)
    return parser


def _as_text(_renderer: object, tokens: Sequence[Token], at: int, _options: object, _env: object) -> str:
    content = tokens[at].content
    return "\n" if re.fullmatch(r"<br\s*/?>", content, re.IGNORECASE) else escapeHtml(content)


def _image(_renderer: object, tokens: Sequence[Token], at: int, _options: object, _env: object) -> str:
    return escapeHtml(tokens[at].content or "image")


def measure(texts: dict[str, str], sizes: list[tuple[int, int]]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "texts": len(texts),
        "screens": 0,
        "streamed": [],
        "words": [],
        "addresses": [],
        "by_dialect": [],
    }
    for seed, (name, raw) in enumerate(texts.items()):
        text = clean(raw)
        for size in sizes:
            for steps in ((1, 2, 3, 5, 8, 40, 200), (1,))[: 2 if len(text) <= SINGLE else 1]:
                found["screens"] += 1
                if not streams_as_whole(text, size, seed, steps):
                    found["streamed"].append(f"{name} {size[0]}x{size[1]} {len(steps)}")
        if lacks_address(text):
            found["addresses"].append(name)
        text = defined_first(text)
        drawn = words_drawn(text)
        if drawn != words_of_html(text, with_dialect=True):
            found["words"].append(name)
        elif drawn != words_of_html(text, with_dialect=False):
            found["by_dialect"].append(name)
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--spec", type=Path)
    parser.add_argument("--most", type=int, default=4_000, help="characters of a description that are used")
    parser.add_argument("--sizes", default="80x24,40x10,120x40,20x6,13x3")
    asked = parser.parse_args()
    os.environ["COLORTERM"] = "truecolor"
    sizes = [(int(columns), int(rows)) for columns, rows in (each.split("x") for each in asked.sizes.split(","))]
    found = {"descriptions": measure({name: text[: asked.most] for name, text in descriptions().items()}, sizes)}
    if asked.spec:
        found["commonmark"] = measure(examples(asked.spec.read_text(encoding="utf-8")), sizes)
    print(json.dumps({"what": "drawing", **found}))


if __name__ == "__main__":
    main()
