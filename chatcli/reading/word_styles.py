"""What the styles and lists of a Word document say of its text: what is hidden, struck out or raised, and the
numbers of list items and headings.
"""

from __future__ import annotations

import re
from functools import lru_cache, reduce
from operator import or_
from xml.etree.ElementTree import Element, fromstring, tostring

from chatcli.dataclass import dataclass
from chatcli.reading.formulas import local
from chatcli.reading.html import numeral

_KINDS = {"lowerLetter": "a", "upperLetter": "A", "lowerRoman": "i", "upperRoman": "I"}
_LEVELS = frozenset("012345678")
_DEEPEST = 30  # styles based on styles
_PREFIXES = (
    ("officeDocument/2006/math", "m"),
    ("officeDocument/math", "m"),
    ("wordprocessingml/2006/main", "w"),
    ("wordprocessingml/main", "w"),
    ("2006", "mc"),
)


def parsed(data: bytes) -> Element:
    """The root of this XML. Expat bounds how far entities may grow, and nothing outside of it is read. Raises
    ParseError.
    """
    return fromstring(data)  # noqa: S314


@lru_cache(4096)
def _named(tag: str) -> str:
    namespace, _, name = tag.rpartition("}")
    prefix = next((prefix for end, prefix in _PREFIXES if namespace.endswith(end)), "")
    return f"{prefix}:{name}" if prefix else name


def named(element: Element) -> str:
    """The name with the usual prefix: w:p."""
    return _named(element.tag)


def child(holder: Element | None, name: str) -> Element | None:
    """The first child of this name."""
    return next((each for each in holder if named(each) == name), None) if holder is not None else None


def value(element: Element | None, name: str = "val") -> str:
    """The attribute; "" where there is none."""
    return next((each for key, each in element.items() if local(key) == name), "") if element is not None else ""


class Styles:
    """The styles, each with what it is based on."""

    def __init__(self, data: bytes | None) -> None:
        self._by_id: dict[str, Element] = {}
        self._of_runs: dict[str, list[Element]] = {}
        for each in parsed(data) if data else ():
            if named(each) == "w:style":
                self._by_id[value(each, "styleId")] = each

    def chain(self, style: str) -> list[Element]:
        """The style and those that it is based on, the nearest first."""
        found: list[Element] = []
        while (each := self._by_id.get(style)) is not None and len(found) < _DEEPEST:
            found.append(each)
            style = value(child(each, "w:basedOn"))
        return found

    def of(self, run: Element, paragraph: Element, name: str) -> Element | None:
        """The property of a run: its own, or that of its style or its paragraph's style."""
        own = child(run, "w:rPr")
        styles = value(child(own, "w:rStyle")), value(child(child(paragraph, "w:pPr"), "w:pStyle"))
        places = [own, *(each for style in styles if style for each in self._runs(style))]
        return next((found for each in places if (found := child(each, name)) is not None), None)

    def _runs(self, style: str) -> list[Element]:
        if style not in self._of_runs:
            said = (child(each, "w:rPr") for each in self.chain(style))
            self._of_runs[style] = [each for each in said if each is not None]
        return self._of_runs[style]


@dataclass(frozen=True, slots=True)
class _Level:
    """`text` has the numbers of the levels in it, as "%1.%2"; `style`: that of the paragraphs numbered by it."""

    start: int
    form: str
    text: str
    style: str


class Numbering:
    """The lists, and how far each of them is. Bullets are left to mammoth."""

    def __init__(self, data: bytes | None, styles: Styles) -> None:
        self._styles = styles
        self._root = parsed(data) if data else Element("none")
        abstract = {
            value(each, "abstractNumId"): _levels(each) for each in self._root if named(each) == "w:abstractNum"
        }
        self._lists: dict[str, tuple[str, dict[str, _Level]]] = {}
        self._restarts: dict[str, dict[str, int]] = {}
        for each in self._root:
            if named(each) == "w:num":
                number, basis = value(each, "numId"), value(child(each, "w:abstractNumId"))
                overrides = [one for one in each if named(one) == "w:lvlOverride"]
                own = (_levels(override) for override in overrides)
                self._lists[number] = basis, reduce(or_, own, abstract.get(basis, {}))
                self._restarts[number] = {
                    value(one, "ilvl"): _whole(value(start))
                    for one in overrides
                    if (start := child(one, "w:startOverride")) is not None
                }
        self._counts: dict[str, dict[str, int]] = {}

    def rest(self) -> bytes:
        """What mammoth needs: without the styles that number paragraphs, because their numbers are words now."""
        for each in list(self._root.iter()):
            if named(each) == "w:lvl" and value(child(each, "w:numFmt")) != "bullet":
                for style in [one for one in each if named(one) == "w:pStyle"]:
                    each.remove(style)
        return bytes(tostring(self._root, "utf-8"))

    def label(self, paragraph: Element) -> str:
        """The paragraph's number as it is printed, "2." or "1.1"; it is not numbered any more. "" for a bullet."""
        properties = child(paragraph, "w:pPr")
        number, at = self._place(properties)
        basis, levels = self._lists.get(number, ("", {}))
        level = levels.get(at)
        if level is None or level.form == "bullet":
            return ""
        numbered = child(properties, "w:numPr")
        if properties is not None and numbered is not None:
            properties.remove(numbered)
        counts = self._counts.setdefault(basis, {})
        for each, start in self._restarts.pop(number, {}).items():
            counts[each] = start - 1
        counts[at] = counts.get(at, level.start - 1) + 1
        for deeper in [each for each in counts if each > at]:
            del counts[deeper]

        def printed(found: re.Match[str]) -> str:
            of = str(int(found[1]) - 1)
            one = levels.get(of, level)
            return _formed(counts.get(of, one.start), one.form)

        return re.sub(r"%([1-9])", printed, level.text) if level.form != "none" else ""

    def _place(self, properties: Element | None) -> tuple[str, str]:
        """The list and the level that a paragraph is in, by itself or by its style."""
        own = child(properties, "w:numPr")
        number, at = value(child(own, "w:numId")), value(child(own, "w:ilvl"))
        style = value(child(properties, "w:pStyle"))
        for each in self._styles.chain(style):
            if number:
                break
            given = child(child(each, "w:pPr"), "w:numPr")
            number = value(child(given, "w:numId"))
            levels = self._lists.get(number, ("", {}))[1]
            by_style = next((key for key, level in levels.items() if level.style == value(each, "styleId")), "")
            at = at or by_style or value(child(given, "w:ilvl"))
        return number, at or "0"


def _levels(holder: Element) -> dict[str, _Level]:
    """The levels by their numbers; there are nine."""
    found = {value(each, "ilvl"): each for each in holder if named(each) == "w:lvl"}
    return {at: _level(each) for at, each in found.items() if at in _LEVELS}


def _level(given: Element) -> _Level:
    start, form, text, style = (
        value(child(given, f"w:{each}")) for each in ("start", "numFmt", "lvlText", "pStyle")
    )
    return _Level(_whole(start), form or "decimal", text, style)


def _whole(number: str) -> int:
    return int(number) if re.fullmatch(r"[0-9]{1,9}", number) else 1


def _formed(number: int, form: str) -> str:
    return f"{number:02}" if form == "decimalZero" else numeral(number, _KINDS.get(form, "1"))
