"""Named tables of the settings file, [profiles.NAME] and [hosts.NAME]: rows, and each fault with its line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import field
from functools import lru_cache
from pathlib import Path
from typing import Any

from chatcli.dataclass import dataclass
from chatcli.errors import BadData, BadValue, ConfigError, NotFound
from chatcli.hints import Words
from chatcli.paths import shown
from chatcli.pattern import pattern
from chatcli.settings import values
from chatcli.settings.table import TABLE
from chatcli.settings.values import ValueKind


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of named tables. `name`: [NAME.something]; `one`: what a person calls one of them. `keys`: what
    may be in one, as `may_have` says; `aliases`: other names of keys.
    """

    name: str
    one: str
    may_have: Words
    keys: Mapping[str, ValueKind[Any]]
    aliases: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Row:
    """One table: its values by the names of `Kind.keys`, as these read them. `line`: where it begins, if known."""

    name: str
    values: Mapping[str, Any]
    line: int | None = None

    @property
    def files(self) -> tuple[str, ...]:
        """What goes with the first message of a conversation that begins with it."""
        return tuple(self.values.get("files", ()))


@dataclass(frozen=True, slots=True)
class Rows:
    """The tables of one kind, by name. `faults`: those that cannot be used, and why."""

    kind: Kind
    sound: Mapping[str, Row]
    faults: Mapping[str, ConfigError]

    def get(self, name: str) -> Row:
        """Raises ConfigError for a table with a fault, and NotFound with the nearest name."""
        if name in self.sound:
            return self.sound[name]
        if name in self.faults:
            raise self.faults[name]
        names = [*self.sound, *self.faults]
        there = (
            f"There are: {', '.join(names)}." if names else f"The settings file has no [{self.kind.name}.NAME]."
        )
        raise NotFound(f'There is no {self.kind.one} "{shown(name)}".', meant(name, names) or there)


PROFILES = Kind(
    "profiles",
    "profile",
    "It may have any setting, files, and a description.",
    {
        **{setting.name: setting.kind for setting in TABLE},
        "files": values.texts(),
        "description": values.text(),
    },
    {alias: setting.name for setting in TABLE for alias in setting.aliases},
)
HOSTS = Kind(
    "hosts",
    "host",
    "It has an address, and may have headers, token_env or token_command, ca, and verify.",
    {
        "address": values.address(),
        "headers": values.headers(),
        "token_env": values.text(),
        "token_command": values.texts(),
        "ca": values.text(),
        "verify": values.boolean(),
    },
)
KINDS = {kind.name: kind for kind in (PROFILES, HOSTS)}


def read_rows(kind: Kind, path: Path) -> Rows:
    """The tables of that kind in the settings file. Raises ConfigError where the whole file cannot be read."""
    from chatcli.settings.file import text_of_file

    text = text_of_file(path)
    parsed, unparsed = parsed_in_parts(text, path)
    return rows_of(kind, parsed, unparsed, text, path)


Unparsed = Mapping[tuple[str, ...], ConfigError]


def parsed_in_parts(text: str, path: Path) -> tuple[dict[str, Any], Unparsed]:
    """The file's values, and an error for each named table that is not TOML: the rest holds without it.

    Raises ConfigError when the fault is elsewhere.
    """
    from chatcli.reading.json_toml import read_toml

    with suppress(BadData):
        return read_toml(text), {}
    kept, unparsed, seen = list[str](), dict[tuple[str, ...], ConfigError](), set[tuple[str, ...]]()
    for first, name, part in _parts(text):
        try:
            read_toml(part)
            if name in seen:
                raise BadData("the table is there twice")
            kept.append(part)
        except BadData as error:
            line = first + (error.line or 1) - 1
            if not name:
                raise not_toml(path, error.why, line if error.line else None) from None
            unparsed[name[:2]] = not_toml(path, _without_place(error.why), line)
            kept.append("\n" * part.count("\n"))
        seen.update([name] if name else [])
    try:
        return read_toml("".join(kept)), unparsed
    except BadData as error:  # each part is sound alone, and they do not go together
        raise not_toml(path, error.why, error.line) from None


def rows_of(kind: Kind, parsed: Mapping[str, Any], unparsed: Unparsed, text: str, path: Path) -> Rows:
    sound: dict[str, Row] = {}
    faults = {name[1]: error for name, error in unparsed.items() if name[0] == kind.name}
    tables = parsed.get(kind.name, {})
    if not isinstance(tables, dict):
        error = _fault((kind.name,), f"expects tables: [{kind.name}.NAME]", "", text, path)
        return Rows(kind, sound, {"": error})
    for name, given in tables.items():
        if name in faults:
            continue
        try:
            sound[name] = _row(kind, name, given, text, path)
        except ConfigError as error:
            faults[name] = error
    return Rows(kind, sound, faults)


def _row(kind: Kind, name: str, given: Any, text: str, path: Path) -> Row:
    where = (kind.name, name)
    if not isinstance(given, dict):
        raise _fault(where, f"is not a table: [{kind.name}.{name}]", "", text, path)
    read: dict[str, Any] = {}
    for key, value in given.items():
        plain = key.lower().replace("-", "_")
        known = kind.aliases.get(plain, plain)
        if known not in kind.keys:
            hint = meant(plain, [*kind.keys, *kind.aliases]) or kind.may_have
            raise _fault((*where, key), f"a {kind.one} has no such key", hint, text, path)
        try:
            read[known] = kind.keys[known].take(value)
        except BadValue as error:
            raise _fault((*where, key), error.message, error.advice, text, path) from None
    return Row(name, read, line_of(where, text))


