'''Blocks: text between `"""` and `"""`, over as many lines as it takes. A block may also end a command.'''

from __future__ import annotations

import re

from chatcli.pattern import pattern
from chatcli.prompt.line import TypedLine

QUOTES = '"""'
_COMMAND_WITH_BLOCK = pattern(r'(/[^\n]*?\s)"""', re.DOTALL)


def is_open(text: str) -> bool:
    """Whether `text` begins a block and has not ended it."""
    parts = _split(text)
    return parts is not None and not parts[1].rstrip().endswith(QUOTES)


def close(text: str) -> TypedLine:
    """Returns the entry for a typed `text`: without the quotes; a block alone is never a command."""
    parts = _split(text)
    if parts is None:
        return TypedLine(text)
    command, rest = parts
    content = rest.rstrip().removesuffix(QUOTES).removeprefix("\n").removesuffix("\n")
    return TypedLine(command + content, pasted=not command)


def _split(text: str) -> tuple[str, str] | None:
    """Returns (text before the quotes, text after them) when `text` opens a block."""
    if text.startswith(QUOTES):
        return "", text[len(QUOTES) :]
    match = _COMMAND_WITH_BLOCK.match(text)
    return (match[1], text[match.end() :]) if match else None
