"""Decodes bytes to text: by a byte order mark, by the declared encoding, else by the bytes themselves."""

from __future__ import annotations

import unicodedata
from typing import NamedTuple

from chatcli.pattern import pattern

_MARKS = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe\0\0", "utf-32-le"),
    (b"\0\0\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
# What the web declares and Python knows. Python knows more (punycode, unicode_escape), which is no text encoding.
_KNOWN = pattern(
    r"utf[-_]?(8|16|32)([-_]?[lb]e)?|iso[-_]?8859[-_]?\d+|latin[-_]?\d+|(windows|cp|ibm)[-_]?(125\d|874|437|85\d|86\d|932|949|950|936)"
    r"|koi8[-_][ru]|shift[_-]?jis|s-?jis|euc[-_](jp|kr)|iso[-_]2022[-_]jp|gb2312|gbk|gb18030|big5([-_]hkscs)?"
    r"|mac(intosh|[-_]?(roman|cyrillic|greek|latin2|turkish))|us-ascii|ascii|tis-620"
)
# As browsers do it: pages that say Latin-1 or ASCII mean Windows' superset of it, and likewise in Asia.
_MEANT = {"iso-8859-1": "cp1252", "iso8859-1": "cp1252", "latin-1": "cp1252", "latin1": "cp1252"}
_MEANT |= {"us-ascii": "cp1252", "ascii": "cp1252", "macintosh": "mac-roman", "iso-8859-9": "cp1254"}
_MEANT |= {"gb2312": "gb18030", "gbk": "gb18030", "shift_jis": "cp932", "shift-jis": "cp932", "euc-kr": "cp949"}
_WIDE = ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be")
_ISO_2022_JP = pattern(rb"\x1b\$[@B](?:[!-~]{2})+\x1b\([BJ]")
_CONTROLS = "\t\n\r\f\b\x1b\a"  # that text has
_OTHER_CONTROLS = bytes(byte for byte in range(32) if chr(byte) not in _CONTROLS)
_NO_TEXT = frozenset({"Cc", "Cn", "Co", "Cs"})
_SAMPLE = 8192  # bytes looked at to know text from other things


class Decoded(NamedTuple):
    """`guessed`: only how usual its letters are speaks for it."""

    text: str
    encoding: str
    guessed: bool = False


def decoded(data: bytes, declared: str = "") -> str:
    """The text, without a byte order mark. `declared` is used when it names an encoding and the bytes fit it."""
    return decode(data, declared).text


def decode(data: bytes, declared: str = "") -> Decoded:
    """The same with the encoding, and whether that is a guess."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return Decoded(data[len(mark) :].decode(encoding, "replace"), encoding)
    for encoding in (python_name(declared), without_mark(data), "utf-8"):
        if encoding:
            try:
                return Decoded(data.decode(encoding), encoding)
            except (UnicodeDecodeError, LookupError):
                continue
    return _mended(data) or _guessed(data)


def decode_as(data: bytes, named: str) -> Decoded:
    """In the encoding that a person named, whatever the bytes look like. Raises UnicodeDecodeError."""
    encoding = python_name(named)
    for mark, its in _MARKS:
        if data.startswith(mark) and its.startswith(encoding):
            return Decoded(data[len(mark) :].decode(its), its)
    return Decoded(data.decode(encoding), encoding)


def python_name(declared: str) -> str:
    """The name under which Python knows this encoding of text; "" when it is none."""
    name = declared.strip().strip("\"'").lower()
    return _MEANT.get(name, name) if _KNOWN.fullmatch(name) else ""


def is_binary(data: bytes) -> bool:
    """Whether these bytes are not text in any encoding that is read here."""
    if data.startswith(tuple(mark for mark, _ in _MARKS)) or without_mark(data):
        return False
    return _has_controls(data)


def _has_controls(data: bytes) -> bool:
    sample = data[:_SAMPLE]
    control = len(sample) - len(
        sample.translate(None, _OTHER_CONTROLS)
    )  # in one go: each piece of a reply is asked
    return b"\0" in sample or control * 20 > len(sample)


def without_mark(data: bytes) -> str:
    """UTF-16, UTF-32 and ISO-2022-JP, which no other text looks like: the first two have zeros or other control
    characters, and make sense only in their own order of bytes.
    """
    if b"\x1b$" in data[:_SAMPLE] and data.isascii() and _ISO_2022_JP.search(data):
        return "iso2022_jp"
    if len(data) % 2 or not _has_controls(data):
        return ""
    sample = data[:_SAMPLE]
    for encoding in _WIDE[: 0 if len(data) % 4 else 2]:
        if _makes_sense(sample, encoding):
            return encoding
    high = {encoding: set(sample[at::2]) for encoding, at in (("utf-16-le", 1), ("utf-16-be", 0))}
    fit = [each for each in high if _makes_sense(sample, each)]
    if not fit:
        return ""
    # Letters of one script share the upper half of their numbers.
    best = min(fit, key=lambda each: (len(high[each]), -sample.decode(each, "ignore").count(" ")))
    low = set(sample[0 if best == "utf-16-le" else 1 :: 2])
    has_ascii = 0 in high[best]
    return best if has_ascii or len(high[best]) * 2 <= len(low) else ""


def _makes_sense(sample: bytes, encoding: str) -> bool:
    """Whether every character is one that texts have. The last one may be cut off."""
    try:
        text = sample.decode(encoding)
    except UnicodeDecodeError as error:
        if error.start < len(sample) - 4 or len(sample) < _SAMPLE:
            return False
        text = sample[: error.start].decode(encoding)
    return all(char in _CONTROLS or unicodedata.category(char) not in _NO_TEXT for char in text)


def _mended(data: bytes) -> Decoded | None:
    """UTF-8 with damage in it, if most of it is sound."""
    text = data.decode("utf-8", "replace")
    broken = text.count("\ufffd")
    sound = sum(1 for letter in text if letter > "\x7f") - broken
    return Decoded(text, "utf-8", guessed=True) if sound > broken else None


def _guessed(data: bytes) -> Decoded:
    """In the likeliest of the encodings that were usual before UTF-8."""
    from chatcli.reading.guess import likeliest

    encoding = likeliest(data) or "latin-1"
    return Decoded(data.decode(encoding), encoding, guessed=True)
