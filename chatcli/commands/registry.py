"""Command and Registry: each command is one decorated function that gives its parameters, help and completion.

The registry is built from an explicit list of modules.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType

from chatcli.commands.arguments import Parameter, Word, leading_flags, parameters_of, read_arguments, split_words
from chatcli.commands.outcomes import Outcome
from chatcli.errors import BadArgument, UnknownCommand
from chatcli.hints import Do, Hint, Usage
from chatcli.session.session import Session

# How alike a mistyped subcommand is to its name, and the most bare words that may be one.
CLOSE = 0.8
MOST_BARE = 3

_LISTED = Hint(Do("help"), " lists the commands.")


@dataclass(frozen=True, slots=True)
class Command:
    """One command. `subcommand`: its name in the shell, one word or two ("": none); without a `name` it is a
    subcommand only. `in_shell`: what a shell has in its place when it is no subcommand: a flag to ask again
    with, or `chatcli` with what follows. `family`: the module it comes from. `tolerant`: it runs even if the
    settings file cannot be read.
    """

    name: str
    aliases: tuple[str, ...]
    summary: str
    details: str
    parameters: tuple[Parameter, ...]
    run: Callable[..., Outcome]
    subcommand: str = ""
    in_shell: str = ""
    family: str = ""
    tolerant: bool = False

    @property
    def usage(self) -> str:
        return self.usage_after(f"/{self.name}" if self.name else f"chatcli {self.subcommand}")

    def usage_after(self, name: str) -> str:
        return " ".join([name, *(parameter.usage for parameter in self.parameters)])

    def parameter_at(self, position: int) -> Parameter | None:
        """The parameter that takes the argument at that position, counted from 0; flags are not counted."""
        positional = [parameter for parameter in self.parameters if not parameter.flag]
        if position < len(positional):
            return positional[position]
        return positional[-1] if positional and (positional[-1].many or positional[-1].raw) else None


def command(
    name: str, *aliases: str, subcommand: str = "", in_shell: str = "", tolerant: bool = False
) -> Callable[[Callable[..., Outcome]], Command]:
    """Make a function a Command: the first line of its docstring is the summary, the rest the details."""

    def make(function: Callable[..., Outcome]) -> Command:
        summary, _, details = inspect.cleandoc(function.__doc__ or "").partition("\n")
        if not summary:
            raise TypeError(f"/{name or subcommand} has no docstring")
        family = function.__module__.rpartition(".")[2]
        return Command(
            name,
            aliases,
            summary,
            details.strip(),
            parameters_of(function),
            function,
            subcommand,
            in_shell,
            family,
            tolerant,
        )

    return make


class Registry:
    """Commands by name and alias. Names must match exactly; a similar name is suggested, never run.

    `commands` are those typed after a slash; `subcommands` are those of the shell, by their words.
    """

    def __init__(self, modules: Sequence[ModuleType]) -> None:
        self.commands: list[Command] = []
        self.subcommands: dict[tuple[str, ...], Command] = {}
        self._by_name: dict[str, Command] = {}
        for module in modules:
            for value in vars(module).values():
                if isinstance(value, Command):
                    self._register(value)

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    def find(self, name: str) -> Command:
        if name in self._by_name:
            return self._by_name[name]
        if not name:
            raise UnknownCommand("A command has a name after its slash.", _LISTED)
        near = difflib.get_close_matches(name, self._by_name, n=1, cutoff=0.5)
        meant = Hint("Did you mean ", Do(near[0]), "?") if near else _LISTED
        raise UnknownCommand(
            f"There is no command /{name}.", Hint(meant, " To send a line that begins with /, type //.")
        )

    def dispatch(self, session: Session, line: str) -> Outcome:
        """Run the command line (without its slash). Raises UnknownCommand, BadArgument and its errors."""
        name, rest = _split_name(line)
        found = self.find(name)
        if rest and not found.parameters:
            raise BadArgument(f"/{found.name} takes no arguments.", Hint("Usage: ", Usage(found.name)))
        try:
            positional, keywords = read_arguments(found.parameters, rest)
        except BadArgument as error:
            raise BadArgument(
                f"/{found.name}: {error.message}", error.advice or Hint("Usage: ", Usage(found.name))
            ) from None
        return found.run(session, *positional, **keywords)

    def suggest(self, session: Session, line: str) -> list[tuple[Word, int]]:
        """The completions for the end of `line` (begins with /), each with how many characters it replaces."""
        if " " not in line:
            typed = line[1:]
            words = [Word(f"/{command.name}", command.summary) for command in self.commands]
            return [(word, len(line)) for word in words if word.text[1:].startswith(typed)]
        name, rest = _split_name(line[1:])
        found = self._by_name.get(name)
        if found is None:
            return []
        if any(parameter.raw for parameter in found.parameters):
            _, rest = leading_flags(found.parameters, rest)
        before, current = _at_end(rest)
        parameter = found.parameter_at(len(before))
        if parameter is None or parameter.suggest is None:
            return []
        found_words = parameter.suggest(session, rest if parameter.raw or parameter.whole else current)
        return [(word, len(rest if parameter.whole else current)) for word in found_words]

    def subcommand(self, words: Sequence[str]) -> Command | None:
        """The subcommand that these words begin with, the longest name first; each word must match exactly."""
        found = (self.subcommands.get(tuple(words[:count])) for count in (2, 1) if len(words) >= count)
        return next((each for each in found if each is not None), None)

    def meant(self, words: Sequence[str]) -> Do | None:
        """The subcommand that a few bare words are close to; None for a text: more words, or a blank in one."""
        if not 0 < len(words) <= MOST_BARE or any(len(word.split()) != 1 for word in words):
            return None
        names = {" ".join(name): name for name in self.subcommands}
        for count in range(min(len(words), 2), max(len(words) - 2, 0), -1):
            begin, rest = " ".join(words[:count]).lower(), words[count:]
            for near in difflib.get_close_matches(begin, names, cutoff=CLOSE):
                if not rest or self._takes_words(names[near]):
                    return Do(near, *rest)
        alone = [near for near, name in names.items() if name[1:] == tuple(words)]  # `list` for `chats list`
        return Do(alone[0]) if alone else None

    def _takes_words(self, name: tuple[str, ...]) -> bool:
        """Whether arguments may follow this name, and no name is longer."""
        longer = any(each[: len(name)] == name != each for each in self.subcommands)
        return not longer and any(not parameter.flag for parameter in self.subcommands[name].parameters)

    def _register(self, command: Command) -> None:
        if command.subcommand:
            self.subcommands[tuple(command.subcommand.split())] = command
        if not command.name:
            return
        for name in (command.name, *command.aliases):
            if name in self._by_name:
                raise TypeError(f"/{name} is registered twice")
            self._by_name[name] = command
        self.commands.append(command)


def _split_name(line: str) -> tuple[str, str]:
    parts = line.split(maxsplit=1)
    return (parts[0] if parts else ""), (parts[1] if len(parts) > 1 else "")


def _at_end(rest: str) -> tuple[list[str], str]:
    """The finished words, and the one being typed: "" after a blank, with its quote if that is unclosed."""
    begin, quote = 0, ""
    for index, letter in enumerate(rest):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'" and index == begin:
            quote = letter
        elif letter.isspace() and rest[index - 1 : index] != "\\":
            begin = index + 1
    return split_words(rest[:begin]), rest[begin:]
