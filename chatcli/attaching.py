"""From what a person named, a path, a pattern or an address, to what goes with the message: found, read, as text.

The way of /file, of @mentions, of --file and of the library, so that all of them take the same things.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from pathlib import Path

from chatcli.client.models import Progress
from chatcli.conversation.message import Attachment
from chatcli.named import path_of
from chatcli.prompt.textfiles import is_address, read_files
from chatcli.reading.raw import Raw


def attaching(
    named: Iterable[str], take: Callable[[Attachment], object], cwd: Path | None = None
) -> Generator[Progress, None, None]:
    """Hand each one's text to `take`; yields how far it is, where it takes time. Raises BadFile."""
    from chatcli.client.fetch import fetch

    for name in named:
        if is_address(name):
            page = yield from fetch(name)
            take((yield from _read(page)))
        else:
            for file in read_files(name, cwd):
                take((yield from _read(file)))


def attached(named: Iterable[str], cwd: Path | None = None) -> tuple[Attachment, ...]:
    """The same, all at once, where nobody watches."""
    found: list[Attachment] = []
    for _ in attaching(named, found.append, cwd):
        pass
    return tuple(found)


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
