"""Text files named by a person: in /file, or in a message as @path. What is no text is refused with a word."""

from __future__ import annotations

import glob
import re
from pathlib import Path

from chatcli.conversation.message import Attachment
from chatcli.errors import BadFile

LARGEST = 20_000_000  # bytes
MOST = 200  # files of one pattern

_MENTION = re.compile(r"""(?<!\S)@(?:"([^"\n]+)"|'([^'\n]+)'|((?:[^\s\\]|\\.)+))""")
_WILD = re.compile(r"[*?\[]")


def read_texts(named: str, cwd: Path | None = None) -> list[Attachment]:
    """The text files at `named`: one path, or a pattern with *, ? or **. BadFile when there is none to be read."""
    here = cwd or Path.cwd()
    place = here / Path(named).expanduser()
    if place.is_file() or not _WILD.search(named):
        return [_read(place, named)]
    found = [Path(path) for path in sorted(glob.glob(str(place), recursive=True)) if Path(path).is_file()]  # noqa: PTH207
    if not found:
        raise BadFile(f"No file fits {named}.", "Check the pattern.")
    if len(found) > MOST:
        raise BadFile(f"{len(found)} files fit {named}.", f"Name a narrower pattern: {MOST} at the most.")
    return [_read(path, _shown(path, here)) for path in found]


def mentioned(text: str, cwd: Path | None = None) -> tuple[Attachment, ...]:
    """The files that `text` names as @path; what stands behind an @ and is no file is only text."""
    here = cwd or Path.cwd()
    return tuple(attachment for name in _names(text, here) for attachment in read_texts(name, here))


def sizes(text: str, cwd: Path | None = None) -> list[int]:
    """The sizes in bytes of the files that `text` names as @path, unread: cheap enough for every key."""
    here = cwd or Path.cwd()
    return [(here / Path(name).expanduser()).stat().st_size for name in _names(text, here)]


def _names(text: str, here: Path) -> list[str]:
    names = ["".join(groups).rstrip(",;:!?") for groups in _MENTION.findall(text)]
    return [name for name in dict.fromkeys(names) if name and _is_file(here, name)]


def _is_file(here: Path, name: str) -> bool:
    try:
        return (here / Path(name).expanduser()).is_file()
    except (OSError, RuntimeError, ValueError):  # too long, ~nobody, a NUL in it
        return False


def _read(path: Path, named: str) -> Attachment:
    try:
        if path.stat().st_size > LARGEST:
            raise BadFile(f"{named} has more than {LARGEST // 1_000_000} MB.", "Attach a part of it.")
        data = path.read_bytes()
    except FileNotFoundError:
        raise BadFile(f"There is no file {named}.", "Check the path.") from None
    except IsADirectoryError:
        raise BadFile(f"{named} is a folder.", f"Its files: {named.rstrip('/')}/*") from None
    except OSError as error:
        raise BadFile(f"{named} cannot be read: {error.strerror}.", "Check its permissions.") from None
    if not data.strip():
        raise BadFile(f"{named} is empty.")
    if b"\0" in data[:8192] or data[:5] == b"%PDF-":
        raise BadFile(f"{named} is no text file.", "Attach its text, or a picture with /image.")
    return Attachment("text", named, "text/plain", data)


def _shown(path: Path, here: Path) -> str:
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
