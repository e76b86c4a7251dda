"""`chatcli --then-chat`: what is piped in goes with the first message, and then the terminal talks."""

from __future__ import annotations

import sys
from collections.abc import Generator, Sequence

from chatcli.attachments.compose import Composed, composing, with_piped
from chatcli.client.fetch import fetch
from chatcli.conversation.events import Progress
from chatcli.conversation.message import Attachment
from chatcli.errors import UserError
from chatcli.hints import Do, Hint
from chatcli.paths import find_paths
from chatcli.render.screen import Screen
from chatcli.repl import startup
from chatcli.repl.streams import read_from_terminal
from chatcli.session.wishes import Wishes, read_settings
from chatcli.settings import table


def run(wishes: Wishes, prompt: str, images: Sequence[str], files: Sequence[str]) -> int:
    """Chat with `prompt` sent first, if there is one; returns the exit code. Raises UserError where there is no
    terminal.
    """
    if not sys.stdout.isatty():
        raise UserError(
            "The output is not a terminal, so there is nobody to chat with.",
            Hint("Without --then-chat one question is answered: ", Do("chatcli", "PROMPT"), "."),
        )
    attached = _attached(read_settings(find_paths(), wishes)[table.ENCODING], images, files)
    if not sys.stdin.isatty():
        read_from_terminal()
    return startup.run(wishes, attached=attached, first=prompt)


def _attached(encoding: str, images: Sequence[str], files: Sequence[str]) -> tuple[Attachment, ...]:
    """What is piped in and named, read before standard input is the terminal."""
    done = [Composed("", ())]

    def steps() -> Generator[Progress]:
        yield from composing("", done.append, fetch, images, files, encoding=encoding)
        if not sys.stdin.isatty():
            done.append((yield from with_piped(done[-1], encoding)))

    Screen().progress(steps())
    return (*done[-1].piped, *done[-1].attachments)
