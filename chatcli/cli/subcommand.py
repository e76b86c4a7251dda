"""Runs a command as a subcommand of the shell: once, with its outcome drawn."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any

from chatcli.cli.json_object import write
from chatcli.commands.outcomes import Choose, Data
from chatcli.commands.perform import perform
from chatcli.commands.registry import Command
from chatcli.commands.spelling import in_shell
from chatcli.conversation.events import Progress
from chatcli.conversation.tree import Node
from chatcli.errors import Ambiguous, UserError
from chatcli.hints import Do, Hint, Words, spelled
from chatcli.prompt.reader import Reader, ReaderOptions
from chatcli.prompt.toolbar import Toolbar
from chatcli.render.screen import Screen
from chatcli.render.views import Note, SourceText, View
from chatcli.session.build import Wishes, build
from chatcli.session.fallback import mending
from chatcli.session.session import Session


def run_command(wishes: Wishes, command: Command, given: Mapping[str, Any], as_json: bool = False) -> int:
    """Run the command and return the exit code. Arguments not given take the command's defaults. `as_json`: print
    its data.
    """
    screen = Screen()
    session = build(wishes, watch=screen.progress)
    screen.speller = in_shell
    session.show_retries(screen.aside)
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
        return perform(session, outcome, Shell(screen, as_json))
    finally:
        session.close()


def _say(screen: Screen, session: Session) -> None:
    """Show the warnings about the store, once."""
    for warning in session.take_warnings():
        screen.show(Note(warning, "warning"))


class Shell:
    """The shell as a Surface: it shows and asks, but it has no conversation to go on with."""

    def __init__(self, screen: Screen, as_json: bool = False) -> None:
        self._screen = screen
        self._as_json = as_json

    def show(self, view: View) -> None:
        self._screen.show(view)

    def tell(self, data: Data) -> bool:
        if self._as_json:
            write(data())
        return self._as_json

    def print(self, text: str) -> None:
        if self._screen.is_terminal:
            self._screen.show(SourceText(text))
        else:
            sys.stdout.write(text)

    def watch(self, progress: Iterator[Progress]) -> None:
        self._screen.progress(progress)

    def confirm(self, question: Words) -> bool:
        if not self._can_ask:
            raise UserError(spelled(question, in_shell), "Needs confirmation: add --yes.")
        return one_answer().ask(spelled(question, in_shell))

    def choose(self, question: Choose) -> int | None:
        if not self._can_ask:
            raise Ambiguous(question.brief, Hint("Give a number: ", Do("chats"), " lists them."))
        return one_answer().choose(question.question, question.choices, question.detail, question.find)

    def edit(self, text: str, ending: str) -> str:
        from chatcli.prompt.editor import edit_between_prompts

        return edit_between_prompts(text, ending)

    def copy(self, _text: str) -> None:
        raise _only_inside()

    def prefill(self, _text: str) -> None:
        raise _only_inside()

    def send(self, _text: str) -> None:
        raise _only_inside()

    def reply(self, _question: Node, _onward: Node | None, _model: str) -> None:
        raise _only_inside()

    def leave(self) -> None:
        raise _only_inside()

    @property
    def _can_ask(self) -> bool:
        return self._screen.is_terminal and sys.stdin.isatty()


class Opening(Shell):
    """The shell while a conversation is opened for one question: nothing is shown of it, and nobody is asked."""

    def show(self, view: View) -> None:
        pass

    def choose(self, question: Choose) -> int | None:
        raise Ambiguous(question.brief, Hint(Do("chats"), " lists them with their numbers."))


def open_conversation(session: Session, name: str) -> None:
    """Open the conversation of that name. Raises Ambiguous when several match."""
    from chatcli.commands.chats import open_named

    if not name:
        raise UserError(
            "Which conversation?",
            Hint("Name one: ", Do("load", "NAME"), ", or take the last: ", Do("continue"), "."),
        )
    perform(session, open_named(session, name), Opening(Screen()))


def _only_inside() -> UserError:
    return UserError("That works only inside chatcli.", Hint("Start it: ", Do("chatcli")))


def one_answer() -> Reader:
    """A reader for a question or two: no history, no completion, no redrawing."""
    return Reader(None, lambda _: (), lambda: Toolbar("", "", 0, 0, "", ()), ReaderOptions(plain=True))
