"""Converts Markdown inside a block (emphasis, code, links) to spans. Imports markdown-it: import it late."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from markdown_it import MarkdownIt
from markdown_it.common.utils import normalizeReference
from markdown_it.rules_block import StateBlock, reference
from markdown_it.token import Token

from chatcli.render import dialect
from chatcli.render.lines import Span, both
from chatcli.render.sanitize import safe_link
from chatcli.render.theme import Palette
from chatcli.text import clean

# markdown-it's environment: what `[label]: url` lines have defined so far; None for a label only mentioned so far.
References = dict[str, Any]

_LINE_END = re.compile(r"(?<![ \t\\])[ \t]+(?=\n)")  # a space keeps a backslash from making a hard break
_MARKUP = re.compile(r"[\\`*_\[\]!<&~$]|  \n|://")
_OPENER = re.compile(r"[`\[]|[*~](?=\S|\Z)|(?<!\w)_|<(?=[A-Za-z/!?])|&(?=[#\w]*\Z)|!\Z|\\\Z")
_LABEL = re.compile(r"\\.|\[((?:[^\[\]\\]|\\.){1,999}+)\]", re.DOTALL)
_DOLLAR = re.compile(r"\$(?=\S|\Z)")
_BEGIN = re.compile(r"egin\{[A-Za-z]*\*?(?:\}|\Z)|e?g?i?n?\Z")  # after the escape of its b
_OPENS_FORMULA = {"\\(", "\\["}  # escapes, unless the end of a formula follows
_BREAK = re.compile(r"<br\s*/?>\Z", re.IGNORECASE)
_STYLE_OF = {"strong": "strong", "em": "emphasis", "s": "strike", "link": "link"}


def spans(
    text: str, palette: Palette, sgr: str = "", references: References | None = None, goes_on: bool = False
) -> list[Span]:
    """Returns the text of one paragraph, heading or cell as it is displayed; a newline in it is a hard break.

    `goes_on`: more text follows, so a break at the end counts.
    """
    text = _flat(text)
    if not _MARKUP.search(text):
        return [Span(text.replace("\n", " "), sgr)]
    shown = _Look(palette, sgr).draw(_parse(text, references))
    while not goes_on and shown and shown[-1].text.endswith("\n"):
        shown[-1] = shown[-1]._replace(text=shown[-1].text.rstrip("\n"))
        if not shown[-1].text:
            shown.pop()
    return shown


def settled(text: str, palette: Palette, sgr: str, references: References | None) -> list[Span] | None:
    """Same as spans() for the beginning of a growing text; None when what follows could change its look."""
    text = _flat(text)
    if not _MARKUP.search(text):
        return [Span(text.replace("\n", " "), sgr)]
    tokens = _parse(text, references)
    behind, after = 0, ""  # how many characters follow the token, at least, and the first of them
    for token in reversed(tokens):
        if token.type == "text" and _OPENER.search(token.content):
            return None
        if _may_open_formula(token, after, dialect.LONGEST - behind):
            return None
        behind, after = behind + len(token.content), token.content
    return _Look(palette, sgr).draw(tokens)


def _may_open_formula(token: Token, after: str, near: int) -> bool:
    """Whether `token`, read as text, has an opening that what follows `near` characters behind it could end."""
    if token.type == "text" and near >= 0:
        return _DOLLAR.search(token.content, max(0, len(token.content) - near - 2)) is not None
    if token.markup == "\\b" and (name := _BEGIN.match(after)):
        return near + name.end() >= 0
    return token.markup in _OPENS_FORMULA and near >= 0


def _flat(text: str) -> str:
    """Returns `text` without insignificant white space at line ends, where only two spaces have a meaning."""
    if " \n" in text or "\t" in text:
        text = _LINE_END.sub(lambda blanks: "  " if blanks[0].endswith("  ") else "", text)
    return text.replace("\t", " ")


@lru_cache(maxsize=1)
def _markdown() -> MarkdownIt:
    return dialect.teach(MarkdownIt("commonmark").enable("strikethrough"))


def _parse(text: str, references: References | None) -> list[Token]:
    markdown = _markdown()
    tokens: list[Token] = []
    markdown.inline.parse(text, markdown, references if references is not None else {}, tokens)
    return tokens


class _Look:
    """Walks the tokens with the styles that are open at each of them."""

    def __init__(self, palette: Palette, sgr: str) -> None:
        self._palette = palette
        self._open = [sgr]
        self._link = ""
        self._shown: list[Span] = []

    def draw(self, tokens: Sequence[Token]) -> list[Span]:
        for token in tokens:
            self._token(token)
        return _merged(self._shown)

    def _token(self, token: Token) -> None:
        kind = token.type
        last = self._shown[-1].text[-1] if self._shown else ""
        if kind == "text":
            self._say(token.content.lstrip(" ") if last == "\n" else token.content)
        elif kind == "softbreak":
            self._say("" if last in {" ", "\n"} else " ")
        elif kind == "text_special":  # an entity or an escape may be a character that clean() never saw
            self._say(clean(token.content).replace("\n", " "))
        elif kind in {"code_inline", "formula"}:
            self._say(token.content, self._palette["code"])
        elif kind == "hardbreak" or (kind == "html_inline" and _BREAK.match(token.content)):
            self._say("\n")
        elif kind == "html_inline":
            self._say(token.content, self._palette["html"])
        elif kind == "image":
            self._image(token)
        elif token.nesting == 1:
            self._enter(token)
        elif token.nesting == -1:
            self._leave(token)

    def _enter(self, token: Token) -> None:
        name = token.type.removesuffix("_open")
        self._open.append(both(self._open[-1], self._palette[_STYLE_OF[name]]))
        if name == "link":
            self._link = clean(str(token.attrs.get("href", "")))
            self._from = len(self._shown)

    def _leave(self, token: Token) -> None:
        self._open.pop()
        if token.type == "link_close":
            shown = "".join(span.text for span in self._shown[self._from :])
            url, self._link = self._link, ""
            self._address(shown, url)

    def _image(self, token: Token) -> None:
        said = " ".join(clean(token.content).split())
        self._say(said or "image", self._palette["emphasis"])
        self._address(said, clean(str(token.attrs.get("src", ""))))

    def _address(self, shown: str, url: str) -> None:
        """The target of a link is always displayed, unless the link's text is the target."""
        if url and shown not in {url, url.removeprefix("mailto:"), url.rstrip("/")}:
            self._say(f" ({url})", self._palette["url"], url)

    def _say(self, text: str, sgr: str = "", link: str = "") -> None:
        link = safe_link(link or self._link) if self._palette.has_links else ""
        if text:
            self._shown.append(Span(text, both(self._open[-1], sgr), link))


