"""Prepares the XML of a Word document for mammoth, which would lose some of it: formulas, fields and numbers of
lists become words, hidden text goes, and what cannot be told in words is counted.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Container, Iterable
from functools import lru_cache
from itertools import islice
from xml.etree.ElementTree import Element, SubElement, tostring

from chatcli.dataclass import dataclass
from chatcli.reading.formulas import linear, local
from chatcli.reading.word_styles import Numbering, Styles, child, named, parsed, value

_TEXTS = re.compile(r"word/(document|footnotes|endnotes)\d*\.xml")
_MARGINS = re.compile(r"word/(header|footer)\d*\.xml")
_COMMENTS = "word/comments.xml"
_WORDS = re.compile(r"[^\W\d_]{2}")
_SIGN = "sign| that no font explains (sent as \ufffd)"
# Elements around others: mammoth leaves out what is in them.
_WRAPPERS = frozenset({"w:fldSimple", "w:dir", "w:bdo", "m:oMathPara"})
_LOOKED_AT = 200  # elements in a drawing, which may hold others
_RENAMED = {"w:cr": "br", "w:ptab": "tab", "w:dstrike": "strike"}


@dataclass(frozen=True, slots=True)
class Prepared:
    """The document, the texts of its page headers and footers, and what is lost."""

    data: bytes
    margins: tuple[str, ...]
    lost: Counter[str]


def prepared(parts: dict[str, bytes], signs: Container[tuple[str, int]]) -> Prepared:
    """`parts`: the XML in the document, by its name there; `signs`: those that mammoth knows, as fonts and
    numbers in them. Raises ParseError, and RecursionError when it is nested too deep.
    """
    styles = Styles(parts.get("word/styles.xml"))
    numbering = Numbering(parts.get("word/numbering.xml"), styles)
    change = _Change(styles, numbering, signs)
    margins: dict[str, None] = {}
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, data in parts.items():
            if margin := _MARGINS.fullmatch(name):
                margins[f"Page {margin[1]}: {_line(parsed(data))}"] = None
            elif name == _COMMENTS:
                change.lost["comment|"] += sum(1 for each in parsed(data).iter() if named(each) == "w:comment")
            elif name == "word/numbering.xml":
                archive.writestr(name, numbering.rest())
            else:
                archive.writestr(name, change.applied(data) if _TEXTS.fullmatch(name) else data)
    told = (each for each in margins if _WORDS.search(each.partition(": ")[2]))
    return Prepared(made.getvalue(), tuple(told), change.lost)


def _line(root: Element) -> str:
    paragraphs = (each for each in root.iter() if named(each) == "w:p")
    return " ".join(" ".join("".join(_texts(each)) for each in paragraphs).split())


def _texts(holder: Element) -> Iterable[str]:
    return (each.text or "" for each in holder.iter() if named(each) == "w:t")


class _Change:
    """Changes the parts that have text, and counts in `lost` what is lost of them."""

    def __init__(self, styles: Styles, numbering: Numbering, signs: Container[tuple[str, int]]) -> None:
        self.lost: Counter[str] = Counter()
        self._styles = styles
        self._numbering = numbering
        self._signs = signs
        self._root = Element("none")

    def applied(self, data: bytes) -> bytes:
        self._root = root = parsed(data)
        for change in (self._chosen, self._told):
            for holder in reversed(list(root.iter())):  # what is inside comes first
                before = list(holder)
                after = [new for each in before for new in change(holder, each)]
                if after != before:
                    holder[:] = after
        for each in root.iter():
            if named(each) == "w:p":
                self._number(each)
        return bytes(tostring(root, "utf-8"))

    def _chosen(self, holder: Element, each: Element) -> list[Element]:
        """Without what is deleted, and of alternatives the one that mammoth knows."""
        name = named(each)
        if name in {"w:del", "w:moveFrom"} and not local(holder.tag).endswith("Pr"):
            return []
        if name == "mc:AlternateContent":
            fallback = child(each, "mc:Fallback")
            chosen = fallback if fallback is not None and len(fallback) else child(each, "mc:Choice")
            return list(chosen) if chosen is not None else []
        return [each]

    def _told(self, holder: Element, each: Element) -> list[Element]:
        """The element in words that mammoth keeps."""
        name = named(each)
        if name in _RENAMED:
            each.tag = _like(each, _RENAMED[name])
        elif name in _WRAPPERS:
            return [inside for inside in each if not local(inside.tag).endswith("Pr")]
        elif name == "w:sdt":
            content = child(each, "w:sdtContent")
            if content is not None and any(named(inside) in {"w:tr", "w:tc"} for inside in content):
                return list(content)
        elif name in _TOLD:
            return _TOLD[name](self, holder, each)
        return [each]

    def _formula(self, holder: Element, each: Element) -> list[Element]:
        words = linear(each)
        self.lost["formula|"] += not words
        run = Element(_like(self._root, "r"))
        run.append(_text(self._root, words))
        between = [Element(_like(self._root, "br"))] if named(holder) == "m:oMathPara" else []
        return [run, *between]

    def _run(self, holder: Element, each: Element) -> list[Element]:
        """None of it, if it is hidden; else with what its styles say of it."""
        if _is_on(self._styles.of(each, holder, "w:vanish")):
            return []
        own = child(each, "w:rPr")
        for name in ("w:strike", "w:dstrike", "w:vertAlign"):
            said = self._styles.of(each, holder, name)
            if said is not None and child(own, name) is None:
                if own is None:
                    own = Element(_like(each, "rPr"))
                    each.insert(0, own)
                SubElement(own, _like(each, local(_RENAMED.get(name, name)).removeprefix("w:")), said.attrib)
        return [each]

    def _ruby(self, _: Element, each: Element) -> list[Element]:
        base, above = child(each, "w:rubyBase"), child(each, "w:rt")
        said = "".join(_texts(above)) if above is not None else ""
        return [*(base if base is not None else ()), *([_text(each, f"({said})")] if said else [])]

    def _sign(self, _: Element, each: Element) -> list[Element]:
        """A sign of a font of symbols, which mammoth knows or leaves out."""
        code, font = value(each, "char"), value(each, "font")
        number = int(code, 16) if re.fullmatch(r"[0-9A-Fa-f]{1,6}", code) else 0
        if (font, number) in self._signs or (number >> 8 == 0xF0 and (font, number & 0xFF) in self._signs):
            return [each]
        self.lost[_SIGN] += 1
        return [_text(each, "\ufffd")]

    def _drawing(self, _: Element, each: Element) -> list[Element]:
        """The words in a drawing, or its description."""
        inside = {local(one.tag): one for one in reversed(list(islice(each.iter(), _LOOKED_AT)))}
        if (box := inside.get("txbxContent")) is not None:
            pict = Element(_like(each, "pict"))
            pict.append(box)
            return [pict]
        if inside.keys() & {"blip", "imagedata"}:
            self.lost["picture|"] += 1
        elif inside.keys() & {"chart", "relIds"}:
            self.lost["diagram|"] += 1
        about = inside.get("docPr", inside.get("shape"))
        alt = (about.get("descr") or about.get("alt") or about.get("title") or "") if about is not None else ""
        return [_text(each, f"[picture: {' '.join(alt.split())}]")] if alt.strip() else []

    def _lost(self, _: Element, __: Element) -> list[Element]:
        self.lost["embedded object|"] += 1
        return []

    def _row(self, _: Element, each: Element) -> list[Element]:
        """A row that begins in a later column gets an empty cell before it."""
        before = value(child(child(each, "w:trPr"), "w:gridBefore"), "val")
        if before.isdecimal() and 0 < int(before) < 100:
            cell = Element(_like(each, "tc"))
            span = SubElement(SubElement(cell, _like(each, "tcPr")), _like(each, "gridSpan"))
            span.set(_like(each, "val"), before)
            each.insert(0, cell)
        return [each]

    def _number(self, paragraph: Element) -> None:
        label = self._numbering.label(paragraph)
        if label:
            run = Element(_like(paragraph, "r"))
            run.append(_text(paragraph, f"{label} "))
            properties = child(paragraph, "w:pPr")
            paragraph.insert(0 if properties is None else list(paragraph).index(properties) + 1, run)


_TOLD: dict[str, Callable[[_Change, Element, Element], list[Element]]] = {
    "m:oMath": _Change._formula,
    "w:r": _Change._run,
    "w:ruby": _Change._ruby,
    "w:sym": _Change._sign,
    "w:drawing": _Change._drawing,
    "w:pict": _Change._drawing,
    "w:object": _Change._lost,
    "w:altChunk": _Change._lost,
    "w:tr": _Change._row,
}


def _is_on(said: Element | None) -> bool:
    return said is not None and value(said) not in {"0", "false", "off"}


def _text(beside: Element, words: str) -> Element:
    made = Element(_like(beside, "t"))
    made.text = words
    return made


@lru_cache(256)
def _in_namespace(tag: str, name: str) -> str:
    return f"{tag.rpartition('}')[0]}}}{name}"


def _like(beside: Element, name: str) -> str:
    """The name in the namespace of another element."""
    return _in_namespace(beside.tag, name)
