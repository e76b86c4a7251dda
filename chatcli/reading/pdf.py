"""PDF as text, page by page, by pypdf, which is imported when the first one is read.

Every page begins with the line "# Page N", so that passages are cut there and can name their page.
"""

from __future__ import annotations

import io
import logging
from typing import TYPE_CHECKING

from chatcli.errors import BadFile
from chatcli.hints import Do, Hint
from chatcli.reading.raw import LARGEST_TEXT, Raw, Reading, too_much_text

if TYPE_CHECKING:
    from pypdf import PdfReader

# A PDF may be arranged so that what can be read stays far below its size; a book has a few thousand pages.
_MOST_PAGES = 20_000
# Letters that are printed as one, as the letters they are; a hyphen that is only there at the end of a line.
_LETTERS = {0xFB00: "ff", 0xFB01: "fi", 0xFB02: "fl", 0xFB03: "ffi", 0xFB04: "ffl", 0xFB05: "st", 0xFB06: "st"}


def read_pdf(raw: Raw) -> Reading:
    """Its text. Raises BadFile when it is locked, damaged, or has only images, and when pypdf is not installed."""
    reader = _opened(raw)
    pages: list[str] = []
    unread = size = 0
    count = _count(reader, raw)
    for number in range(count):
        yield number, count
        try:
            text = reader.pages[number].extract_text()
        except Exception:  # a page can raise anything; the others may be sound
            text, unread = "(This page could not be read.)", unread + 1
        text = text.encode("utf-8", "replace").decode().translate(_LETTERS).replace("\u00ad\n", "").strip()
        size += len(text)
        if size > LARGEST_TEXT:
            raise too_much_text(raw.name)
        pages.append(text)
    yield count, count
    if unread == count:
        raise _damaged(raw)
    if not any(pages):
        raise BadFile(
            f"{raw.name} has no text: its pages are pictures, as a scanner makes them.",
            Hint(
                "Have its text recognized first (ocrmypdf does that), or attach pictures of its pages with ",
                Do("image"),
                ".",
            ),
        )
    return "\n\n".join(f"# Page {number}\n\n{text}" for number, text in enumerate(pages, 1)) + "\n"


def _opened(raw: Raw) -> PdfReader:
    try:
        from pypdf import PasswordType, PdfReader
        from pypdf.errors import DependencyError
    except ImportError:
        raise BadFile(
            f"{raw.name} is a PDF, and the library that reads those is not installed.",
            'Install it beside chatcli: pip install "pypdf>=6.10" (chatcli\'s extra [documents] has it).',
        ) from None
    logging.getLogger("pypdf").disabled = True  # its warnings about a file would appear on the screen
    try:
        reader = PdfReader(io.BytesIO(raw.data))
        # Many are encrypted with no password, only to forbid printing: those open.
        locked = reader.is_encrypted and reader.decrypt("") is PasswordType.NOT_DECRYPTED
    except DependencyError:
        locked = True
    except Exception as error:
        raise _damaged(raw) from error
    if locked:
        raise BadFile(f"{raw.name} is encrypted.", "Save a copy without a password, and attach that.")
    return reader


def _count(reader: PdfReader, raw: Raw) -> int:
    try:
        count = len(reader.pages)
    except Exception as error:
        raise _damaged(raw) from error
    if not count:
        raise BadFile(f"{raw.name} has no pages.")
    if count > _MOST_PAGES:
        raise BadFile(f"{raw.name} has {count} pages; {_MOST_PAGES} can be read.", "Attach a part of it.")
    return count


def _damaged(raw: Raw) -> BadFile:
    return BadFile(f"{raw.name} is a damaged PDF.", "Get it again, or open it in a viewer and save a copy.")
