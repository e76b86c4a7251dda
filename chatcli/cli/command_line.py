"""Reads a command line up to its words: which arguments are flags, values of flags, or words.

A flag whose value may be left out takes the next argument only if that is one of its words:

    chatcli --think "what is rain"      --think=on, and one word: the prompt
    chatcli --think high "and snow"     --think=high, and the prompt

The value of --resume is only what follows a "="; without one, all words are the name:

    chatcli --resume two whales         the conversation, and no prompt
    chatcli --resume=whales "and now?"  the conversation, and the prompt
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from chatcli.dataclass import dataclass
from chatcli.errors import BadValue
from chatcli.settings.setting import Setting
from chatcli.settings.table import TOOLS


@dataclass(frozen=True, slots=True)
class CommandLine:
    """`arguments`: as given, with the values that were left out. `places`: where in them the words are, up to a
    "--". `flags`: the names of the flags. `forced`: whether there is a "--", after which nothing is a flag or a
    subcommand.
    """

    arguments: tuple[str, ...]
    places: tuple[int, ...]
    flags: frozenset[str]
    forced: bool

    @property
    def words(self) -> list[str]:
        return [self.arguments[place] for place in self.places]

    def without(self, count: int) -> list[str]:
        """The arguments without the first words, as many as `count` says."""
        taken = self.places[:count]
        return [each for place, each in enumerate(self.arguments) if place not in taken]


def read_line(
    arguments: Sequence[str],
    valued: Collection[str],
    optional: Mapping[str, Setting[Any]],
    bare: Mapping[str, str],
) -> CommandLine:
    """`valued`: the names of the flags that take a value. `optional`: the settings whose value may be left out, by
    the names of their flags. `bare`: what other flags mean that never take the next argument.
    """
    left, read, places, flags = list(arguments), list[str](), list[int](), set[str]()
    while left and left[0] != "--":
        given = left.pop(0)
        if given[:1] != "-" or given == "-":
            places.append(len(read))
            read.append(given)
            continue
        names = [given.partition("=")[0]] if given.startswith("--") else list(_letters(given, valued))
        flags.update(names)
        # The last letter's value may be attached: -mNAME.
        is_whole = given == names[0] if given.startswith("--") else len(names) == len(given) - 1
        if is_whole and names[-1] in bare:
            if len(names) > 1:  # -cr
                read.append(given[:-1])
            read.append(bare[names[-1]])
            continue
        filled = _filled(given, left, optional)
        read.append(filled or given)
        if filled is None and is_whole and names[-1] in valued and left:
            read.append(left.pop(0))
    return CommandLine((*read, *left), tuple(places), frozenset(flags), bool(left))


def _letters(given: str, valued: Collection[str]) -> Iterator[str]:
    """The flags in `-abc`, up to one that takes the rest as its value."""
    for letter in given[1:]:
        yield f"-{letter}"
        if f"-{letter}" in valued:
            return


def _filled(given: str, left: list[str], optional: Mapping[str, Setting[Any]]) -> str | None:
    """The flag with its value, which may be the next in `left`; None where no value may be left out."""
    name, is_given, value = given.partition("=")
    if name in optional:
        setting = optional[name]
        if not is_given:
            value = left.pop(0) if left and _is_value(setting, left[0]) else setting.kind.bare
    elif f"--{name.removeprefix('--no-')}" in optional and not is_given:
        setting, value = optional[f"--{name.removeprefix('--no-')}"], "off"
    else:
        return None
    if not setting.is_switch:
        return f"{setting.flag}={value}"
    try:
        return setting.flag if setting.kind.read(value) else setting.negation
    except BadValue as error:
        raise BadValue(f"{setting.name}: {error.message}", setting.help) from None


def _is_value(setting: Setting[Any], word: str) -> bool:
    """Whether a word after the flag is its value rather than a prompt: one of the setting's own, or for tools the
    names of built-in ones. Other names follow an equals sign.
    """
    if setting is not TOOLS or word in setting.kind.words:
        return word in setting.kind.words
    from chatcli.tools.table import builtins

    return {*word.split(",")} <= {*builtins(), *setting.kind.words}
