"""The tools `list_files` and `read_file`: what is below the folder that chatcli was started in."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Annotated, Any

from chatcli.errors import BadFile
from chatcli.reading.raw import Extracted, Raw
from chatcli.text import as_name, escaped
from chatcli.tools.folder import SEEN, Place, content, entries, place_of, scope_of, told
from chatcli.tools.schema import lines_of
from chatcli.tools.table import builtin
from chatcli.tools.tool import Reach, Scope, ToolFailure, Workplace

LARGEST = 20_000_000  # bytes of a file
LISTED = 200  # entries that are told
DEEPEST = 40  # folders inside each other
# Not walked unless a pattern names them: what tools have put there.
_LEFT_OUT = {"node_modules", "__pycache__", "site-packages", "venv", "$RECYCLE.BIN"}
_WILD = re.compile(r"[*?\[]")


def _folder_of_file(arguments: Mapping[str, Any], workplace: Workplace) -> Scope:
    return scope_of(arguments["path"], place_of(arguments["path"], workplace.folder))


@builtin(Reach.PRIVATE, _folder_of_file)
def read_file(
    path: str,
    first_line: Annotated[int, {"minimum": 1}] = 1,
    last_line: Annotated[int, "0: to the end", {"minimum": 0}] = 0,
    *,
    workplace: Workplace,
) -> str:
    """Read a text, PDF or Word file in the user's folder."""
    place = place_of(path, workplace.folder)
    data = content(place, LARGEST)
    from chatcli.reading.document import read

    try:
        steps = read(Raw(told(place.name), data))
        while True:
            if workplace.stopped():
                raise ToolFailure("The user stopped it.")
            next(steps)
    except StopIteration as end:
        extracted: Extracted = end.value
    except BadFile as error:
        raise ToolFailure(error.message) from None
    lines = lines_of(extracted.text)
    first, last = span(len(lines), first_line, last_line)
    head = f"{told(place.name)}, lines {first} to {last} of {len(lines)}:"
    return "\n".join((head, *(f"{at}: {line}" for at, line in enumerate(lines[first - 1 : last], first))))


def span(lines: int, first: int, last: int) -> tuple[int, int]:
    """The lines that a call asks for, from 1, both included; `last` 0 is to the end. Raises ToolFailure."""
    upto = min(last or lines, lines)
    if not first <= upto:
        raise ToolFailure(f"There are {lines} lines. Lines {first} to {last or lines} are none of them.")
    return first, upto


def _folder_of_pattern(arguments: Mapping[str, Any], workplace: Workplace) -> Scope:
    pattern = arguments.get("pattern", "").strip() or "*"
    place, _ = _parted(pattern, workplace)
    return scope_of(pattern, place, is_folder=True)


@builtin(Reach.PRIVATE, _folder_of_pattern)
def list_files(pattern: Annotated[str, "As src/*.py or **/*.md"] = "*", *, workplace: Workplace) -> str:
    """List files in the user's folder, with size and date."""
    place, parts = _parted(pattern.strip() or "*", workplace)
    rows: list[str] = []
    for seen, row in enumerate(_fitting(place, parts), 1):
        if workplace.stopped():
            raise ToolFailure("The user stopped it.")
        if row and len(rows) == LISTED:
            return "\n".join((*rows, f"[There are more than these {LISTED}: name a narrower pattern.]"))
        if row:
            rows.append(row)
        if seen == SEEN:
            rows.append(f"[Only the first {SEEN:,} were looked at: name a narrower pattern.]")
            break
    return "\n".join(rows) or f"Nothing fits {told(pattern)}."


def _parted(pattern: str, workplace: Workplace) -> tuple[Place, list[str]]:
    """The folder that a pattern begins with, and what is to fit below it. A folder alone means all in it."""
    parts = [part for part in pattern.replace("\\", "/").split("/") if part != "."]
    at = next((at for at, part in enumerate(parts) if _WILD.search(part)), len(parts))
    wild = [part for part in parts[at:] if part]
    if ".." in wild or len(wild) > DEEPEST:
        raise ToolFailure("A pattern has no .. and no more than 40 parts.")
    place = place_of("/".join(parts[:at]) or ("/" if parts[:1] == [""] and at else "."), workplace.folder)
    if not wild and place.parts and not place.path.is_dir():
        return place._replace(parts=place.parts[:-1]), [_literal(place.parts[-1])]
    return place, wild or ["*"]


def _literal(name: str) -> str:
    return re.sub(r"([*?\[])", r"[\1]", name)


def _fitting(place: Place, parts: list[str]) -> Iterator[str]:
    """A line for each entry that fits, folders before what is in them; "" for one that does not. Where the pattern
    may go on is known by the positions in it that the way to a folder has reached.
    """
    waiting: list[tuple[Place, frozenset[int]]] = [(place, _reached({0}, parts))]
    while waiting:
        folder, positions = waiting.pop()
        try:
            found = sorted(entries(folder), key=lambda each: each.name)
        except ToolFailure:
            if folder is place:
                raise
            continue
        below = []
        for entry in found:
            after = _after(entry.name, positions, parts)
            yield _row(folder, entry) if len(parts) in after else ""
            is_folder = entry.is_dir(follow_symlinks=False)
            if is_folder and any(each < len(parts) for each in after) and len(folder.parts) < DEEPEST:
                below.append((folder._replace(parts=(*folder.parts, entry.name)), after))
        waiting += reversed(below)


def _reached(positions: set[int], parts: list[str]) -> frozenset[int]:
    """Two stars may stand for no folder at all."""
    for at in range(len(parts)):
        if at in positions and parts[at] == "**":
            positions.add(at + 1)
    return frozenset(positions)


def _after(name: str, positions: frozenset[int], parts: list[str]) -> frozenset[int]:
    """The positions that are reached behind an entry of that name; none where it is left out."""
    found = set()
    for at in positions:
        if at == len(parts):
            continue
        part = parts[at]
        is_named = part.startswith(".") or part == name
        if (name.startswith(".") or name in _LEFT_OUT) and not is_named:
            continue
        if part == "**":
            found.add(at)
        elif fnmatchcase(name, part):
            found.add(at + 1)
    return _reached(found, parts)


def _row(folder: Place, entry: os.DirEntry[str]) -> str:
    name = escaped(as_name("/".join((*folder.parts, entry.name))))
    if entry.is_symlink():
        return f"{name} (link)"
    if entry.is_dir(follow_symlinks=False):
        return f"{name}/"
    about = entry.stat(follow_symlinks=False)
    return f"{name} {about.st_size:,} bytes {datetime.fromtimestamp(about.st_mtime, UTC):%Y-%m-%d}"
