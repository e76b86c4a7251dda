"""Splits HTML into its parts, in order: words, start tags, end tags. It reads each part of the page once.

The standard library's html.parser takes quadratic time for broken pages (40,000 times "<a " takes minutes), and
Python versions differ in how they read them. Like a browser this accepts any page; unlike one it shows an
incomplete tag, comment or declaration as words, so that nothing is lost.
"""

from __future__ import annotations

import html
import re
from typing import Protocol

Attributes = list[tuple[str, str | None]]

_NAME = re.compile(r"[a-zA-Z][^\s/>]*")
_STOP = re.compile(r"[>=]")
_VALUE = re.compile(r"\s*(?:([\"'])|[^\s>]*)")
_ATTRIBUTE = re.compile(r"([^\s/>=]+)(\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s>]*)))?")
_CLOSE = re.compile(">")
_QUOTES = {mark: re.compile(mark) for mark in "\"'"}
_COMMENT_END = re.compile("--!?>")
_CDATA = "<![CDATA["
_CDATA_END = re.compile("]]>")
# The content of these is not HTML: it extends to their own end tag.
_RAW = {tag: re.compile(rf"</{tag}(?=[\s/>])", re.IGNORECASE) for tag in ("script", "style")}
_ENDLESS = re.compile("&#[0-9]{100,};?")  # Python reads no number of more than 4300 digits


def unescaped(text: str) -> str:
    """The text with its character references (&amp;, &#233;) replaced."""
    return html.unescape(_ENDLESS.sub("\ufffd", text)) if "&" in text else text


class Taker(Protocol):
    """Receives the parts of a page."""

    def take_words(self, words: str) -> None:
        """Words, perhaps in several pieces."""

    def take_start(self, tag: str, attributes: Attributes) -> None:
        """A start tag; its name in lower case."""

    def take_end(self, tag: str) -> None:
        """An end tag, whether or not it was opened."""


def read_tags(page: str, taker: Taker) -> None:
    """Pass the parts of the page to `taker`, in their order."""
    scan, at = _Scan(page, taker), 0
    while at < len(page):
        mark = page.find("<", at)
        if mark < 0:
            mark = len(page)
        if at < mark:
            taker.take_words(unescaped(page[at:mark]))
        at = scan.markup(mark) if mark < len(page) else mark


class _Scan:
    """Every method takes a position in the page, and returns the position at which to continue."""

    def __init__(self, page: str, taker: Taker) -> None:
        self._page = page
        self._taker = taker
        self._missing: set[re.Pattern[str]] = set()

    def markup(self, mark: int) -> int:
        """What the "<" at `mark` begins."""
        after = self._page[mark + 1 : mark + 2]
        if after.isascii() and after.isalpha():
            return self._start(mark)
        if after == "/":
            return self._end(mark)
        if after == "!":
            return self._declaration(mark)
        if after == "?":
            return self._past(_CLOSE, mark, mark + 2)
        return self._as_words(mark, mark + 1)

    def _start(self, mark: int) -> int:
        name = _NAME.match(self._page, mark + 1)
        assert name
        at = name.end()
        while stop := self._next(_STOP, at):
            if stop[0] == ">":
                return self._begin(name, at, stop.start())
            value = _VALUE.match(self._page, stop.end())
            assert value
            at = value.end()
            if value[1]:
                close = self._next(_QUOTES[value[1]], at)
                if not close:
                    return self._as_words(mark, at)  # what follows the open quote may be whole again
                at = close.end()
        return self._as_words(mark, len(self._page))

    def _begin(self, name: re.Match[str], last: int, end: int) -> int:
        """`last`: where the last value ended; a "/" after that belongs to the tag."""
        tag = name[0].lower()
        self._taker.take_start(tag, _attributes(self._page[name.end() : end]))
        if end > last and self._page[end - 1] == "/":
            self._taker.take_end(tag)
        elif tag in _RAW:
            close = self._next(_RAW[tag], end + 1)
            return self._as_words(end + 1, close.start() if close else len(self._page), raw=True)
        return end + 1

    def _end(self, mark: int) -> int:
        name = _NAME.match(self._page, mark + 2)
        close = self._next(_CLOSE, name.end() if name else mark + 2)
        if close is None:
            return self._as_words(mark, len(self._page))
        if name:
            self._taker.take_end(name[0].lower())
        return close.end()

    def _declaration(self, mark: int) -> int:
        if self._page.startswith("<!--", mark):
            end = self._next(_COMMENT_END, mark + 2)  # "<!-->" is a whole one
            return end.end() if end else self._as_words(mark, mark + 4)
        if self._page.startswith(_CDATA, mark) and (end := self._next(_CDATA_END, mark)):
            return end.end()
        return self._past(_CLOSE, mark, mark + 2)

    def _past(self, pattern: re.Pattern[str], mark: int, start: int) -> int:
        end = self._next(pattern, start)
        return end.end() if end else self._as_words(mark, len(self._page))

    def _as_words(self, start: int, end: int, raw: bool = False) -> int:
        words = self._page[start:end]
        self._taker.take_words(words if raw else unescaped(words))
        return end

    def _next(self, pattern: re.Pattern[str], start: int) -> re.Match[str] | None:
        """A pattern that was not found once is not searched for again: it is nowhere in the rest."""
        found = None if pattern in self._missing else pattern.search(self._page, start)
        if found is None:
            self._missing.add(pattern)
        return found


def _attributes(inside: str) -> Attributes:
    """The attributes of a start tag, from the text between its name and its end."""
    return [
        (name.lower(), unescaped(double or single or bare) if given else None)
        for name, given, double, single, bare in _ATTRIBUTE.findall(inside)
    ]
