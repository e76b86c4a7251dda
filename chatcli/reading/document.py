"""The text of a file or a page of any kind; what is no text is refused with advice on what to do instead."""

from __future__ import annotations

import re

from chatcli.errors import BadFile
from chatcli.reading.docx import read_docx
from chatcli.reading.encoding import decoded
from chatcli.reading.html import text_of_html
from chatcli.reading.notebook import is_notebook, text_of_notebook
from chatcli.reading.pdf import read_pdf
from chatcli.reading.raw import LARGEST, LARGEST_TEXT, Extracted, Raw, Reading, too_large, too_much_text
from chatcli.reading.signatures import FileKind, kind_of

_HTML = frozenset({"text/html", "application/xhtml+xml"})
_DECLARED = re.compile(
    rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w-]+)|<\?xml[^>]{0,200}?encoding=["']([\w-]+)""", re.IGNORECASE
)
_DECLARED_WITHIN = 4096  # bytes; browsers look at 1024


def read(raw: Raw) -> Reading:
    """Its text and notes on it; yields progress where it takes long. Raises BadFile for what cannot be read.

    HTML from the web becomes readable text; an HTML file is attached as it is written, like other files.
    """
    if len(raw.data) > LARGEST:
        raise too_large(raw.name)
    if not raw.data.strip():
        raise BadFile(f"{raw.name} is empty.")
    found = kind_of(raw.data)
    if found.kind is FileKind.OTHER:
        raise BadFile(f"{raw.name} is {found.what}.", found.instead)
    if found.kind is FileKind.PDF:
        extracted = yield from read_pdf(raw)
    elif found.kind is FileKind.DOCX:
        extracted = yield from read_docx(raw)
    else:
        extracted = Extracted(_plain(raw))
    if len(extracted.text) > LARGEST_TEXT:
        raise too_much_text(raw.name)
    return extracted


def _plain(raw: Raw) -> str:
    html = raw.media_type in _HTML
    text = decoded(raw.data, raw.charset or (_declared(raw.data) if html or raw.data.startswith(b"<?xml") else ""))
    if is_notebook(text):
        return text_of_notebook(text, raw.name)
    if not html:
        return text
    readable = text_of_html(text)
    if not readable:
        raise BadFile(
            f"The page {raw.name} has no text of its own; it may be made by a script.",
            "Open it in a browser, save what it shows, and attach that.",
        )
    return readable + "\n"


def _declared(data: bytes) -> str:
    found = _DECLARED.search(data[:_DECLARED_WITHIN])
    return (found[1] or found[2]).decode("ascii", "replace") if found else ""
