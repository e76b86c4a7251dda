"""Draws suggestions as completions. The commands decide what to suggest; helpers for paths are here."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from chatcli.paths import path_of
from chatcli.pattern import pattern
from chatcli.text import as_name

if TYPE_CHECKING:
    from prompt_toolkit.completion import Completer

T = TypeVar("T")

MOST = 200
_BEFORE_WORD = pattern(r"[\W_](?=\w)")
_FIRST = 3000  # of more items only these are searched for scattered letters, which takes longest
_WIDEST = 3  # the letters typed may be spread over so many times their number
_MENTION = pattern(r"""(?<!\S)@("[^"\n]*+|'[^'\n]*+|(?:[^\s\\"']|\\.)*+)""")
_PATH = pattern(r"""(?<!\S)((?:~|\.{1,2})?/(?:[^\s\\]|\\.)*+|["'](?:~|\.{1,2})?/[^"'\n]*+)""")
_TO_QUOTE = pattern(r"""[\s"'`]|\\|[,;:!?.)\]}>]\Z""" if sys.platform != "win32" else r"""[\s"'`]""")
_SEPARATORS = "/\\" if sys.platform == "win32" else "/"


class Suggestion(NamedTuple):
    """`text` replaces `replaces` characters before the cursor; the menu shows `shown` with its `meaning`."""

    text: str
    replaces: int
    shown: str
    meaning: str = ""


def ranked(typed: str, items: Iterable[T], text_of: Callable[[T], str]) -> list[T]:
    """Returns the items whose text fits what is typed, the best first: what is equal to it; those that begin
    with it; those with a word that begins with it; those that contain it. Where there is none of them, those
    with words that begin with its words, and those with its letters in order, from the beginning of a word on.
    A single letter has to begin a word. Items that fit alike keep their order.
    """
    wanted = typed.casefold()
    if not wanted:
        return list(items)
    texts = [(text_of(item).casefold(), item) for item in items]
    fitting = [(rank, item) for text, item in texts if (rank := _contained(wanted, text)) is not None]
    if not fitting:  # otherwise they would only be noise
        first = texts[:_FIRST]
        fitting = [(rank, item) for text, item in first if (rank := _scattered(wanted, text)) is not None]
    return [item for _, item in sorted(fitting, key=lambda each: each[0])]


def _contained(wanted: str, text: str) -> int | None:
    if text == wanted:
        return -1
    at = text.find(wanted)
    if at <= 0:
        return 0 if at == 0 else None
    while at > 0 and text[at - 1].isalnum():
        at = text.find(wanted, at + 1)
    return 1 if at > 0 else 2 if len(wanted) > 1 else None


def _scattered(wanted: str, text: str) -> int | None:
    """Returns a smaller number the nearer the letters are to each other and to the beginning."""
    parts = wanted.split()
    if len(wanted) < 2 or not all(_in_order(part, text) for part in parts):
        return None  # quickly, for most of many
    words = [0, *(found.end() for found in _BEFORE_WORD.finditer(text))]
    if len(parts) > 1:
        return 0 if all(any(text.startswith(part, word) for word in words) for part in parts) else None
    most = _WIDEST * len(wanted)
    return min((word + span for word in words if 0 < (span := _span(wanted, text, word)) <= most), default=None)


def _in_order(letters: str, text: str) -> bool:
    """Whether the letters are in `text`, in this order."""
    left = iter(text)
    return all(letter in left for letter in letters)


def _span(wanted: str, text: str, start: int) -> int:
    """Returns how many characters of `text` the letters of `wanted` take in order, the first one at `start`; 0 if
    they are not there.
    """
    if not text.startswith(wanted[0], start):
        return 0
    at = start
    for letter in wanted[1:]:
        at = text.find(letter, at + 1)
        if at < 0:
            return 0
    return at + 1 - start


def paths(prefix: str, endings: frozenset[str] | None = None) -> list[Suggestion]:
    """Returns the folders and files that `prefix` may become, as they are typed: quoted where needed.

    `prefix` may begin with ~ or a quote. `endings`, lower case with the dot, restrict the files. Hidden ones are
    offered once a dot is typed.
    """
    quote = prefix[:1] if prefix[:1] in {'"', "'"} else ""
    typed = _UNQUOTED[quote](prefix[len(quote) :])
    if typed == "~":
        return [Suggestion("~/", len(prefix), "~/", "folder")]
    cut = max(typed.rfind(separator) for separator in _SEPARATORS) + 1
    folder, name = typed[:cut], typed[cut:]
    there = sorted(_entries(folder, name, endings), key=lambda entry: (not entry[1], entry[0].casefold()))
    found = ranked(name, there, lambda entry: entry[0])
    return [_suggestion(folder, entry, is_folder, quote, len(prefix)) for entry, is_folder in found[:MOST]]


def mentions(typed: str) -> list[Suggestion]:
    """Returns what a mention at the end of `typed` may become: a file after an @; for pictures, a path alone."""
    from chatcli.attachments.mentions import IMAGE_ENDINGS

    file, picture = _at_end(_MENTION, typed), _at_end(_PATH, typed)
    if file is not None:
        return paths(file[1])
    return paths(picture[1], IMAGE_ENDINGS) if picture is not None else []


def in_mention(typed: str) -> bool:
    """Whether `typed` ends in a started file mention."""
    found = _at_end(_MENTION, typed)
    return found is not None and found[1] != ""


def _at_end(pattern: re.Pattern[str], typed: str) -> re.Match[str] | None:
    """Returns the match that `typed` ends in. Never tries again inside a match: that takes quadratic time."""
    return next((match for match in pattern.finditer(typed) if match.end() == len(typed)), None)


def as_completer(suggest: Callable[[str], Sequence[Suggestion]]) -> Completer:
    """Returns a completer of mentioned files and of `suggest`, which gets the text before the cursor."""
    from prompt_toolkit.completion import CompleteEvent, Completer, Completion
    from prompt_toolkit.document import Document

    class Suggestions(Completer):  # inside the function: naming its base loads prompt_toolkit
        def get_completions(self, document: Document, _: CompleteEvent) -> list[Completion]:
            typed = document.text_before_cursor
            return [
                Completion(
                    each.text,
                    -each.replaces,
                    display=as_name(each.shown),
                    display_meta=as_name(each.meaning),
                )
                for each in suggest(typed)[:MOST] or ([] if typed.startswith("/") else mentions(typed))
            ]

    return Suggestions()


def _entries(folder: str, name: str, endings: frozenset[str] | None) -> list[tuple[str, bool]]:
    """Returns (name, whether it is a folder) of the entries of `folder`; hidden ones if `name` is hidden."""
    try:
        with os.scandir(path_of(folder or ".")) as entries:
            shown = [entry for entry in entries if entry.name.startswith(".") == name.startswith(".")]
            found = [(entry.name, entry.is_dir()) for entry in shown]
    except (OSError, ValueError):  # missing, not readable, or a NUL in it
        return []
    return [(each, is_folder) for each, is_folder in found if is_folder or _ends(each, endings)]


def _ends(name: str, endings: frozenset[str] | None) -> bool:
    return endings is None or Path(name).suffix.lower() in endings


def _suggestion(folder: str, name: str, is_folder: bool, quote: str, replaces: int) -> Suggestion:
    path = folder + name + ("/" if is_folder else "")
    if not quote and _TO_QUOTE.search(path):
        quote = "'" if '"' in path and "'" not in path else '"'
    typed = _QUOTED[quote](path)
    # A folder's quote stays open, because a name inside it may follow.
    text = quote + typed + ("" if is_folder else quote)
    return Suggestion(text, replaces, name + ("/" if is_folder else ""), "folder" if is_folder else "")


def _without_backslashes(typed: str) -> str:
    return typed if sys.platform == "win32" else re.sub(r"\\(.)", r"\1", typed)


def _with_backslashes(path: str) -> str:
    return path if sys.platform == "win32" else re.sub(r"([\"\\])", r"\\\1", path)


# By quote, "" for none: what is written for a path, and the path that is written so.
_QUOTED: dict[str, Callable[[str], str]] = {
    "": str,
    "'": lambda path: path.replace("'", "'\\''"),
    '"': _with_backslashes,
}
_UNQUOTED: dict[str, Callable[[str], str]] = {
    "": _without_backslashes,
    "'": lambda typed: typed.replace("'\\''", "'"),
    '"': _without_backslashes,
}
