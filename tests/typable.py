"""Finds commands of the prompt in a text, where nobody can type them."""

from __future__ import annotations

import re

from chatcli.commands import everything

_NAMES = [re.escape(name) for command in everything().commands for name in (command.name, *command.aliases)]
_NAMES.remove(re.escape("?"))
_SLASH = re.compile(rf"(?<![\w./<:-])/({'|'.join(_NAMES)})(?![\w./-])")


def slash_commands(text: str) -> list[str]:
    """The names in it that follow a slash and are commands; `/dev/zero` and `and/or` are none."""
    return _SLASH.findall(text)
