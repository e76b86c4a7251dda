"""Reads ZIP files from outside, up to a size limit. The size that a member states is checked before it is
unpacked, and what comes out is counted.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from chatcli.errors import BadFile

# Bytes of the list of members, of which each takes a hundred or so; as objects they take ten times as much.
_LONGEST_LIST = 16_000_000
# Both unpack no more than is asked for at a time; bzip2 and LZMA make gigabytes of a few kilobytes in one step.
_KNOWN = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# What zipfile raises for broken and for odd files.
_BROKEN = (
    OSError,  # a place before the beginning, say
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OverflowError,
)


class Broken(BadFile):
    """It cannot be unpacked."""


class TooMuch(BadFile):
    """It is valid, but unpacks to more than is allowed."""


class Zip:
    """An open ZIP; `what`: its name in errors."""

    def __init__(self, archive: zipfile.ZipFile, what: str) -> None:
        self._archive = archive
        self.what = what

    def members(self) -> list[zipfile.ZipInfo]:
        return self._archive.infolist()

    def read(self, member: zipfile.ZipInfo, most: int) -> bytes:
        """The member's content. Raises BadFile if it is encrypted, broken, or packed by an unusual method;
        TooMuch, before unpacking, if it has more than `most` bytes.
        """
        self._judge(member)
        if member.file_size > most:
            raise self._too_much(member, most)
        with _said(self.what), self._archive.open(member) as part:
            data = part.read(most + 1)
        if len(data) > most:
            raise self._too_much(member, most)
        return data

    def pieces(self, member: zipfile.ZipInfo, size: int) -> Iterator[bytes]:
        """The member's content, piece by piece."""
        self._judge(member)
        with _said(self.what), self._archive.open(member) as part:
            while piece := part.read(size):
                yield piece

    def _judge(self, member: zipfile.ZipInfo) -> None:
        if member.flag_bits & 1:
            raise BadFile(f"{self.what} is encrypted.", "Save it without a password, or unpack it, and name that.")
        if member.compress_type not in _KNOWN:
            raise BadFile(
                f"{_name(member)} in {self.what} is packed in a way that is not read here.",
                "Unpack it, and name what is in it.",
            )

    def _too_much(self, member: zipfile.ZipInfo, most: int) -> TooMuch:
        return TooMuch(
            f"{_name(member)} in {self.what} unpacks to more than {most / 1e6:g} MB.",
            "Unpack it, and name a part of it.",
        )


@contextmanager
def opened(source: Path | bytes, what: str, longest_list: int = _LONGEST_LIST) -> Iterator[Zip]:
    """The ZIP at `source`, or in these bytes. Raises BadFile, OSError."""
    with source.open("rb") if isinstance(source, Path) else io.BytesIO(source) as stream:
        watched = _Watched(stream, longest_list)
        with _said(what):
            archive = zipfile.ZipFile(watched)
        watched.most = None
        with archive:
            yield Zip(archive, what)


def is_zip(source: Path | bytes) -> bool:
    """Whether it is a ZIP; only regular files are opened, because a pipe would be waited for."""
    try:
        return zipfile.is_zipfile(source if isinstance(source, Path) else io.BytesIO(source))
    except _BROKEN:
        return False


class _Watched(io.BufferedIOBase):
    """The file, giving no more than `most` bytes at once: zipfile reads the list of members in one call."""

    def __init__(self, stream: IO[bytes], most: int) -> None:
        super().__init__()
        self._stream = stream
        self.most: int | None = most

    def read(self, size: int | None = -1, /) -> bytes:
        if self.most is None:
            return self._stream.read(size if size is not None else -1)
        data = self._stream.read(self.most + 1 if size is None or size < 0 else min(size, self.most + 1))
        if len(data) > self.most:
            raise zipfile.BadZipFile("it has too many members")
        return data

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True


@contextmanager
def _said(what: str) -> Iterator[None]:
    try:
        yield
    except _BROKEN as error:
        why = str(error) or "it breaks off"
        hint = "Get it again, or unpack it and name the files in it."
        raise Broken(f"{what} cannot be unpacked: {why}.", hint) from None


def _name(member: zipfile.ZipInfo) -> str:
    return repr(member.filename[:80])
