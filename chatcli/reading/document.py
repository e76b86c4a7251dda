"""The text of a file or a page of any kind; what is no text is refused with advice on what to do instead."""

from __future__ import annotations

import re

from chatcli.errors import BadFile
from chatcli.hints import Do, Hint, Words
from chatcli.reading.docx import read_docx
from chatcli.reading.encoding import Decoded, decode, decode_as
from chatcli.reading.html import text_of_html
from chatcli.reading.mail import is_mail, text_of_mail
from chatcli.reading.notebook import is_notebook, text_of_notebook
from chatcli.reading.pdf import read_pdf
from chatcli.reading.raw import LARGEST, LARGEST_TEXT, Extracted, Raw, Reading, too_large, too_much_text
from chatcli.reading.signatures import NO_TEXT, FileKind, kind_of
from chatcli.reading.terminal_codes import as_shown

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
    if found.kind is FileKind.OTHER and not (raw.encoding and found == NO_TEXT):
        raise BadFile(f"{raw.name} is {found.what}.", found.instead)
    if found.kind is FileKind.PDF:
        extracted = yield from read_pdf(raw)
    elif found.kind is FileKind.DOCX:
        extracted = yield from read_docx(raw)
    else:
        extracted = _plain(raw)
    if len(extracted.text) > LARGEST_TEXT:
        raise too_much_text(raw.name)
    return extracted


def _plain(raw: Raw) -> Extracted:
    html = raw.media_type in _HTML
    found = _decoded(raw, html)
    notes = (_is_guess(raw.name, found.encoding),) if found.guessed else ()
    extracted = _text(raw.name, found.text, html)
    return Extracted(extracted.text, (*notes, *extracted.notes))


def _decoded(raw: Raw, html: bool) -> Decoded:
    if not raw.encoding:
        is_marked_up = html or raw.data.startswith(b"<?xml")
        return decode(raw.data, raw.charset or (_declared(raw.data) if is_marked_up else ""))
    try:
        return decode_as(raw.data, raw.encoding)
    except UnicodeDecodeError:
        raise BadFile(
            f"{raw.name} is not text in {raw.encoding}.", Hint("Name another: ", _ENCODING, ".")
        ) from None


def _is_guess(name: str, encoding: str) -> Words:
    known = encoding.replace("_", "-")
    return Hint(
        f"{name} is read as {known}, which is a guess. If that is wrong, name its encoding: ", _ENCODING, "."
    )


_ENCODING = Do("set", "encoding", "VALUE")


def _text(name: str, text: str, html: bool) -> Extracted:
    if is_notebook(text):
        return text_of_notebook(text, name)
    if not html:
        return Extracted(text_of_mail(text, name) if is_mail(text) else as_shown(text))
    readable = text_of_html(text)
    if not readable:
        raise BadFile(
            f"The page {name} has no text of its own; it may be made by a script.",
            "Open it in a browser, save what it shows, and attach that.",
        )
    return Extracted(readable + "\n")


def _declared(data: bytes) -> str:
    found = _DECLARED.search(data[:_DECLARED_WITHIN])
    return (found[1] or found[2]).decode("ascii", "replace") if found else ""
