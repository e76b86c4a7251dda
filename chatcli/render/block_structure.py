"""Parses the block structure of Markdown (CommonMark with tables), one source line at a time.

A Tree is the open boxes with one open leaf inside them. What starts a block is in block_starts.py; the leaves draw
themselves.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable
from dataclasses import field, replace

from chatcli.dataclass import dataclass
from chatcli.render import block_starts, dialect, inline
from chatcli.render.block_starts import Item
from chatcli.render.code import Code
from chatcli.render.inline import References
from chatcli.render.lines import BLANK, Line, Span, prose_width, to_line, wrap
from chatcli.render.paragraph import Paragraph
from chatcli.render.table import Table, starts_table
from chatcli.render.theme import Palette
from chatcli.text import ENDLESS

_NARROWEST = 12  # cells reserved for the text, however deep it is nested


@dataclass(slots=True)
class Box:
    """An open container: the whole text, a quote, or a list item."""

    kind: str
    first: Line = BLANK  # the prefix of its first line
    rest: Line = BLANK  # the prefix of the other lines
    indent: int = 0  # spaces a source line needs to belong to the item
    fresh: bool = True  # nothing has been written in it
    gap: bool = False  # blank lines since its last child
    last: str = ""  # the kind of its last child
    marker: str = ""  # the marker of that child, if it was a list item
    number: int = 0


class Boxes:
    """The stack of open boxes, the outermost first, and the finished lines.

    Blank lines between blocks are made here: one where the source has some, and around every block except lists
    and what follows a heading. `prose`: see prose_width().
    """

    def __init__(self, palette: Palette, width: int, prose: int = ENDLESS) -> None:
        self.width = width
        self._prose = prose
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
        """Cells for a table or a rule inside the innermost box."""
        return self._inside(self.width)

    @property
    def prose_room(self) -> int:
        """Cells for running text inside it."""
        return self._inside(prose_width(self.width, self._prose))

    def match(self, text: str) -> tuple[int, str]:
        """Returns how many of the boxes a source line belongs to, and the rest of the line inside them."""
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
        """Closes all but the outer `depth` boxes."""
        while self.depth > depth:
            if self.inner.fresh and self.inner.kind == "item":
                self.emit([BLANK])
            box = self._stack.pop()
            self.inner.gap |= box.gap

    def begin(self, kind: str) -> None:
        """Begins a block of that kind in the innermost box, after a blank line if one is due."""
        box = self.inner
        if box.last and not box.fresh:
            apart = box.kind != "item" and box.last != "heading"
            listed = kind == "item" and box.last in {"item", "paragraph"}
            self._owed = self._owed or box.gap or (apart and not listed)
        box.last, box.gap = kind, False

    def turn_into(self, kind: str) -> None:
        """Changes the kind of the last block, which has not been written yet."""
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
        """Returns the output if these were the last lines. Everything is restored after that: a copy would cost
        more.
        """
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

    def _inside(self, width: int) -> int:
        return max(_NARROWEST, width - sum(box.rest.cells for box in self._stack))

    def _push(self, box: Box) -> None:
        if self.room - box.rest.cells < _NARROWEST:
            box.first = box.rest = BLANK
        self._stack.append(box)


def _ended(before: list[Line]) -> Line:
    """Returns the prefix of an empty line, without spaces at its end."""
    while before and not before[-1].text.strip():
        before.pop()
    return Line("".join(part.text for part in before), sum(part.cells for part in before))


_DEEPEST = 30  # nested boxes; deeper ones are text
_TASK = re.compile(r"\[([ xX])\](?= )")


@dataclass(slots=True)
class Leaf:
    """The open block inside all boxes. Fenced code ends with `marks`, HTML and formulas with the pattern `ends`,
    or with a blank line unless those belong to it; code that is the whole text does not end.
    """

    kind: str
    body: Paragraph | Code | Table
    marks: str = ""
    indent: int = 0
    ends: str = ""
    has_blanks: bool = True


@dataclass(slots=True)
class Tree:
    palette: Palette
    boxes: Boxes
    leaf: Leaf | None = None
    references: References = field(default_factory=dict)

    def copy(self) -> Tree:
        """Returns a copy to try things on; changes to it do not affect this one."""
        references = _copied(self.references)
        leaf = replace(self.leaf, body=self.leaf.body.copy(references)) if self.leaf else None
        return Tree(self.palette, self.boxes.copy(), leaf, references)

    def take(self) -> list[Line]:
        return self.boxes.take()

    def open_lines(self) -> list[Line]:
        """Returns the output of the open block if the text ended here."""
        body = self.leaf.body if self.leaf else None
        if isinstance(body, Paragraph) and body.source.startswith("["):  # it may be definitions
            body = body.copy(_copied(self.references))
            body.define()
        return self.boxes.preview(body.lines() if body else [])

    @property
    def in_paragraph(self) -> bool:
        return self.leaf is not None and self.leaf.kind == "paragraph"

    @property
    def may_flow(self) -> bool:
        """Whether the next line may continue a paragraph."""
        return self.leaf is None or self.in_paragraph

    def line(self, text: str) -> None:
        """Takes one source line, without its newline."""
        depth, text = self.boxes.match(block_starts.expand_tabs(text))
        if not (depth == self.boxes.depth and (self._literal(text) or self._formula_goes_on(text))):
            self._structure(depth, text)
        self._flush()

    def extend(self, text: str) -> None:
        """Takes more of the line that line() began."""
        if self.leaf:
            self.leaf.body.extend(text)
            if self.leaf.ends and re.search(self.leaf.ends, text, re.IGNORECASE):
                self._close_leaf()
            self._flush()
        elif text.strip():
            self._text(text)

    def finish(self) -> None:
        self._close_to(1)

    def resize(self, width: int) -> None:
        self.boxes.width = width
        if self.leaf:
            self.leaf.body.resize(self.boxes.room if self.leaf.kind == "table" else self.boxes.prose_room)

    def _literal(self, text: str) -> bool:
        """Takes lines of fenced code, HTML or a formula as they are."""
        leaf = self.leaf
        if leaf is None or leaf.kind not in {"fence", "html", "formula", "code"}:
            return False
        if leaf.kind == "fence" and block_starts.closes(leaf.marks, text):
            self._close_leaf()
        elif not leaf.has_blanks and not text.strip():
            self._close_leaf()
            self.boxes.inner.gap = True
        else:
            spaces = len(text) - len(text.lstrip(" "))
            leaf.body.add(text[min(leaf.indent, spaces) :])
            if leaf.ends and re.search(leaf.ends, text, re.IGNORECASE):
                self._close_leaf()
        return True

    def _formula_goes_on(self, text: str) -> bool:
        """Takes a line of a display formula that begins at the end of a paragraph's line."""
        body = self.leaf.body if self.leaf else None
        if not (isinstance(body, Paragraph) and text.strip() and dialect.is_open(body.source)):
            return False
        body.add(text)
        return True

    def _structure(self, depth: int, text: str) -> None:
        """Opens what the line opens, box by box, then a leaf or none."""
        opened = False
        while body := text.lstrip(" "):
            indent = len(text) - len(body)
            interrupts = self.in_paragraph and not opened and depth == self.boxes.depth
            if indent > 3 or self.boxes.depth > _DEEPEST:
                break
            if body[0] == ">":
                self._close_to(depth)
                self.boxes.open_quote()
                text = body[1:].removeprefix(" ")
            elif self._start_leaf(body, indent, depth, interrupts):
                return
            elif (item := block_starts.item(body, indent)) and not (interrupts and not item.interrupts):
                self._close_to(depth)
                self.boxes.open_item(item)
                text = item.text
            else:
                break
            depth, opened = depth + 1, True
        self._rest(depth, text, opened)

    def _start_leaf(self, body: str, indent: int, depth: int, interrupts: bool) -> bool:
        """Begins (or completes) a heading, rule, fence, formula or HTML, if `body` does."""
        level = block_starts.underline(body) if interrupts else 0
        if level and self._underlined(level):
            return True
        heading, fence = block_starts.heading(body), block_starts.fence(body)
        html, formula = block_starts.html(body, self.in_paragraph), dialect.display(body)
        if not (heading or fence or formula or html is not None or block_starts.rule(body)):
            return False
        self._close_to(depth)
        if heading:
            self.boxes.begin("heading")
            self._heading(*heading)
        elif fence:
            self.boxes.begin("code")
            code = Code(self.palette, fence.language, is_fenced=True)
            self.leaf = Leaf("fence", code, marks=fence.marks, indent=indent)
        elif html is not None:
            self.boxes.begin("code")
            self.leaf = Leaf("html", Code(self.palette, "html"), ends=html, has_blanks=bool(html))
            self._literal(" " * indent + body)
        elif formula:
            self._formula(formula, body, indent)
        else:
            self.boxes.begin("rule")
            length = min(self.boxes.room, self.boxes.prose_room)
            self.boxes.emit([to_line([Span("─" * length, self.palette["rule"])])])
        return True

    def _formula(self, formula: dialect.Display, body: str, indent: int) -> None:
        self.boxes.begin("code")
        code = Code(self.palette, "")
        self.leaf = Leaf("formula", code, indent=indent, ends=formula.ends, has_blanks=formula.is_alone)
        code.add(body)
        if formula.is_whole:
            self._close_leaf()

    def _rest(self, depth: int, text: str, opened: bool) -> None:
        """The line begins nothing (more): it continues the open leaf, or begins a text leaf."""
        body = text.lstrip(" ")
        leaf = None if opened else self.leaf
        here = depth == self.boxes.depth
        if leaf and leaf.kind == "indented" and here and (not body or len(text) - len(body) > 3):
            leaf.body.add(text[4:])
        elif not body:
            self._close_to(depth)
            self.boxes.inner.gap = not opened
        elif leaf and isinstance(leaf.body, Paragraph):
            if not (here and self._table(leaf.body, body)):
                leaf.body.add(body)
        elif leaf and leaf.kind == "table" and here and len(text) - len(body) < 4:
            leaf.body.add(body)
        else:
            self._close_to(depth)
            self._text(text)

    def _text(self, text: str) -> None:
        """Begins a paragraph, or indented code."""
        body = text.lstrip(" ")
        if len(text) - len(body) > 3:
            self.boxes.begin("code")
            self.leaf = Leaf("indented", Code(self.palette, ""))
            self.leaf.body.add(text[4:])
            return
        box = self.boxes.inner
        if box.kind == "item" and not box.last and (task := _TASK.match(body)):
            body = ("☐" if task[1] == " " else "☑") + body[task.end() :]
        self.boxes.begin("paragraph")
        paragraph = Paragraph(self.palette, self.boxes.prose_room, self.references)
        paragraph.add(body)
        self.leaf = Leaf("paragraph", paragraph)

    def _table(self, paragraph: Paragraph, delimiters: str) -> bool:
        """Whether the paragraph's last line turns out to be a table's head."""
        head = paragraph.last_line
        if not (paragraph.is_whole and starts_table(head, delimiters)):
            return False
        before = paragraph.without_last_line()
        above = before.close()
        if above or before.is_begun:
            self.boxes.emit(above)
            self.boxes.begin("table")
        else:
            self.boxes.turn_into("table")
        self.leaf = Leaf("table", Table(self.palette, self.boxes.room, self.references, head, delimiters))
        return True

    def _underlined(self, level: int) -> bool:
        """Whether the line makes the paragraph above it a heading."""
        paragraph = self.leaf.body if self.leaf else None
        assert isinstance(paragraph, Paragraph)
        paragraph.define()
        if not paragraph.is_whole or not paragraph.source:
            return False
        self.leaf = None
        self.boxes.emit(paragraph.take())
        if paragraph.is_begun:
            self.boxes.begin("heading")
        self.boxes.turn_into("heading")
        self._heading(level, paragraph.source.rstrip())
        return True

    def _heading(self, level: int, text: str) -> None:
        inline.mention(text, self.references)
        sgr = self.palette["heading1" if level == 1 else "heading" if level == 2 else "strong"]
        shown = inline.spans(text, self.palette, sgr, self.references)
        if text:
            self.boxes.emit(to_line(line) for line in wrap(shown, self.boxes.prose_room, whole=True))

    def _close_to(self, depth: int) -> None:
        """Closes the leaf, and the boxes that the line does not belong to."""
        self._close_leaf()
        self.boxes.close(depth)

    def _close_leaf(self) -> None:
        leaf, self.leaf = self.leaf, None
        if leaf is None:
            return
        body = leaf.body
        self.boxes.emit(body.close() if isinstance(body, Paragraph) else body.lines())

    def _flush(self) -> None:
        if self.leaf:
            self.boxes.emit(self.leaf.body.take())


def _copied(references: References) -> References:
    return {"references": dict(references.get("references", {}))}
