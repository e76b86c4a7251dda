"""What a model, a file or a server may not send to a terminal. Everything that is drawn passes through here first.

Escape sequences go whole, so that no `[31m` or clipboard payload stays behind as text.
"""

from __future__ import annotations

import re

_STRING = (
    r"[^\x07\x1b\x9c\n]*"  # the body of an OSC, DCS, APC, PM or SOS; a newline ends one that was never closed
)
_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
    rf"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f]){_STRING}(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-Z\\`-~]?"
)
# Controls but tab and newline, bidi marks and overrides, interlinear marks, lone surrogates, tag characters.
_UNWANTED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]+"
)
_SEPARATOR = re.compile("[\u2028\u2029]")
_CUT_STRING = re.compile(rf"(\x1b[\]PX^_]|[\x90\x98\x9d-\x9f]){_STRING}(\x1b?)\Z")
_CUT_SEQUENCE = re.compile(r"(?:(?:\x1b\[|\x9b)[0-?]*[ -/]*|\x1b[ -/]*)\Z")
_LINK = re.compile(r"(?:https?://|mailto:)[^\s\x00-\x20\x7f-\x9f]+\Z", re.IGNORECASE)


def clean(text: str) -> str:
    """`text` with nothing in it that a terminal would obey. Newlines and tabs stay; CRLF becomes LF."""
    text = _SEPARATOR.sub("\n", text)
    if not _UNWANTED.search(text):
        return text
    return _UNWANTED.sub("", _SEQUENCE.sub("", text))


def one_line(text: str) -> str:
    """`clean`, and on one line: for names, titles and cells."""
    return " ".join(clean(text).split())


def safe_link(url: str) -> str:
    """`url` when it is one that may be made clickable (http, https, mailto), else an empty string."""
    return url if _LINK.match(url) and clean(url) == url else ""


class Cleaner:
    """`clean` for text that arrives in pieces: a sequence that is cut in two leaves nothing behind."""

    def __init__(self) -> None:
        self._held = ""

    def feed(self, piece: str) -> str:
        text = self._held + piece
        self._held = ""
        if cut := _CUT_STRING.search(text):
            self._held = cut[1] + cut[2]  # what the string says so far is dropped at once: memory stays flat
        elif cut := _CUT_SEQUENCE.search(text):
            self._held = cut[0][:64]
        return clean(text[: cut.start()] if cut else text)

    def finish(self) -> str:
        """What was held back, cleaned: nothing that can be seen."""
        self._held, held = "", self._held
        return clean(held)
