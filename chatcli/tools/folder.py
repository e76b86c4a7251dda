"""The folder that a model may read in. A path is resolved with all its links, refused when it leads outside,
whoever allows it, and opened so that nothing can be exchanged on the way. What looks like a secret is told.
"""

from __future__ import annotations

import errno
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from itertools import islice
from pathlib import Path, PureWindowsPath
from typing import NamedTuple

from chatcli.paths import path_of, shown, why
from chatcli.reading.files import OPENING, read_handle, refuse_irregular
from chatcli.text import escaped
from chatcli.tools.tool import Scope, ToolFailure

SEEN = 20_000  # entries that are looked at, of a folder and in one call

# Whether a path can be opened step by step, each step without following a link.
_BY_STEPS = os.open in os.supports_dir_fd and hasattr(os, "O_NOFOLLOW")
_STEP = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_LAST = OPENING | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)

_SECRET_FOLDERS = {".ssh", ".gnupg", ".aws", ".azure", ".kube", ".docker", ".password-store", "keychains"}
_SECRET_NAMES = (
    *("id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*", "*.pem", "*.key", "*.p8", "*.p12", "*.pfx", "*.ppk"),
    *("*.kdbx", "*.keystore", "*.jks", "*.gpg", "*.ovpn", "*.env", "*.env.*", "env.*", "*netrc", "*htpasswd"),
    *("shadow", "wallet.dat", "*.tfstate", "*.tfvars", "kubeconfig*", "*apikey*", "*api_key*", "*api-key*"),
)
_SECRET_WORDS = re.compile(
    r"(?<![a-z])(?:pass(?:word|wd|phrase)s?|secrets?|tokens?|credentials?|private[ _-]?keys?)(?![a-z])"
)
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")


class Place(NamedTuple):
    """Something at or below `folder`, resolved. `parts`: the way to it from there, without any link."""

    folder: Path
    parts: tuple[str, ...]

    @property
    def path(self) -> Path:
        return self.folder.joinpath(*self.parts)

    @property
    def name(self) -> str:
        """src/main.py; "." for the folder itself."""
        return "/".join(self.parts) or "."


def place_of(named: str, folder: Path) -> Place:
    """Where that path leads, whether anything is there or not. Raises ToolFailure for what is outside."""
    drive = PureWindowsPath(named).drive  # a server's name in it would be asked for when the path is resolved
    if drive and drive.lower() != PureWindowsPath(folder).drive.lower():
        raise _outside(named)
    try:
        resolved = (folder / path_of(named)).resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise ToolFailure(f"There is no path {told(named)}: {_reason(error)}.") from None
    if not resolved.is_relative_to(folder):
        raise _outside(named)
    return Place(folder, resolved.relative_to(folder).parts)


def scope_of(named: str, place: Place, *, is_folder: bool = False) -> Scope:
    """Leave for a file is leave for its folder."""
    folder = place if is_folder else place._replace(parts=place.parts[:-1])
    spelled = [part for part in re.split(r"[/\\]", named) if part not in {"", ".", ".."}]
    return Scope(str(folder.path), is_secret(spelled) or is_secret(place.parts) or _is_of_secrets(place.folder))


def is_secret(parts: tuple[str, ...] | list[str]) -> bool:
    """Whether the name of a file, or of a folder on the way to it, says that it is not for everybody."""
    return any(
        part.startswith(".")
        or part.lower() in _SECRET_FOLDERS
        or any(fnmatch(part.lower(), pattern) for pattern in _SECRET_NAMES)
        or _SECRET_WORDS.search(_HUMP.sub(" ", part).lower()) is not None
        for part in parts
    )


def _is_of_secrets(folder: Path) -> bool:
    """Of the folder that chatcli was started in, a dot alone says nothing."""
    return any(part.lower() in _SECRET_FOLDERS for part in folder.parts)


def content(place: Place, most: int) -> bytes:
    """Of a regular file, up to `most` bytes. Raises ToolFailure."""
    try:
        with _opened(place, _LAST) as handle:
            return read_handle(handle, most)
    except (OSError, ValueError) as error:
        raise _unreadable(place, error) from None


def entries(place: Place) -> list[os.DirEntry[str]]:
    """Of a folder, with what was asked of each; links are not followed. Raises ToolFailure."""
    try:
        if not _BY_STEPS:
            with os.scandir(place.path) as found:
                return [each for each in islice(found, SEEN) if _is_there(each)]
        with _opened(place, _STEP) as handle, os.scandir(handle) as found:
            return [each for each in islice(found, SEEN) if _is_there(each)]
    except (OSError, ValueError) as error:
        raise _unreadable(place, error) from None


def _is_there(entry: os.DirEntry[str]) -> bool:
    """Whether it still is, and asked now what is to be known of it: later its folder is closed."""
    try:
        return bool(entry.stat(follow_symlinks=False))
    except OSError:
        return False


@contextmanager
def _opened(place: Place, flags: int) -> Iterator[int]:
    """The handle of a file or a folder. The way has no links, so a link on it was put there meanwhile."""
    handle = _by_steps(place, flags) if _BY_STEPS else _at_once(place, flags)
    try:
        yield handle
    finally:
        os.close(handle)


def _by_steps(place: Place, flags: int) -> int:
    if sys.platform == "win32":
        raise NotImplementedError
    handle = os.open(place.folder, _STEP & ~os.O_NOFOLLOW)
    for at, part in enumerate(place.parts, 1):
        above = handle
        try:
            if at < len(place.parts) or flags == _STEP:
                handle = os.open(part, _STEP, dir_fd=above)
            else:
                refuse_irregular(os.stat(part, dir_fd=above, follow_symlinks=False).st_mode)
                handle = os.open(part, flags, dir_fd=above)
        finally:
            os.close(above)
    return handle


def _at_once(place: Place, flags: int) -> int:
    refuse_irregular(place.path.lstat().st_mode)
    handle = os.open(place.path, flags)
    now = place.path.resolve()
    if now != place.path or not os.path.samestat(os.fstat(handle), now.lstat()):
        os.close(handle)
        raise OSError(errno.ELOOP, "it was exchanged while it was opened")
    return handle


def told(name: str) -> str:
    """A name in a sentence or a list: short, on one line, and nothing that a terminal would obey."""
    return escaped(shown(name))


def _reason(error: OSError | RuntimeError | ValueError) -> str:
    return "its links lead in a circle" if isinstance(error, RuntimeError) else why(error)


def _outside(named: str) -> ToolFailure:
    return ToolFailure(f"{told(named)} is outside the folder that may be read. Name a path below it.")


def _unreadable(place: Place, error: OSError | ValueError) -> ToolFailure:
    name = told(place.name)
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return ToolFailure(f"There is no {name}. list_files tells what there is.")
    if isinstance(error, IsADirectoryError) or (isinstance(error, OSError) and error.errno == errno.EISDIR):
        return ToolFailure(f"{name} is a folder. list_files tells what is in it.")
    return ToolFailure(f"{name} cannot be read: {why(error)}.")
