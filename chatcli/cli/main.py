"""The command line: what it asks for is done, and errors become exit codes.

A bare `chatcli` in a terminal starts the loop; everything else is parsed first (flags.py).
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from chatcli.errors import ChatcliError, Interrupted, UserError
from chatcli.hints import Do, Hint
from chatcli.paths import find_paths
from chatcli.repl.crash_report import told
from chatcli.repl.streams import OutputFailed, open_streams, silence
from chatcli.session.wishes import Output, Wishes

if TYPE_CHECKING:
    from chatcli.cli.flags import Chat


def main() -> None:
    """The entry point. Exit codes: 0 ok, 1 error, 2 usage, 3 too long for the context, 4 model missing,
    5 server unreachable, 130 interrupted.
    """
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run with these arguments and return the exit code. Every error that a person can meet is shown on stderr,
    and with --json or --jsonl also on stdout, as an object.
    """
    open_streams()
    try:
        code = _worked(list(arguments))
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return Interrupted.exit_code
    except OutputFailed as error:
        return _without_output(error)


def _worked(arguments: list[str]) -> int:
    found: dict[str, Any] = {}  # what --json prints, and --jsonl at the end
    try:
        code = _done(arguments, partial(chat, found))
    except KeyboardInterrupt:
        code = _failed(Interrupted("Interrupted."), arguments, found)
    except ChatcliError as error:
        code = _failed(error, arguments, found)
    except OutputFailed:
        raise
    except Exception as error:  # the last resort
        code = _failed(told(error, find_paths().faults), arguments, found)
    if found:
        from chatcli.cli.flags import asks
        from chatcli.cli.json_object import last_line, write

        write(last_line(found) if asks("--jsonl", arguments) else found)
    return code


def _done(arguments: list[str], chat: Chat) -> int:
    if not arguments and _in_terminal():
        return chat(Wishes(), (), (), (), Output())
    from chatcli.cli.flags import parsed

    return parsed(arguments, chat)()


def _failed(error: ChatcliError, arguments: list[str], found: dict[str, Any]) -> int:
    """Say it, and for a program add it to what was found; who pressed Ctrl-C knows already."""
    if not isinstance(error, Interrupted):
        _say(error)
    if {"--json", "--jsonl"} & {*arguments}:
        from chatcli.cli.flags import asks
        from chatcli.cli.json_object import failure

        if asks("--json", arguments) or asks("--jsonl", arguments):
            found.update(failure(error))
    return error.exit_code


def _say(error: ChatcliError) -> None:
    from chatcli.commands.spelling import in_shell
    from chatcli.render.screen import Screen

    screen = Screen()
    screen.speller = in_shell
    screen.error(error)


def _without_output(error: OutputFailed) -> int:
    """Report that output failed; say nothing when its reader has gone (`chatcli ... | head`)."""
    silence(sys.stdout)
    if error.errno == errno.EPIPE:
        silence(sys.stderr)
        return 0
    try:
        sys.stderr.write(f"The output cannot be written: {error.strerror}.\n")
        sys.stderr.flush()
    except OutputFailed:
        silence(sys.stderr)
    return 1


def chat(
    found: dict[str, Any],
    wishes: Wishes,
    prompt: Sequence[str],
    images: Sequence[str],
    files: Sequence[str],
    output: Output,
) -> int:
    """Ask once when there is a prompt or piped input, or a file and nobody to ask about it; else run the loop.
    `found`: what --json prints, and --jsonl at the end.
    """
    if output.then_chat:
        from chatcli.cli import then_chat

        return then_chat.run(wishes, " ".join(prompt), images, files)
    nobody = output != Output() or not sys.stdout.isatty()
    if prompt or not sys.stdin.isatty() or ((images or files) and nobody):
        from chatcli.cli import oneshot

        return oneshot.run(wishes, " ".join(prompt), images, files, output, found)
    if nobody:
        raise UserError(
            "The output is not a terminal, so a prompt is needed.",
            Hint("Give it after the flags: ", Do("chatcli", "PROMPT"), ", or pipe it in."),
        )
    if form := wishes.values.get("format"):
        from chatcli.session.reply_format import shape

        shape(form)  # a schema that is none is refused before there is a prompt
    from chatcli.repl import startup

    return startup.run(wishes, images, files)


def _in_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()
