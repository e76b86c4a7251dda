"""An export as it came: a ZIP with conversations and the files that belong to them, or the same unpacked."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from chatcli.errors import BadFile

_CONVERSATIONS = re.compile(r"(.*/)?conversations(-\d+)?\.json")
# Where files lie beside the conversations, once it is unpacked.
_PLACES = ("", "dalle-generations/", "user-*/", "files/")


def archived(path: Path) -> list[bytes]:
    """The conversations in a ZIP, file by file; [] for what is no ZIP. Raises BadFile, OSError."""
    if not zipfile.is_zipfile(path):
        return []
    try:
        with zipfile.ZipFile(path) as archive:
            found = [archive.read(name) for name in sorted(archive.namelist()) if _CONVERSATIONS.fullmatch(name)]
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        raise BadFile(f"{path} cannot be unpacked: {error}.", "Unpack it, and name conversations.json.") from None
    if not found:
        raise BadFile(f"There is no conversations.json in {path}.", "Name a ZIP that ChatGPT has exported.")
    return found


def files_beside(source: str | Path) -> Callable[[str], bytes | None]:
    """What reads the file whose name begins so, in the ZIP or beside the conversations."""
    if isinstance(source, str):
        return lambda _: None
    return _in_archive(source) if zipfile.is_zipfile(source) else _in_directory(source.parent)


def _in_archive(path: Path) -> Callable[[str], bytes | None]:
    def read(begin: str) -> bytes | None:
        with suppress(OSError, zipfile.BadZipFile, RuntimeError), zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if name.rpartition("/")[2].startswith(begin):
                    return archive.read(name)
        return None

    return read


def _in_directory(place: Path) -> Callable[[str], bytes | None]:
    def read(begin: str) -> bytes | None:
        for inside in _PLACES:
            for file in place.glob(f"{inside}{begin}*"):
                with suppress(OSError):
                    return file.read_bytes()
        return None

    return read
