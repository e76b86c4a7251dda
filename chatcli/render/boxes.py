"""The containers that are open, quotes and list items in each other, and what they put before their lines."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass, replace

from chatcli.render.block_starts import Item
from chatcli.render.lines import BLANK, Line, Span, to_line
from chatcli.render.theme import Palette

_NARROWEST = 12  # cells that are kept for the text, however deep it is nested


@dataclass(slots=True)
class Box:
    """An open container: the whole text, a quote, or a list item."""

    kind: str
    first: Line = BLANK  # what stands before its first line
    rest: Line = BLANK  # what stands before the others
    indent: int = 0  # spaces a source line needs to belong to the item
    fresh: bool = True  # nothing has been written in it
    gap: bool = False  # blank lines since its last child
    last: str = ""  # the kind of its last child
    marker: str = ""  # of that child, where it was a list item
    number: int = 0


class Boxes:
    """The stack of them, the outermost first, and the lines that came out.

    Blank lines between blocks are made here: one where the source has some, and around all but lists and what
    stands under a heading.
    """

    def __init__(self, palette: Palette, width: int) -> None:
        self.width = width
        self._palette = palette
        self._stack = [Box("root")]
        self._out: list[Line] = []
        self._owed = False  # a blank line is due before the next line

    def copy(self) -> Boxes:
        twin = copy.copy(self)
        twin._stack, twin._out = [replace(box) for box in self._stack], list(self._out)
        return twin

    def take(self) -> list[Line]:
        self._out, out = [], self._out
        return out

    @property
    def depth(self) -> int:
        return len(self._stack)

    @property
    def inner(self) -> Box:
        return self._stack[-1]

    @property
    def room(self) -> int:
        """Cells for the text inside the innermost box."""
        return max(_NARROWEST, self.width - sum(box.rest.cells for box in self._stack))

    def match(self, text: str) -> tuple[int, str]:
        """How many of the boxes a source line belongs to, and what is left of it inside them."""
        for depth, box in enumerate(self._stack[1:], 1):
            body = text.lstrip(" ")
            indent = len(text) - len(body)
            if box.kind == "quote":
                if indent > 3 or not body.startswith(">"):
                    return depth, text
                text = body[1:].removeprefix(" ")
            elif not body:
                if not box.last:  # an item may begin with one blank line only
                    return depth, text
                text = ""
            elif indent >= box.indent:
                text = text[box.indent :]
            else:
                return depth, text
        return self.depth, text

    def open_quote(self) -> None:
        self.begin("quote")
        bar = to_line([Span("▎ ", self._palette["bar"])])
        self._push(Box("quote", bar, bar))

    def open_item(self, item: Item) -> None:
        parent = self.inner
        follows = parent.last == "item" and parent.marker == item.marker
        number = parent.number + 1 if follows else item.number
        self.begin("item")
        parent.marker, parent.number = item.marker, number
        mark = f"{number}. " if item.marker in ".)" else "• "
        first = to_line([Span(mark, self._palette["bullet"])])
        self._push(Box("item", first, Line(" " * len(mark), len(mark)), item.indent))

    def close(self, depth: int) -> None:
        """Close all but the outer `depth` boxes."""
        while self.depth > depth:
            if self.inner.fresh and self.inner.kind == "item":
                self.emit([BLANK])
            box = self._stack.pop()
            self.inner.gap |= box.gap

    def begin(self, kind: str) -> None:
        """A block of that kind begins in the innermost box: with a blank line before it, or not."""
        box = self.inner
        if box.last and not box.fresh:
            apart = box.kind != "item" and box.last != "heading"
            listed = kind == "item" and box.last in {"item", "paragraph"}
            self._owed = self._owed or box.gap or (apart and not listed)
        box.last, box.gap = kind, False

    def turn_into(self, kind: str) -> None:
        """The block that began last turns out to be of that kind; it has not been written yet."""
        box = self.inner
        self._owed = self._owed or (kind == "table" and box.kind != "item" and not box.fresh)
        box.last = kind

    def emit(self, lines: Iterable[Line]) -> None:
        for line in lines:
            if self._owed:
                self._owed = False
                self._out.append(_ended([box.rest for box in self._stack if not box.fresh]))
            before = [box.first if box.fresh else box.rest for box in self._stack]
            for box in self._stack:
                box.fresh = False
            if len(before) == 1:
                self._out.append(line)
            elif not line.cells:
                self._out.append(_ended(before))
            else:
                text = "".join(part.text for part in before)
                self._out.append(Line(text + line.text, sum(part.cells for part in before) + line.cells))

    def preview(self, lines: Iterable[Line]) -> list[Line]:
        """What would come out if these were the last lines. All is put back as it was: a copy would cost more."""
        stack, out, owed = self._stack, self._out, self._owed
        states = [(box.fresh, box.gap) for box in stack]
        self._stack, self._out = list(stack), []
        self.emit(lines)
        self.close(1)
        shown = self._out
        self._stack, self._out, self._owed = stack, out, owed
        for box, (fresh, gap) in zip(stack, states, strict=True):
            box.fresh, box.gap = fresh, gap
        return shown

    def _push(self, box: Box) -> None:
        if self.room - box.rest.cells < _NARROWEST:
            box.first = box.rest = BLANK
        self._stack.append(box)


def _ended(before: list[Line]) -> Line:
    """A line with nothing behind what its boxes put before it: without spaces at its end."""
    while before and not before[-1].text.strip():
        before.pop()
    return Line("".join(part.text for part in before), sum(part.cells for part in before))
