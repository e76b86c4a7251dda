"""The block structure of Markdown, one source line at a time (CommonMark, with tables).

A Tree is the stack of open quotes and list items, with one open leaf at its end. What starts a block is in
starts.py; the leaves draw themselves. Lines come out with the bars, bullets and indents of their containers.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from chatcli.render import inline, starts
from chatcli.render.code import Code
from chatcli.render.inline import References
from chatcli.render.lines import BLANK, Line, Span, to_line, wrap
from chatcli.render.paragraph import Paragraph
from chatcli.render.table import Table, starts_table
from chatcli.render.theme import Palette

_DEEPEST = 30  # containers in each other; what would open more is text
_NARROWEST = 12  # cells that are kept for the text, however deep it is nested
_TASK = re.compile(r"\[([ xX])\](?= )")


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


@dataclass(slots=True)
class Leaf:
    """What is open at the end of the stack. Code in a fence ends with `marks`, HTML with the pattern `ends`."""

    kind: str
    body: Paragraph | Code | Table
    marks: str = ""
    indent: int = 0
    ends: str = ""


@dataclass(slots=True)
class Tree:
    palette: Palette
    width: int
    stack: list[Box] = field(default_factory=lambda: [Box("root")])
    leaf: Leaf | None = None
    references: References = field(default_factory=dict)
    out: list[Line] = field(default_factory=list)
    owed: bool = False  # a blank line is due before the next line

    def copy(self) -> Tree:
        """A twin to try things on: what it does leaves no trace here."""
        twin = copy.copy(self)
        twin.stack, twin.out = [replace(box) for box in self.stack], list(self.out)
        twin.references = {"references": dict(self.references.get("references", {}))}
        if self.leaf:
            twin.leaf = replace(self.leaf, body=self.leaf.body.copy(twin.references))
        return twin

    def take(self) -> list[Line]:
        self.out, out = [], self.out
        return out

    def open_lines(self) -> list[Line]:
        """What would come out if the text ended here. Everything is put back as it was: a copy would cost more."""
        leaf, stack, owed, out, references = self.leaf, self.stack, self.owed, self.out, self.references
        boxes = [(box.fresh, box.gap) for box in stack]
        self.stack, self.out = list(stack), []
        if leaf and isinstance(leaf.body, Paragraph) and leaf.body.source.startswith("["):
            self.references = {"references": dict(references.get("references", {}))}
            self.leaf = replace(leaf, body=leaf.body.copy(self.references))
        self.finish()
        shown = self.out
        self.leaf, self.stack, self.owed, self.out, self.references = leaf, stack, owed, out, references
        for box, (fresh, gap) in zip(stack, boxes, strict=True):
            box.fresh, box.gap = fresh, gap
        return shown

    @property
    def in_paragraph(self) -> bool:
        return self.leaf is not None and self.leaf.kind == "paragraph"

    @property
    def may_flow(self) -> bool:
        """The next line may turn out to be text of a paragraph."""
        return self.leaf is None or self.leaf.kind == "paragraph"

    def line(self, text: str) -> None:
        """One source line, without its newline."""
        depth, text = self._match(starts.expand_tabs(text))
        if not (depth == len(self.stack) and self._literal(text)):
            self._structure(depth, text)
        self._flush()

    def extend(self, text: str) -> None:
        """More of the line that line() began."""
        if self.leaf:
            self.leaf.body.extend(text)
            self._flush()
        elif text.strip():
            self._text(text)

    def finish(self) -> None:
        self._close_to(1)

    def resize(self, width: int) -> None:
        self.width = width
        if self.leaf:
            self.leaf.body.resize(self._room())

    def _match(self, text: str) -> tuple[int, str]:
        """How many of the open containers the line belongs to, and what is left of it inside them."""
        for depth, box in enumerate(self.stack[1:], 1):
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
        return len(self.stack), text

    def _literal(self, text: str) -> bool:
        """Lines of a fence or of HTML are taken as they are."""
        leaf = self.leaf
        if leaf is None or leaf.kind not in {"fence", "html"}:
            return False
        if leaf.kind == "fence":
            if starts.closes(leaf.marks, text):
                self._close_leaf()
            else:
                spaces = len(text) - len(text.lstrip(" "))
                leaf.body.add(text[min(leaf.indent, spaces) :])
        elif not leaf.ends and not text.strip():
            self._close_leaf()
            self.stack[-1].gap = True
        else:
            leaf.body.add(text)
            if leaf.ends and re.search(leaf.ends, text, re.IGNORECASE):
                self._close_leaf()
        return True

    def _structure(self, depth: int, text: str) -> None:
        opened = False
        while body := text.lstrip(" "):
            indent = len(text) - len(body)
            interrupts = self.in_paragraph and not opened and depth == len(self.stack)
            if indent > 3 or len(self.stack) > _DEEPEST:
                break
            if body[0] == ">":
                self._close_to(depth)
                self._open_quote()
                text = body[1:].removeprefix(" ")
            elif self._start_leaf(body, indent, depth, interrupts):
                return
            elif (item := starts.item(body, indent)) and not (
                interrupts and (not item.text.strip() or item.number > 1 or (item.number == 0 and body[0] == "0"))
            ):
                self._close_to(depth)
                self._open_item(item)
                text = item.text
            else:
                break
            depth, opened = depth + 1, True
        self._rest(depth, text, opened)

    def _start_leaf(self, body: str, indent: int, depth: int, interrupts: bool) -> bool:
        """Begin (or be) a heading, rule, fence or HTML, where `body` does."""
        level = starts.underline(body) if interrupts else 0
        if level and self._underlined(level):
            return True
        heading, fence = starts.heading(body), starts.fence(body)
        html = starts.html(body, self.in_paragraph)
        if not (heading or fence or html is not None or starts.rule(body)):
            return False
        self._close_to(depth)
        if heading:
            self._heading(*heading)
        elif fence:
            self._begin("code")
            code = Code(self.palette, fence.language)
            self.leaf = Leaf("fence", code, marks=fence.marks, indent=indent)
        elif html is not None:
            self._begin("code")
            self.leaf = Leaf("html", Code(self.palette, "html"), ends=html)
            self._literal(" " * indent + body)
        else:
            self._begin("rule")
            self._emit([to_line([Span("─" * self._room(), self.palette["rule"])])])
        return True

    def _rest(self, depth: int, text: str, opened: bool) -> None:
        """The line begins nothing (any more): it goes on with the open leaf, or begins a new one of text."""
        body = text.lstrip(" ")
        leaf = None if opened else self.leaf
        here = depth == len(self.stack)
        if leaf and leaf.kind == "indented" and here and (not body or len(text) - len(body) > 3):
            leaf.body.add(text[4:])
        elif not body:
            self._close_to(depth)
            self.stack[-1].gap = not opened
        elif leaf and isinstance(leaf.body, Paragraph):
            if not (here and self._table(leaf.body, body)):
                leaf.body.add(body)
        elif leaf and leaf.kind == "table" and here and len(text) - len(body) < 4:
            leaf.body.add(body)
        else:
            self._close_to(depth)
            self._text(text)

    def _text(self, text: str) -> None:
        body = text.lstrip(" ")
        if len(text) - len(body) > 3:
            self._begin("code")
            self.leaf = Leaf("indented", Code(self.palette, ""))
            self.leaf.body.add(text[4:])
            return
        box = self.stack[-1]
        if box.kind == "item" and not box.last:
            body = (
                _TASK.sub(lambda found: "☐" if found[1] == " " else "☑", body, count=1) if body[0] == "[" else body
            )
        self._begin("paragraph")
        paragraph = Paragraph(self.palette, self._room(), self.references)
        paragraph.add(body)
        self.leaf = Leaf("paragraph", paragraph)

    def _table(self, paragraph: Paragraph, delimiters: str) -> bool:
        """Whether the paragraph's last line turns out to be a table's head."""
        head = paragraph.last_line
        if not (paragraph.is_whole and starts_table(head, delimiters)):
            return False
        before = paragraph.without_last_line()
        if before.source:
            self._emit(before.lines())
            self._begin("table")
        else:
            self.stack[-1].last = "table"
            self.owed = self.owed or (self.stack[-1].kind != "item" and not self.stack[-1].fresh)
        self.leaf = Leaf("table", Table(self.palette, self._room(), self.references, head, delimiters))
        return True

    def _underlined(self, level: int) -> bool:
        paragraph = self.leaf.body if self.leaf else None
        assert isinstance(paragraph, Paragraph)
        paragraph.define()
        if not paragraph.is_whole or not paragraph.source:
            return False
        self.leaf = None
        self._heading(level, paragraph.source.rstrip(), begin=False)
        return True

    def _heading(self, level: int, text: str, begin: bool = True) -> None:
        if begin:
            self._begin("heading")
        self.stack[-1].last = "heading"
        sgr = self.palette["heading1" if level == 1 else "heading" if level == 2 else "strong"]
        shown = inline.spans(text, self.palette, sgr, self.references)
        if text:
            self._emit(to_line(line) for line in wrap(shown, self._room()))

    def _open_quote(self) -> None:
        self._begin("quote")
        bar = to_line([Span("▎ ", self.palette["bar"])])
        self._push(Box("quote", bar, bar))

    def _open_item(self, item: starts.Item) -> None:
        parent = self.stack[-1]
        follows = parent.last == "item" and parent.marker == item.marker
        number = parent.number + 1 if follows else item.number
        self._begin("item")
        parent.marker, parent.number = item.marker, number
        mark = f"{number}. " if item.marker in ".)" else "• "
        first = to_line([Span(mark, self.palette["bullet"])])
        self._push(Box("item", first, Line(" " * len(mark), len(mark)), item.indent))

    def _push(self, box: Box) -> None:
        if self._room() - box.rest.cells < _NARROWEST:
            box.first = box.rest = BLANK
        self.stack.append(box)

    def _begin(self, kind: str) -> None:
        """A child of that kind begins in the innermost container: with a blank line before it, or not."""
        box = self.stack[-1]
        if box.last and not box.fresh and (box.gap or (box.kind != "item" and not _close(box.last, kind))):
            self.owed = True
        box.last, box.gap = kind, False

    def _close_to(self, depth: int) -> None:
        """Close the leaf, and the containers that the line does not belong to."""
        self._close_leaf()
        while len(self.stack) > depth:
            if self.stack[-1].fresh and self.stack[-1].kind == "item":
                self._emit([BLANK])
            box = self.stack.pop()
            self.stack[-1].gap |= box.gap

    def _close_leaf(self) -> None:
        leaf, self.leaf = self.leaf, None
        if leaf is None:
            return
        if isinstance(leaf.body, Paragraph):
            leaf.body.define()
        self._emit(leaf.body.lines())

    def _flush(self) -> None:
        if self.leaf:
            self._emit(self.leaf.body.take())

    def _room(self) -> int:
        return max(_NARROWEST, self.width - sum(box.rest.cells for box in self.stack))

    def _emit(self, lines: Iterable[Line]) -> None:
        for line in lines:
            if self.owed:
                self.owed = False
                self.out.append(self._blank())
            if len(self.stack) == 1:
                self.stack[0].fresh = False
                self.out.append(line)
                continue
            before = [box.first if box.fresh else box.rest for box in self.stack]
            for box in self.stack:
                box.fresh = False
            text = "".join(part.text for part in before)
            width = sum(part.cells for part in before)
            self.out.append(Line(text + line.text, width + line.cells) if line.cells else _ended(before))

    def _blank(self) -> Line:
        return _ended([box.rest for box in self.stack if not box.fresh])


def _close(last: str, kind: str) -> bool:
    """Whether a block of `kind` follows one of kind `last` without a blank line, unless the source has one."""
    return (kind == "item" and last in {"item", "paragraph"}) or last == "heading"


def _ended(before: list[Line]) -> Line:
    """The line of containers that has nothing behind them: without spaces at its end."""
    parts = list(before)
    while parts and not parts[-1].text.strip():
        parts.pop()
    return Line("".join(part.text for part in parts), sum(part.cells for part in parts))
