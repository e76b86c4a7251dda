"""Draws suggestions as completions. The commands decide what to suggest; helpers for paths are here."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from chatcli.paths import path_of
from chatcli.text import as_name

if TYPE_CHECKING:
    from prompt_toolkit.completion import Completer

_MOST = 200
_MENTION = re.compile(r"""(?<!\S)@("[^"\n]*+|'[^'\n]*+|(?:[^\s\\"']|\\.)*+)""")
_PATH = re.compile(r"""(?<!\S)((?:~|\.{1,2})?/(?:[^\s\\]|\\.)*+|["'](?:~|\.{1,2})?/[^"'\n]*+)""")
_TO_QUOTE = re.compile(r"""[\s"'`]|\\|[,;:!?.)\]}>]\Z""" if os.name != "nt" else r"""[\s"'`]""")
_SEPARATORS = "/\\" if os.name == "nt" else "/"


class Suggestion(NamedTuple):
    """`text` replaces `replaces` characters before the cursor; the menu shows `shown` with its `meaning`."""

    text: str
    replaces: int
    shown: str
    meaning: str = ""


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
    found = sorted(_entries(folder, name, endings), key=lambda entry: (not entry[1], entry[0].casefold()))
    return [_suggestion(folder, entry, is_folder, quote, len(prefix)) for entry, is_folder in found[:_MOST]]


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
                for each in suggest(typed) or ([] if typed.startswith("/") else mentions(typed))
            ]

    return Suggestions()


def _entries(folder: str, name: str, endings: frozenset[str] | None) -> list[tuple[str, bool]]:
    """Returns (name, whether it is a folder) of the entries of `folder` that begin with `name`."""
    try:
        with os.scandir(path_of(folder or ".")) as entries:
            fitting = [entry for entry in entries if entry.name.casefold().startswith(name.casefold())]
            shown = [entry for entry in fitting if name.startswith(".") or not entry.name.startswith(".")]
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
    return typed if os.name == "nt" else re.sub(r"\\(.)", r"\1", typed)


def _with_backslashes(path: str) -> str:
    return path if os.name == "nt" else re.sub(r"([\"\\])", r"\\\1", path)


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
