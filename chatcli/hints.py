"""Text for a person that names commands: each command in it is a value, spelled by the surface that shows it.

    Hint("Get it with ", Do("pull", name), ".")

The prompt spells `/pull NAME`, the shell `chatcli pull NAME` (both in commands/spelling.py), and a Python program
reads the argument or method of Chat (`in_python`, here). What cannot be done on a surface is not said there:

    Hint("Wait a moment, then ask again", Hint(" with ", Do("retry")), ".")      the inner hint is left out
    Either(Hint("Reset it with ", Do("unset"), "."), "Leave it out.")            the first that can be spelled
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable
from typing import Self, TypeAlias


class Do(tuple[str, tuple[str, ...], tuple[tuple[str, str | bool], ...]]):
    """A command and what follows it. `command`: its name at the prompt, else its words as a subcommand of the
    shell ("chats restore"), else "chatcli", the program itself. `words`: its arguments, unquoted, or placeholders
    (NAME). `flags`: those given as `--name` (True) or `--name VALUE`.
    """

    __slots__ = ()

    def __new__(cls, command: str, *words: str, **flags: str | bool) -> Self:
        return super().__new__(cls, (command, words, tuple(flags.items())))

    @property
    def command(self) -> str:
        return self[0]

    @property
    def words(self) -> tuple[str, ...]:
        return self[1]

    @property
    def flags(self) -> dict[str, str | bool]:
        return dict(self[2])

    def changed(self, change: Callable[[str], str]) -> Self:
        """The same command with every argument changed."""
        flags = {name: change(value) if isinstance(value, str) else value for name, value in self[2]}
        return type(self)(self.command, *map(change, self.words), **flags)

    def __repr__(self) -> str:
        given = [*map(repr, (self.command, *self.words)), *(f"{name}={value!r}" for name, value in self[2])]
        return f"{type(self).__name__}({', '.join(given)})"


class Usage(Do):
    """How a command is used, as its help shows it: all of its parameters."""

    __slots__ = ()


class Hint(tuple["Part", ...]):
    """Parts that are said together. One with a command that cannot be done on a surface is left out there. It is
    false when it says nothing.
    """

    __slots__ = ()

    def __new__(cls, *parts: Part) -> Self:
        return super().__new__(cls, [part for part in parts if part])

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self))})"

    def __str__(self) -> str:
        return spelled(self, in_python)

    def changed(self, change: Callable[[str], str]) -> Self:
        """The same with every text in it changed: its words, and the arguments of its commands."""
        return type(self)(*(_changed(part, change) for part in self))


class Either(Hint):
    """Alternatives: the first that can be spelled is said."""

    __slots__ = ()


def _changed(part: Part, change: Callable[[str], str]) -> Part:
    if isinstance(part, str):
        return change(part)
    return part.changed(change)


Part: TypeAlias = "str | Do | Hint"
Words: TypeAlias = "str | Hint"
# Spells a command for one surface; None where it cannot be done.
Speller: TypeAlias = Callable[[Do], "str | None"]


def lines(said: Iterable[Words]) -> Hint:
    """Each on a line of its own."""
    return Hint(*[part for words in said for part in ("\n", words)][1:])


def spelled(words: Words, speller: Speller) -> str:
    """The text for the surface of that speller; "" where nothing of it can be done there."""
    return words if isinstance(words, str) else (_spelled(words, speller) or "").strip()


def _spelled(part: Part, speller: Speller) -> str | None:
    if isinstance(part, str):
        return part
    if isinstance(part, Do):
        return speller(part)
    if isinstance(part, Either):
        return next((said for each in part if (said := _spelled(each, speller)) is not None), None)
    said = ""
    for each in part:
        text = _spelled(each, speller)
        if text is None and not _may_be_left_out(each):
            return None
        said += text or ""
    return said


def _may_be_left_out(part: Part) -> bool:
    return isinstance(part, Hint) and not isinstance(part, Either)


# Commands that are arguments or methods of Chat, and those that a programmer finds in the shell.
PYTHON = {
    "model": "model={}",
    "system": "system={}",
    "image": "images=[{}]",
    "file": "files=[{}]",
    "clear": "Chat.clear()",
    "save": "Chat.save({})",
    "chats": "Chat.conversations()",
    "load": "Chat.open({})",
    "pull": "chatcli pull {}",
    "doctor": "chatcli doctor",
    "chatcli": "chatcli {}",
}


def in_python(do: Do) -> str | None:
    """The argument or method of Chat that does it; else the command of the shell; None where neither does."""
    if isinstance(do, Usage):
        return None
    if do.command == "set":
        return _as_argument(*do.words) if do.words and not do.flags else None
    form = f"chatcli {do.command} {{}}" if " " in do.command else PYTHON.get(do.command)
    if form is None or form.startswith("chatcli"):
        return None if form is None else form.format(shell_words(do)).rstrip()
    words = ", ".join(map(_literal, do.words))
    return form.format(words) if words or "{}" not in form else form.partition("=")[0].replace("{}", "...")


def shell_words(do: Do, guarded: bool = False) -> str:
    """The flags and arguments as a shell reads them; a `--` keeps an argument from being taken for a flag, or
    (`guarded`) for a subcommand.
    """
    said: list[str] = []
    for name, value in do.flags.items():
        said += [f"--{name.replace('_', '-')}", *([value] if isinstance(value, str) else [])]
    if guarded or any(word.startswith("-") for word in do.words):
        said.append("--")
    return shlex.join([*said, *do.words])


def _as_argument(name: str, value: str = "") -> str:
    return f"{name}={_literal(value)}" if value else name


def _literal(value: str) -> str:
    """The value as Chat takes it: the text that is typed, in quotes."""
    quoted = repr(value)
    return f'"{value}"' if quoted == f"'{value}'" and '"' not in value else quoted
