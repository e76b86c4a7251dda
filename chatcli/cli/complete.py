"""Answers Tab in the shell within 0.1 s: what may follow, from a table of words that is kept in the cache.

The script of `chatcli completion SHELL` starts chatcli with the variable VARIABLE. What the command line accepts
is written down once by completion_table.py, which imports everything; models come from what was last known of the
servers, conversations from the store. No server is ever asked, and nothing is said about an error: Tab that finds
nothing offers files.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple

import chatcli
from chatcli.paths import find_paths, kept_bytes, read_kept

VARIABLE = "_CHATCLI_COMPLETE"
MOST = 500  # words that are offered
# Where bash ends a word within one: what stands before is not replaced.
_BREAKS = ":="
_SOURCES = ("commands", "settings", "cli")  # folders with what the table is made of


class Word(NamedTuple):
    text: str
    meaning: str = ""


class Place(Enum):
    """Where the next word is: among those of a subcommand, in a prompt, or after `--`, where nothing is a flag."""

    WORDS, PROMPT, REST = range(3)


class Typed(NamedTuple):
    """The words before the one at the cursor, and that one: as it was meant, and as it stands there."""

    before: list[str]
    current: str
    written: str


def main() -> None:
    shell = os.environ.pop(VARIABLE)
    typed = from_line(sys.argv[1]) if shell == "bash" else Typed(sys.argv[1:-1], sys.argv[-1], sys.argv[-1])
    for word in list(fitting(typed, table()))[:MOST]:
        text = for_bash(word.text, typed.written) if shell == "bash" else f"{word.text}\t{word.meaning}"
        sys.stdout.write(f"{text}\n")


def table() -> dict[str, Any]:
    """What each subcommand takes ("" is chatcli itself), as completion_table.py has it."""
    file, now = find_paths().cache / "completion.json", _version()
    kept = read_kept(file)
    if kept.get("version") == now:
        words: dict[str, Any] = kept["commands"]
        return words
    from chatcli.cli.completion_table import commands, keep

    made = commands()
    keep(file, {"version": now, "commands": made})
    return made


def fitting(typed: Typed, commands: dict[str, Any]) -> Iterator[Word]:
    """What may stand at the cursor, as far as it is typed."""
    name, flag, place = _read(typed.before, commands)
    flags, current = commands[name]["flags"], typed.current
    joined, is_joined, value = current.partition("=")
    if flag:
        found = _values(commands[name]["values"].get(flag), typed.before)
        yield from (word for word in _name_first(found, current) if word.text.startswith(current))
    elif is_joined and current.startswith("--"):
        found = _values(commands[name]["values"].get(joined), typed.before)
        found = [word for word in _name_first(found, value) if word.text.startswith(value)]
        yield from (Word(f"{joined}={text}", told) for text, told in found)
    elif place is Place.REST:
        return
    elif current.startswith("-"):
        yield from (Word(*each) for each in flags if each[0].startswith(current))
    elif place is Place.WORDS:
        words = [Word(*each) for each in commands[name]["words"]]
        words += _values(commands[name]["argument"], typed.before)
        if not name and {"--resume", "-r"} & set(typed.before):
            words = _values("chats", typed.before)
        yield from (word for word in words if word.text.startswith(current))


def _name_first(words: list[Word], current: str) -> list[Word]:
    """Of NAME= and NAME=VALUE the names, and the values when a name is typed."""
    names = [word for word in words if word.text.endswith("=")]
    if not names:
        return words
    return [word for word in words if word not in names] if "=" in current else names


def _read(before: Sequence[str], commands: dict[str, Any]) -> tuple[str, str, Place]:
    """The subcommand that these words name, the flag whose value comes next ("": none), and where the next is."""
    names: list[str] = []
    flag, place = "", Place.WORDS
    for word in before:
        name = " ".join(names)
        if flag:
            flag = ""
        elif word == "--":
            return "", "", Place.REST
        elif word.startswith("-"):
            flag = word if word in commands[name]["values"] and word not in commands[name]["alone"] else ""
        elif place is Place.WORDS and " ".join([*names, word]) in commands:
            names.append(word)
        elif not names and not {"--resume", "-r"} & set(before):
            place = Place.PROMPT
    return " ".join(names), flag, place


def _values(source: Any, before: Sequence[str]) -> list[Word]:
    """The words of a value: a list of them, or the name of where they are found now."""
    paths = find_paths()
    if isinstance(source, list):
        return [Word(*each) for each in source]
    if source == "models":
        from chatcli.session.known_servers import models_of_all

        return [Word(name) for name in models_of_all(paths.servers)]
    if source == "chats":
        from chatcli.store.titles import newest_titles

        return [Word(title) for title in dict.fromkeys(newest_titles(paths.store, "--demo" in before))]
    if source in {"profiles", "hosts"}:
        return [Word(name) for name in _tables(paths.settings_file, source)]
    if source == "own commands":
        return [Word(file.stem) for file in sorted(paths.own_commands.glob("*.md"))]
    return []


def _tables(file: Path, kind: str) -> Iterable[str]:
    """The names of the [profiles.NAME] or [hosts.NAME] of the settings file."""
    text = kept_bytes(file).decode("utf-8", "replace")
    return re.findall(rf"^\[{kind}\.[\"']?([\w-]+)", text, re.MULTILINE)


def from_line(line: str) -> Typed:
    """Split what stands before the cursor as bash does: quotes and backslashes are taken out of the words."""
    words, current, written, quote, escaped = list[str](), "", "", "", False
    for letter in line:
        written += letter
        if escaped or (quote and letter not in {quote, "\\"}):
            current, escaped = current + letter, False
        elif letter == "\\" and quote != "'":
            escaped = True
        elif letter in {quote, '"', "'"}:
            quote = "" if quote else letter
        elif letter.isspace():
            if written.strip():
                words.append(current)
            current = written = ""
        else:
            current += letter
    return Typed(words[1:], current, written)


def for_bash(word: str, written: str) -> str:
    """The word as it is put in place of what stands there, from its last break on."""
    quote = written[:1] if written[:1] in {'"', "'"} else ""
    if quote:
        return quote + word.replace(quote, f"{quote}\\{quote}{quote}") + quote
    escaped = re.sub(r"([^\w@%+=:,./-])", r"\\\1", word)
    return escaped[max(written.rfind(each) for each in _BREAKS) + 1 :]


def _version() -> str:
    """Another one when chatcli is another: its version, and when its sources were changed."""
    here = Path(__file__).parents[1]
    changed = [int(entry.stat().st_mtime) for folder in _SOURCES for entry in os.scandir(here / folder)]
    return f"{chatcli.__version__} {len(changed)} {max(changed)}"
