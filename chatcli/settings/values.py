"""Kinds of values: how each is read from text or from Python and TOML, written back, and completed."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from datetime import timedelta
from numbers import Integral, Real
from os import PathLike
from typing import Any, Generic, Protocol, TypeVar

from chatcli import addresses
from chatcli.dataclass import dataclass
from chatcli.errors import BadData, BadValue
from chatcli.paths import shown
from chatcli.pattern import pattern
from chatcli.settings.quoting import quoted, words_of

T = TypeVar("T")
# The most characters shown of a refused value.
LONGEST_SHOWN = 60


@dataclass(frozen=True, slots=True)
class ValueKind(Generic[T]):
    """One kind of value. `read` raises BadValue; completion offers `words`; `expects` completes "Expects ...".
    `spell` returns how a value that is not text would be typed, or None when it is not of this kind. `show`
    returns what may be shown of the text from `write`. `meanings` says of a word what it stands for. `many`: it is
    several texts, each a word to `/set` and a flag of its own in the shell. `is_switch`: it is
    on or off, nothing else.
    """

    expects: str
    read: Callable[[str], T]
    write: Callable[[T], str] = str
    words: tuple[str, ...] = ()
    spell: Callable[[Any], str | None] = lambda _: None
    show: Callable[[str], str] = str
    meanings: Mapping[str, str] = field(default_factory=dict)
    many: bool = False
    is_switch: bool = False

    @property
    def bare(self) -> str:
        """The value when only the name is given: "on" where that is a value, else ""."""
        return "on" if "on" in self.words else ""

    def take(self, value: Any) -> T:
        """Read a value of Python or TOML: text as it would be typed, or the kind's own type. Raises BadValue."""
        typed = str.__str__(value) if isinstance(value, str) else self.spell(value)
        if typed is None:
            raise BadValue(f"{_shown(value)} is not {self.expects}.")
        return self.read(typed)


def text() -> ValueKind[str]:
    return ValueKind("text", str)


def address() -> ValueKind[str]:
    """The address of a server; a password in it is never shown."""
    return ValueKind("an address", str, show=addresses.shown_host)


def headers() -> ValueKind[dict[str, str]]:
    """Headers of a request, as a table. They may be secret: nothing shows them, no error either."""
    expects = 'a table of texts such as { X-Key = "..." }'

    def read(given: str) -> dict[str, str]:
        from chatcli.reading.json_toml import read_json

        try:
            found = read_json(given)
        except BadData:
            raise BadValue(f"This is not {expects}.") from None
        texts = isinstance(found, dict) and all(isinstance(each, str) for each in found.values())
        if not texts or not all(map(_HEADER.fullmatch, found)):
            raise BadValue(f"This is not {expects}.")
        for name, value in found.items():
            if not (value.isascii() and value.isprintable()):
                raise BadValue(f"The header {name} has a value with characters that no header has.")
        return dict(found)

    return ValueKind(expects, read, lambda _: "", spell=_as_json, show=lambda _: "")


