"""Files as a person names them: looked for without ever failing; what goes wrong with one is a BadFile.

A name may be anything: too long for any disk, with a NUL or half a character in it, in the home of nobody, or in a
working directory that is gone. Whoever opens what was named goes through here, and catches nothing itself.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chatcli.errors import BadFile

# A longer name is shown by its beginning and its end.
LONGEST_SHOWN = 160


def working_directory() -> Path:
    """Where relative paths start. Where that directory is gone they lead nowhere, and nobody need notice."""
    try:
        return Path.cwd()
    except OSError:
        return Path()


def path_of(named: str) -> Path:
    """The path that `named` stands for. The home of nobody (~nosuchuser) stays as it is, as in a shell."""
    return Path(os.path.expanduser(named))  # noqa: PTH111  Path's own raises where there is no such home


def is_there(path: Path) -> bool:
    """Whether something is there; False also where nothing could be."""
    return os.path.exists(path)  # noqa: PTH110  Path's own raises for a name that is too long


def is_file(path: Path) -> bool:
    return os.path.isfile(path)  # noqa: PTH113


def is_folder(path: Path) -> bool:
    return os.path.isdir(path)  # noqa: PTH112


def size_of(path: Path) -> int:
    """In bytes; 0 where there is nothing."""
    try:
        return path.stat().st_size
    except (OSError, ValueError):
        return 0


@contextmanager
def readable(named: object, hint: str) -> Iterator[None]:
    """Whatever keeps the file of that name from being read in here is told, as a BadFile."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError):
        raise BadFile(f"There is no file {shown(named)}.", "Check the path.") from None
    except (OSError, ValueError) as error:
        raise BadFile(f"{shown(named)} cannot be read: {why(error)}.", hint) from None


@contextmanager
def writable(named: object, hint: str) -> Iterator[None]:
    """The same for what is written to it."""
    try:
        yield
    except (OSError, ValueError) as error:
        raise BadFile(f"Cannot write {shown(named)}: {why(error)}.", hint) from None


def shown(named: object) -> str:
    """The name as it is put into a sentence."""
    text = str(named)
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN // 2]}…{text[-LONGEST_SHOWN // 4 :]}"


def why(error: OSError | ValueError) -> str:
    """The reason in the system's words. What is no OSError was refused before the system was asked."""
    if isinstance(error, OSError):
        return error.strerror or str(error) or type(error).__name__
    return "it is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else "no file can have such a name"
