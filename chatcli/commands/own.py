"""Own commands: a Markdown file in the folder `commands` is /NAME at the prompt, `chatcli -t NAME` in the shell.

    ---
    description: Review a change
    model: qwen3-coder
    ---
    Review @$1 and say what is wrong. $ARGUMENTS

$ARGUMENTS is all that follows the name, $1 to $9 are its words. Between the lines of dashes are a description and
settings for this one message; all of that may be left out.
"""

from __future__ import annotations

import os
import re
from collections.abc import Container, Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from chatcli.commands.arguments import Arg, parameters_of, split_words
from chatcli.commands.outcomes import Outcome, Send
from chatcli.commands.registry import Command
from chatcli.dataclass import dataclass
from chatcli.errors import BadData, BadFile, BadValue, NotFound
from chatcli.hints import Words
from chatcli.paths import why
from chatcli.session.session import Session
from chatcli.settings import values
from chatcli.settings.named_tables import Kind, meant
from chatcli.settings.table import TABLE

ENDING = ".md"
LARGEST = 250_000  # bytes
LONGEST_SUMMARY = 80
_FENCE = "---"
# $ARGUMENTS, and $1 to $9; $100 is a price.
_PLACEHOLDER = re.compile(r"\$(ARGUMENTS\b|[1-9](?!\d))")

FRONT_MATTER = Kind(
    "",
    "command",
    "It may have a description, and any setting that is kept with a conversation.",
    {**{each.name: each.kind for each in TABLE if each.kept}, "description": values.text()},
    {alias: each.name for each in TABLE if each.kept for alias in each.aliases},
)


@dataclass(frozen=True, slots=True)
class OwnCommand:
    """`values`: settings for its message, by name. `path`: the file it comes from."""

    name: str
    text: str
    values: Mapping[str, Any]
    summary: str
    path: Path

    def expanded(self, arguments: str) -> str:
        """The message. Arguments that the text has no place for follow it. Raises BadFile when nothing is left."""
        words = split_words(arguments)

        def put(found: re.Match[str]) -> str:
            name = found[1]
            return arguments if name == "ARGUMENTS" else "".join(words[int(name) - 1 : int(name)])

        text, places = _PLACEHOLDER.subn(put, self.text)
        message = (text if places or not arguments else f"{text.rstrip()}\n\n{arguments}").strip()
        if not message:
            raise BadFile(f"{self.path} gives an empty message.", "Write into it what is to be sent.")
        return message

    @property
    def command(self) -> Command:
        def run(
            session: Session, *, arguments: Annotated[str, Arg("what the text has $ARGUMENTS or $1 for")] = ""
        ) -> Outcome:
            return Send(self.expanded(arguments), self.values)

        return Command(self.name, (), self.summary, f"It sends the text of {self.path}.", parameters_of(run), run)


@dataclass(frozen=True, slots=True)
class OwnCommands:
    """By name. `faults`: of the files that are no commands, by the name that they would have."""

    folder: Path
    sound: Mapping[str, OwnCommand]
    faults: Mapping[str, BadFile]

    def get(self, name: str) -> OwnCommand:
        """Raises BadFile for a file with a fault, and NotFound with the nearest name."""
        if name in self.faults:
            raise self.faults[name]
        if name not in self.sound:
            hint = meant(name, self.sound) or f"One is a file in {self.folder}, such as {name}{ENDING}."
            raise NotFound(f'There is no own command "{name}".', hint)
        return self.sound[name]


def own_commands(folder: Path, taken: Container[str]) -> OwnCommands:
    """The commands in that folder. `taken`: the names of chatcli's own commands, which none of them may have."""
    sound: dict[str, OwnCommand] = {}
    faults: dict[str, BadFile] = {}
    for path, about in _files(folder):
        name = path.name.removesuffix(ENDING)
        try:
            if name in taken:
                raise _fault(path, None, f"/{name} is a command of chatcli", "Rename the file.")
            if not re.fullmatch(r"[\w-]+", name):
                raise _fault(path, None, "its name is not letters, digits, - and _", "Rename the file.")
            sound[name] = _read(path, about.st_mtime_ns, about.st_size)
        except BadFile as fault:
            faults[name] = fault
    return OwnCommands(folder, sound, faults)


def _files(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    with suppress(OSError):
        for entry in sorted(os.scandir(folder), key=lambda each: each.name):
            if entry.name.endswith(ENDING) and not entry.name.startswith("."):
                with suppress(OSError):  # a link to nothing
                    yield Path(entry.path), entry.stat()


@lru_cache(maxsize=4096)
def _read(path: Path, _changed: int, _size: int) -> OwnCommand:
    from chatcli.reading.files import read_bytes
    from chatcli.reading.json_toml import text_of

    try:
        text = text_of(read_bytes(path, LARGEST))
    except BadData as error:
        raise _fault(path, error.line, error.why, "Save it as UTF-8.") from None
    except (OSError, ValueError) as error:
        raise _fault(path, None, f"it cannot be read: {why(error)}", "Check its permissions.") from None
    found, text = _front_matter(path, text.replace("\r\n", "\n"))
    first = next((line.strip("# \t") for line in text.split("\n") if line.strip("# \t")), "")
    summary = found.pop("description", "") or first
    short = summary if len(summary) <= LONGEST_SUMMARY else f"{summary[: LONGEST_SUMMARY - 1]}…"
    return OwnCommand(path.name.removesuffix(ENDING), text, found, short, path)


def _front_matter(path: Path, text: str) -> tuple[dict[str, Any], str]:
    """The values between two lines of dashes at the beginning, and the text after them."""
    lines = text.split("\n")
    if lines[0].rstrip() != _FENCE:
        return {}, text
    end = next((at for at, line in enumerate(lines[1:], start=1) if line.rstrip() == _FENCE), None)
    if end is None:
        raise _fault(path, 1, f"the front matter has no end: a line of {_FENCE}", "Add it, or leave it out.")
    found: dict[str, Any] = {}
    for number, line in enumerate(lines[1:end], start=2):
        key, colon, value = (part.strip() for part in line.partition(":"))
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        plain = key.lower().replace("-", "_")
        known = FRONT_MATTER.aliases.get(plain, plain)
        if not colon or known not in FRONT_MATTER.keys:
            hint = meant(plain, [*FRONT_MATTER.keys, *FRONT_MATTER.aliases]) or FRONT_MATTER.may_have
            raise _fault(path, number, f'"{key}" is none of its keys' if colon else "KEY: VALUE is expected", hint)
        try:
            found[known] = FRONT_MATTER.keys[known].take(_unquoted(value))
        except BadValue as error:
            raise _fault(path, number, f"{known}: {error.message.rstrip('.')}", error.advice) from None
    return found, "\n".join(lines[end + 1 :])


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'" else value


def _fault(path: Path, line: int | None, what: str, hint: Words) -> BadFile:
    return BadFile(f"{path}{f', line {line}' if line else ''}: {what}.", hint)