def _merged(shown: Iterable[Span]) -> list[Span]:
    merged: list[Span] = []
    for span in shown:
        if merged and merged[-1][1:] == span[1:]:
            merged[-1] = Span(merged[-1].text + span.text, span.sgr, span.link)
        elif span.text:
            merged.append(span)
    return merged


class Definition(NamedTuple):
    """A link definition at the beginning of a paragraph. `end`: the index of the line behind it."""

    label: str
    href: str
    title: str
    end: int

    def spans(self, palette: Palette) -> list[Span]:
        title = " ".join(clean(self.title).split())
        link = safe_link(self.href) if palette.has_links else ""
        name = f"[{' '.join(clean(self.label).split())}]: "
        return [Span(name, palette["url"]), Span(self.href, palette["url"], link)] + (
            [Span(f' "{title}"', palette["url"])] if title else []
        )


def definitions(paragraph: str) -> Iterator[Definition]:
    """Yields the link definitions that the paragraph begins with."""
    state = StateBlock(paragraph, _definer(), {}, [])
    line = 0
    while line < state.lineMax and not dialect.is_footnote(state, line):
        if not reference(state, line, state.lineMax, False):
            return
        meta = state.tokens.pop().meta
        yield Definition(meta["label"], meta["url"], meta["title"], state.line)
        line = state.line


@lru_cache(maxsize=1)
def _definer() -> MarkdownIt:
    return MarkdownIt("zero", {"inline_definitions": True}).enable("reference")


def define(found: Definition, references: References) -> bool:
    """Remembers the definition (a label's first one counts). Returns whether the label was mentioned before it."""
    known, label = references.setdefault("references", {}), normalizeReference(found.label)
    was_mentioned = known.get(label, False) is None
    if not known.get(label):
        known[label] = {"href": found.href, "title": found.title}
    return was_mentioned


def mention(text: str, references: References) -> None:
    """Remembers the labels in text that is drawn: a definition that comes later is shown, since it changes nothing
    that is drawn already.
    """
    if "]" in text:
        known = references.setdefault("references", {})
        for found in _LABEL.finditer(text):
            if found[1]:
                known.setdefault(normalizeReference(found[1]), None)
