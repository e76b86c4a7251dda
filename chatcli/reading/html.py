"""HTML as readable text: headings, paragraphs, lists, tables, quotations and code, marked up as in Markdown.

Built on tags.py. Of the libraries that do this, the small ones need a tree builder (BeautifulSoup or lxml), and
html2text is under the GPL; and little is needed here: the words of a page in their order, for a model. Scripts,
styles, navigation and what markup hides are left out; if a page marks its main part, only that is read. However a
page is nested, the work grows only with its length.
"""

from __future__ import annotations

import re

from chatcli.dataclass import dataclass
from chatcli.reading.formulas import PageFormula
from chatcli.reading.html_tables import Block, Table
from chatcli.reading.html_words import LINK, VOID, Skipped, Words, is_hidden, mark_of, shown_by
from chatcli.reading.tags import Attributes, read_tags

_UNREAD = frozenset({"script", "style", "noscript", "template", "svg", "iframe", "object", "select", "textarea"})
_FURNITURE = frozenset({"nav", "button", "dialog", "rp"})
_ROW_GROUPS = frozenset({"thead", "tbody", "tfoot"})
_HEADINGS = {f"h{level}": "#" * level + " " for level in range(1, 7)}
_INLINE = frozenset(
    "a abbr b base bdi bdo cite code data del dfn em font i img input ins kbd label link mark meta q rp rt ruby s "  # noqa: SIM905
    "samp small source span strike strong sub sup time track tt u var wbr".split()
)
_DEEPEST = 20  # lists in lists are indented, tables in tables are told apart, down to here
_INVISIBLE = str.maketrans("", "", "\u00ad\u200b\u2060\ufeff")
_NUMBER = re.compile(r"\s*([+-]?[0-9]{1,9})\s*")
_ROMAN = {1000: "m", 900: "cm", 500: "d", 400: "cd", 100: "c", 90: "xc", 50: "l", 40: "xl", 10: "x", 9: "ix"}
_ROMAN |= {5: "v", 4: "iv", 1: "i"}


def text_of_html(html: str) -> str:
    """The words of the page; "" where it has none. The title comes first, unless the page begins with the same
    words.
    """
    for unread in (_UNREAD | _FURNITURE, _UNREAD):  # a page without text is read once more, with what it hides
        reader = _Reader(unread, len(html))
        read_tags(html, reader)
        blocks = reader.blocks()
        if blocks:
            break
    title = " ".join("".join(reader.title).split())
    if title and title.casefold() not in {block.text.lstrip("# ").casefold() for block in blocks[:3]}:
        blocks.insert(0, Block(f"# {title}"))
    return _joined(blocks)


@dataclass(slots=True)
class _List:
    """`number`: the next item's; None where items have none. `style`: 1, a, A, i or I."""

    number: int | None
    style: str = "1"

    def label(self, given: int | None) -> str:
        if self.number is None:
            return "-"
        number = self.number if given is None else given
        self.number = number + 1
        return f"{numeral(number, self.style)}."


