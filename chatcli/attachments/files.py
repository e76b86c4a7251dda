"""Files named by a person, in /file or in a message as @path or @https://address: found, and read as bytes.

Text after an @ that is neither a file nor an address is plain text, and so is everything between backticks or in
the middle of a long paste.
"""

from __future__ import annotations

import glob
import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from pathlib import Path

from chatcli import addresses
from chatcli.attachments.mentions import masked
from chatcli.errors import BadFile
from chatcli.paths import is_file, is_folder, is_there, path_of, readable, shown, size_of, working_directory
from chatcli.reading.files import STDIN, read_bytes, read_stdin
from chatcli.reading.raw import Raw

MOST = 200  # files of one pattern

_AT = re.compile(r"(?<!\S)@")
_WORD = re.compile(r"(?:[^\s\\]|\\.)++")
_CLOSING = {quote: re.compile(rf"{quote}(?=[,;:!?.)\]}}>]*(?:\s|\Z))") for quote in "\"'"}
_PACKED = (".pdf", ".docx")
_WILD = re.compile(r"[*?\[]")
_WEB = re.compile(r"https?://[^\s/?#]", re.IGNORECASE)
# How an address begins, fetched or not: it may be in brackets, in code, or lack a slash.
_SCHEME = r"(?:https?:[/\\]*|[a-z][a-z0-9+.-]{1,20}:[/\\]{2,})"
_BEGIN = re.compile(rf"""(?:(?P<marked>@)|(?<![\w/\\:.]))(?P<opened>["'`(\[{{<]{{0,3}}){_SCHEME}""", re.IGNORECASE)
_SET_HOST = re.compile(r"(/set\s+(?:(?:--always|parameter)\s+)*host\s)(.*)", re.IGNORECASE | re.DOTALL)


def is_address(named: str) -> bool:
    """Whether it names something on the web, or tries to: ftp:// is no path either."""
    return re.match(r"https?:|[a-z][a-z0-9+.-]+://", named, re.IGNORECASE) is not None


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
    place = here / path_of(named)
    if is_file(place) or not _WILD.search(named):
        return [_read(place, named)]
    with readable(named, "Check the pattern."):
        paths = sorted(glob.glob(str(place), recursive=True))  # noqa: PTH207
    found = [path for path in map(Path, paths) if is_file(path)]
    if not found:
        raise BadFile(f"No file fits {shown(named)}.", "Check the pattern.")
    if len(found) > MOST:
        raise BadFile(f"{len(found)} files fit {shown(named)}.", f"Name a narrower pattern: {MOST} at the most.")
    return [_read(path, _beside(path, here)) for path in found]


def read_piped() -> Raw:
    """What is piped into standard input. Raises BadFile, also when there is more than can be sent."""
    with readable("Standard input", "Pipe in text or a picture, and no more of it than a message can have."):
        return Raw("Standard input", read_stdin())


def mentioned(text: str, cwd: Path | None = None) -> list[str]:
    """The files and addresses that `text` names with an @, each once."""
    here = cwd or working_directory()
    names = dict.fromkeys(_bare(name) for name in _mentions(masked(text)))
    return [name for name in names if name and (_WEB.match(name) or is_file(here / path_of(name)))]


def sizes(text: str, cwd: Path | None = None) -> list[int]:
    """The sizes in bytes of the files that `text` names as @path, without reading them: fast enough for every key
    press. How much text a document or a page has is known only when it is read.
    """
    here = cwd or working_directory()
    names = [name for name in mentioned(text, here) if not is_address(name)]
    return [size_of(here / path_of(each)) for each in names if not each.lower().endswith(_PACKED)]


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


def _mentions(text: str) -> Iterator[str]:
    """The text after each @ that begins a word. A quoted address ends at a quote at the end of a word."""
    quotes, done = _Quotes(text), 0
    for found in _AT.finditer(text):
        at, end = found.end(), None
        if at <= done:
            continue
        if (quote := text[at : at + 1]) in {'"', "'"}:
            end = quotes.closing(quote, at + 1, alone=_WEB.match(text, at + 1) is not None)
            if end is not None and end > at + 1:
                yield text[at + 1 : end]
                done = end + 1
                continue
        if word := _WORD.match(text, at):
            yield word[0]
            done = word.end()


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


def _read(path: Path, named: str) -> Raw:
    if is_folder(path):
        raise BadFile(f"{named} is a folder.", f"Its files: {named.rstrip('/')}/*")
    with readable(named, "Name a file that can be read, or a part of it."):
        return Raw(named, read_bytes(path))


def _beside(path: Path, here: Path) -> str:
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
