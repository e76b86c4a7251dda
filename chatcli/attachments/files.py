"""Files named by a person, in /file or in a message as @path or @https://address: found, and read as bytes.

Text after an @ that leads to no file is told of and stays text. Everything between backticks or in the middle of a
long paste is just text.
"""

from __future__ import annotations

import glob
import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from chatcli import addresses
from chatcli.attachments.mentions import (
    IMAGE_ENDINGS,
    Marked,
    Missing,
    Sure,
    existing,
    from_address,
    marked,
    marks,
    masked,
    no_file,
    readings,
)
from chatcli.errors import BadFile
from chatcli.paths import is_file, is_folder, is_there, path_of, readable, shown, size_of, working_directory
from chatcli.pattern import pattern
from chatcli.reading.files import STDIN, not_regular, read_bytes, read_stdin
from chatcli.reading.raw import Raw

MOST = 200  # files of one pattern

_WORD = pattern(r"(?:[^\s\\]|\\.)++")
_CLOSING = {quote: pattern(rf"{quote}(?=[,;:!?.)\]}}>]*(?:\s|\Z))") for quote in "\"'"}
_PACKED = IMAGE_ENDINGS | {".pdf", ".docx"}
_WILD = pattern(r"[*?\[]")
_WEB = pattern(r"https?://[^\s/?#]", re.IGNORECASE)
# How an address begins, fetched or not: it may be in brackets, in code, or lack a slash.
_SCHEME = r"(?:https?:[/\\]*|[a-z][a-z0-9+.-]{1,20}:[/\\]{2,})"
_BEGIN = pattern(rf"""(?:(?P<marked>@)|(?<![\w/\\:.]))(?P<opened>["'`(\[{{<]{{0,3}}){_SCHEME}""", re.IGNORECASE)
_SET_HOST = pattern(r"(/set\s+(?:(?:--always|parameter)\s+)*host\s)(.*)", re.IGNORECASE | re.DOTALL)


def is_address(named: str) -> bool:
    """Whether it names something on the web, or tries to: ftp:// is no path either."""
    return re.match(r"https?:|(?!file:)[a-z][a-z0-9+.-]+://", named, re.IGNORECASE) is not None


def is_path(text: str) -> bool:
    """Whether a line that begins with / is about a file and not a command: `/home/me/cat.png what is this`."""
    first = text.split(maxsplit=1)[0]
    return "/" in first[1:] or (len(first) > 1 and is_there(Path(first)))


def without_passwords(text: str) -> str:
    """A message without user:password@ in the addresses marked with an @, so that these are neither stored nor
    sent. Credentials in other addresses were meant for the model, and stay.
    """
    return _cut(text, [begin for begin in _BEGIN.finditer(text) if begin["marked"]]) if "@" in text else text


def as_kept(line: str) -> str:
    """A line as the line history keeps it: a command keeps no password in any address."""
    if not line.startswith("/") or line.startswith("//"):
        return without_passwords(line)
    host = _SET_HOST.fullmatch(line)
    return host[1] + addresses.shown_host(host[2]) if host else _cut(line, list(_BEGIN.finditer(line)))


def read_files(named: str, cwd: Path | None = None) -> list[Raw]:
    """The files at `named`: one path, a pattern with *, ? or **, or "-" for standard input. Raises BadFile when
    there is no readable one.
    """
    if named == STDIN:
        return [read_piped()]
    here = cwd or working_directory()
    named = from_address(named)
    place = existing([named], here) or here / path_of(named)
    if is_file(place) or not _WILD.search(named):
        return [read_file(place, named)]
    with readable(named, "Check the pattern."):
        paths = sorted(glob.glob(str(place), recursive=True))  # noqa: PTH207
    found = [path for path in map(Path, paths) if is_file(path)]
    if not found:
        raise BadFile(f"No file fits {shown(named)}.", "Check the pattern.")
    if len(found) > MOST:
        raise BadFile(f"{len(found)} files fit {shown(named)}.", f"Name a narrower pattern: {MOST} at the most.")
    return [read_file(path, _beside(path, here)) for path in found]


def read_piped() -> Raw:
    """What is piped into standard input. Raises BadFile, also when there is more than can be sent."""
    with readable("Standard input", "Pipe in text or a picture, and no more of it than a message can have."):
        return Raw("Standard input", read_stdin())


class Found(NamedTuple):
    """A file or an address that a message names. `path` is None for an address and a pattern."""

    name: str
    path: Path | None = None


def mentioned(text: str, cwd: Path | None = None) -> tuple[list[Found], list[Missing]]:
    """The files, patterns and addresses that `text` names with an @, each once; and the names with an @ that lead
    to no file.
    """
    here = cwd or working_directory()
    found: dict[str, Found] = {}
    missing: dict[str, Missing] = {}
    for mention in _mentions(text):
        if isinstance(mention, str):
            address = _bare(mention)
            if _WEB.match(address):
                found.setdefault(address, Found(address))
        elif (file := _file(mention, here)) is not None:
            found.setdefault(file.name, file)
        elif (lacking := _lacking(mention, here)) is not None:
            missing.setdefault(lacking.name, lacking)
    return list(found.values()), list(missing.values())


