"""The command line: what it asks for is done, and errors become exit codes.

A bare `chatcli` in a terminal starts the loop; everything else is parsed first (flags.py).
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Sequence

from chatcli.errors import ChatcliError, UserError
from chatcli.hints import Do, Hint
from chatcli.paths import find_paths
from chatcli.repl.crash_report import told
from chatcli.repl.streams import OutputFailed, open_streams, silence
from chatcli.session.wishes import Wishes


def main() -> None:
    """The entry point. Exit codes: 0 ok, 1 error, 2 usage, 3 too long for the context, 4 model missing,
    5 server unreachable, 130 interrupted.
    """
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run with these arguments and return the exit code. Every error that a person can meet is shown on stderr."""
    open_streams()
    try:
        code = _worked(list(arguments))
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return 130
    except OutputFailed as error:
        return _without_output(error)


def _worked(arguments: list[str]) -> int:
    try:
        if not arguments and _in_terminal():
            return chat(Wishes())
        from chatcli.cli.flags import parsed

        return parsed(arguments, chat)()
    except ChatcliError as error:
        return _say(error)
    except OutputFailed:
        raise
    except Exception as error:  # the last resort
        return _say(told(error, find_paths().faults))


def _say(error: ChatcliError) -> int:
    from chatcli.commands.spelling import in_shell
    from chatcli.render.screen import Screen

    screen = Screen()
    screen.speller = in_shell
    screen.error(error)
    return error.exit_code


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
    wishes: Wishes,
    prompt: Sequence[str] = (),
    images: Sequence[str] = (),
    files: Sequence[str] = (),
    as_json: bool = False,
) -> int:
    """Ask once when there is a prompt, a file or piped input; else run the loop."""
    if prompt or images or files or not sys.stdin.isatty():
        from chatcli.cli import oneshot

        return oneshot.run(wishes, " ".join(prompt), images, files, as_json)
    if as_json or not sys.stdout.isatty():
        raise UserError(
            "The output is not a terminal, so a prompt is needed.",
            Hint("Give it after the flags: ", Do("chatcli", "PROMPT"), ", or pipe it in."),
        )
    from chatcli.repl import startup

    return startup.run(wishes)


def _in_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()
