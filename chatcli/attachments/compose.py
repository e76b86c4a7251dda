"""From what a person named, a path, a pattern or an address, to what goes with the message: found, read, as text.

The way of /file, of @mentions, of --file and of the library, so that all of them take the same things; and the one
way to compose a message, of the loop, the pipe and the library.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from pathlib import Path

from chatcli.attachments.files import is_address, mentioned, read_files, without_passwords
from chatcli.attachments.images import find_in, read_image
from chatcli.conversation.events import Progress
from chatcli.conversation.message import Attachment
from chatcli.paths import path_of, working_directory
from chatcli.reading.raw import Raw

Fetch = Callable[[str], Generator[Progress, None, Raw]]  # what client/fetch.py does; handed over, not imported


@dataclass(frozen=True, slots=True)
class Composed:
    """A message as it is kept and sent: `text` without paths of pictures and without passwords in addresses that
    are marked with an @, and what goes with it.
    """

    text: str
    attachments: tuple[Attachment, ...]


def composing(
    text: str,
    take: Callable[[Composed], object],
    fetch: Fetch,
    images: Iterable[str] = (),
    files: Iterable[str] = (),
    *,
    mentions: bool = True,
) -> Generator[Progress, None, None]:
    """Hand the message that `text`, these pictures and these files make to `take`; yields how far it is, where it
    takes time. Raises BadFile. Without `mentions` nothing that `text` names is read.
    """
    said, found = find_in(text, working_directory()) if mentions else (text, ())
    given = [*(read_image(image) for image in images), *found]
    yield from attaching((*files, *(mentioned(said) if mentions else ())), given.append, fetch)
    take(Composed(without_passwords(said), tuple(given)))


def compose(
    text: str, fetch: Fetch, images: Iterable[str] = (), files: Iterable[str] = (), *, mentions: bool = True
) -> Composed:
    """The same, all at once, where nobody watches."""
    composed: list[Composed] = []
    for _ in composing(text, composed.append, fetch, images, files, mentions=mentions):
        pass
    return composed[0]


def attaching(
    named: Iterable[str], take: Callable[[Attachment], object], fetch: Fetch, cwd: Path | None = None
) -> Generator[Progress, None, None]:
    """Hand each one's text to `take`; yields how far it is, where it takes time. Raises BadFile."""
    for name in named:
        if is_address(name):
            page = yield from fetch(name)
            take((yield from _read(page)))
        else:
            for file in read_files(name, cwd):
                take((yield from _read(file)))


def attached(named: Iterable[str], fetch: Fetch, cwd: Path | None = None) -> tuple[Attachment, ...]:
    """The same, all at once."""
    taken: list[Attachment] = []
    for _ in attaching(named, taken.append, fetch, cwd):
        pass
    return tuple(taken)


def each_once(attachments: Iterable[Attachment]) -> tuple[Attachment, ...]:
    """Without what is there already, the same file by another path, too: it may be both attached and mentioned."""
    found: dict[tuple[str, str, str], Attachment] = {}
    for each in attachments:
        found.setdefault((each.kind, _place(each.name), each.digest), each)
    return tuple(found.values())


def _place(name: str) -> str:
    if is_address(name):
        return name
    try:
        return str(path_of(name).resolve())
    except (OSError, RuntimeError, ValueError):  # no such folder any more, links in a ring, a NUL in it
        return name


def _read(raw: Raw) -> Generator[Progress, None, Attachment]:
    from chatcli.reading.document import read

    steps, status = read(raw), f"Reading {raw.name}"
    while True:
        try:
            done, total = next(steps)
        except StopIteration as end:
            return Attachment("text", raw.name, "text/plain", end.value.encode("utf-8", "replace"))
        yield Progress(status, done or None, total or None, unit="pages")