def _file(mention: Marked, here: Path) -> Found | None:
    for text in mention.texts:
        for name in readings(text):
            path = existing([name], here)
            if path is not None and is_file(path):
                return Found(name, path)
    if _WILD.search(mention.name) and _fits(mention.name, here):
        return Found(mention.name)
    return None


def _lacking(mention: Marked, here: Path) -> Missing | None:
    """What to say of a mention that is no file: nothing is there, or something that cannot be read."""
    sure = mention.sure
    for text in mention.texts[: mention.whole]:
        path = existing(readings(text), here)
        if path is not None and (what := not_regular(path)):
            name = readings(text)[0]
            return Missing(name, f"{shown(name)} cannot be read: {what}.", max(sure or Sure.FILE, Sure.FILE))
    return None if sure is None else Missing(mention.name, no_file(mention.name), sure)


def _fits(pattern: str, here: Path) -> bool:
    try:
        return any(is_file(Path(path)) for path in glob.iglob(str(here / path_of(pattern)), recursive=True))  # noqa: PTH207
    except (OSError, ValueError):
        return False


def sizes(text: str, cwd: Path | None = None) -> list[int]:
    """The sizes in bytes of the files that `text` names as @path, without reading them: fast enough for every key
    press. How much text a document or a page has is known only when it is read.
    """
    found, _ = mentioned(text, cwd)
    return [
        size_of(each.path) for each in found if each.path is not None and each.path.suffix.lower() not in _PACKED
    ]


def _cut(text: str, begins: Sequence[re.Match[str]]) -> str:
    """`text` without the credentials of the addresses that begin there. A password with a blank in it is searched
    for in the whole line; in code and in the middle of a long paste, an address ends at a blank.
    """
    return addresses.without(text, _extents(text, begins)) if begins else text


def _extents(text: str, begins: Sequence[re.Match[str]]) -> Iterator[tuple[int, int, int]]:
    searched, quotes, word_end = masked(text), _Quotes(text), 0
    starts = [begin.start() for begin in begins]
    for begin in begins:
        opened, at = begin["opened"][-1:], begin.end()
        if at > word_end:
            word = _WORD.match(text, at)
            word_end = word.end() if word else at
        end = quotes.closing(opened, at, alone=True) if opened in {'"', "'"} else None
        end = word_end if end is None else end
        following = bisect_left(starts, end)
        over = min((quotes.line_end(at), *starts[following : following + 1]))
        yield at, end, 0 if searched[at - 1] == "`" else over


def _mentions(text: str) -> Iterator[str | Marked]:
    """What each @ that begins a word mentions: the text of an address, else a path. A quoted address ends at a
    quote at the end of a word.
    """
    quotes, done = _Quotes(text), 0
    for at in marks(text):
        if at <= done:
            continue
        quote = text[at] if text[at] in "\"'" else ""
        if _WEB.match(text, at + len(quote)):
            end = quotes.closing(quote, at + 1, alone=True) if quote else None
            word = _WORD.match(text, at)
            done = end if end is not None else word.end() if word else at
            yield text[at + len(quote) : done] if end is not None else text[at:done]
        else:
            mention, done = marked(text, at)
            if mention is not None:
                yield mention


class _Quotes:
    """The positions at which quotes in a text may close, found once for all of them."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._lines = [each.start() for each in re.finditer("\n", text)]
        self._alone: dict[str, list[int]] = {}

    def line_end(self, at: int) -> int:
        return self._next(self._lines, at, len(self._text))

    def closing(self, quote: str, at: int, alone: bool) -> int | None:
        """The next `quote` in the line from `at` on; with `alone`, the next at the end of a word, if
        there is one.
        """
        nearest = self._text.find(quote, at)
        line_end = self.line_end(at) if nearest >= 0 else 0
        if alone and nearest >= 0:
            if quote not in self._alone:
                self._alone[quote] = [each.start() for each in _CLOSING[quote].finditer(self._text)]
            last = self._next(self._alone[quote], at, line_end)
            nearest = last if last < line_end else nearest
        return nearest if 0 <= nearest < line_end else None

    @staticmethod
    def _next(places: list[int], at: int, otherwise: int) -> int:
        index = bisect_left(places, at)
        return places[index] if index < len(places) else otherwise


def _bare(name: str) -> str:
    """The name without the punctuation of the sentence around it."""
    if not _WEB.match(name):
        return name.rstrip(",;:!?")
    end, unopened = len(name.rstrip(",;:!?.'\"")), name.count(")") - name.count("(")
    while unopened > 0 and name[end - 1] == ")":
        end, unopened = end - 1, unopened - 1
        while name[end - 1] in ",;:!?.":
            end -= 1
    return name[:end]


def read_file(path: Path, named: str) -> Raw:
    """The file at `path`, called `named`. Raises BadFile."""
    if is_folder(path):
        raise BadFile(f"{named} is a folder.", f"Its files: {named.rstrip('/')}/*")
    with readable(named, "Name a file that can be read, or a part of it."):
        return Raw(named, read_bytes(path))


def _beside(path: Path, here: Path) -> str:
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
