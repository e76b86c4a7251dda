"""Reads JSON and TOML from outside (files, exports, servers, stored rows), one reader for each, with the same
limits.

Input that is nested too deeply, has a number of thousands of digits, or has more parts than fit into memory is
refused with BadData, never with what Python's parsers raise. If an object has a name twice, the last value counts,
as in every JSON reader. Half characters (lone surrogates) are kept: the code that sends or shows them replaces
them.
"""

from __future__ import annotations

import json
import math
import re
from contextlib import suppress
from typing import Any

from chatcli.errors import BadData
from chatcli.pattern import pattern
from chatcli.reading.encoding import decoded, without_mark

DEPTH = 200  # lists and objects inside each other; what people and programs write stays under thirty
DIGITS = 300  # of a whole number: what a float can still hold, so that arithmetic with it does not fail
PARTS = 10_000_000  # lists and objects in all; empty ones take twenty times as much memory as they are long

_LONG_NUMBER = pattern(rf"[0-9]{{{DIGITS + 1}}}|[0-9][eE]\+?[0-9]{{3}}")
_PLACE_IN_TOML = pattern(r"at line (\d+)")
# The parts of TOML that make up its structure. A string that is not closed matches as well, as far as it goes: so
# every character is looked at once.
_TOML = pattern(
    r'"""(?:[^"\\]|\\.|"(?!""))*+(?:""")?|\'\'\'(?:[^\']|\'(?!\'\'))*+(?:\'\'\')?'
    r'|"(?:[^"\\\n]|\\.)*+"?|\'[^\'\n]*+\'?|\#[^\n]*+'
    rf"|(?P<digits>\b[0-9][0-9A-Za-z_]{{{DIGITS},}}+)|[\[\]{{}}.,=\n]",
    re.DOTALL,
)


class TooDeep(BadData):
    """It may be valid, but is nested deeper than is read."""


def read_json(given: bytes | str, *, depth: int = DEPTH, exact: bool = False) -> Any:
    """The value. Raises BadData. NaN, Infinity and numbers too large for a float, which JSON has no form for,
    become text as written; with `exact` they are refused.
    """
    text = given.removeprefix("\ufeff") if isinstance(given, str) else json_text(given)
    parts = text.count("[") + text.count("{")
    if parts > PARTS:
        raise BadData(f"it has more than {PARTS:,} lists and objects")

    def unusual(written: str) -> str:
        if exact:
            raise BadData(f"it has {written[:20]}, which is no JSON")
        return written

    def fractional(written: str) -> float | str:
        value = float(written)
        return value if math.isfinite(value) else unusual(written)

    # Python's own number parsers are many times faster: these are only for a text that needs them.
    slow: dict[str, Any] = {}
    if _LONG_NUMBER.search(text):
        slow = {"parse_int": _whole, "parse_float": fractional}
    try:
        value = json.loads(text, parse_constant=unusual, **slow)
    except RecursionError:
        raise _too_deep(depth) from None
    except json.JSONDecodeError as error:
        raise BadData(str(error), line=error.lineno) from None
    if parts > depth and not is_within(value, depth):
        raise _too_deep(depth)
    return value


def read_toml(text: str) -> dict[str, Any]:
    """The table that `text` contains. Raises BadData, with the line where it is known."""
    import tomllib

    _check_toml(text)
    try:
        table = tomllib.loads(text)
    except RecursionError:
        raise _too_deep(DEPTH) from None
    except ValueError as error:  # TOMLDecodeError, and what int and date make of impossible values
        place = _PLACE_IN_TOML.search(str(error))
        said = str(error) if isinstance(error, tomllib.TOMLDecodeError) else "it has a value that is too large"
        raise BadData(said, line=int(place[1]) if place else None) from None
    if not is_within(table, DEPTH):
        raise _too_deep(DEPTH)
    return table


def text_of(data: bytes) -> str:
    """`data` as text, without guessing: UTF-8, or UTF-16 and UTF-32 recognized by their mark or their zeros.
    Raises BadData, with the line where it stops being text.
    """
    encoding = without_mark(data) or json.detect_encoding(data)
    try:
        text = data.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        is_plain = encoding.startswith("utf-8") and b"\0" not in data
        line = data.count(b"\n", 0, error.start) + 1 if is_plain else None
        raise BadData("it is not UTF-8 text" if is_plain else "it is no text", line=line) from None
    if "\0" in text:
        raise BadData("it is no text", line=text.count("\n", 0, text.index("\0")) + 1)
    return text


def is_within(value: Any, depth: int) -> bool:
    """Whether no more than `depth` lists and objects are nested. Checks level by level, so it cannot recurse too
    deeply itself.
    """
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(depth):
        inside = (each.values() if isinstance(each, dict) else each for each in level)
        level = [child for children in inside for child in children if isinstance(child, dict | list)]
        if not level:
            return True
    return not level


def json_text(data: bytes) -> str:
    """Decoded like a text file, and also UTF-16 and UTF-32 without a mark: in JSON the first zeros show those."""
    if b"\0" not in data and b"\x1b" not in data:  # nearly always; a streamed token is one such text
        with suppress(UnicodeDecodeError):
            return data.decode().removeprefix("\ufeff")
    encoding = without_mark(data) or json.detect_encoding(data)
    if encoding.startswith("utf-8"):
        return decoded(data)
    return data.decode(encoding, "replace").removeprefix("\ufeff")


def _whole(written: str) -> int:
    digits = len(written.lstrip("-"))
    if digits > DIGITS:
        raise BadData(f"it has a number of {digits:,} digits")
    return int(written)


def _check_toml(text: str) -> None:
    """Refuse what makes tomllib fail or take quadratic time: nested values, keys of many parts, long numbers."""
    line, depth, dots = 1, 0, 0
    for found in _TOML.finditer(text):
        piece = found[0]
        if found["digits"]:
            raise BadData(f"it has a number of {len(piece):,} digits", line=line)
        if piece in {"[", "{"}:
            depth += 1
        elif piece in {"]", "}"}:
            depth = max(0, depth - 1)
        elif piece == ".":
            dots += 1
        elif piece in {",", "=", "\n"}:
            dots = 0
        if depth > DEPTH or dots > DEPTH:
            raise TooDeep(f"it is nested more than {DEPTH} deep", line=line)
        line += piece.count("\n")


def _too_deep(depth: int) -> TooDeep:
    return TooDeep(f"it is nested more than {depth} deep")
