"""Mentions: the parts of a message that name a file by @, or a picture by its path, in all the ways people and
terminals write a path.

No file is read here; files.py and images.py decide which mentions are meant.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Iterable, Iterator
from enum import IntEnum
from pathlib import Path
from urllib.parse import unquote

from chatcli.dataclass import dataclass
from chatcli.paths import is_there, path_of, shown
from chatcli.pattern import pattern
from chatcli.text import is_long

IMAGE_ENDINGS = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif"})
_DOCUMENTS = """
    .txt .text .log .md .markdown .rst .adoc .org .tex .bib .pdf .doc .docx .odt .rtf .epub .xls .xlsx .ods .ppt
    .pptx .odp .csv .tsv .json .jsonl .ndjson .yaml .yml .toml .ini .cfg .conf .env .xml .html .htm .css .ipynb
    .eml .mbox .sql .db .sqlite .parquet .bmp .tif .tiff .heic .avif .svg .mp3 .mp4 .wav .zip .gz .tar .tgz .bz2
    .xz .7z .diff .patch .lock
"""
_SOURCES = """
    .py .pyi .js .jsx .mjs .ts .tsx .vue .c .h .cc .cpp .hpp .cs .java .kt .scala .swift .go .rs .rb .php .pl .lua
    .r .jl .m .hs .ml .ex .exs .erl .clj .dart .zig .asm .sh .bash .zsh .fish .ps1 .bat .mk .cmake .gradle .tf
    .proto .scss
"""
# A name that ends so is a document's: nobody calls a person, a package or a conversation so.
DOCUMENT_ENDINGS = IMAGE_ENDINGS | frozenset(_DOCUMENTS.split())
_FILE_ENDINGS = DOCUMENT_ENDINGS | frozenset(_SOURCES.split())

# A mention is a word: after a blank or an opening bracket, and before a blank or the punctuation of a sentence.
_BEGIN = r"(?:(?<!\S)|(?<=\s[(\[{<])|(?<=\A[(\[{<]))"
_END = r"(?=[,;:!?.)\]}>]*(?:\s|\Z))"
_ENDING = rf"\.(?:{'|'.join(sorted(ending[1:] for ending in IMAGE_ENDINGS))})"
_QUOTED = pattern(
    rf"""{_BEGIN}(?:
        "(?:[^"\\\n]|\\.)+?{_ENDING}"
      | '(?:[^'\n]|'\\''|'"'"')+?{_ENDING}'
    ){_END}""",
    re.VERBOSE | re.IGNORECASE,
)
# A word extends to a bare blank and is read once: trying every position in it again takes quadratic time.
_WORD = pattern(rf"{_BEGIN}(?:[^\s\"'`@(\[{{<\\]|\\.)(?:[^\s\\]|\\.)*+")
_PICTURE = pattern(rf"(?:[^\s\\]|\\.)+?{_ENDING}", re.IGNORECASE)
_PUNCTUATION = ",;:!?.)]}>"
_PATH_BEGIN = pattern(rf"{_BEGIN}(?:~?/|\.{{1,2}}/|[a-z]:[\\/])", re.IGNORECASE)
_WITH_BLANKS = pattern(rf"[^\n\"'`]{{1,255}}?{_ENDING}{_END}", re.IGNORECASE)
_CODE = pattern(r"(?<!\\)(?:```.*?(?:```|\Z)|`[^`\n]*`)", re.DOTALL)
_MARKUP = pattern(r"[\[\]<>{}\"'=|]")
_ADDRESS = pattern(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_FILE_ADDRESS = pattern(r"file:(?://(?:localhost)?)?(?=/)(?:/(?=[a-z]:))?", re.IGNORECASE)
_WINDOWS_PATH = pattern(r"[a-z]:[\\/]|\\\\", re.IGNORECASE)

_AT = pattern(rf"(?:{_BEGIN}|(?<=[,;、，；]))@(?=\S)")
_ON = r"(?![,;、，；]@)"  # not before the next mention of a list without blanks: @a.txt,@b.txt
# A word as a shell reads it: in quotes, partly or not at all, with backslashes.
_SHELL_WORD = pattern(rf"""(?:\\.|'[^'\n]*'|"(?:[^"\\\n]|\\.)*"|{_ON}[^\s\\'"])++""")
_BARE_WORD = pattern(rf"(?:{_ON}\S)++")
_ESCAPED_WORD = pattern(rf"(?:{_ON}[^\s\\]|\\.)++")
_OPEN_QUOTE = pattern(r"\"[^\n]{1,255}(?=\n|\Z)")
_LONGEST = 8192  # characters of one mention; no path is longer, even with each of its characters escaped
_TRIMMED = 8  # characters of punctuation that are taken from the end, one by one
_BREAKS = pattern(r"[^\w./~+-]")
_PLAINLY_A_PATH = pattern(r"\"[^\"]+\"|'[^']+'|file:|(?:~[\w.-]*|\.{1,2})?/|[a-z]:[\\/]|\\\\", re.IGNORECASE)
_ESCAPED = pattern(r"\\[^\w\\]")
_HANDLE = pattern(r"[\w.+~/-]*\w[\w.+~/-]*")
# What is named after these words is to be made, and need not be there: "save it as plot.png".
_NEW_NAME = pattern(r"\b(?:as|to|into|called|named)\s+[\"']?\Z", re.IGNORECASE)


