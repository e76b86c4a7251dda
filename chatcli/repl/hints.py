"""Rewords messages of the prompt for the shell, where `/set num_ctx` is a flag, and for Python programs."""

from __future__ import annotations

import re

from chatcli.errors import ChatcliError
from chatcli.settings.table import TABLE

_NAMES = {name: setting for setting in TABLE for name in (setting.name, *setting.aliases)}
_SET = re.compile(rf"/set ({'|'.join(_NAMES)})\b(?: (on|off)\b)?")
_SAYINGS = (
    (" (--num-ctx in the shell)", ""),
    (" with /retry", ""),
    (", /retry asks again", ""),
    ("--model NAME, /model NAME, or", "--model NAME, or"),
    (" or /pull ", " or ollama pull "),
    ("/pull ", "ollama pull "),
    ("/continue", "chatcli --continue"),
    ("with /model", "with --model"),
    ("/clear starts a new conversation", "without --continue a new conversation starts"),
    ("with /image", "with --image"),
    ("with /set, or reset it with /unset", "or leave it out"),
)
_VALUE = re.compile(rf"/set ({'|'.join(_NAMES)})\b(?: (on|off|-?\d+)\b)?")
_IN_PYTHON = ((" with /retry", ""), ("; /continue goes on from there", ""))


def in_the_shell(text: str) -> str:
    """`text` with flags instead of slash commands."""
    for here, there in _SAYINGS:
        text = text.replace(here, there)
    return _SET.sub(lambda found: _flag(found[1], found[2] or ""), text)


def in_python(text: str) -> str:
    """`text` for the author of a program that uses Chat."""
    for here, there in _IN_PYTHON:
        text = text.replace(here, there)
    return _VALUE.sub(lambda found: f'{found[1]}="{found[2]}"' if found[2] else found[1], text)


def error_in_the_shell(error: ChatcliError) -> ChatcliError:
    """The same error, worded for the shell."""
    error.message, error.hint = in_the_shell(error.message), in_the_shell(error.hint)
    return error


def _flag(name: str, value: str) -> str:
    setting = _NAMES[name]
    if setting.kind.words == ("on", "off"):
        return f"--no-{setting.flag[2:]}" if value == "off" else setting.flag
    return f"{setting.flag} {value}".rstrip()
