"""Removes what a model, a file or a server may not send to a terminal. Everything that is drawn passes through
here first.

Escape sequences are removed whole, so that no `[31m` or clipboard payload stays behind as text.
"""

from __future__ import annotations

import re
from collections import deque

from chatcli.text import UNWANTED, without_unwanted

_STRING = (
    r"[^\x07\x1b\x9c\n]*"  # the body of an OSC, DCS, APC, PM or SOS; a newline ends one that was never closed
)
# Each matches all it can and never fails once begun, so a text is read once. Groups 1, 3, 4: it is complete.
_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*([@-~])?"
    rf"|(\x1b[\]PX^_]|[\x90\x98\x9d-\x9f]){_STRING}(?:(\x07|\x1b\\|\x9c)|\x1b\Z)?"
    r"|\x1b[ -/]*([0-Z\\`-~])?"
)
_SEPARATOR = re.compile("[\u2028\u2029]")
_LINK = re.compile(r"(?:https?://|mailto:)[^\s\x00-\x20\x7f-\x9f]+\Z", re.IGNORECASE)


def clean(text: str) -> str:
    """Returns `text` with nothing in it that a terminal would obey. Newlines and tabs stay; CRLF becomes LF."""
    text = _SEPARATOR.sub("\n", text)
    if not UNWANTED.search(text):
        return text
    return without_unwanted(_SEQUENCE.sub("", text))


def one_line(text: str) -> str:
    """Returns clean() text on one line: for names, titles and cells."""
    return " ".join(clean(text).split())


def safe_link(url: str) -> str:
    """Returns `url` if it may be clickable (http, https, mailto), else an empty string."""
    return url if _LINK.match(url) and clean(url) == url else ""


class Cleaner:
    """clean() for text that arrives in pieces: a sequence cut in two leaves nothing behind."""

    def __init__(self) -> None:
        self._held = ""

    def feed(self, piece: str) -> str:
        text = _SEPARATOR.sub("\n", self._held + piece)
        self._held = ""
        found = deque(_SEQUENCE.finditer(text), maxlen=1)
        last = found[0] if found else None
        if last is None or last.end() < len(text) or last[1] or last[3] or last[4]:
            return clean(text)
        if last[2]:  # the content so far is dropped at once: memory stays flat
            self._held = last[2] + ("\x1b" if text.endswith("\x1b") else "")
        else:
            self._held = last[0][:64]
        return clean(text[: last.start()])

    def finish(self) -> str:
        """Returns the text that was held back, cleaned: nothing visible."""
        self._held, held = "", self._held
        return clean(held)
