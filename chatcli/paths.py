"""The directories for config, data and cache, and functions for paths and private files.

CHATCLI_HOME holds all three directories if it is set, else the platform's own are used. A path named by a person
is looked up without raising; a file that cannot be opened raises BadFile.
"""

from __future__ import annotations

import errno
import io
import json
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from chatcli import addresses
from chatcli.errors import BadFile
from chatcli.hints import Words

# Of a longer name only the beginning and the end are shown.
LONGEST_SHOWN = 160
LARGEST_KEPT = 1_000_000  # bytes; a longer file is cut, and is no JSON then
_BREAKS = str.maketrans({"\n": "\\n", "\r": "\\r", "\t": "\\t"})  # as a shell would write them


def working_directory() -> Path:
    """Where relative paths start. If that directory is gone, they point nowhere, and nothing fails here."""
    try:
        return Path.cwd()
    except OSError:
        return Path()


def path_of(named: str) -> Path:
    """The path that `named` means. The home of an unknown user (~nosuchuser) stays as written, as in a shell."""
    return Path(os.path.expanduser(named))  # noqa: PTH111  Path's own raises where there is no such home


def is_there(path: Path) -> bool:
    """Whether something exists there; False also for a path that cannot exist."""
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


def in_shell(command: str) -> list[str]:
    """The words that run a command in the person's own shell."""
    if sys.platform == "win32":
        return [os.environ.get("COMSPEC") or "cmd", "/c", command]
    return [os.environ.get("SHELL") or "/bin/sh", "-c", command]


@contextmanager
def readable(named: object, hint: Words) -> Iterator[None]:
    """Raise whatever keeps the file of that name from being read, in this block, as a BadFile."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError):
        raise BadFile(f"There is no file {shown(named)}.", "Check the path.") from None
    except (OSError, ValueError) as error:
        raise BadFile(f"{shown(named)} cannot be read: {why(error)}.", hint) from None


@contextmanager
def writable(named: object, hint: Words) -> Iterator[None]:
    """The same for a file that is written."""
    try:
        yield
    except (OSError, ValueError) as error:
        raise BadFile(f"Cannot write {shown(named)}: {why(error)}.", hint) from None


def shown(named: object) -> str:
    """The name in the form used in a sentence, on one line. What was typed may be part of an address with a
    password.
    """
    text = addresses.shown_beginning(str(named)).translate(_BREAKS)
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN // 2]}…{text[-LONGEST_SHOWN // 4 :]}"


def why(error: OSError | ValueError) -> str:
    """The reason in the system's words. An error that is no OSError was raised before the system was asked."""
    if isinstance(error, OSError):
        return error.strerror or str(error) or type(error).__name__
    return "it is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else "no file can have such a name"


class Paths(NamedTuple):
    config: Path
    data: Path
    cache: Path

    @property
    def settings_file(self) -> Path:
        """The settings, with profiles and hosts."""
        return self.config / "config.toml"

    @property
    def own_commands(self) -> Path:
        """Your own commands, a Markdown file each."""
        return self.config / "commands"

    @property
    def store(self) -> Path:
        """The conversations: an SQLite database."""
        return self.data / "chatcli.db"

    @property
    def backups(self) -> Path:
        """The last three daily copies of the conversations."""
        return backups_of(self.store)

    @property
    def facts(self) -> Path:
        """What you want known in every conversation (`/memory`): a fact in each line, for any editor."""
        return self.data / "memory.txt"

    @property
    def line_history(self) -> Path:
        """The lines typed at the prompt, for the Up key and Ctrl-R."""
        return self.data / "lines.db"

    @property
    def faults(self) -> Path:
        """Tracebacks of chatcli's own errors, without anything that was said."""
        return self.data / "faults.log"

    @property
    def servers(self) -> Path:
        """What was last known of each server."""
        return self.cache / "servers.json"

    @property
    def server_log(self) -> Path:
        """What `ollama serve` writes when chatcli has started it."""
        return self.cache / "ollama-serve.log"

    @property
    def vocabularies(self) -> Path:
        """Vocabularies and templates of models, by digest."""
        return self.cache / "vocab"


