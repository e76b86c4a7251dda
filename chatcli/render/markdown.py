"""Renders growing Markdown: text goes in, finished lines come out, and at any time the lines of the open block.

Every source line is read once, as it arrives. A whole reply and the same reply in pieces take the same path, so
they cannot differ. block_structure.py finds the blocks; paragraph.py, code.py and table.py draw them.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from chatcli.render.block_structure import Boxes, Leaf, Tree
from chatcli.render.code import Code
from chatcli.render.lines import Line
from chatcli.render.theme import Palette
from chatcli.text import ENDLESS

_LONG = 4096  # characters of one source line that are read together: keeps endless lines cheap
# A beginning, after quote and list markers, that decides what a line is: text, emphasis or code.
_DECIDED = re.compile(
    r"[ >]*+(?:(?:[-*+]|\d{1,9}[.)]) [ >]*+)*+"
    r"(?:[^\s\d\-+*_=#~|:`<>\[$\\]|\$[^$]|\\[^\[b]|\*{1,3}[^\s*\-_=+>]|`{1,2}[^`\s]|\d+[^\d.)]|\d+[.)]\S|\[[^\]]*\][^:])"
)
# A beginning that may still become a list, rule, heading underline, fence or table: not drawn, to avoid flicker.
_UNDECIDED = re.compile(r"[\s>]*+(?:[-+*_=#~|:`$\\\s]*+|\d{1,9}[.)]?\s*+)\Z|\s*+(?:`{3,}|~{3,})[^`]*+\Z")


class Layout(NamedTuple):
    """`prose`: see prose_width(). `language`: the text is no Markdown, but all of it code in that language."""

    prose: int = ENDLESS
    language: str = ""


USUAL = Layout()


def render(markdown: str, palette: Palette, width: int, layout: Layout = USUAL) -> list[Line]:
    """Renders all of `markdown` (clean text) at once."""
    blocks = Blocks(palette, width, layout)
    return blocks.feed(markdown) + blocks.finish()


class Blocks:
    """feed() takes text and returns the final lines. open_lines(): the lines below them now. Code and tables may
    take all of `width`.
    """

    def __init__(self, palette: Palette, width: int, layout: Layout = USUAL) -> None:
        self._tree = Tree(palette, Boxes(palette, width, layout.prose))
        if layout.language:
            self._tree.leaf = Leaf("code", Code(palette, layout.language))
        self._partial = ""  # the part of the last source line that the tree does not have yet
        self._begun = False  # the tree has the beginning of the last source line
        self._flows = False  # ... and it is a paragraph's: the rest can be handed on as it comes

    def feed(self, text: str) -> list[Line]:
        *complete, self._partial = (self._partial + text).split("\n")
        for line in complete:
            self._end_line(line)
        self._hand_on()
        return self._tree.take()

    def open_lines(self) -> list[Line]:
        if not self._partial or (not self._begun and _UNDECIDED.match(self._partial)):
            return self._tree.open_lines()
        tree = self._tree.copy()
        if self._begun:
            tree.extend(self._partial)
        else:
            tree.line(self._partial)
        return tree.take() + tree.open_lines()

    def finish(self) -> list[Line]:
        if self._partial or self._begun:
            self._end_line(self._partial)
        self._partial = ""
        self._tree.finish()
        return self._tree.take()

    def resize(self, width: int) -> None:
        self._tree.resize(width)

    def _end_line(self, line: str) -> None:
        while len(line) > _LONG and not self._flows:
            self._give(line[:_LONG])
            line = line[_LONG:]
        self._give(line)
        self._begun = self._flows = False

    def _hand_on(self) -> None:
        """Gives the tree the decided part of the last line, so that it is not read from its start again."""
        if not self._begun and self._tree.may_flow and _DECIDED.match(self._partial):
            tree = self._tree.copy()
            tree.line(self._partial)
            if tree.in_paragraph:
                self._tree, self._partial, self._begun, self._flows = tree, "", True, True
        elif self._flows:
            self._give(self._partial)
            self._partial = ""
        while len(self._partial) > _LONG:  # the same cuts as _end_line makes
            self._give(self._partial[:_LONG])
            self._partial = self._partial[_LONG:]

    def _give(self, text: str) -> None:
        if self._begun:
            self._tree.extend(text)
        else:
            self._tree.line(text)
        self._begun = True
