"""The words of one block of a page, and what markup says of them: raised, struck out, linked, pictured, hidden."""

from __future__ import annotations

import re

LINK = "link"
# How elements mark their words.
_MARKED = {"a": LINK, "sup": "^", "sub": "_", "del": "~~", "s": "~~", "strike": "~~", "q": '"', "rt": "("}
VOID = frozenset("area base br col embed hr img input link meta param source track wbr".split())  # noqa: SIM905
_DEEPEST = 20  # marks in marks
_UNMARKED = re.compile(r"\[.*|st|nd|rd|th|[™®℠©]", re.DOTALL)  # raised: the number of a note, 1st, a trade mark
_ONE_TERM = re.compile(r"[+\-−]?[\w.]+|[^\w\s]")
_NO_ADDRESS = re.compile(r"#|javascript:|data:|\Z", re.IGNORECASE)
_SCHEME = re.compile(r"(https?://|mailto:|tel:)(www\.)?", re.IGNORECASE)
_DECLARED = re.compile(r"([\w-]+)\s*:\s*([\w-]+)[^;]*")
_HIDING = {("display", "none"), ("visibility", "hidden"), ("visibility", "collapse")}
_STYLED = {
    ("text-decoration", "line-through"): "~~",
    ("text-decoration-line", "line-through"): "~~",
    ("vertical-align", "super"): "^",
    ("vertical-align", "sub"): "_",
}
# Scripts hide these until the page is ready.
_NEVER_HIDDEN = frozenset({"html", "body", "main"})
_BLOCKS = frozenset(
    "address article aside blockquote body center details dd div dl dt fieldset figure footer form h1 "  # noqa: SIM905
    "h2 h3 h4 h5 h6 header hr html li main menu nav ol p pre section table tbody td tfoot th thead tr ul".split()
)
_GROUPS = frozenset({"tbody", "thead", "tfoot"})
# Elements whose end tag may be missing: what begins next to them and ends them, and what may hold others of them.
_ENDED_BY: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "p": (_BLOCKS, _BLOCKS),
    "li": (frozenset({"li"}), frozenset({"ul", "ol", "menu"})),
    **dict.fromkeys(("dt", "dd"), (frozenset({"dt", "dd"}), frozenset({"dl"}))),
    **dict.fromkeys(("td", "th"), (frozenset({"td", "th", "tr"}) | _GROUPS, frozenset({"table"}))),
    "tr": (frozenset({"tr"}) | _GROUPS, frozenset({"table"})),
    **dict.fromkeys(_GROUPS, (_GROUPS, frozenset({"table"}))),
}
_TEXT_FIELDS = frozenset({"", "text", "email", "number", "date", "time", "tel", "url", "search", "month", "week"})


