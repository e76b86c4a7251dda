"""Files named by a person, in /file or in a message as @path or @https://address: found, and read as bytes.

What stands behind an @ and is neither a file nor an address is only text, and so is what stands between backticks
or in the middle of a long paste.
"""

from __future__ import annotations

import glob
import re
from pathlib import Path

from chatcli.errors import BadFile
from chatcli.named import is_file, is_folder, is_there, path_of, readable, shown, size_of, working_directory
from chatcli.prompt.mentions import masked
from chatcli.reading.raw import LARGEST, Raw, too_large

MOST = 200  # files of one pattern

_MENTION = re.compile(r"""(?<!\S)@(?:"([^"\n]+)"|'([^'\n]+)'|((?:[^\s\\]|\\.)+))""")
_PACKED = (".pdf", ".docx")
_WILD = re.compile(r"[*?\[]")
_WEB = re.compile(r"https?://[^\s/?#]", re.IGNORECASE)
_PASSWORD = re.compile(r"""((?:(?<!\S)@|^/file\s.*?)["']?https?://)[^\s/?#"']*@""", re.IGNORECASE)


def is_address(named: str) -> bool:
    """Whether it names something on the web, or would: ftp:// too is no path."""
    return re.match(r"[a-z][a-z0-9+.-]+://", named, re.IGNORECASE) is not None


def is_path(text: str) -> bool:
    """Whether a line that begins with / is about a file and not a command: `/home/me/cat.png what is this`."""
    first = text.split(maxsplit=1)[0]
    return "/" in first[1:] or (len(first) > 1 and is_there(Path(first)))


def without_passwords(line: str) -> str:
    """The line without user:password@ in the addresses that are to be fetched: neither kept nor sent."""
    while (cleaned := _PASSWORD.sub(r"\1", line)) != line:
        line = cleaned
    return line


def read_files(named: str, cwd: Path | None = None) -> list[Raw]:
    """The files at `named`: one path, or a pattern with *, ? or **. BadFile when there is none to be read."""
    here = cwd or working_directory()
    place = here / path_of(named)
    if is_file(place) or not _WILD.search(named):
        return [_read(place, named)]
    with readable(named, "Check the pattern."):
        paths = sorted(glob.glob(str(place), recursive=True))  # noqa: PTH207
    found = [path for path in map(Path, paths) if is_file(path)]
    if not found:
        raise BadFile(f"No file fits {shown(named)}.", "Check the pattern.")
    if len(found) > MOST:
        raise BadFile(f"{len(found)} files fit {shown(named)}.", f"Name a narrower pattern: {MOST} at the most.")
    return [_read(path, _beside(path, here)) for path in found]


def mentioned(text: str, cwd: Path | None = None) -> list[str]:
    """The files and addresses that `text` names with an @, each once."""
    here = cwd or working_directory()
    names = dict.fromkeys(_bare("".join(groups)) for groups in _MENTION.findall(masked(text)))
    return [name for name in names if name and (_WEB.match(name) or is_file(here / path_of(name)))]


def sizes(text: str, cwd: Path | None = None) -> list[int]:
    """The sizes in bytes of the files that `text` names as @path, unread: cheap enough for every key. How much
    text a document or a page has is not known before it is read.
    """
    here = cwd or working_directory()
    names = [name for name in mentioned(text, here) if not is_address(name)]
    return [size_of(here / path_of(each)) for each in names if not each.lower().endswith(_PACKED)]


def _bare(name: str) -> str:
    """Without the punctuation of the sentence around it."""
    if not _WEB.match(name):
        return name.rstrip(",;:!?")
    bare = name.rstrip(",;:!?.'\"")
    while bare.endswith(")") and bare.count(")") > bare.count("("):
        bare = bare[:-1].rstrip(",;:!?.")
    return bare


def _read(path: Path, named: str) -> Raw:
    if is_folder(path):
        raise BadFile(f"{named} is a folder.", f"Its files: {named.rstrip('/')}/*")
    with readable(named, "Check its permissions."), path.open("rb") as file:
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise too_large(named)
    return Raw(named, data)


def _beside(path: Path, here: Path) -> str:
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