class Sure(IntEnum):
    """How sure it is that a person means a file, where there is none."""

    WORD = 0  # @someone, @types/node, @pytest.fixture, "save it as plot.png": likely only a word
    FILE = 1  # @report.pdf, cat.png: looks like a file's name
    PATH = 2  # @./notes, @"my notes", images/cat.png: can only be a path


@dataclass(frozen=True, slots=True)
class Missing:
    """A name in a message that leads to nothing that can be read; `why` is a sentence with the name."""

    name: str
    why: str
    sure: Sure


@dataclass(frozen=True, slots=True)
class Mention:
    """A picture's path: `text` as written in the line at `start`, with quotes and escapes.

    A `guess` counts only when the file exists: it has bare blanks in it, or is part of a long text.
    """

    start: int
    text: str
    guess: bool = False
    is_new: bool = False

    @property
    def end(self) -> int:
        return self.start + len(self.text)

    @property
    def path(self) -> str:
        """The path without quotes and escapes."""
        return readings(self.text)[0]

    @property
    def sure(self) -> Sure | None:
        """How sure it is that a file is meant where there is none; None where nothing is to be said of it."""
        if self.guess or (self.text[0] not in "\"'" and _MARKUP.search(self.text)):
            return None
        if self.text.count("(") != self.text.count(")"):
            return None
        if "/" in self.path or "\\" in self.text:
            return Sure.PATH
        return Sure.WORD if self.is_new else Sure.FILE


@dataclass(frozen=True, slots=True)
class Marked:
    """A mention by @. `texts`: what of the message may be the name, the likeliest first, without the @. The first
    `whole` of them are all that was written; the others leave out what may belong to the sentence ("@a.txt's").
    `is_open`: a quote begins it that nothing closes, so that the rest of the line may be the name.
    """

    texts: tuple[str, ...]
    whole: int
    is_open: bool = False

    @property
    def name(self) -> str:
        """The likeliest name, where it leads nowhere: without the punctuation of the sentence."""
        return readings(self.texts[self.whole - 1])[0]

    @property
    def sure(self) -> Sure | None:
        """As for a picture's path. A name in the middle of code, as @app.get("/x"), is none."""
        written = self.texts[self.whole - 1]
        if self.is_open:
            return Sure.FILE
        if is_plainly_a_path(written) or _ESCAPED.search(written):
            return Sure.PATH
        if os.path.splitext(self.name)[1].lower() in _FILE_ENDINGS:  # noqa: PTH122  no Path: it may be no path
            return Sure.FILE
        return Sure.WORD if _HANDLE.fullmatch(self.name) else None


def is_plainly_a_path(written: str) -> bool:
    """Whether these words can only be a path: they begin with a folder (./, ../, ~/, /), end with a slash, or are
    quoted.
    """
    return written.endswith("/") or _PLAINLY_A_PATH.match(written) is not None


def mentions(text: str) -> Iterator[Mention]:
    """The paths of pictures in `text`, those with bare blanks first. Text between backticks is skipped. Of a long
    text only the first and the last line count: the rest is pasted material, with all the paths it may contain.
    """
    searched, long = masked(text), is_long(text)
    for begin in _PATH_BEGIN.finditer(searched):
        match = _WITH_BLANKS.match(searched, begin.start())
        if match and " " in match[0]:
            yield Mention(match.start(), match[0], guess=True)
    done = 0
    for start, found in sorted((*_quoted(text), *_words(text))):
        if start < done or searched[start] != text[start]:
            continue
        if not _ADDRESS.match(found) or _FILE_ADDRESS.match(found):
            is_new = _NEW_NAME.search(text, max(0, start - 12), start) is not None
            yield Mention(start, found, guess=long, is_new=is_new)
            done = start + len(found)