_HEADER = pattern(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


def _as_json(value: Any) -> str:
    import json

    return json.dumps(value, default=str)


def form() -> ValueKind[str]:
    """The format of replies: a word, a path, or the JSON Schema itself, as text or as a dict."""

    def spell(value: Any) -> str | None:
        if isinstance(value, PathLike):
            path = value.__fspath__()
            return path if isinstance(path, str) else None
        import json

        try:
            return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else None
        except (TypeError, ValueError, RecursionError):
            return None

    return ValueKind("json, a path, or a JSON Schema", str, spell=spell)


def encoding() -> ValueKind[str]:
    """The name of an encoding of text, in any spelling that the web or Python knows."""
    expects = "the name of an encoding, such as utf-8, cp1252, koi8-r or shift_jis"

    def read(given: str) -> str:
        from chatcli.reading.encoding import python_name

        if given and not python_name(given):
            raise _bad(given, expects)
        return given

    words = (
        "utf-8",
        "utf-16-le",
        "cp1252",
        "cp1251",
        "koi8-r",
        "shift_jis",
        "euc-jp",
        "gb18030",
        "big5",
        "euc-kr",
    )
    return ValueKind(expects, read, words=words)


def optional(kind: ValueKind[T]) -> ValueKind[T | None]:
    """The same kind, or None when nothing is set."""

    def write(value: T | None) -> str:
        return "" if value is None else kind.write(value)

    return ValueKind(
        *(kind.expects, kind.read, write, kind.words, kind.spell, kind.show, kind.meanings, kind.many),
        is_switch=kind.is_switch,
    )


# The largest integer that Ollama accepts.
LARGEST = 2**63 - 1


def whole(low: float = -math.inf, high: float = math.inf) -> ValueKind[int]:
    expects = f"a whole number{_range(low, high)}"

    def read(given: str) -> int:
        try:
            value = int(given.replace("_", ""))
        except ValueError:
            raise _bad(given, expects) from None
        if abs(value) > LARGEST:
            raise BadValue(f'"{shown(given)}" is too large a number.')
        return int(_within(value, low, high, given, expects))

    return ValueKind(expects, read, spell=_whole)


def number(low: float = -math.inf, high: float = math.inf) -> ValueKind[float]:
    expects = f"a number{_range(low, high)}"

    def read(given: str) -> float:
        try:
            value = float(given)
        except ValueError:
            raise _bad(given, expects) from None
        if not math.isfinite(value):
            raise _bad(given, expects)
        return _within(value, low, high, given, expects)

    return ValueKind(expects, read, _written, spell=_number)


def size(low: int = 1) -> ValueKind[int]:
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

    return ValueKind(expects, read, words=("2k", "4k", "8k", "16k", "32k", "64k", "128k"), spell=_whole)


# Other words for on and off.
_YES, _NO = ("on", "true", "yes", "1"), ("off", "false", "no", "0")


def boolean() -> ValueKind[bool]:
    def read(given: str) -> bool:
        if given.lower() not in _YES + _NO:
            raise _bad(given, "on or off")
        return given.lower() in _YES

    write = {True: "on", False: "off"}.__getitem__
    return ValueKind("on or off", read, write, ("on", "off"), _switch, is_switch=True)


def choice(*words: str) -> ValueKind[str]:
    expects = f"one of {', '.join(words)}"

    other = {**dict.fromkeys(_YES, "on"), **dict.fromkeys(_NO, "off")}

    def read(given: str) -> str:
        word = given.lower()
        word = word if word in words else other.get(word, word)
        if word not in words:
            raise _bad(given, expects)
        return word

    return ValueKind(expects, read, words=words, spell=_switch)


class Row(Protocol):
    """A row of a table whose rows are the choices."""

    @property
    def name(self) -> str: ...
    @property
    def help(self) -> str: ...


R = TypeVar("R", bound=Row)


def row(rows: Sequence[R]) -> ValueKind[R]:
    """One of the rows, by its name."""
    named = {each.name: each for each in rows}
    names = choice(*named)
    return ValueKind(
        names.expects,
        lambda given: named[names.read(given)],
        lambda value: value.name,
        names.words,
        lambda value: value.name if value in rows else None,
        meanings={each.name: each.help for each in rows},
    )


def share() -> ValueKind[float]:
    """A part of the whole: `0.25` or `25%`."""
    expects = "a share between 0 and 1, or a percentage"

    def read(given: str) -> float:
        percent = given.endswith("%")
        try:
            value = number().read(given.removesuffix("%"))
        except BadValue:
            raise _bad(given, expects) from None
        return _within(value / 100 if percent else value, 0, 1, given, expects)

    def write(value: float) -> str:
        percent = f"{value * 100:g}%"
        return percent if read(percent) == value else _written(value)

    return ValueKind(expects, read, write, spell=_number)


# Columns of prose that read well, and the fewest that can be asked for.
READABLE = 100
NARROWEST = 20


def columns() -> ValueKind[int]:
    """Columns of a line; on stands for READABLE, off is 0: a line of any length."""
    expects = f"on, off, or a number of columns of at least {NARROWEST}"
    switch = boolean()

    def read(given: str) -> int:
        if given.isdecimal() and given not in {"0", "1"}:
            return int(_within(whole().read(given), NARROWEST, math.inf, given, expects))
        try:
            return READABLE if switch.read(given) else 0
        except BadValue:
            raise _bad(given, expects) from None

    def spell(value: Any) -> str | None:
        return _switch(value) or _whole(value)

    return ValueKind(expects, read, lambda value: str(value or "off"), ("on", "off", "80", "100", "120"), spell)


def duration() -> ValueKind[str]:
    """A duration as Ollama takes it: `5m`, `1h30m`, `300` (seconds), `-1` (forever)."""
    expects = "a duration such as 5m, 1h30m, 300 or -1"

    def read(given: str) -> str:
        if not re.fullmatch(r"-?[0-9]{1,18}|-?([0-9]{1,18}(\.[0-9]{1,18})?(ms|h|m|s)){1,9}", given):
            raise _bad(given, expects)
        return given

    return ValueKind(expects, read, words=("5m", "1h", "-1", "0"), spell=_seconds)


def seconds() -> ValueKind[float]:
    """A time: `3s`, `500ms`, `2m`, `1.5` (seconds); off stands for any time, and is infinite."""
    expects = "a time such as 3s or 500ms, or off"
    units = {"": 1.0, "s": 1.0, "ms": 0.001, "m": 60.0}

    def read(given: str) -> float:
        match = re.fullmatch(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)\s*(s|ms|m|)", given.strip().lower())
        if match:
            return round(float(match[1]) * units[match[2]], 6)
        if given.lower() not in _NO:
            raise _bad(given, expects)
        return math.inf

    def write(value: float) -> str:
        return "off" if math.isinf(value) else f"{value:.6f}".rstrip("0").rstrip(".") + "s"

    def spell(value: Any) -> str | None:
        if value is False:
            return "off"
        return "off" if value == math.inf else _seconds(value)

    return ValueKind(expects, read, write, ("off", "2s", "5s", "10s"), spell)


def texts() -> ValueKind[tuple[str, ...]]:
    """Several texts. One that begins with a quote is read as `words_of` does; any other is one text as it is."""

    def read(given: str) -> tuple[str, ...]:
        if given.lstrip()[:1] in {'"', "'"}:
            return words_of(given)
        return (given,) if given else ()

    def spell(value: Any) -> str | None:
        every = isinstance(value, list | tuple) and all(isinstance(each, str) for each in value)
        return quoted([str.__str__(each) for each in value]) if every else None

    expects = "one or more texts, in quotes if they contain spaces"
    return ValueKind(expects, read, quoted, spell=spell, many=True)


def tools() -> ValueKind[tuple[str, ...]]:
    """Names of tools; () is off, and ("on",) all that need no name of their own."""
    expects = "on, off, or names of tools separated by commas"

    def read(given: str) -> tuple[str, ...]:
        names = tuple(dict.fromkeys(given.replace(",", " ").split()))
        if len(names) == 1 and names[0].lower() in _YES + _NO:
            return ("on",) if names[0].lower() in _YES else ()
        if not all(map(_TOOL_NAME.fullmatch, names)):
            raise _bad(given, expects)
        return names

    def write(value: tuple[str, ...]) -> str:
        return ",".join(value) or "off"

    def spell(value: Any) -> str | None:
        every = isinstance(value, list | tuple) and all(isinstance(each, str) for each in value)
        return ",".join(value) if every else _switch(value)

    return ValueKind(expects, read, write, ("on", "off"), spell)


_NAME_OF_TOOL = "[A-Za-z0-9_-]{1,64}"
_TOOL_NAME = pattern(_NAME_OF_TOOL)
# A rule on tools: the name of one, and in parentheses a pattern for what the call is about.
RULE = pattern(rf"({_NAME_OF_TOOL})(?:\((.+)\))?", re.DOTALL)


def rules() -> ValueKind[tuple[str, ...]]:
    """Rules on tools, each `TOOL` or `TOOL(PATTERN)`."""
    several = texts()

    def read(given: str) -> tuple[str, ...]:
        found = several.read(given)
        for rule in found:
            if not RULE.fullmatch(rule):
                raise _bad(rule, 'a rule such as fetch_page or "run(ls *)", in quotes if it contains spaces')
        return found

    return replace(several, expects="rules such as fetch_page or 'run(ls *)'", read=read)


def _written(value: float) -> str:
    """The number with as many digits as it takes."""
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


def _switch(value: Any) -> str | None:
    return {True: "on", False: "off"}[bool(value)] if isinstance(value, bool) else None


def _whole(value: Any) -> str | None:
    """A whole number of any numeric type, as it would be typed; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    if not isinstance(value, Integral) and value % 1 != 0:  # inf % 1 is NaN
        return None
    number = int(value)  # type: ignore[call-overload]
    return str(number) if abs(number) <= LARGEST else None


def _number(value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    try:
        return _whole(value) if isinstance(value, Integral) else str(float(value))
    except OverflowError:  # a Fraction larger than any float
        return None


def _seconds(value: Any) -> str | None:
    """Seconds as they would be typed: parts of seconds need a unit, which the server demands."""
    if isinstance(value, timedelta):
        value = value.total_seconds()
    whole = _whole(value)
    if whole is not None or _number(value) is None or not math.isfinite(value):
        return whole
    return f"{float(value):.3f}s"


def _shown(value: Any) -> str:
    try:
        return addresses.cleaned(repr(value))[:LONGEST_SHOWN]
    except Exception:  # an int of too many digits, or an object's own __repr__
        return f"a value of type {type(value).__name__}"


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
    return BadValue(f'"{shown(given)}" is not {expects}.')