class Words:
    """Pieces of text, and the marks that are open among them."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.worded = False  # there is more than blanks in it
        self._open: list[tuple[str, str, str, int]] = []  # tag, mark, address, and the piece at which it begins
        self._bare = ""  # what was raised or lowered just now without brackets, with its mark

    def say(self, words: str) -> None:
        if self._bare and words:
            before, after = self._bare[-1], words[0]
            if (before.isdigit() and after.isdigit()) or (before.isalpha() and after.isalpha()):
                self.pieces[-1] = f"{self._bare[0]}({self._bare[1:]})"
            self._bare = ""
        self.pieces.append(words)
        self.worded = self.worded or not words.isspace()

    def open(self, tag: str, mark: str, address: str = "") -> None:
        """Begin an element that has a mark, or is in another of its name: so their ends are told apart."""
        if mark == LINK:
            self.close(tag)
        if (mark or any(tag == each[0] for each in self._open)) and len(self._open) < _DEEPEST:
            self._open.append((tag, mark, address, len(self.pieces)))

    def close(self, tag: str) -> None:
        """End the last such element, if one is open, and those in it."""
        while any(tag == each[0] for each in self._open):
            inmost, mark, address, start = self._open.pop()
            self._mark(mark, address, start)
            if inmost == tag:
                return

    def take(self) -> str:
        """All of it. What strikes out goes on in the next block, and so does a link without words."""
        again = []
        while self._open:
            tag, mark, address, start = self._open.pop()
            marked = self._mark(mark, address, start)
            if (mark == "~~" and tag not in _ENDED_BY) or (mark == LINK and not marked):
                again.append((tag, mark, address, 0))
        self._open = again[::-1]
        text = "".join(self.pieces)
        self.pieces.clear()
        self.worded, self._bare = False, ""
        return text

    def _mark(self, mark: str, address: str, start: int) -> bool:
        """Whether there are words to mark."""
        inside = "".join(self.pieces[start:])
        words = inside.strip()
        if mark and words:
            marked = _linked(words, address) if mark == LINK else _marked(mark, words)
            begin, end = inside[: len(inside) - len(inside.lstrip())], inside[len(inside.rstrip()) :]
            self.pieces[start:] = [begin, marked, *filter(None, [end])]
            self._bare = marked if not end and mark in {"^", "_"} and marked == mark + words else ""
        return bool(words)


def mark_of(tag: str, given: dict[str, str | None]) -> str:
    """How the element marks its words; "" when it does not."""
    styled = (_STYLED[each] for each in _style(given) if each in _STYLED)
    return _MARKED.get(tag) or next(styled, "")


def _marked(mark: str, words: str) -> str:
    if mark in {"^", "_"}:
        if _UNMARKED.fullmatch(words):
            return words
        return mark + (words if _ONE_TERM.fullmatch(words) else f"({words})")
    return f"({words})" if mark == "(" else f"{mark}{words}{mark}"


def _linked(words: str, address: str) -> str:
    """The words with the address, unless they are the address or it leads only to another part of the page."""
    address = re.sub(r"[\t\r\n]", "", address.strip()).replace(" ", "%20")
    if _NO_ADDRESS.match(address) or _SCHEME.sub("", address, count=1).rstrip("/") in words:
        return words
    return f"[{' '.join(words.split())}]({address})"


def _style(given: dict[str, str | None]) -> list[tuple[str, str]]:
    """The declarations in the style attribute; of each property the last."""
    style = given.get("style")
    return list(dict(_DECLARED.findall(style.lower())).items()) if style else []


def shown_by(tag: str, given: dict[str, str | None]) -> str:
    """What an element without content shows: a picture's description, or the state of a field."""
    kind = (given.get("type") or "").lower()
    if tag == "input" and kind in {"checkbox", "radio"}:
        return "[x] " if "checked" in given else "[ ] "
    if tag == "input" and kind in _TEXT_FIELDS:
        return given.get("value") or ""
    alt = " ".join((given.get("alt") or "").split()) if tag in {"img", "area"} or kind == "image" else ""
    return f"[picture: {alt}]" if any(map(str.isalnum, alt)) else alt


def is_hidden(tag: str, given: dict[str, str | None], in_line: bool) -> bool:
    """Whether the markup itself says that nobody sees it. What style sheets and scripts hide is not known here."""
    if tag in _NEVER_HIDDEN:
        return False
    if "hidden" in given and given["hidden"] != "until-found":
        return True
    if given.get("aria-hidden") == "true" and in_line and not given.get("alt"):  # decoration
        return True
    return not _HIDING.isdisjoint(_style(given))


class Skipped:
    """An element that is left out, up to its end tag, or where that may be missing up to what ends it."""

    def __init__(self, tag: str) -> None:
        self.depth = 1  # 0 when it has ended
        self._tag = tag
        self._ends, self._holders = _ENDED_BY.get(tag, (frozenset[str](), frozenset[str]()))
        self._held = 0  # so many of the holders are open in it

    def holds_start(self, tag: str) -> bool:
        """Whether this start tag is still in it."""
        if not self._held and tag in self._ends:
            return False
        self.depth += tag == self._tag and not self._ends
        self._held += tag in self._holders
        return True

    def holds_end(self, tag: str) -> bool:
        """Whether this end tag is still in it; its own is."""
        if self._held:
            self._held -= tag in self._holders
        elif tag == self._tag:
            self.depth -= 1
        elif tag in self._ends | self._holders:
            self.depth = 0
            return False
        return True
