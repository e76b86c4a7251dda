"""An export as it came: a ZIP with conversations and the files that belong to them, or the same unpacked. What it
names is read only where it lies in the ZIP, or as a regular file below the folder that was unpacked.
"""

from __future__ import annotations

import errno
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from chatcli.errors import BadFile
from chatcli.named import readable
from chatcli.reading.files import read_bytes
from chatcli.reading.raw import LARGEST
from chatcli.reading.zips import Zip, is_zip, opened

LARGEST_CONVERSATIONS = 256_000_000  # bytes of one file of them, unpacked: as values they take five times as much
LARGEST_FILES = 1_000_000_000  # bytes of all pictures of one import: they are in memory until they are stored

# The conversations, file by file; and what reads the file whose name begins so, None where there is none.
Unpacked = tuple[Iterable[bytes], Callable[[str], bytes | None]]

_CONVERSATIONS = re.compile(r"(.*/)?conversations(-\d+)?\.json")
# Where files lie beside the conversations, once it is unpacked.
_PLACES = ("", "dalle-generations/", "user-*/", "files/")


@contextmanager
def unpacked(path: Path) -> Iterator[Unpacked]:
    """What is in the file at `path`. Raises BadFile."""
    with ExitStack() as stack:
        with readable(path, "Name a file with a conversation in it."):
            is_regular = stat.S_ISREG(path.stat().st_mode)
            archive = stack.enter_context(opened(path, str(path))) if is_regular and is_zip(path) else None
            data = read_bytes(path, LARGEST_CONVERSATIONS) if archive is None else b""
        if archive is not None:
            yield _conversations(archive), _Files(_in_archive(archive)).read
        elif is_regular:
            yield [data], _Files(_in_directory(path.parent)).read
        else:
            yield [data], lambda _: None


class _Files:
    """Each file once, however often it is named; all together no more than there is room for."""

    def __init__(self, find: Callable[[str], bytes | None]) -> None:
        self._find = find
        self._known: dict[str, bytes | None] = {}
        self._size = 0

    def read(self, begin: str) -> bytes | None:
        if begin not in self._known:
            if self._size > LARGEST_FILES:
                raise BadFile(f"The pictures before it have more than {LARGEST_FILES / 1e6:g} MB.")
            self._known[begin] = data = self._find(begin)
            self._size += len(data or b"")
        return self._known[begin]


def _conversations(archive: Zip) -> Iterator[bytes]:
    members = archive.members()
    found = sorted((each for each in members if _CONVERSATIONS.fullmatch(each.filename)), key=lambda m: m.filename)
    if not found:
        nested = any(each.filename.lower().endswith(".zip") for each in members)
        raise BadFile(
            f"There is no conversations.json in {archive.what}.",
            "There is a ZIP in it: unpack it, and name that."
            if nested
            else "Name a ZIP that ChatGPT has exported.",
        )
    for member in found:
        yield archive.read(member, LARGEST_CONVERSATIONS)


def _in_archive(archive: Zip) -> Callable[[str], bytes | None]:
    def read(begin: str) -> bytes | None:
        for member in archive.members():
            if _is_called(member.filename.rpartition("/")[2], begin):
                return archive.read(member, LARGEST)
        return None

    return read


def _in_directory(place: Path) -> Callable[[str], bytes | None]:
    def read(begin: str) -> bytes | None:
        for inside in _PLACES:
            for file in sorted(place.glob(f"{inside}{begin}*")):
                if _is_called(file.name, begin):
                    return _read_inside(place, file)
        return None

    return read


def _read_inside(place: Path, file: Path) -> bytes:
    """What a link leads to is not inside, wherever that is: an export has none."""
    within = file.relative_to(place)
    links = any((place / each).is_symlink() for each in (within, *within.parents) if each.name)
    try:
        if links:
            raise OSError(errno.ELOOP, "it is a link")
        return read_bytes(file, LARGEST)
    except OSError as error:
        raise BadFile(f"{file.name} cannot be read: {error.strerror}.") from None


def _is_called(name: str, begin: str) -> bool:
    """Whether it is the file that is pointed to by `begin`, not by the beginning of what points to another."""
    rest = name.removeprefix(begin)
    return name.startswith(begin) and not rest[:1].isalnum()
