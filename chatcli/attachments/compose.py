"""Composes a message: the files, patterns and addresses that a person named are found and read, and become
attachments.

/file, @mentions, --file and the library all read files here, so they accept the same things; and the loop, the
pipe and the library all compose messages here.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from chatcli.attachments.files import is_address, mentioned, read_file, read_files, read_piped, without_passwords
from chatcli.attachments.images import as_image, find_in, read_image, read_picture
from chatcli.attachments.mentions import Missing, Sure
from chatcli.conversation.events import Progress
from chatcli.conversation.message import Attachment
from chatcli.dataclass import dataclass
from chatcli.errors import BadFile
from chatcli.hints import Words
from chatcli.paths import path_of, working_directory
from chatcli.reading.raw import Extracted, Raw
from chatcli.reading.signatures import media_type_of

Fetch = Callable[
    [str], Generator[Progress, None, Raw]
]  # client/fetch.py's function, passed in instead of imported


@dataclass(frozen=True, slots=True)
class Composed:
    """A message as it is stored and sent: its `text` as it was typed, but without passwords in addresses marked
    with an @; its attachments; and the names in it that lead to no file and are sent as words.
    """

    text: str
    attachments: tuple[Attachment, ...]
    missing: tuple[Missing, ...] = ()
    piped: tuple[Attachment, ...] = ()  # what was piped in as text, which `text` begins with

    @property
    def notes(self) -> tuple[Words, ...]:
        """What a person should know about how files, pages and standard input were read."""
        return tuple(note for each in (*self.piped, *self.attachments) for note in each.notes)


Judge = Callable[[Sequence[Missing]], object]  # raises BadFile where such a message is not to be sent


def composing(
    text: str,
    take: Callable[[Composed], object],
    fetch: Fetch,
    images: Iterable[str] = (),
    files: Iterable[str] = (),
    *,
    mentions: bool = True,
    encoding: str = "",
    judge: Judge | None = None,
) -> Generator[Progress, None, None]:
    """Compose a message from `text`, these images and these files, and pass it to `take`. Yields progress where it
    takes time. `judge` is asked about names that lead nowhere, before anything is read; by default, what can only
    be a path is refused. Raises BadFile. With `mentions` False, nothing that `text` names is read. `encoding`:
    that of the files, as a person says ("": as their bytes tell).
    """
    pictures, no_pictures = find_in(text, working_directory()) if mentions else ([], [])
    found, no_files = mentioned(text) if mentions else ([], [])
    missing = (*no_files, *no_pictures)
    (judge or refuse_paths)(missing)
    given = [*(read_image(image) for image in images), *(read_picture(path, named) for named, path in pictures)]
    yield from attaching(files, given.append, fetch, encoding=encoding)
    for each in found:
        if each.path is None:
            yield from attaching((each.name,), given.append, fetch, encoding=encoding)
        else:
            given.append((yield from _read(replace(read_file(each.path, each.name), encoding=encoding))))
    take(Composed(without_passwords(text), tuple(given), missing))


def refuse_paths(missing: Sequence[Missing]) -> None:
    """Raise BadFile if one of them can only be a path."""
    refuse(
        [each for each in missing if each.sure >= Sure.PATH],
        "Check the path, or put it between backticks (`) where it is only to be talked about.",
    )


def refuse(missing: Sequence[Missing], advice: Words) -> None:
    """Raise BadFile if there are any."""
    if missing:
        raise BadFile(" ".join(each.why for each in missing), advice)


def compose(
    text: str,
    fetch: Fetch,
    images: Iterable[str] = (),
    files: Iterable[str] = (),
    *,
    mentions: bool = True,
    encoding: str = "",
) -> Composed:
    """The same all at once, without progress."""
    composed: list[Composed] = []
    for _ in composing(text, composed.append, fetch, images, files, mentions=mentions, encoding=encoding):
        pass
    return composed[0]


def with_piped(composed: Composed, encoding: str = "") -> Generator[Progress, None, Composed]:
    """The message with what is piped into standard input: its text comes first, and a picture goes with it. Raises
    BadFile.
    """
    piped = replace(read_piped(), encoding=encoding)
    if not piped.data.strip():
        return composed
    if media_type_of(piped.data) is not None:
        return replace(composed, attachments=(*composed.attachments, as_image(piped)))
    read = yield from _read(piped)
    said = (read.data.decode().strip("\n"), composed.text)
    return replace(composed, text="\n\n".join(part for part in said if part.strip()), piped=(read,))


def attaching(
    named: Iterable[str],
    take: Callable[[Attachment], object],
    fetch: Fetch,
    cwd: Path | None = None,
    encoding: str = "",
) -> Generator[Progress, None, None]:
    """Pass each named file or address to `take`, as a picture or as its text. Yields progress where it takes time.
    Raises BadFile.
    """
    for name in named:
        if is_address(name):
            page = yield from fetch(name)
            take((yield from _read(page)))
        else:
            for file in read_files(name, cwd):
                take((yield from _read(replace(file, encoding=encoding))))


def attached(named: Iterable[str], fetch: Fetch, cwd: Path | None = None) -> tuple[Attachment, ...]:
    """The same all at once, without progress."""
    taken: list[Attachment] = []
    for _ in attaching(named, taken.append, fetch, cwd):
        pass
    return tuple(taken)


def each_once(attachments: Iterable[Attachment]) -> tuple[Attachment, ...]:
    """Without duplicates, even under another path: a file may be both attached and mentioned."""
    found: dict[tuple[str, str, str], Attachment] = {}
    for each in attachments:
        found.setdefault((each.kind, _place(each.name), each.digest), each)
    return tuple(found.values())


def _place(name: str) -> str:
    if is_address(name):
        return name
    try:
        return str(path_of(name).resolve())
    except (OSError, RuntimeError, ValueError):  # the folder is gone, links form a ring, or the name has a NUL
        return name


def _read(raw: Raw) -> Generator[Progress, None, Attachment]:
    from chatcli.reading.document import read

    if media_type_of(raw.data) is not None:
        return as_image(raw)
    steps, status = read(raw), f"Reading {raw.name}"
    while True:
        try:
            done, total = next(steps)
        except StopIteration as end:
            text: Extracted = end.value
            return Attachment("text", raw.name, "text/plain", text.text.encode("utf-8", "replace"), text.notes)
        yield Progress(status, done or None, total or None, unit="pages")
