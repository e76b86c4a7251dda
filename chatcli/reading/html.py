"""HTML as readable text: headings, paragraphs, lists, tables, quotations and code, marked up as in Markdown.

Built on tags.py. Of the libraries that do this, the small ones need a tree builder (BeautifulSoup or lxml), and
html2text is under the GPL; and little is needed here: the words of a page in their order, for a model, with links
as their text only. Scripts, styles, forms and navigation are left out; if a page marks its main part, only that is
read. However a page is nested, the work grows only with its length.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from chatcli.reading.tags import Attributes, read_tags

_UNREAD = frozenset({"script", "style", "noscript", "template", "svg", "iframe", "object", "select", "textarea"})
_FURNITURE = frozenset({"nav", "button", "dialog"})
_HEADINGS = {f"h{level}": "#" * level + " " for level in range(1, 7)}
_INLINE = frozenset(
    "a abbr b base bdi bdo cite code data del dfn em font i img input ins kbd label link mark meta q rp rt ruby s "  # noqa: SIM905
    "samp small source span strong sub sup time track tt u var wbr".split()
)
_DEEPEST = 20  # lists in lists are indented, tables in tables are told apart, down to here
_INVISIBLE = str.maketrans("", "", "\u00ad\u200b\u2060\ufeff")


def text_of_html(html: str) -> str:
    """The words of the page; "" where it has none. The title comes first, unless the page begins with the same
    words.
    """
    for unread in (_UNREAD | _FURNITURE, _UNREAD):  # a page whose navigation is never closed is read once more
        reader = _Reader(unread)
        read_tags(html, reader)
        blocks = reader.blocks()
        if blocks:
            break
    title = " ".join("".join(reader.title).split())
    if title and title.casefold() not in {block.text.lstrip("# ").casefold() for block in blocks[:3]}:
        blocks.insert(0, Block(f"# {title}"))
    return _joined(blocks)


@dataclass(frozen=True, slots=True)
class Block:
    """`group`: blocks of the same list or table, with no empty line between them; 0 for a block of its own."""

    text: str
    group: int = 0


@dataclass(slots=True)
class _Table:
    """The table being read; `cell` is open until the next one begins."""

    group: int
    row: list[list[Block]] = field(default_factory=list)
    cell: bool = False


class _Reader:
    """Text collects in `_text` until a block ends; blocks collect in the innermost of `_pages`: the page, its main
    part, or a table cell.
    """

    def __init__(self, unread: frozenset[str]) -> None:
        self.title: list[str] = []
        self._unread = unread
        self._skipped = ""
        self._depth = 0
        self._text: list[str] = []
        self._worded = False  # there is more than blanks in it
        self._prefix = ""
        self._group = 0
        self._groups = 0  # so many lists and tables so far
        self._pre = 0
        self._quoted = 0
        self._in_title = False
        self._lists: list[int | None] = []  # the next number, or None where items have none
        self._tables: list[_Table] = []
        self._deeper = 0  # so many tables in the innermost of them, of which only the words are taken
        self._pages: list[list[Block]] = [[]]
        self._main: list[Block] = []

    def blocks(self) -> list[Block]:
        while self._tables:
            self._end_table()
        self._end_block()
        if len(self._pages) > 1:
            self._end_main()
        return list(self._main or self._pages[0])

    def take_start(self, tag: str, _: Attributes) -> None:
        if self._skipped:
            self._depth += tag == self._skipped
        elif tag in self._unread:
            self._skipped, self._depth = tag, 1
        elif tag == "title" and not self.title:
            self._in_title = True
        elif tag == "br":
            self._text.append("\n")
        elif tag == "code" and not self._pre:
            self._say("`")
        elif tag not in _INLINE:
            self._begin(tag)

    def take_end(self, tag: str) -> None:
        if self._skipped:
            self._depth -= tag == self._skipped
            if not self._depth:
                self._skipped = ""
        elif tag == "title":
            self._in_title = False
        elif tag == "code" and not self._pre:
            self._say("`")
        elif tag not in _INLINE:
            self._end(tag)

    def take_words(self, words: str) -> None:
        if self._skipped:
            return
        if not self._pre:
            words = re.sub(r"\s+", " ", words)
        if self._in_title:
            self.title.append(words)
        else:
            self._say(words)

    def _say(self, words: str) -> None:
        self._text.append(words)
        self._worded = self._worded or not words.isspace()

    def _begin(self, tag: str) -> None:
        if tag in {"td", "th", "tr"} and self._tables and not self._deeper:
            self._begin_cell(tag)
            return
        if tag != "p" or self._worded:  # a paragraph that begins a list item stays in its line
            self._end_block()
        if tag in _HEADINGS:
            self._prefix = _HEADINGS[tag]
        elif tag in {"ul", "ol"}:
            self._groups += not self._lists
            self._lists.append(1 if tag == "ol" else None)
        elif tag == "li":
            self._prefix, self._group = self._item(), self._groups
        elif tag == "pre":
            self._pre += 1
        elif tag == "blockquote":
            self._quoted += 1
        elif tag == "table" and len(self._tables) == _DEEPEST:
            self._deeper += 1
        elif tag == "table":
            if self._tables and not self._tables[-1].cell:
                self._end_row()
            self._groups += 1
            self._tables.append(_Table(self._groups))
        elif tag == "main" and len(self._pages) == 1:
            self._pages.append([])

    def _end(self, tag: str) -> None:
        if tag in {"td", "th"} and self._tables and not self._deeper:
            self._end_cell()
            return
        self._end_block()
        if tag in {"ul", "ol"} and self._lists:
            self._lists.pop()
        elif tag == "pre":
            self._pre = max(0, self._pre - 1)
        elif tag == "blockquote":
            self._quoted = max(0, self._quoted - 1)
        elif tag == "table" and self._deeper:
            self._deeper -= 1
        elif tag == "tr" and self._tables and not self._deeper:
            self._end_row()
        elif tag == "table" and self._tables:
            self._end_table()
        elif tag == "main" and len(self._pages) == 2 and not self._tables:
            self._end_main()

    def _item(self) -> str:
        if not self._lists:
            return "- "
        number, indent = self._lists[-1], "  " * min(len(self._lists) - 1, _DEEPEST)
        if number is None:
            return f"{indent}- "
        self._lists[-1] = number + 1
        return f"{indent}{number}. "

    def _end_block(self) -> None:
        text = "".join(self._text).translate(_INVISIBLE)
        self._text.clear()
        self._worded = False
        if not text.strip():
            return  # the mark of a list item waits for its words
        if self._pre:
            body = text.strip("\n").rstrip()
            fence = "`" * (3 if "```" not in body else 4)
            self._add(f"{fence}\n{body}\n{fence}")
        else:
            lines = [" ".join(line.split()) for line in text.split("\n")]
            self._add(self._prefix + "\n".join(line for line in lines if line), self._group)
        self._prefix, self._group = "", 0

    def _add(self, text: str, group: int = 0) -> None:
        if self._quoted and not self._tables:
            text = "\n".join(f"> {line}" for line in text.split("\n"))
        if self._tables and not self._tables[-1].cell:  # a caption, or words between cells: in their order
            self._tables[-1].row.append([Block(text)])
        else:
            self._pages[-1].append(Block(text, group))

    def _begin_cell(self, tag: str) -> None:
        table = self._tables[-1]
        self._end_cell()
        if tag == "tr":
            self._end_row()
        else:
            self._end_block()
            self._pages.append([])
            table.cell = True

    def _end_cell(self) -> None:
        self._end_block()
        if self._tables[-1].cell:
            self._tables[-1].cell = False
            self._tables[-1].row.append(self._pages.pop())

    def _end_row(self) -> None:
        """Cells of one line each are put side by side; a table used only for layout is read cell by cell."""
        self._end_cell()
        row, self._tables[-1].row = self._tables[-1].row, []
        if any(len(cell) > 1 for cell in row):
            self._pages[-1].extend(block for cell in row for block in cell)
        elif any(row):
            cells = [cell[0].text.replace("\n", " ") if cell else "" for cell in row]
            self._pages[-1].append(Block(" | ".join(cells), self._tables[-1].group))

    def _end_table(self) -> None:
        self._end_row()
        self._tables.pop()

    def _end_main(self) -> None:
        main = self._pages.pop()
        self._main.extend(main)
        self._pages[-1].extend(main)


def _joined(blocks: list[Block]) -> str:
    pieces: list[str] = []
    for before, block in zip([None, *blocks], blocks, strict=False):
        if before is not None:
            pieces.append("\n" if before.group and before.group == block.group else "\n\n")
        pieces.append(block.text)
    return "".join(pieces)
