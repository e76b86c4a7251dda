"""Decodes bytes to text: by a byte order mark, by the declared encoding, else by the bytes themselves."""

from __future__ import annotations

import re

_MARKS = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe\0\0", "utf-32-le"),
    (b"\0\0\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
# What the web declares and Python knows. Python knows more (punycode, unicode_escape), which is no text encoding.
_KNOWN = re.compile(
    r"utf-?(8|16|32)(-?[lb]e)?|iso-?8859-?\d+|latin-?\d+|(windows|cp)-?(125\d|874|437|85\d|866)|koi8-[ru]"
    r"|shift[_-]?jis|euc-(jp|kr)|iso-2022-jp|gb2312|gbk|gb18030|big5(-hkscs)?|macintosh|us-ascii|ascii"
)
# As browsers do it: pages that say Latin-1 or ASCII mean Windows' superset of it.
_MEANT = {"iso-8859-1": "cp1252", "iso8859-1": "cp1252", "latin-1": "cp1252", "latin1": "cp1252"}
_MEANT |= {"us-ascii": "cp1252", "ascii": "cp1252", "macintosh": "mac-roman"}
_SAMPLE = 8192  # bytes looked at to know text from other things


def decoded(data: bytes, declared: str = "") -> str:
    """The text, without a byte order mark. `declared` is used when it names an encoding and the bytes fit it."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace")
    for encoding in (_python_name(declared), "utf-8", _without_mark(data)):
        if encoding:
            try:
                return data.decode(encoding)
            except (UnicodeDecodeError, LookupError):
                continue
    return _mended(data)


def is_binary(data: bytes) -> bool:
    """Whether these bytes are not text in any encoding that is read here."""
    if data.startswith(tuple(mark for mark, _ in _MARKS)) or _without_mark(data):
        return False
    sample = data[:_SAMPLE]
    control = sum(sample.count(byte) for byte in range(32) if byte not in b"\t\n\r\f\b\x1b")
    return b"\0" in sample or control * 20 > len(sample)


def _python_name(declared: str) -> str:
    name = declared.strip().strip("\"'").lower()
    return _MEANT.get(name, name) if _KNOWN.fullmatch(name) else ""


def _without_mark(data: bytes) -> str:
    """UTF-16 without its mark: mostly Latin letters, so that every other byte is a zero."""
    sample = data[:_SAMPLE]
    zeros = sample[1::2].count(0), sample[0::2].count(0)
    half = len(sample) // 2
    if half < 2 or len(data) % 2:
        return ""
    if zeros[0] > 0.7 * half and not zeros[1]:
        return "utf-16-le"
    return "utf-16-be" if zeros[1] > 0.7 * half and not zeros[0] else ""


def _mended(data: bytes) -> str:
    """UTF-8 with damage in it, if most of it is sound; else the Western encoding in use before UTF-8."""
    text = data.decode("utf-8", "replace")
    broken = text.count("\ufffd")
    sound = sum(1 for letter in text if letter > "\x7f") - broken
    if sound > broken:
        return text
    try:
        return data.decode("cp1252")
    except UnicodeDecodeError:
        return data.decode("latin-1")
