"""Kinds of values: how each is read from text, written back, and what may be typed for it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from chatcli.errors import BadValue

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """`read` raises BadValue; `words` are offered by completion; `expects` completes "expected ..."."""

    expects: str
    read: Callable[[str], T]
    write: Callable[[T], str] = str
    words: tuple[str, ...] = ()

    def from_toml(self, value: Any) -> T:
        """A value as TOML gives it: text, number, boolean, or a list of texts."""
        if isinstance(value, bool):
            return self.read("on" if value else "off")
        if isinstance(value, list):
            return self.read(_quoted([str(item) for item in value]))
        return self.read(str(value))


def text() -> Kind[str]:
    return Kind("text", str)


def optional(kind: Kind[T]) -> Kind[T | None]:
    """The same kind, with None for a value that is not set."""
    return Kind(kind.expects, kind.read, lambda value: "" if value is None else kind.write(value), kind.words)


# What fits where Ollama puts it.
LARGEST = 2**63 - 1


def whole(low: float = -math.inf, high: float = math.inf) -> Kind[int]:
    expects = f"a whole number{_range(low, high)}"

    def read(given: str) -> int:
        try:
            value = int(given.replace("_", ""))
        except ValueError:
            raise _bad(given, expects) from None
        if abs(value) > LARGEST:
            raise BadValue(f"«{given}» is too large a number.")
        return int(_within(value, low, high, given, expects))

    return Kind(expects, read)


def number(low: float = -math.inf, high: float = math.inf) -> Kind[float]:
    expects = f"a number{_range(low, high)}"

    def read(given: str) -> float:
        try:
            value = float(given)
        except ValueError:
            raise _bad(given, expects) from None
        if not math.isfinite(value):
            raise _bad(given, expects)
        return _within(value, low, high, given, expects)

    return Kind(expects, read, lambda value: f"{value:g}")


def size(low: int = 1) -> Kind[int]:
    """Tokens: `8192`, `8k` (x 1024), `1m`."""
    expects = f"a size in tokens such as 8192 or 8k (at least {low})"
    units = {"": 1, "k": 1024, "m": 1024 * 1024}

    def read(given: str) -> int:
        match = re.fullmatch(r"([0-9][0-9_]*(?:\.[0-9]+)?)\s*([km]?)", given.strip().lower())
        if not match:
            raise _bad(given, expects)
        value = float(match[1].replace("_", "")) * units[match[2]]
        if value > 2**31 - 1:
            raise _bad(given, expects)
        return int(_within(int(value), low, math.inf, given, expects))

    return Kind(expects, read, words=("2k", "4k", "8k", "16k", "32k", "64k", "128k"))


def boolean() -> Kind[bool]:
    yes, no = ("on", "true", "yes", "1"), ("off", "false", "no", "0")

    def read(given: str) -> bool:
        if given.lower() not in yes + no:
            raise _bad(given, "on or off")
        return given.lower() in yes

    return Kind("on or off", read, lambda value: "on" if value else "off", ("on", "off"))


def choice(*words: str) -> Kind[str]:
    expects = f"one of {', '.join(words)}"

    def read(given: str) -> str:
        if given.lower() not in words:
            raise _bad(given, expects)
        return given.lower()

    return Kind(expects, read, words=words)


def share() -> Kind[float]:
    """A part of the whole: `0.25` or `25%`."""
    expects = "a share between 0 and 1, or a percentage"

    def read(given: str) -> float:
        percent = given.endswith("%")
        value = number().read(given.removesuffix("%"))
        return _within(value / 100 if percent else value, 0, 1, given, expects)

    return Kind(expects, read, lambda value: f"{value:.0%}")


def duration() -> Kind[str]:
    """As Ollama takes it: `5m`, `1h30m`, `300` (seconds), `-1` (for ever)."""
    expects = "a duration such as 5m, 1h30m, 300 or -1"

    def read(given: str) -> str:
        if not re.fullmatch(r"-?[0-9]+|-?([0-9]+(\.[0-9]+)?(ms|h|m|s))+", given):
            raise _bad(given, expects)
        return given

    return Kind(expects, read, words=("5m", "1h", "-1", "0"))


def texts() -> Kind[tuple[str, ...]]:
    """Several texts: words, or quoted where they hold spaces; escapes such as \\n are undone inside quotes."""

    def read(given: str) -> tuple[str, ...]:
        if given and not given.strip():
            return (given,)  # `--stop " "`: the shell has taken the quotes off
        found = re.findall(r'"((?:[^"\\]|\\.)*)"|(\S+)', given)
        if any(bare.startswith('"') for _, bare in found):
            raise BadValue(f"A quote is not closed in «{given}».")
        return tuple(_unescaped(quoted) if quoted else bare for quoted, bare in found)

    return Kind("one or more texts, quoted where they hold spaces", read, lambda value: _quoted(list(value)))


_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


def _unescaped(quoted: str) -> str:
    return re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[1]), quoted)


def _quoted(values: list[str]) -> str:
    escaped = (value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") for value in values)
    return " ".join(f'"{value}"' for value in escaped)


def _range(low: float, high: float) -> str:
    match (math.isinf(low), math.isinf(high)):
        case (False, False):
            return f" from {low:g} to {high:g}"
        case (False, True):
            return f" of at least {low:g}"
        case (True, False):
            return f" of at most {high:g}"
    return ""


def _within(value: float, low: float, high: float, given: str, expects: str) -> float:
    if not low <= value <= high:
        raise _bad(given, expects)
    return value


def _bad(given: str, expects: str) -> BadValue:
    return BadValue(f"«{given}» is not {expects}.")
