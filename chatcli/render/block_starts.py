"""What a source line can begin, as CommonMark defines it: pure functions of the line, with its tabs expanded."""

from __future__ import annotations

import re
from typing import NamedTuple

from markdown_it.common.html_blocks import block_names
from markdown_it.common.html_re import HTML_OPEN_CLOSE_TAG_STR

_HEADING = re.compile(r"(#{1,6})(?:[ \t](.*))?\Z")
_FENCE = re.compile(r"(`{3,})([^`]*)\Z|(~{3,})(.*)\Z")
_RULE = re.compile(r"([-*_])[ ]*(?:\1[ ]*){2,}\Z")
_UNDERLINE = re.compile(r"(=+|-+)[ ]*\Z")
_ITEM = re.compile(r"([-+*]|\d{1,9}[.)])( +|\Z)")
_STRUCTURE = re.compile(r"[\s>]*(?:(?:[-+*]|\d{1,9}[.)])\s+)*")
_HTML = (
    (re.compile(r"<(script|pre|style|textarea)(?:[\s>]|\Z)", re.IGNORECASE), r"</(?:script|pre|style|textarea)>"),
    (re.compile(r"<!--"), r"-->"),
    (re.compile(rf"</?(?:{'|'.join(block_names)})(?:\s|/?>|\Z)", re.IGNORECASE), ""),
    (re.compile(HTML_OPEN_CLOSE_TAG_STR + r"\s*\Z"), ""),
)


class Fence(NamedTuple):
    marks: str
    language: str


class Item(NamedTuple):
    marker: str  # - * + . )
    number: int  # 0 for a bullet
    indent: int  # the indent of the lines that belong to it
    text: str

    @property
    def interrupts(self) -> bool:
        """Whether it may begin right below a paragraph: it has text, and is the first item of its list."""
        return bool(self.text.strip()) and (self.marker not in ".)" or self.number == 1)


def expand_tabs(line: str) -> str:
    """Expands the tabs that indent a line; tabs in its text stay."""
    if "\t" not in line:
        return line
    front = _STRUCTURE.match(line)
    end = front.end() if front else 0
    return line[:end].expandtabs(4) + line[end:]


def heading(text: str) -> tuple[int, str] | None:
    found = _HEADING.match(text) if text.startswith("#") else None
    if not found:
        return None
    body = (found[2] or "").strip()
    bare = body.rstrip("#")  # a run of # after a space is not part of the heading
    return len(found[1]), bare.rstrip() if not bare or bare.endswith((" ", "\t")) else body


def underline(text: str) -> int:
    """Returns 1 or 2 when `text` makes the paragraph above it a heading of that level, else 0."""
    found = _UNDERLINE.match(text)
    return 0 if not found else 1 if found[1][0] == "=" else 2


def rule(text: str) -> bool:
    return text[0] in "-*_" and _RULE.match(text) is not None


def fence(text: str) -> Fence | None:
    found = _FENCE.match(text) if text.startswith(("```", "~~~")) else None
    if not found:
        return None
    info = (found[2] if found[1] else found[4]).split()
    return Fence(found[1] or found[3], info[0].strip("{}.").lower() if info else "")


def closes(marks: str, text: str) -> bool:
    """Whether `text` ends the fence that `marks` began."""
    body = text.strip()
    return len(text) - len(text.lstrip(" ")) < 4 and len(body) >= len(marks) and set(body) == {marks[0]}


def item(text: str, indent: int) -> Item | None:
    """Returns the list item that `text` begins after `indent` spaces."""
    found = _ITEM.match(text)
    if not found:
        return None
    mark, spaces = found[1], len(found[2])
    if not 1 <= spaces <= 4 or found.end() == len(text):  # indented code, or nothing after the marker
        spaces = 1
    number = int(mark[:-1]) if mark[:-1] else 0
    return Item(mark[-1], number, indent + len(mark) + spaces, text[len(mark) + spaces :])


def html(text: str, in_paragraph: bool) -> str | None:
    """Returns the pattern that ends the HTML begun by `text` ("" for a blank line), None when it begins none."""
    if not text.startswith("<"):
        return None
    kinds = _HTML[:-1] if in_paragraph else _HTML  # a lone tag of any other name does not interrupt a paragraph
    return next((end for start, end in kinds if start.match(text)), None)
