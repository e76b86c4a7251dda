"""Runs a command as a subcommand of the shell: once, with its outcome drawn."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import closing
from typing import Any

from chatcli.commands.outcomes import Choose, Confirm, Outcome, Print, Show, Watch
from chatcli.commands.registry import Command
from chatcli.commands.spelling import in_shell
from chatcli.errors import Ambiguous, UserError
from chatcli.hints import Do, Hint, spelled
from chatcli.prompt.reader import Reader, ReaderOptions
from chatcli.prompt.toolbar import Toolbar
from chatcli.render.screen import Screen
from chatcli.render.views import Note, SourceText
from chatcli.session.build import Wishes, build
from chatcli.session.fallback import mending
from chatcli.session.session import Session

DECLINED = 1


def run_command(wishes: Wishes, command: Command, given: Mapping[str, Any]) -> int:
    """Run the command and return the exit code. Arguments not given take the command's defaults."""
    session = build(wishes)
    screen = Screen()
    screen.speller = in_shell
    try:
        if not command.tolerant:  # a tolerant command checks the store itself
            _say(screen, session)
        positional: list[Any] = []
        keywords: dict[str, Any] = {}
        for each in command.parameters:
            value = given[each.name]
            if value is None:
                continue
            if each.flag or each.raw:
                keywords[each.name] = value
            else:
                positional.extend(value if each.many else [value])
        outcome = mending(session, lambda: command.run(session, *positional, **keywords))
        _say(screen, session)
        return _act(screen, outcome)
    finally:
        session.close()


def _say(screen: Screen, session: Session) -> None:
    """Show the warnings about the store, once."""
    for warning in session.take_warnings():
        screen.show(Note(warning, "warning"))


def _act(screen: Screen, outcome: Outcome) -> int:
    match outcome:
        case Show(views, exit_code):
            for view in views:
                screen.show(view)
            return exit_code
        case Print(text):
            if screen.is_terminal:
                screen.show(SourceText(text))
            else:
                sys.stdout.write(text)
            return 0
        case Watch(progress, then):
            with closing(progress):  # type: ignore[type-var]
                screen.progress(progress)
            return _act(screen, then())
        case Confirm(question, then):
            if not _in_terminal(screen):
                raise UserError(spelled(question, in_shell), "Needs confirmation: add --yes.")
            return _act(screen, then()) if _reader().ask(spelled(question, in_shell)) else DECLINED
        case Choose(question, choices, then_with, detail, find):
            if not _in_terminal(screen):
                raise Ambiguous(outcome.brief, Hint("Give a number: ", Do("chats"), " lists them."))
            index = _reader().choose(question, choices, detail, find)
            return _act(screen, then_with(index)) if index is not None else DECLINED
        case _:
            raise UserError("That works only inside chatcli.", Hint("Start it: ", Do("chatcli")))


def _in_terminal(screen: Screen) -> bool:
    return screen.is_terminal and sys.stdin.isatty()


def _reader() -> Reader:
    """A reader for a question or two: no history, no completion, no redrawing."""
    return Reader(None, lambda _: (), lambda: Toolbar("", "", 0, 0, "", ()), ReaderOptions(plain=True))
