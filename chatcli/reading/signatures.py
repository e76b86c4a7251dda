"""Tells the kind of a file (an image, a document, a packed archive) by its first bytes. Its name proves
nothing.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import NamedTuple

from chatcli.errors import BadFile
from chatcli.hints import Do, Hint, Words
from chatcli.reading.encoding import is_binary

_PICTURE_MARKS = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)
# Other kinds that people try to send, recognized so that errors can name them.
_OTHERS = (
    (0, b"BM", "a BMP picture"),
    (0, b"II*\x00", "a TIFF picture"),
    (0, b"MM\x00*", "a TIFF picture"),
    (4, b"ftypavif", "an AVIF picture"),
    (4, b"ftyphe", "a HEIC picture"),
    (4, b"ftypmif1", "a HEIC picture"),
    (0, b"%PDF", "a PDF document"),
    (0, b"<svg", "an SVG drawing"),
)


def media_type_of(data: bytes) -> str | None:
    """image/png, image/jpeg, image/gif or image/webp; None for everything else."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((media_type for mark, media_type in _PICTURE_MARKS if data.startswith(mark)), None)


def what_else(data: bytes) -> str:
    """The kind of a file that is no image for models; completes "it is"."""
    return next((what for at, mark, what in _OTHERS if data.startswith(mark, at)), "not a picture")


HEAD = 4096  # bytes that are enough to know a kind by, but for what is inside a zip
_LONGEST_LIST = 2_000_000  # bytes of the list of what is in a zip; a document has some dozen members
_PDF_WITHIN = 1024  # junk may stand before a PDF's mark


class FileKind(Enum):
    TEXT = "text"
    PDF = "pdf"
    DOCX = "docx"
    OTHER = "other"


class Signature(NamedTuple):
    """`what` it is in words, and what to do `instead`, where it is nothing that can be read here."""

    kind: FileKind
    what: str = ""
    instead: Words = ""


_AS_PICTURE = Hint("Attach it with ", Do("image"), ".")
_AS_PDF = "Save it as PDF, DOCX or plain text, and attach that."
_UNPACK = "Unpack it, and attach the files in it."

NO_TEXT = Signature(FileKind.OTHER, "no text", Hint("Attach its text, or a picture with ", Do("image"), "."))

_OLD_OFFICE = b"\xd0\xcf\x11\xe0"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")  # how a DOCX with a password is wrapped
_MARKS: tuple[tuple[int, bytes, str, Words], ...] = (
    (0, b"\x89PNG", "a picture", _AS_PICTURE),
    (0, b"\xff\xd8\xff", "a picture", _AS_PICTURE),
    (0, b"GIF8", "a picture", _AS_PICTURE),
    (8, b"WEBP", "a picture", _AS_PICTURE),
    (0, _OLD_OFFICE, "a document of an old Office", _AS_PDF),
    (0, b"\x1f\x8b", "a packed archive", _UNPACK),
    (0, b"7z\xbc\xaf", "a packed archive", _UNPACK),
    (0, b"Rar!", "a packed archive", _UNPACK),
    (0, b"BZh", "a packed archive", _UNPACK),
    (0, b"\xfd7zXZ", "a packed archive", _UNPACK),
    (0, b"{\\rtf", "an RTF document", _AS_PDF),
    (0, b"SQLite format 3", "a database", "Attach what is in it as text."),
)
_IN_ZIP: tuple[tuple[str, str, str], ...] = (
    (r"xl/", "a spreadsheet", "Save it as CSV, and attach that."),
    (r"ppt/", "a presentation", "Save it as PDF, and attach that."),
    (r"content\.xml$", "an OpenDocument file", _AS_PDF),
    (r"META-INF/container\.xml$", "an EPUB book", "Save its text, and attach that."),
)


def kind_of(data: bytes) -> Signature:
    """The kind of the whole content; a zip's first bytes alone do not show what is in it."""
    if b"%PDF-" in data[:_PDF_WITHIN]:
        return Signature(FileKind.PDF)
    if data.startswith(b"PK\x03\x04"):
        return _zipped(data)
    if data.startswith(_OLD_OFFICE) and _ENCRYPTED in data:
        return Signature(
            FileKind.OTHER, "an encrypted document", "Save a copy without a password, and attach that."
        )
    for at, mark, what, instead in _MARKS:
        if data.startswith(mark, at):
            return Signature(FileKind.OTHER, what, instead)
    if is_binary(data):
        return NO_TEXT
    return Signature(FileKind.TEXT)


def hopeless(head: bytes) -> bool:
    """Whether the first bytes already show that this cannot be read."""
    return not head.startswith(b"PK\x03\x04") and kind_of(head).kind is FileKind.OTHER


def _zipped(data: bytes) -> Signature:
    from chatcli.reading.zips import opened

    try:
        with opened(data, "it", _LONGEST_LIST) as archive:
            names = [member.filename for member in archive.members()]
    except BadFile:
        return Signature(FileKind.OTHER, "a damaged archive", "Get it again.")
    if any(re.match(r"word/document\d*\.xml$", name) for name in names):
        return Signature(FileKind.DOCX)
    for pattern, what, instead in _IN_ZIP:
        if any(re.match(pattern, name) for name in names):
            return Signature(FileKind.OTHER, what, instead)
    return Signature(FileKind.OTHER, "a packed archive", _UNPACK)