def backups_of(store: Path) -> Path:
    """The directory for the backups of that store, beside it."""
    return store.parent / "backups"


def find_paths(home: Path | None = None) -> Paths:
    """`home` (else $CHATCLI_HOME) holds everything when given; nothing is created here."""
    chosen = home or (path_of(os.environ["CHATCLI_HOME"]) if os.environ.get("CHATCLI_HOME") else None)
    if chosen is not None:
        return Paths(config=chosen, data=chosen, cache=chosen / "cache")
    import platformdirs

    return Paths(
        config=platformdirs.user_config_path("chatcli", appauthor=False),
        data=platformdirs.user_data_path("chatcli", appauthor=False),
        cache=platformdirs.user_cache_path("chatcli", appauthor=False),
    )


def write_private(path: Path, text: str) -> None:
    """Write `text` to a file that only its owner can read (0600), whatever its mode was. Raises BadFile."""
    with writable(path, "Name another place."):
        replace_private(path, text.encode("utf-8", "replace"))


def kept_bytes(file: Path) -> bytes:
    """What a file of chatcli's own begins with, at most LARGEST_KEPT bytes; nothing where it cannot be read."""
    try:
        with file.open("rb") if file.is_file() else io.BytesIO() as opened:
            return opened.read(LARGEST_KEPT)
    except (OSError, ValueError):
        return b""


def read_kept(file: Path) -> dict[str, Any]:
    """The JSON object in a small file that chatcli has written and can make again; {} where there is none."""
    try:
        kept = json.loads(kept_bytes(file))
    except (ValueError, RecursionError):
        return {}
    return kept if isinstance(kept, dict) else {}


def replace_private(path: Path, data: bytes) -> None:
    """Replace the file's content by `data`, completely or not at all: a full disk does not destroy the old
    content. Only what cannot be replaced is overwritten: a pipe or device, our own output, a file in a directory
    that we may not write to. A link stays a link. Raises OSError.
    """
    real = Path(os.path.realpath(path))
    if is_there(path) and (not is_file(path) or _is_our_output(path)):
        _write_over(path, data)
        return
    import tempfile

    try:
        handle, aside = tempfile.mkstemp(dir=real.parent, prefix=".chatcli-")
    except OSError:
        if not real.exists():
            raise
        _write_over(real, data)
        return
    try:
        _fill(handle, data)
        Path(aside).replace(real)
    except BaseException:
        Path(aside).unlink(missing_ok=True)
        raise


def _write_over(path: Path, data: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_TRUNC)
    if path.is_file():
        with suppress(OSError):  # somebody else's file that we may write to
            path.chmod(0o600)
    _fill(handle, data)


def _fill(handle: int, data: bytes) -> None:
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        with suppress(OSError):  # a pipe has no disk
            os.fsync(handle)


def _is_our_output(path: Path) -> bool:
    """Whether it is, say, /dev/stdout with a file behind it that the shell has opened."""
    for descriptor in (1, 2):
        with suppress(OSError):
            if os.path.samestat(path.stat(), os.fstat(descriptor)):
                return True
    return False


def private_directory(path: Path) -> Path:
    """Make `path` and its parents where missing; what is made, and `path`, is only for its owner.

    A folder that others use, too, is left as it is: one that belongs to another user, or that everybody may write
    to. Raises OSError then.
    """
    for missing in reversed([each for each in (path, *path.parents) if not each.exists()]):
        missing.mkdir(exist_ok=True, mode=0o700)
    if sys.platform != "win32" and path.stat().st_mode & 0o077:
        if reason := shared(path):
            raise PermissionError(errno.EPERM, reason)
        path.chmod(0o700)
    return path


def shared(folder: Path) -> str:
    """Why the folder is not this user's alone to close; "" if it is. Raises OSError."""
    found = folder.stat()
    if sys.platform == "win32":
        return ""
    if found.st_mode & stat.S_IWOTH:
        return f"everybody may write to {folder}"
    return f"{folder} belongs to another user" if found.st_uid != os.geteuid() else ""