class _Reader:
    """Words collect until a block ends; blocks collect in the innermost of `_pages`: the page, its main part, or a
    table cell.
    """

    def __init__(self, unread: frozenset[str], length: int) -> None:
        self.title: list[str] = []
        self._unread = unread
        self._skipped: Skipped | None = None
        self._words = Words()
        self._formula: PageFormula | None = None
        self._prefix = ""
        self._group = 0
        self._groups = 0  # so many lists and tables so far
        self._pre = 0
        self._quoted = 0
        self._in_title = False
        self._lists: list[_List] = []
        self._tables: list[Table] = []
        self._padding = [4 * length]  # characters that tables may add for cells that cover others
        self._deeper = 0  # so many tables in the innermost of them, of which only the words are taken
        self._pages: list[list[Block]] = [[]]
        self._main: list[Block] = []

    def blocks(self) -> list[Block]:
        self._end_formula()
        while self._tables:
            self._end_table()
        self._end_block()
        if len(self._pages) > 1:
            self._end_main()
        return list(self._main or self._pages[0])

    def take_start(self, tag: str, attributes: Attributes) -> None:
        if self._skipped and self._skipped.holds_start(tag):
            return
        self._skipped = None
        if self._formula and self._formula.start(tag, attributes):
            return
        self._end_formula()
        given = dict(attributes)
        hidden = self._unread >= _FURNITURE and is_hidden(tag, given, tag in _INLINE)
        if tag in VOID:
            if not hidden:
                self._take_void(tag, given)
        elif hidden or tag in self._unread:
            self._skipped = Skipped(tag)
        elif tag == "math":
            self._formula = PageFormula(attributes)
        elif tag == "title" and not self.title:
            self._in_title = True
        elif tag == "code" and not self._pre:
            self._words.say("`")
        else:
            if tag not in _INLINE:
                self._begin(tag, given)
            mark = mark_of(tag, given)
            self._words.open(tag, mark if mark != LINK or not self._pre else "", given.get("href") or "")

    def take_end(self, tag: str) -> None:
        if self._skipped:
            held = self._skipped.holds_end(tag)
            if not self._skipped.depth:
                self._skipped = None
            if held:
                return
        if self._formula and tag != "math":
            self._formula.end(tag)
        elif tag == "math":
            self._end_formula()
        elif tag == "title":
            self._in_title = False
        elif tag == "code" and not self._pre:
            self._words.say("`")
        elif tag not in VOID:
            if tag not in _INLINE:
                self._end(tag)
            self._words.close(tag)

    def _end_formula(self) -> None:
        formula, self._formula = self._formula, None
        if formula:
            self._words.say(formula.text())

    def _take_void(self, tag: str, given: dict[str, str | None]) -> None:
        if tag == "br":
            self._words.pieces.append("\n")
        elif tag == "hr":
            self._end_block()
        elif shown := shown_by(tag, given):
            self._words.say(shown)

    def take_words(self, words: str) -> None:
        if self._skipped:
            return
        if not self._pre:
            words = re.sub(r"\s+", " ", words)
        if self._formula:
            self._formula.say(words)
        elif self._in_title:
            self.title.append(words)
        else:
            self._words.say(words)

    def _begin(self, tag: str, given: dict[str, str | None]) -> None:
        if tag in {"td", "th", "tr"} and self._tables and not self._deeper:
            self._begin_cell(tag, given)
            return
        if tag != "p" or self._words.worded:  # a paragraph that begins a list item stays in its line
            self._end_block()
        if tag in _HEADINGS:
            self._prefix = _HEADINGS[tag]
        elif tag in {"ul", "ol"}:
            self._groups += not self._lists
            start = 1 if tag == "ol" else None
            self._lists.append(_List(start and _number(given.get("start"), start), given.get("type") or "1"))
        elif tag == "li":
            self._prefix, self._group = self._item(_number(given.get("value"))), self._groups
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
            self._tables.append(Table(self._groups, self._padding))
        elif tag in _ROW_GROUPS and self._tables and not self._deeper:
            self._end_row_group()
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
        elif tag in _ROW_GROUPS and self._tables and not self._deeper:
            self._end_row_group()
        elif tag == "table" and self._tables:
            self._end_table()
        elif tag == "main" and len(self._pages) == 2 and not self._tables:
            self._end_main()

    def _item(self, given: int | None) -> str:
        if not self._lists:
            return "- "
        return f"{'  ' * min(len(self._lists) - 1, _DEEPEST)}{self._lists[-1].label(given)} "

    def _end_block(self) -> None:
        text = self._words.take().translate(_INVISIBLE)
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
            self._tables[-1].add([Block(text)])
        else:
            self._pages[-1].append(Block(text, group))

    def _begin_cell(self, tag: str, given: dict[str, str | None]) -> None:
        table = self._tables[-1]
        self._end_cell()
        if tag == "tr":
            self._end_row()
        else:
            self._end_block()
            self._pages.append([])
            table.cell = True
            table.spans = _number(given.get("colspan"), 1), _number(given.get("rowspan"), 1)
        table.begun = True

    def _end_cell(self) -> None:
        self._end_block()
        if self._tables[-1].cell:
            self._tables[-1].cell = False
            self._tables[-1].add(self._pages.pop())

    def _end_row(self) -> None:
        self._end_cell()
        self._tables[-1].end_row()

    def _end_row_group(self) -> None:
        self._end_cell()
        self._tables[-1].end_group()

    def _end_table(self) -> None:
        self._end_row()
        blocks = self._tables.pop().blocks()
        if self._tables and not self._tables[-1].cell:  # between the cells of another table: in their order
            self._tables[-1].add(blocks)
        else:
            self._pages[-1].extend(blocks)

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


def numeral(number: int, style: str) -> str:
    """The number as a list of this style writes it: 3, c, C, iii or III."""
    if style not in {"a", "A", "i", "I"} or not 0 < number < 4000:
        return str(number)
    letters = ""
    while number and style in {"a", "A"}:
        number, letter = divmod(number - 1, 26)
        letters = chr(ord("a") + letter) + letters
    for value, sign in _ROMAN.items():
        letters += sign * (number // value)
        number %= value
    return letters.upper() if style.isupper() else letters


def _number(given: str | None, otherwise: int | None = None) -> int | None:
    found = _NUMBER.fullmatch(given or "")
    return int(found[1]) if found else otherwise
