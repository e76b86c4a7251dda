"""Pictures: found in a line by their paths, read, and checked by their content. They are never re-encoded."""

from __future__ import annotations

import os
from bisect import bisect_left
from pathlib import Path

from chatcli.conversation.message import Attachment
from chatcli.errors import BadFile
from chatcli.named import is_file, is_folder, is_there, path_of, readable, shown, working_directory
from chatcli.prompt.mentions import IMAGE_ENDINGS, Mention, mentions, readings, without

__all__ = ["IMAGE_ENDINGS", "find_in", "read_image"]

LARGEST = 20_000_000
_LARGEST_TEXT = "20 MB"

_KINDS = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)
# What people try to send besides: known, so that the error can name it.
_UNSUITABLE = (
    (0, b"BM", "a BMP picture"),
    (0, b"II*\x00", "a TIFF picture"),
    (0, b"MM\x00*", "a TIFF picture"),
    (4, b"ftypavif", "an AVIF picture"),
    (4, b"ftyphe", "a HEIC picture"),
    (4, b"ftypmif1", "a HEIC picture"),
    (0, b"%PDF", "a PDF document"),
    (0, b"<svg", "an SVG drawing"),
)


def find_in(text: str, cwd: Path) -> tuple[str, tuple[Attachment, ...]]:
    """`text` without the paths of pictures in it, and the pictures, each once; relative paths start at `cwd`.

    BadFile for what plainly is a path to a picture (it has a folder in it) and leads to none. A word such as
    cat.png that names no file is a word, and so is everything between backticks.
    """
    found: dict[Path, Attachment] = {}
    taken: list[Mention] = []  # none overlaps another, in the order of the text
    known: dict[str, Path | None] = {}
    for mention in mentions(text):
        at = bisect_left(taken, mention.start, key=lambda each: each.end - 1)
        if at < len(taken) and taken[at].start < mention.end:
            continue
        if mention.text not in known:
            known[mention.text] = _existing(mention.text, cwd)
        path = known[mention.text]
        if path is not None:
            taken.insert(at, mention)
            found[path] = found.get(path) or _read(path, mention.path)
        elif mention.is_plainly_a_path:
            raise _missing(mention.path)
    return without(text, taken), tuple(found.values())


def read_image(path: str) -> Attachment:
    """The picture at `path`, which may be quoted, escaped, begin with ~ or be a file:// address.

    BadFile when it is missing, no file, unreadable, empty, too large or not a picture.
    """
    existing = _existing(path, working_directory())
    if existing is None:
        raise _missing(path)
    return _read(existing, path)


def _existing(text: str, cwd: Path) -> Path | None:
    """The first way to read `text` as a path under which something exists."""
    paths = [cwd / path_of(reading) for reading in readings(text) if reading]
    return next((path for path in paths if is_there(path)), None)


def _missing(path: str) -> BadFile:
    return BadFile(
        f"There is no file {shown(path)}.",
        "Check the path, or put it between backticks (`) where it is only to be talked about.",
    )


def _read(path: Path, named: str) -> Attachment:
    data = _bytes_of(path, named)
    media_type = _media_type(data)
    if media_type is None:
        what = next((what for at, mark, what in _UNSUITABLE if data.startswith(mark, at)), "not a picture")
        raise BadFile(
            f"{named} is {what}.", "Models take PNG, JPEG, WebP and GIF, judged by the content, not by the name."
        )
    return Attachment("image", path.name, media_type, data)


def _bytes_of(path: Path, named: str) -> bytes:
    """The content; BadFile when there is none to be had, or too much. Nothing larger than allowed is read."""
    if is_folder(path):
        raise BadFile(f"{named} is a folder.", "Name the picture in it.")
    if not is_file(path):
        raise BadFile(f"{named} is not a regular file.", "Name a file that holds a picture.")
    with readable(named, "Check its permissions."), path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        data = file.read(LARGEST + 1) if size <= LARGEST else b""
    if size > LARGEST or len(data) > LARGEST:
        raise BadFile(
            f"{named} has {size / 1e6:.1f} MB; at most {_LARGEST_TEXT} can be sent.", "Make it smaller first."
        )
    if not data:
        raise BadFile(f"{named} is empty.", "Name a file that holds a picture.")
    return data


def _media_type(data: bytes) -> str | None:
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((media_type for mark, media_type in _KINDS if data.startswith(mark)), None)