def _fault(where: Sequence[str], what: str, hint: Words, text: str, path: Path) -> ConfigError:
    line = line_of(where, text)
    told = f"{path}, line {line}" if line else str(path)
    ended = what if what.endswith((".", "?")) else f"{what}."
    return ConfigError(f"{told}: {'.'.join(where)}: {ended}", hint, file=str(path), line=line)


def not_toml(path: Path, why: str, line: int | None) -> ConfigError:
    where = f"{path}, line {line}" if line else str(path)
    return ConfigError(
        f"{where} is not valid TOML: {why}.", "Fix that line, or move the file away.", file=str(path), line=line
    )


def meant(typed: str, names: Iterable[str]) -> str:
    """`Did you mean "NAME"?`, or "" where no name is like the one typed."""
    from difflib import get_close_matches

    near = get_close_matches(typed, list(names), n=1)
    return f'Did you mean "{near[0]}"?' if near else ""


def line_of(where: Sequence[str], text: str) -> int | None:
    """The line of that key, or of the innermost table around it that has a line."""
    tries = (tuple(where[:count]) for count in range(len(where), 0, -1))
    return next((_lines(text)[each] for each in tries if each in _lines(text)), None)


@lru_cache(maxsize=1)
def _lines(text: str) -> Mapping[tuple[str, ...], int]:
    """Where each key and each table is first."""
    lines: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    for number, line in enumerate(_without_long_strings(text).split("\n"), start=1):
        header = _HEADER.fullmatch(line)
        if header:
            table = _parts_of_key(header[1])
            lines.setdefault(table, number)
        elif "=" in line:
            lines.setdefault((*table, *_parts_of_key(line.partition("=")[0])), number)
    return lines


def head_and_tables(text: str) -> tuple[str, str]:
    """The text up to the first table with the comments above that, where the plain settings are, and the rest."""
    masked = _without_long_strings(text).split("\n")
    first = next((at for at, line in enumerate(masked) if _HEADER.fullmatch(line)), None)
    if first is None:
        return text, ""
    while first and masked[first - 1].lstrip().startswith("#"):
        first -= 1
    lines = text.split("\n")
    return "".join(f"{line}\n" for line in lines[:first]), "\n".join(lines[first:])


# A line that begins a table. In an array of several lines an element like that ends with a comma.
_HEADER = pattern(r"\s*\[\[?([^\[\]=]+)\]\]?\s*(?:#.*)?")
# Strings and comments. One that is not closed matches as well, as far as it goes: no character is looked at twice.
_STRING = pattern(
    r'"""(?:[^"\\]|\\.|"(?!""))*+(?:""")?|\'\'\'(?:[^\']|\'(?!\'\'))*+(?:\'\'\')?'
    r'|"(?:[^"\\\n]|\\.)*+"?|\'[^\'\n]*+\'?|#[^\n]*+',
    re.DOTALL,
)


def _without_long_strings(text: str) -> str:
    """The text with the same lines, and nothing in the strings that have several."""

    def blank(found: re.Match[str]) -> str:
        is_closed = len(found[0]) >= 6 and found[0].endswith(('"""', "'''"))
        return '""' + "\n" * found[0].count("\n") if is_closed and "\n" in found[0] else found[0]

    return _STRING.sub(blank, text)


def _parts(text: str) -> list[tuple[int, tuple[str, ...], str]]:
    """The text in parts, each with its first line and the header that it begins with: a named table with those
    inside it, or (with ()) what is between.
    """
    parts: list[tuple[int, tuple[str, ...], list[str]]] = [(1, (), [])]
    lines = text.split("\n")
    for number, masked in enumerate(_without_long_strings(text).split("\n"), start=1):
        header = _HEADER.fullmatch(masked)
        if header:
            key = _parts_of_key(header[1])
            name = key if len(key) > 1 and key[0] in KINDS else ()
            if name[:2] != parts[-1][1][:2] or len(name) == 2:
                parts.append((number, name, []))
        parts[-1][2].append(lines[number - 1] if number == len(lines) else f"{lines[number - 1]}\n")
    return [(first, name, "".join(part)) for first, name, part in parts]


_PART_OF_KEY = pattern(r"""\s*(?:([A-Za-z0-9_-]+)|"([^"]*)"|'([^']*)')\s*(?:\.|$)""")


def _parts_of_key(written: str) -> tuple[str, ...]:
    """`a."b c"` as its parts; () for what is no key."""
    found, at = list[str](), 0
    while at < len(written):
        part = _PART_OF_KEY.match(written, at)
        if part is None:
            return ()
        found.append(next(each for each in part.groups() if each is not None))
        at = part.end()
    return tuple(found)


def _without_place(why: str) -> str:
    """Without the line, which counts from the beginning of a part."""
    return re.sub(r" \(at [^()]*\)$", "", why)
