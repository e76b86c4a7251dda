"""Mentions: the parts of a line that may name an image, in all the ways people and terminals write a path.

Nothing here reads the disk; images.py decides which mentions are meant.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import unquote

from chatcli.text import is_long

IMAGE_ENDINGS = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif"})

# A mention is a word: after a blank or an opening bracket, and before a blank or the punctuation of a sentence.
_BEGIN = r"(?:(?<!\S)|(?<=\s[(\[{<])|(?<=\A[(\[{<]))"
_END = r"(?=[,;:!?.)\]}>]*(?:\s|\Z))"
_ENDING = rf"\.(?:{'|'.join(sorted(ending[1:] for ending in IMAGE_ENDINGS))})"
_QUOTED = re.compile(
    rf"""{_BEGIN}(?:
        "(?:[^"\\\n]|\\.)+?{_ENDING}"
      | '(?:[^'\n]|'\\'')+?{_ENDING}'
    ){_END}""",
    re.VERBOSE | re.IGNORECASE,
)
# A word extends to a bare blank and is read once: trying every position in it again takes quadratic time.
_WORD = re.compile(rf"{_BEGIN}(?:[^\s\"'`(\[{{<\\]|\\.)(?:[^\s\\]|\\.)*+")
_PICTURE = re.compile(rf"(?:[^\s\\]|\\.)+?{_ENDING}", re.IGNORECASE)
_PUNCTUATION = ",;:!?.)]}>"
_PATH_BEGIN = re.compile(rf"{_BEGIN}(?:~?/|\.{{1,2}}/|[a-z]:[\\/])", re.IGNORECASE)
_WITH_BLANKS = re.compile(rf"[^\n\"'`]{{1,255}}?{_ENDING}{_END}", re.IGNORECASE)
_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.DOTALL)
_MARKUP = re.compile(r"[\[\]<>{}\"'=|]")
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_FILE_ADDRESS = re.compile(r"file://(?:localhost)?(?=/)(?:/(?=[a-z]:))?", re.IGNORECASE)
_WINDOWS_PATH = re.compile(r"[a-z]:[\\/]|\\\\", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Mention:
    """`text` as written in the line at `start`, with quotes and escapes.

    A `guess` counts only when the file exists: it has bare blanks in it, or is part of a long text.
    """

    start: int
    text: str
    guess: bool = False

    @property
    def end(self) -> int:
        return self.start + len(self.text)

    @property
    def path(self) -> str:
        """The path without quotes and escapes."""
        return readings(self.text)[0]

    @property
    def is_plainly_a_path(self) -> bool:
        """Whether it can only be a path; a word with the right ending may be just a word."""
        if self.guess or (self.text[0] not in "\"'" and _MARKUP.search(self.text)):
            return False
        balanced = self.text.count("(") == self.text.count(")")
        return balanced and ("/" in self.path or "\\" in self.text)


def mentions(text: str) -> Iterator[Mention]:
    """The mentions in `text`, those with bare blanks first. Text between backticks is skipped. Of a long text only
    the first and the last line count: the rest is pasted material, with all the paths it may contain.
    """
    searched, long = masked(text), is_long(text)
    for begin in _PATH_BEGIN.finditer(searched):
        match = _WITH_BLANKS.match(searched, begin.start())
        if match and " " in match[0]:
            yield Mention(match.start(), match[0], guess=True)
    done = 0
    for start, found in sorted((*_quoted(searched), *_words(searched))):
        if start >= done and (not _ADDRESS.match(found) or _FILE_ADDRESS.match(found)):
            yield Mention(start, found, guess=long)
            done = start + len(found)


def _quoted(searched: str) -> Iterator[tuple[int, str]]:
    return ((match.start(), match[0]) for match in _QUOTED.finditer(searched))


def _words(searched: str) -> Iterator[tuple[int, str]]:
    for word in _WORD.finditer(searched):
        if "." in word[0] and (picture := _PICTURE.fullmatch(word[0].rstrip(_PUNCTUATION))):
            yield word.start(), picture[0]


def readings(text: str) -> list[str]:
    """The paths that `text` may mean, the likeliest first."""
    quote = text[0] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else ""
    bare = text[1:-1] if quote else text
    if quote == "'":
        return [bare.replace("'\\''", "'")]
    address = _FILE_ADDRESS.match(bare)
    if address:
        return [unquote(bare[address.end() :])]
    unescaped = re.sub(r"\\(.)", r"\1", bare)
    keeps_backslashes = os.name == "nt" or _WINDOWS_PATH.match(bare)
    found = [bare, unescaped] if keeps_backslashes else [unescaped, bare]
    return list(dict.fromkeys(found))


def without(text: str, taken: Iterable[Mention]) -> str:
    """`text` without these mentions, each removed with one blank beside it."""
    kept, begin = [], 0
    for mention in sorted(taken, key=lambda each: each.start):
        before = text[begin : mention.start]
        begin = mention.end
        if before.endswith(" "):
            before = before[:-1]
        elif text.startswith(" ", begin):
            begin += 1
        kept.append(before)
    return "".join((*kept, text[begin:])).strip() if begin else text


def masked(text: str) -> str:
    """`text` with the parts that are not searched for mentions masked; its length stays the same."""
    masked = _CODE.sub(_blot, text)
    first, last = masked.find("\n"), masked.rfind("\n")
    if not is_long(text) or first == last:
        return masked
    return masked[:first] + re.sub(r"[^\n]+", _blot, masked[first:last]) + masked[last:]


def _blot(match: re.Match[str]) -> str:
    return "`" * len(match[0])
