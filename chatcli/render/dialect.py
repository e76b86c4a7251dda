"""What replies mean beyond CommonMark: formulas (TeX), arithmetic, footnotes and bare addresses, shown as written.

teach() gives markdown-it these rules, for the screen and for exports; block_structure.py finds display formulas
line by line.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from markdown_it.common.utils import escapeHtml
from markdown_it.rules_block import reference

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_block import StateBlock
    from markdown_it.rules_inline import StateInline
    from markdown_it.token import Token

LONGEST = 1000  # characters of a formula inside a line: what is farther away does not end it

_DISPLAY = re.compile(r"(?<![\\$])(?:\$\$(?!\$)|\\\[|\\begin\{(?P<name>[A-Za-z]+\*?)\})")
_LAST = re.compile(r"[\s.,;:!?)]*\Z")  # what may stand behind a formula that has its line to itself

# A `$` opens one with no blank after it, and closes one with none before it and no digit behind it: prices stay.
_FORMULA = re.compile(r"\$\$(?!\$)|\$(?![\s$])|\\\(|\\\[(?=[^\]]{0,1000}?\w)|\\begin\{(?P<name>[A-Za-z]+\*?)\}")
_STOPS = {  # by what opens a formula: what ends it, and what else keeps it from being one
    "$$": re.compile(r"\\.|(?P<end>\$\$)", re.DOTALL),
    "$": re.compile(r"\\.|(?P<end>(?<!\s)\$(?!\d))|(?P<bar>`)", re.DOTALL),
    "\\(": re.compile(r"(?P<end>\\\))|\\.", re.DOTALL),
    "\\[": re.compile(r"(?P<end>\\\](?![(\[]))|(?P<bar>\\\])|\\.", re.DOTALL),
}

_LETTER = "A-Za-z\u0370-\u03ff"
_TIMES = re.compile(r"(?<!\*)\*{1,2}(?!\*)")
_BETWEEN_NUMBERS = re.compile(r"[\d)]\*{1,2}[\d(]", re.ASCII)
_BETWEEN_OPERANDS = re.compile(  # a number and a name, or a name of one letter and another or a bracket
    rf"\d\*+[{_LETTER}_]|[{_LETTER}_]\*+\d"
    rf"|(?:(?<![{_LETTER}])[{_LETTER}]|\))\*+(?:[{_LETTER}](?![{_LETTER}])|\()",
    re.ASCII,
)
_EMPHASIS_BEFORE = re.compile(r"(?<![\w*)\]])(\*{1,2})[^*\s]+\Z")

_LONGEST_WORD = 100  # characters between stars that may be emphasis: bounds the search for its beginning

_ADDRESS = re.compile(r"://(?:[^\s<>\[\]\\`\"*&|]|&(?!#?\w+;))+")
_SCHEME = re.compile(r"(?<![^\W_])https?\Z", re.IGNORECASE)


class Display(NamedTuple):
    """A display formula that a line begins. `ends`: the pattern that ends it."""

    ends: str
    is_whole: bool  # it ends in the same line
    is_alone: bool  # the opening has its line to itself: blank lines belong to the formula


def display(line: str) -> Display | None:
    """Returns the display formula that `line`, without its indent, begins and has to itself."""
    opening = _DISPLAY.match(line) if line.startswith(("$$", "\\")) else None
    if opening is None:
        return None
    rest, ends = line[opening.end() :], _ends(opening)
    if close := re.search(ends, rest):
        return Display(ends, True, False) if _LAST.match(rest, close.end()) else None
    if opening[0] == "\\[" and "]" in rest and not rest[0].isspace():  # an escaped bracket of prose
        return None
    return Display(ends, False, not rest.strip())


def is_open(paragraph: str) -> bool:
    """Whether a line of `paragraph` ends with the opening of a display formula that has not ended yet."""
    if "$$" not in paragraph and "\\" not in paragraph:
        return False
    at = 0
    while opening := _DISPLAY.search(paragraph, at):
        at = opening.end()
        if close := re.compile(_ends(opening)).search(paragraph, at):
            at = close.end()
        elif not paragraph[at:].partition("\n")[0].strip():
            return True
    return False


def _ends(opening: re.Match[str]) -> str:
    if opening["name"]:
        return re.escape(f"\\end{{{opening['name']}}}")
    return r"\$\$" if opening[0] == "$$" else r"\\\]"


def teach(parser: MarkdownIt) -> MarkdownIt:
    """Adds the rules to `parser`, and returns it."""
    parser.inline.ruler.before("escape", "formula", _formula)
    parser.inline.ruler.before("emphasis", "times", _times)
    parser.inline.ruler.before("escape", "address", _address)
    parser.block.ruler.before(
        "fence", "display", _display_block, {"alt": ["paragraph", "reference", "blockquote", "list"]}
    )
    parser.block.ruler.at("reference", _reference)
    parser.add_render_rule("formula", _as_html)
    parser.add_render_rule("display", _as_html)
    return parser


def _formula(state: StateInline, silent: bool) -> bool:
    opening = _FORMULA.match(state.src, state.pos, state.posMax) if state.src[state.pos] in "$\\" else None
    end = _end_of(opening) if opening else -1
    if not 0 <= end <= state.posMax:
        return False
    if not silent:
        state.push("formula", "span", 0).content = state.src[state.pos : end]
    state.pos = end
    return True


def _end_of(opening: re.Match[str]) -> int:
    """Returns the index behind the formula that this opens, -1 where it opens none."""
    text, start = opening.string, opening.end()
    if opening["name"]:
        end = f"\\end{{{opening['name']}}}"
        at = text.find(end, start, start + LONGEST + len(end))
        return at + len(end) if at >= 0 else -1
    stops = _stops(text, opening[0])
    at = bisect_left(stops, (start,))
    begin, end_of = stops[at] if at < len(stops) else (start, -1)
    return end_of if start < begin <= start + LONGEST else -1


@lru_cache(maxsize=len(_STOPS))
def _stops(text: str, opening: str) -> list[tuple[int, int]]:
    """Returns where something stops a formula that `opening` opens, and where the formula ends there (-1: it is
    none). `text` is searched once, however much opens a formula in it.
    """
    found = _STOPS[opening].finditer(text)
    return [(each.start(), each.end() if each.lastgroup == "end" else -1) for each in found if each.lastgroup]


def _times(state: StateInline, silent: bool) -> bool:
    """Takes stars that multiply; where they may end emphasis, as in `**5**th`, they do."""
    found = _TIMES.match(state.src, state.pos, state.posMax) if state.pos else None
    if found is None:
        return False
    before = state.pos - 1
    if not _BETWEEN_NUMBERS.match(state.src, before, state.posMax):
        begun = _EMPHASIS_BEFORE.search(state.src, max(0, state.pos - _LONGEST_WORD), state.pos)
        if not _BETWEEN_OPERANDS.match(state.src, before) or (begun and begun[1] == found[0]):
            return False
    if not silent:
        state.push("text_special", "", 0).content = found[0]
    state.pos = found.end()
    return True


def _address(state: StateInline, silent: bool) -> bool:
    """Takes a bare http address, with every mark in it, for a link."""
    found = _ADDRESS.match(state.src, state.pos, state.posMax) if state.src[state.pos] == ":" else None
    scheme = _SCHEME.search(state.src, max(0, state.pos - 6), state.pos) if found else None
    if found is None or scheme is None or state.linkLevel:
        return False
    rest = _trimmed(found[0])
    if len(rest) <= 3 or (not silent and not state.pending.endswith(scheme[0])):
        return False
    if not silent:
        state.pending = state.pending[: -len(scheme[0])]
        state.push("link_open", "a", 1).attrs = {"href": scheme[0] + rest}
        state.push("text", "", 0).content = scheme[0] + rest
        state.push("link_close", "a", -1)
    state.pos += len(rest)
    return True


def _trimmed(address: str) -> str:
    """Returns the address without the marks of the sentence around it."""
    while address and (
        address[-1] in ".,;:!?'_~$" or (address[-1] == ")" and address.count(")") > address.count("("))
    ):
        address = address[:-1]
    return address


def _display_block(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    found = None if state.is_code_block(start) else display(_line(state, start))
    if found is None or silent:
        return found is not None
    after = start + 1
    goes_on = not found.is_whole
    while goes_on and after < end and (found.is_alone or not state.isEmpty(after)):
        goes_on = state.isEmpty(after) or not re.search(found.ends, _line(state, after))
        after += 1
    token = state.push("display", "pre", 0)
    token.content = state.getLines(start, after, state.blkIndent, False)
    token.map = [start, after]
    state.line = after
    return True


def is_footnote(state: StateBlock, number: int) -> bool:
    """Whether the line is `[^label]: text`: no definition of a link, even where the text is one word."""
    return _line(state, number).startswith("[^")


def _reference(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    return not is_footnote(state, start) and reference(state, start, end, silent)


def _line(state: StateBlock, number: int) -> str:
    return state.src[state.bMarks[number] + state.tShift[number] : state.eMarks[number]]


def _as_html(_renderer: object, tokens: Sequence[Token], at: int, _options: object, _env: object) -> str:
    token = tokens[at]
    return f'<{token.tag} class="formula">{escapeHtml(token.content)}</{token.tag}>'
