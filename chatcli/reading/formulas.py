"""Formulas of Word documents (OMML) and pages (MathML) as a line of text: x^2, (a + b)/c, √(2), ∑_(i = 1)^n i."""

from __future__ import annotations

import re
from collections.abc import Callable
from xml.etree.ElementTree import Element, SubElement

from chatcli.reading.tags import Attributes

_DEEPEST = 50  # elements in elements of a page's formula
_TERM = re.compile(r"[\w.]+|[^\s]|\(.*\)", re.DOTALL)
_TEX = re.compile(r"\{\\displaystyle\s(.*)\}\s*", re.DOTALL)  # how Wikipedia wraps it
# Scripts by the elements that have them: the signs before the second and the third part.
_SCRIPTS = {
    **dict.fromkeys(("sSup", "msup", "mover", "limUpp"), ("^",)),
    **dict.fromkeys(("sSub", "msub", "munder", "limLow"), ("_",)),
    **dict.fromkeys(("sSubSup", "msubsup", "munderover"), ("_", "^")),
}
_UNSHOWN = frozenset({"annotation", "annotation-xml", "mphantom", "phant"})
_OPERATOR = re.compile(r"[=+\-−×·÷±<>≤≥≈≠∈→⇒]")
_BLOCKS = frozenset(
    {"p", "div", "table", "ul", "ol", "li", "h1", "h2", "h3", "h4", "h5", "h6", "pre", "blockquote"}
)


def linear(formula: Element) -> str:
    """The formula's text; "" when it has none."""
    return " ".join(_said(formula).split())


def _said(node: Element) -> str:
    name, text = local(node.tag), node.text or ""
    if name in _UNSHOWN or name.endswith("Pr"):
        return ""
    if not len(node):
        return f" {text.strip()} " if name == "mo" and _OPERATOR.fullmatch(text.strip()) else text
    parts = [child for child in node if not local(child.tag).endswith("Pr")]
    if name in _FORMS and parts:
        return _FORMS[name](node, parts)
    return (text if text.strip() else "") + _all(parts)


def _all(parts: list[Element]) -> str:
    """One after the other; a blank keeps what follows a script out of it."""
    said, last, was_scripted = list[str](), "", False
    for part in parts:
        words = _said(part)
        if was_scripted and last[-1:].isalnum() and words[:1].isalnum():
            said.append(" ")
        said.append(words)
        last, was_scripted = words, local(part.tag) in _SCRIPTS
    return "".join(said)


def _delimited(node: Element, parts: list[Element]) -> str:
    begin, between, end = (
        _property(node, f"{each}Chr", sign) for each, sign in (("beg", "("), ("sep", "|"), ("end", ")"))
    )
    return begin + between.join(map(_said, parts)) + end


def _fenced(node: Element, parts: list[Element]) -> str:
    return f"{node.get('open', '(')}{', '.join(map(_said, parts))}{node.get('close', ')')}"


def _operated(node: Element, parts: list[Element]) -> str:
    """A large operator with its limits."""
    return f"{_property(node, 'chr', '∫')}{_before(node, parts[:2])} {_all(parts[2:])}"


def _accented(node: Element, parts: list[Element]) -> str:
    return _term(_all(parts)) + _property(node, "chr", "\u0302" if local(node.tag) == "acc" else "\u0305")


def _before(_: Element, parts: list[Element]) -> str:
    """Scripts that stand before what they belong to."""
    return _scripted([Element("none"), *parts[:2]], ("_", "^")) + _all(parts[2:])


def _scripted(parts: list[Element], signs: tuple[str, ...]) -> str:
    base, *scripts = (_said(part).strip() for part in parts)
    marked = (sign + _term(script) for sign, script in zip(signs, scripts, strict=False) if script)
    return (_term(base) if base else "") + "".join(marked)


def _root(radicand: str, degree: str = "") -> str:
    return f"{f'root[{degree.strip()}]' if degree.strip() else '√'}({radicand.strip()})"


_FORMS: dict[str, Callable[[Element, list[Element]], str]] = {
    **{name: lambda _, parts, signs=signs: _scripted(parts, signs) for name, signs in _SCRIPTS.items()},  # type: ignore[misc]
    **dict.fromkeys(("f", "mfrac"), lambda _, parts: "/".join(_term(_said(part)) for part in parts)),
    "rad": lambda _, parts: _root(*[_said(part) for part in reversed(parts[:2])]),
    "mroot": lambda _, parts: _root(*[_said(part) for part in parts[:2]]),
    "msqrt": lambda _, parts: _root(_all(parts)),
    "nary": _operated,
    "d": _delimited,
    "mfenced": _fenced,
    "func": lambda _, parts: " ".join(filter(None, map(_said, parts))),
    **dict.fromkeys(("acc", "bar", "groupChr"), _accented),
    "sPre": _before,
    **dict.fromkeys(("m", "mtable"), lambda _, parts: f"[{'; '.join(map(_said, parts))}]"),
    "eqArr": lambda _, parts: "; ".join(map(_said, parts)),
    **dict.fromkeys(("mr", "mtr"), lambda _, parts: ", ".join(_said(part).strip() for part in parts)),
    "semantics": lambda _, parts: _said(parts[0]),
}


def _term(text: str) -> str:
    """In brackets, if it is more than one term."""
    text = text.strip()
    return text if _TERM.fullmatch(text) and text.count("(") < 2 else f"({text})"


def _property(node: Element, name: str, otherwise: str) -> str:
    """What OMML says about an element, such as the brackets that it has."""
    for properties in node:
        if local(properties.tag).endswith("Pr"):
            for each in properties:
                if local(each.tag) == name:
                    return next((value for key, value in each.items() if local(key) == "val"), "")
    return otherwise


def local(name: str) -> str:
    """The name without its namespace."""
    return name.rpartition("}")[2]


class PageFormula:
    """A formula of a page while its tags come. A page that gives its TeX, too, is taken at its word."""

    def __init__(self, attributes: Attributes) -> None:
        self._open = [Element("math")]
        self._tex = dict(attributes).get("alttext") or ""
        self._in_tex = False

    def start(self, tag: str, attributes: Attributes) -> bool:
        """Whether the element belongs to the formula: no paragraph does."""
        if tag in _BLOCKS:
            return False
        self._in_tex = tag == "annotation" and "tex" in (dict(attributes).get("encoding") or "")
        if len(self._open) < _DEEPEST:
            given = {name: value or "" for name, value in attributes}
            self._open.append(SubElement(self._open[-1], tag, given))
        return True

    def say(self, words: str) -> None:
        if self._in_tex:
            self._tex += words
        holder = self._open[-1]
        if len(holder):
            SubElement(holder, "mtext").text = words
        else:
            holder.text = (holder.text or "") + words

    def end(self, tag: str) -> None:
        self._in_tex = False
        if any(tag == each.tag for each in self._open[1:]):
            while self._open.pop().tag != tag:
                pass

    def text(self) -> str:
        wrapped = _TEX.fullmatch(self._tex)
        tex = " ".join((wrapped[1] if wrapped else self._tex).split())
        return f"${tex}$" if tex else linear(self._open[0])
