"""Command and Registry: each command is one decorated function that gives its parameters, help and completion.

Related commands are words of one: `/models` lists, `/models rm` is a command of its own. The registry is built
from an explicit list of modules, by the groups in which /help shows their commands.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import ModuleType
from typing import TYPE_CHECKING

from chatcli.commands import near_names
from chatcli.commands.arguments import (
    Parameter,
    Word,
    fitting,
    leading_flags,
    parameters_of,
    read_arguments,
    split_words,
)
from chatcli.commands.outcomes import Outcome
from chatcli.dataclass import dataclass
from chatcli.errors import BadArgument, UnknownCommand
from chatcli.hints import Do, Hint, Usage, Words
from chatcli.paths import find_paths
from chatcli.prompt.completer import ranked
from chatcli.session.session import Session
from chatcli.settings.table import TABLE

if TYPE_CHECKING:
    from chatcli.commands.own import OwnCommands

_LISTED = Hint(Do("help"), " lists the commands.")


@dataclass(frozen=True, slots=True)
class Command:
    """One command. `name`: one word, or two where it is a word of another command. `subcommands`: its names in the
    shell, one word or two (none: it is no subcommand); without a `name` it is a subcommand only. `in_shell`: what
    a shell has in its place when it is no subcommand: a flag to ask again with, or `chatcli` with what follows.
    `tolerant`: it runs even if the settings file cannot be read. `data`: its outcome has data, so that the shell
    knows it with --json.
    """

    name: str
    aliases: tuple[str, ...]
    summary: str
    details: str
    parameters: tuple[Parameter, ...]
    run: Callable[..., Outcome]
    subcommands: tuple[str, ...] = ()
    in_shell: str = ""
    tolerant: bool = False
    data: bool = False

    @property
    def subcommand(self) -> str:
        """Its name in the shell, or "" where it has none."""
        return self.subcommands[0] if self.subcommands else ""

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
    name: str,
    *aliases: str,
    subcommand: str | tuple[str, ...] = (),
    in_shell: str = "",
    tolerant: bool = False,
    data: bool = False,
) -> Callable[[Callable[..., Outcome]], Command]:
    """Make a function a Command: the first line of its docstring is the summary, the rest the details."""
    subcommands = (subcommand,) if isinstance(subcommand, str) else subcommand

    def make(function: Callable[..., Outcome]) -> Command:
        summary, _, details = inspect.cleandoc(function.__doc__ or "").partition("\n")
        if not summary:
            raise TypeError(f"/{name or subcommands[0]} has no docstring")
        return Command(
            name,
            aliases,
            summary,
            details.strip(),
            parameters_of(function),
            function,
            subcommands,
            in_shell,
            tolerant,
            data,
        )

    return make


class Registry:
    """Commands by name and alias. Names must match exactly; a similar name is suggested, never run.

    `commands` are chatcli's own that are typed after a slash, `groups` the same by their groups; `subcommands` are
    those of the shell, by their words, each with the name that it has there.
    """

    def __init__(self, modules: Mapping[str, Sequence[ModuleType]]) -> None:
        self.commands: list[Command] = []
        self.groups: dict[str, list[Command]] = {group: [] for group in modules}
        self.subcommands: dict[tuple[str, ...], Command] = {}
        self._by_name: dict[str, Command] = {}
        for group, its_modules in modules.items():
            for value in (value for module in its_modules for value in vars(module).values()):
                if isinstance(value, Command):
                    self._register(value, group)

    def __contains__(self, name: str) -> bool:
        return name in self._by_name or name in self.own().sound

    def own(self) -> OwnCommands:
        """The person's own commands, as their files are now."""
        from chatcli.commands.own import own_commands

        return own_commands(find_paths().own_commands, self._by_name)

    def find(self, name: str) -> Command:
        """Raises UnknownCommand, and BadFile for an own command with a fault."""
        if name in self._by_name:
            return self._by_name[name]
        if not name:
            raise UnknownCommand("A command has a name after its slash.", _LISTED)
        own = self.own()
        if name in {*own.sound, *own.faults}:
            return own.get(name).command
        raise UnknownCommand(
            f"There is no command /{name}.",
            Hint(self._meant(name), " To send a line that begins with /, type //."),
        )

    def _meant(self, name: str) -> Hint:
        """What a name that is no command may stand for: a word of one, a setting, or a similar name."""
        words = [Do(each.name) for each in self.commands if each.name.endswith(f" {name}")]
        settings = [Do("set", each.name) for each in TABLE if name in {each.name, *each.aliases}]
        names = {*self._by_name, *self.own().sound}
        similar = [Do(near) for near in difflib.get_close_matches(name, names, n=1, cutoff=0.5)]
        meant = words or [*settings, *similar][:1]
        either = (part for each in meant for part in (" or ", each))
        return Hint("Did you mean ", *list(either)[1:], "?") if meant else _LISTED

    def words_of(self, command: Command) -> list[Command]:
        """The commands that are words of this one: `/models rm` of `/models`."""
        return [each for each in self.commands if each.name.startswith(f"{command.name} ")]

    def usage(self, command: Command) -> str:
        """How it is typed, with the words that it may begin with: `/models [show|pull|...]`."""
        words = [_last_word(each.name) for each in self.words_of(command)]
        return command.usage_after(f"/{command.name} [{'|'.join(words)}]") if words else command.usage

    def chosen(self, line: str) -> tuple[Command, str]:
        """The command that the line (without its slash) begins with, and what follows. Raises UnknownCommand."""
        name, rest = _split_name(line)
        found = self.find(name)
        word, more = _split_name(rest)
        longer = self._by_name.get(f"{found.name} {word}")
        return (found, rest) if longer is None else (longer, more)

    def word_meant(self, command: Command, word: str) -> Words:
        """What is said when another word follows a command: the one of its own that is meant, or all of them."""
        words = {_last_word(each.name): each for each in self.words_of(command)}
        near = difflib.get_close_matches(word, words, n=1, cutoff=0.5)
        if near:
            return Hint("Did you mean ", Do(words[near[0]].name), "?")
        return f"One of: {', '.join(words)}." if words else ""

    def dispatch(self, session: Session, line: str) -> Outcome:
        """Run the command line (without its slash). Raises UnknownCommand, BadArgument and its errors."""
        found, rest = self.chosen(line)
        if rest and not found.parameters:
            word = _split_name(rest)[0]
            meant = self.word_meant(found, word)
            wrong = f'/{found.name} has no word "{word}".' if meant else f"/{found.name} takes no arguments."
            raise BadArgument(wrong, meant or Hint("Usage: ", Usage(found.name)))
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
            words = [Word(f"/{each.name}", each.summary) for each in self.commands if " " not in each.name]
            words += [Word(f"/{each.name}", each.summary) for each in self.own().sound.values()]
            if line != "/":  # the list of all is long enough without other names, and words of commands
                words += [Word(f"/{each.name}", each.summary) for each in self.commands if " " in each.name]
                words += [Word(f"/{alias}", f"= /{each.name}") for each in self.commands for alias in each.aliases]
            return [(word, len(line)) for word in ranked(line[1:], words, lambda word: word.text[1:])]
        name, rest = _split_name(line[1:])
        found = self._by_name.get(name)
        if found is None:
            return []
        word, blank, more = rest.partition(" ")
        if not blank:
            offered = [Word(_last_word(each.name), each.summary) for each in self.words_of(found)]
            own = [(each, len(word)) for each in fitting(offered, word)]
            return own + self._of_parameter(session, found, rest)
        longer = self._by_name.get(f"{found.name} {word}")
        return (
            self._of_parameter(session, found, rest)
            if longer is None
            else self._of_parameter(session, longer, more)
        )

    def _of_parameter(self, session: Session, found: Command, rest: str) -> list[tuple[Word, int]]:
        """The completions for the argument at the end of `rest`: values, and flags that are not given yet."""
        flags = {f"--{parameter.name}": parameter for parameter in found.parameters if parameter.flag}
        takes_raw = any(parameter.raw for parameter in found.parameters)
        given: list[str] = []
        if takes_raw:
            given, rest = leading_flags(found.parameters, rest)
        before, current = _at_end(rest)
        last = flags.get(before[-1]) if before else None
        if last is not None and last.kind is not bool:
            return [(word, len(current)) for word in last.suggest(session, current)] if last.suggest else []
        left = {name: each for name, each in flags.items() if name not in before and each.name not in given}
        named = fitting([Word(name, each.meaning) for name, each in left.items()], current)
        further = [(word, len(current)) for word in named if not (takes_raw and before)]
        if current.startswith("-"):
            return further
        parameter = found.parameter_at(_positional(before, flags))
        if parameter is None or parameter.suggest is None:
            return further if not current else []
        found_words = parameter.suggest(session, rest if parameter.raw or parameter.whole else current)
        return [(word, len(rest if parameter.whole else current)) for word in found_words]

    def subcommand(self, words: Sequence[str]) -> Command | None:
        """The subcommand that these words begin with, the longest name first; each word must match exactly."""
        found = (self.subcommands.get(tuple(words[:count])) for count in (2, 1) if len(words) >= count)
        return next((each for each in found if each is not None), None)

    def meant(self, words: Sequence[str]) -> Do | None:
        """The subcommand that a few bare words are close to; None for a text: see near_names."""
        names = {" ".join(name): name for name in self.subcommands}
        near = near_names(words, names)
        return next((Do(name, *rest) for name, rest in near if not rest or self._takes_words(names[name])), None)

    def _takes_words(self, name: tuple[str, ...]) -> bool:
        """Whether arguments may follow this name, and no name is longer."""
        longer = any(each[: len(name)] == name != each for each in self.subcommands)
        return not longer and any(not parameter.flag for parameter in self.subcommands[name].parameters)

    def _register(self, command: Command, group: str) -> None:
        for name in command.subcommands:
            self.subcommands[tuple(name.split())] = replace(command, subcommands=(name,))
        if not command.name:
            return
        for name in (command.name, *command.aliases):
            if name in self._by_name:
                raise TypeError(f"/{name} is registered twice")
            self._by_name[name] = command
        self.commands.append(command)
        self.groups[group].append(command)


def _split_name(line: str) -> tuple[str, str]:
    parts = line.split(maxsplit=1)
    return (parts[0] if parts else ""), (parts[1] if len(parts) > 1 else "")


def _last_word(name: str) -> str:
    return name.rpartition(" ")[2]


def _positional(words: Sequence[str], flags: Mapping[str, Parameter]) -> int:
    """How many of the words are neither flags nor their values."""
    valued = [name for name, parameter in flags.items() if parameter.kind is not bool]
    return sum(word not in flags and (at == 0 or words[at - 1] not in valued) for at, word in enumerate(words))


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
