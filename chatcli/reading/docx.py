"""DOCX as text, by mammoth, which is imported when the first one is read.

mammoth converts a document to clean HTML and html.py converts that to text, so a heading, a list or a table looks
the same wherever it comes from. It was chosen over python-docx, which silently skips text inserted with tracked
changes, content controls and footnotes, does not number lists, and brings lxml (12 MB) with it; mammoth brings
only cobble (4 kB). It reads a document into a tree, so the size of that tree is limited first; and it leaves out
formulas, fields and the numbers of lists in silence, so word_xml.py makes words of them before.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from zipfile import ZipInfo

from chatcli.errors import BadFile
from chatcli.hints import Do, Hint
from chatcli.reading.html import text_of_html
from chatcli.reading.raw import Extracted, Raw, Reading, left_out, too_deep
from chatcli.reading.word_xml import prepared
from chatcli.reading.zips import Broken, Zip, opened

# The tree takes about half a kilobyte for every element and attribute: these stay under some 600 MB.
_LARGEST_XML = 40_000_000  # bytes, unpacked
_MOST_PARTS = 1_000_000  # elements and attributes; a page of a report has about 400
_LARGEST_UNPACKED = 500_000_000  # bytes as the zip says, pictures too
_PIECE = 1 << 16
_BACK = re.compile(r' ?<a href="#(?:foot|end)note-ref-[^"]*">↑</a>')  # from a note to where it is named
_TITLES = "p[style-name='Title'] => h1:fresh\np[style-name='Subtitle'] => h2:fresh"


def read_docx(raw: Raw) -> Reading:
    """Its headings, paragraphs, lists, tables and notes. Raises BadFile when it is damaged, too large, or has no
    text, and when mammoth is not installed.
    """
    try:
        import mammoth
        from mammoth.docx.dingbats import dingbats
    except ImportError:
        raise BadFile(
            f"{raw.name} is a Word document, and the library that reads those is not installed.",
            'Install it beside chatcli: pip install "mammoth>=1.11" (chatcli\'s extra [documents] has it).',
        ) from None
    yield 0, 0
    try:
        document = prepared(_parts(raw), dingbats)
        html: str = mammoth.convert_to_html(
            io.BytesIO(document.data),
            style_map=_TITLES,
            include_embedded_style_map=False,
            convert_image=lambda _: [],
        ).value
        text = "\n\n".join(filter(None, (text_of_html(_BACK.sub("", html)), "\n".join(document.margins))))
    except Broken as error:
        raise _damaged(raw) from error
    except BadFile:
        raise
    except RecursionError:
        raise too_deep(raw.name) from None
    except Exception as error:  # whatever a broken document can be made to raise
        raise _damaged(raw) from error
    if not text.strip():
        raise BadFile(f"{raw.name} has no text.", Hint("Pictures in it can be attached with ", Do("image"), "."))
    return Extracted(text + "\n", left_out(raw.name, document.lost))


def _parts(raw: Raw) -> dict[str, bytes]:
    """The XML in the document. The sizes that a zip states may be wrong: it is unpacked in pieces, and counted."""
    size = parts = 0
    found: dict[str, bytes] = {}
    with opened(raw.data, raw.name) as archive:
        members = archive.members()
        if sum(member.file_size for member in members) > _LARGEST_UNPACKED:
            raise _too_large(raw)
        for member in members:
            pieces = []
            for piece in _xml(archive, member):
                pieces.append(piece)
                size += len(piece)
                parts += piece.count(b"<") + piece.count(b"=")
                if size > _LARGEST_XML or parts > _MOST_PARTS:
                    raise _too_large(raw)
            if pieces:
                found[member.filename] = b"".join(pieces)
    return found


def _xml(archive: Zip, member: ZipInfo) -> Iterator[bytes]:
    """The part in pieces, if its first bytes other than blanks are XML: any part may be named as the document."""
    is_xml = False
    for piece in archive.pieces(member, _PIECE):
        begin = piece.lstrip(b"\xef\xbb\xbf\xfe\xff\0 \t\r\n")
        if begin and not is_xml and not begin.startswith(b"<"):
            return
        is_xml = is_xml or bool(begin)
        yield piece


def _damaged(raw: Raw) -> BadFile:
    return BadFile(f"{raw.name} is a damaged Word document.", "Open it in a word processor and save a copy.")


def _too_large(raw: Raw) -> BadFile:
    return BadFile(
        f"{raw.name} unpacks to more than can be read.", "Save it as plain text, and attach that or a part of it."
    )
