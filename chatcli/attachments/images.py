"""Images: found in a line by their paths, read, and checked by their content. They are never re-encoded."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace
from pathlib import Path

from chatcli.attachments.files import read_piped
from chatcli.attachments.mentions import IMAGE_ENDINGS, Mention, Missing, existing, mentions, no_file, readings
from chatcli.conversation.message import Attachment
from chatcli.errors import BadFile
from chatcli.paths import is_folder, readable, working_directory
from chatcli.reading.files import STDIN, in_words, read_bytes
from chatcli.reading.raw import Raw
from chatcli.reading.signatures import media_type_of, what_else

__all__ = ["IMAGE_ENDINGS", "as_image", "find_in", "read_image", "read_picture"]

LARGEST = 20_000_000


def find_in(text: str, cwd: Path) -> tuple[list[tuple[str, Path]], list[Missing]]:
    """The pictures that `text` names by their paths, each once, as (path as written, path); relative paths start
    at `cwd`. And the names that lead to no file. A path between backticks is only talked about.
    """
    found: dict[Path, str] = {}
    missing: dict[str, Missing] = {}
    taken: list[Mention] = []  # none overlaps another, in the order of the text
    known: dict[str, Path | None] = {}
    for mention in mentions(text):
        at = bisect_left(taken, mention.start, key=lambda each: each.end - 1)
        if at < len(taken) and taken[at].start < mention.end:
            continue
        if mention.text not in known:
            known[mention.text] = existing(readings(mention.text), cwd)
        path = known[mention.text]
        if path is not None:
            taken.insert(at, mention)
            found.setdefault(path, mention.path)
        elif (sure := mention.sure) is not None:
            missing.setdefault(mention.path, Missing(mention.path, no_file(mention.path), sure))
    return [(named, path) for path, named in found.items()], list(missing.values())


def read_image(path: str) -> Attachment:
    """The image at `path`, which may be quoted, escaped, begin with ~ or be a file:// address; "-" is standard
    input.

    Raises BadFile when it is missing, no file, unreadable, empty, too large or not an image.
    """
    if path == STDIN:
        return as_image(read_piped())
    there = existing(readings(path), working_directory())
    if there is None:
        raise BadFile(no_file(path), "Check the path.")
    return read_picture(there, path)


def read_picture(path: Path, named: str) -> Attachment:
    """The picture at `path`, called `named` in errors. Raises BadFile."""
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
    return Attachment("image", Path(raw.name).name, media_type, raw.data)


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


def _too_large(named: str, size: int) -> BadFile:
    return BadFile(
        f"{named} has {size / 1e6:.1f} MB; at most {in_words(LARGEST)} can be sent.", "Make it smaller first."
    )
