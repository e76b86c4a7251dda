"""Spells the commands of a hint as they are typed at the prompt or in the shell; hints.py spells Python's."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from chatcli.commands import everything
from chatcli.hints import Do, Usage, shell_words
from chatcli.settings.table import TABLE

if TYPE_CHECKING:
    from chatcli.commands.arguments import Parameter

_SETTINGS = {setting.name: setting for setting in TABLE}


def at_prompt(do: Do) -> str | None:
    """As it is typed at chatcli's prompt; a subcommand that the prompt does not have, as in the shell."""
    found = everything()
    if do.command not in found:
        return in_shell(do)
    command = found.find(do.command)
    if isinstance(do, Usage):
        return command.usage_after(f"/{do.command}")
    said = [f"/{do.command}"]
    for name, value in do.flags.items():
        said += [f"--{name}", *([shlex.quote(value)] if isinstance(value, str) else [])]
    for position, word in enumerate(do.words):
        typed = _typed(word, command.parameter_at(position))
        if typed is None:
            return None
        said.append(typed)
    return " ".join(said)


def _typed(word: str, parameter: Parameter | None) -> str | None:
    """One argument, in quotes where it needs them; None when it cannot be typed: there it would be a flag."""
    from chatcli.commands.arguments import split_words

    if parameter is not None and parameter.raw:
        return word
    if word.startswith("--") and len(word) > 2:
        return None
    return word if split_words(word) == [word] else shlex.quote(word)


def in_shell(do: Do) -> str | None:
    """As it is typed in a shell: a subcommand, or a flag to ask again with. None where the shell has neither."""
    if do.command == "set":
        return _as_flag(*do.words) if do.words and do.words[0] in _SETTINGS and not do.flags else None
    if do.command == "chatcli":
        like_one = everything().subcommand(do.words) or everything().meant(do.words)
        return f"chatcli {shell_words(do, guarded=bool(like_one))}".rstrip()
    command = everything().subcommands.get(tuple(do.command.split()))
    if command is not None:
        begin = f"chatcli {command.subcommand}"
        return command.usage_after(begin) if isinstance(do, Usage) else f"{begin} {shell_words(do)}".rstrip()
    form = everything().find(do.command).in_shell
    is_flag = form.rpartition(" ")[2].startswith("-")  # one of the shell has no flags of its own
    if not form or isinstance(do, Usage) or (is_flag and do.flags):
        return None
    if form.startswith("--") and not do.words:
        return f"{form} {everything().find(do.command).parameters[0].word}"
    return f"{form} {shell_words(do)}".rstrip()


def _as_flag(name: str, value: str = "VALUE") -> str:
    setting = _SETTINGS[name]
    if setting.is_switch:
        return setting.negation if value == "off" else setting.flag
    # Where the value may be left out, only a word that the setting knows is taken after a blank.
    between = "=" if setting.kind.bare and value not in setting.kind.words else " "
    return f"{setting.flag}{between}{shlex.quote(value)}"
