"""/image, /file: attach pictures and files to the next message."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated

from chatcli.attachments.compose import attaching
from chatcli.attachments.images import IMAGE_ENDINGS, read_image
from chatcli.client.request import Request, check
from chatcli.commands.arguments import Arg, Word
from chatcli.commands.outcomes import Outcome, Show, Watch
from chatcli.commands.registry import command
from chatcli.conversation.message import Attachment, Message
from chatcli.errors import Unreachable
from chatcli.hints import Do, Hint
from chatcli.paths import is_file, path_of
from chatcli.render.views import Note, Pictures
from chatcli.session.session import Session
from chatcli.settings import table


def image_words(session: Session, typed: str) -> Iterator[Word]:
    from chatcli.prompt.completer import paths

    return (Word(path.text, path.meaning) for path in paths(typed, IMAGE_ENDINGS))


def file_words(session: Session, typed: str) -> Iterator[Word]:
    from chatcli.prompt.completer import paths as found

    return (Word(path.text, path.meaning) for path in found(typed, None))


@command("image", "img", in_shell="--image")
def image(session: Session, *paths: Annotated[str, Arg("image files", image_words)]) -> Outcome:
    """Attach pictures to the next message; without a path, list what is attached.

    A path in the message itself works, too. `/image none` removes all attachments.
    """
    if paths == ("none",):
        session.detach()
        return Show.of(Note("No picture is attached now.", "quiet"))
    if not paths:
        return Show.of(
            Note(_attached(session) or Hint("No picture is attached. Attach one: ", Do("image", "PATH")), "quiet")
        )
    if len(paths) > 1 and is_file(path_of(" ".join(paths))):
        paths = (" ".join(paths),)  # a name with blanks, not quoted
    pictures = [read_image(path) for path in paths]
    try:
        known = session.model.get()
        check(Request(known.name, (Message.user("", tuple(pictures)),), {}), known)
    except Unreachable:
        pass  # sending the message will say so; the picture stays attached
    return attach(session, pictures)


@command("file", in_shell="--file")
def file_(
    session: Session, *paths: Annotated[str, Arg("files, patterns such as src/*.py, or addresses", file_words)]
) -> Outcome:
    """Attach text, PDF, DOCX or a web page to the next message; without a path, list what is attached.

    A text that fits is sent whole with its message; of a longer one the passages that match the question are sent.
    `@path` and `@https://address` in the message itself work, too. `/file none` removes all attachments.
    """
    from chatcli.client.fetch import fetch

    if paths == ("none",):
        session.detach()
        return Show.of(Note("Nothing is attached now.", "quiet"))
    if not paths:
        return Show.of(
            Note(_attached(session) or Hint("Nothing is attached. Attach a file: ", Do("file", "PATH")), "quiet")
        )
    if len(paths) > 1 and is_file(path_of(" ".join(paths))):
        paths = (" ".join(paths),)  # a name with blanks, not quoted
    read: list[Attachment] = []

    def done() -> Outcome:
        return attach(session, read)

    return Watch(attaching(paths, read.append, fetch, encoding=session.settings[table.ENCODING]), done)


def attach(session: Session, attachments: Sequence[Attachment]) -> Show:
    """Attach these to the next message, and show what goes with it."""
    session.attach(attachments)
    return Show.of(
        Note(_attached(session), "good"),
        *(Note(note, "warning") for each in attachments for note in each.notes),
        Pictures(tuple(attachments)),
    )


def _attached(session: Session) -> str:
    names = ", ".join(f"{each.name} ({_size(each.size)})" for each in session.pending)
    return f"With the next message: {names}" if names else ""


def _size(size: int) -> str:
    return f"{size / 1000:.0f} kB" if size >= 1000 else f"{size} bytes"
