"""What the terminal behind a stream can do, for those who have to say it. Imports Rich: import it late."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import TextIO


@dataclass(frozen=True, slots=True)
class Abilities:
    """`colours`: none, standard, 256, truecolor. `encoding`: what the locale says, before chatcli speaks UTF-8."""

    is_terminal: bool
    columns: int
    rows: int
    colours: str
    encoding: str
    kind: str


def abilities(file: TextIO) -> Abilities:
    from rich.console import Console

    size = shutil.get_terminal_size()
    no_colour = bool(os.environ.get("NO_COLOR")) or not file.isatty()
    found = None if no_colour else Console(file=file).color_system
    return Abilities(file.isatty(), size.columns, size.lines, found or "none", _encoding(), _kind())


def _encoding() -> str:
    """Of the locale: Python's UTF-8 mode and reconfigured streams say nothing of what the terminal expects."""
    import locale

    return locale.getencoding() if os.name == "posix" else "utf-8"


def _kind() -> str:
    return os.environ.get("TERM", "") or ("Windows" if os.name == "nt" else "unknown")