def marks(text: str) -> Iterator[int]:
    """Where the text after each @ begins that may mention something: the @ begins a word that is not skipped."""
    return (found.end() for found in _AT.finditer(masked(text)))


def marked(text: str, at: int) -> tuple[Marked | None, int]:
    """The mention that begins at `at`, behind its @, and where it ends."""
    limit = at + _LONGEST
    shell, bare = _SHELL_WORD.match(text, at, limit), _BARE_WORD.match(text, at, limit)
    if bare is None:
        return None, at
    if shell is None and (rest := _OPEN_QUOTE.match(text, at)):
        return Marked((rest[0] + '"',), 1, is_open=True), bare.end()
    written = shell[0] if shell else bare[0]
    whole = list(dict.fromkeys(_trimmed(written)))
    breaks = [found.start() for found, _ in zip(_BREAKS.finditer(bare[0]), range(_TRIMMED), strict=False)]
    parts = [bare[0][:end] for end in reversed(breaks) if end]
    texts = dict.fromkeys((*whole, *_trimmed(bare[0]), *parts))
    ends = shell if shell and written[0] in "\"'" else _ESCAPED_WORD.match(text, at, limit) or bare
    return Marked(tuple(texts), len(whole)), ends.end()


def _trimmed(written: str) -> Iterator[str]:
    """It, and it without the punctuation at its end, taken away one by one."""
    yield written
    for _ in range(_TRIMMED):
        if len(written) < 2 or written[-1] not in _PUNCTUATION:
            return
        written = written[:-1]
        yield written


def _quoted(searched: str) -> Iterator[tuple[int, str]]:
    return ((match.start(), match[0]) for match in _QUOTED.finditer(searched))


def _words(searched: str) -> Iterator[tuple[int, str]]:
    for word in _WORD.finditer(searched):
        if "." in word[0] and (picture := _PICTURE.fullmatch(word[0].rstrip(_PUNCTUATION))):
            yield word.start(), picture[0]


def readings(text: str) -> list[str]:
    """The paths that `text` may mean, the likeliest first: as a shell reads it, then as people write it."""
    quote = text[0] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else ""
    bare = text[1:-1] if quote else text
    if _FILE_ADDRESS.match(bare):
        return [from_address(bare)]
    found = [*_as_in_a_shell(text), re.sub(r"\\(.)", r"\1", bare), bare]
    if quote == "'":
        found = [*_as_in_a_shell(text), bare]
    elif sys.platform == "win32" or _WINDOWS_PATH.match(bare):
        found.insert(0, bare)
    return list(dict.fromkeys((*found, text)))


def from_address(named: str) -> str:
    """The path that a file:// address means; everything else as it is."""
    address = _FILE_ADDRESS.match(named)
    return unquote(named[address.end() :]) if address else named


def _as_in_a_shell(text: str) -> list[str]:
    try:
        words = shlex.split(text)
    except ValueError:  # a quote is not closed, or a backslash is the last character
        return []
    return words if len(words) == 1 else []


def existing(names: Iterable[str], cwd: Path) -> Path | None:
    """The first path that exists of those that these names mean, with the home folder for ~ or as they are."""
    paths = [cwd / path for name in names if name for path in (path_of(name), Path(name))]
    return next((path for path in dict.fromkeys(paths) if is_there(path)), None)


def no_file(named: str) -> str:
    """What is said where a name leads nowhere."""
    return f"There is no file {shown(named)}."


def as_words(missing: Iterable[Missing]) -> str:
    """What is said of names that lead to no file where the message is sent all the same; "" for none."""
    said = " ".join(each.why for each in missing)
    return f"{said} Sent as words." if said else ""


def masked(text: str) -> str:
    """`text` with the parts that are not searched for mentions masked; its length stays the same."""
    masked = _CODE.sub(_blot, text)
    first, last = masked.find("\n"), masked.rfind("\n")
    if not is_long(text) or first == last:
        return masked
    return masked[:first] + re.sub(r"[^\n]+", _blot, masked[first:last]) + masked[last:]


def _blot(match: re.Match[str]) -> str:
    return "`" * len(match[0])
