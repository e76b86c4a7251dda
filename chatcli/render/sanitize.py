"""Removes what a model, a file or a server may not send to a terminal. Everything that is drawn passes through
here first; text.py knows the sequences.
"""

from __future__ import annotations

import re
from collections import deque

from chatcli.pattern import pattern
from chatcli.text import SEPARATOR, SEQUENCE, clean

_LINK = pattern(r"(?:https?://|mailto:)[^\s\x00-\x20\x7f-\x9f]+\Z", re.IGNORECASE)


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
        text = SEPARATOR.sub("\n", self._held + piece)
        self._held = ""
        found = deque(SEQUENCE.finditer(text), maxlen=1)
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
