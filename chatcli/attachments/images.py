"""Images: found in a line by their paths, read, and checked by their content. They are never re-encoded."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace
from pathlib import Path

from chatcli.attachments.files import read_piped
from chatcli.attachments.mentions import IMAGE_ENDINGS, Mention, mentions, readings, without
from chatcli.conversation.message import Attachment
from chatcli.errors import BadFile
from chatcli.paths import is_folder, is_there, path_of, readable, shown, working_directory
from chatcli.reading.files import STDIN, in_words, read_bytes
from chatcli.reading.raw import Raw
from chatcli.reading.signatures import media_type_of, what_else

__all__ = ["IMAGE_ENDINGS", "find_in", "read_image"]

LARGEST = 20_000_000


def find_in(text: str, cwd: Path) -> tuple[str, tuple[Attachment, ...]]:
    """`text` without the image paths in it, and the images, each once; relative paths start at `cwd`.

    Raises BadFile for a path that is clearly meant as an image (it contains a folder) but does not exist. A word
    such as cat.png that names no file stays a word, and so does everything between backticks.
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
    """The image at `path`, which may be quoted, escaped, begin with ~ or be a file:// address; "-" is standard
    input.

    Raises BadFile when it is missing, no file, unreadable, empty, too large or not an image.
    """
    if path == STDIN:
        return as_image(read_piped())
    existing = _existing(path, working_directory())
    if existing is None:
        raise _missing(path)
    return _read(existing, path)


def _existing(text: str, cwd: Path) -> Path | None:
    """The first reading of `text` as a path that exists."""
    paths = [cwd / path_of(reading) for reading in readings(text) if reading]
    return next((path for path in paths if is_there(path)), None)


def _missing(path: str) -> BadFile:
    return BadFile(
        f"There is no file {shown(path)}.",
        "Check the path, or put it between backticks (`) where it is only to be talked about.",
    )


def _read(path: Path, named: str) -> Attachment:
    return replace(as_image(Raw(named, _bytes_of(path, named))), name=path.name)


def as_image(raw: Raw) -> Attachment:
    """The picture that these bytes are. Raises BadFile when they are none, or too many."""
    media_type = media_type_of(raw.data)
    if media_type is None:
        raise BadFile(
            f"{raw.name} is {what_else(raw.data)}.",
            "Models take PNG, JPEG, WebP and GIF, judged by the content, not by the name.",
        )
    if len(raw.data) > LARGEST:
        raise _too_large(raw.name, len(raw.data))
    return Attachment("image", raw.name, media_type, raw.data)


def _too_large(named: str, size: int) -> BadFile:
    return BadFile(
        f"{named} has {size / 1e6:.1f} MB; at most {in_words(LARGEST)} can be sent.", "Make it smaller first."
    )


def _bytes_of(path: Path, named: str) -> bytes:
    """The content. Raises BadFile when it cannot be read or is too large. Never reads more than is allowed."""
    if is_folder(path):
        raise BadFile(f"{named} is a folder.", "Name the picture in it.")
    with readable(named, "Name a picture that can be read."):
        size = path.stat().st_size
        if size > LARGEST:
            raise _too_large(named, size)
        data = read_bytes(path, LARGEST)
    if not data:
        raise BadFile(f"{named} is empty.", "Name a file that holds a picture.")
    return data
