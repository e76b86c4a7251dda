"""One question and its reply, for the shell: text or one JSON object on stdout, everything else on stderr."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Generator, Sequence
from functools import partial
from typing import Any

from chatcli.attachments.compose import Composed, composing, with_piped
from chatcli.cli.json_object import account, failure
from chatcli.cli.subcommand import Shell
from chatcli.commands.chats import open_named
from chatcli.commands.outcomes import Choose
from chatcli.commands.perform import perform
from chatcli.commands.spelling import in_shell
from chatcli.conversation.events import Event, Progress, Repeats, Retry, Text, Thinking, Tick
from chatcli.conversation.reply_endings import ending_of
from chatcli.conversation.tree import Node
from chatcli.errors import Ambiguous, ChatcliError, Interrupted, NoText, StoreError, UserError
from chatcli.hints import Do, Hint, spelled
from chatcli.paths import find_paths
from chatcli.render.reply import Patience
from chatcli.render.screen import Screen
from chatcli.render.views import Note, View
from chatcli.repl.notes import about_composed, about_counting, after_reply
from chatcli.repl.signals import Interrupt
from chatcli.repl.waiting import Waiting
from chatcli.session.build import build
from chatcli.session.fallback import mending
from chatcli.session.next_request import unlike_last_turn
from chatcli.session.reply_format import judged, language_of, shape
from chatcli.session.session import Session
from chatcli.session.wishes import Wishes, make_screen, read_settings
from chatcli.settings import table
from chatcli.settings.layers import Layer
from chatcli.turn import answer, answered, ask


def run(
    wishes: Wishes,
    prompt: str,
    images: Sequence[str] = (),
    files: Sequence[str] = (),
    found: dict[str, Any] | None = None,
) -> int:
    """Ask once and return the exit code. Errors are raised, and cli/main.py shows them. `found`: for --json, the
    object that gets what comes of it, whatever happens; then nothing goes to standard output.
    """
    settings = read_settings(find_paths(), wishes)
    shape(settings[table.FORMAT])  # refused before anything is read or sent
    files = (*(settings.profile.files if settings.profile is not None else ()), *files)
    composed = _composed(settings[table.ENCODING], prompt, images, files, quiet=found is not None)
    if not composed.text and not composed.attachments:
        raise UserError(
            "There is nothing to send: no prompt, and nothing on standard input.",
            Hint("See ", Do("chatcli", help=True), "."),
        )
    if not sys.stdout.isatty():
        settings.put_value(table.LOOP_GUARD, "off", Layer.DEFAULT)
    session = build(wishes, settings)
    try:
        screen = make_screen(session.settings, in_shell)
        session.show_retries(screen.aside)
        for note in about_composed(composed):
            screen.show(note)
        if wishes.named is not None:
            mending(session, lambda: _open(session, wishes.named or ""))
        return mending(session, lambda: _ask(session, ask(session, composed.text, composed.attachments), found))
    finally:
        session.close()


def _composed(encoding: str, prompt: str, images: Sequence[str], files: Sequence[str], quiet: bool) -> Composed:
    from chatcli.client.fetch import fetch

    done: list[Composed] = []

    def steps() -> Generator[Progress]:
        """Standard input comes last: a file or a system prompt called "-" has read it already."""
        yield from composing(prompt, done.append, fetch, images, files, encoding=encoding)
        if not sys.stdin.isatty():
            done.append((yield from with_piped(done[0], encoding)))

    if quiet:
        deque(steps(), maxlen=0)
    else:
        Screen().progress(steps())
    return done[-1]


class Opening(Shell):
    """The shell while a conversation is opened for one question: nothing is shown of it, and nobody is asked."""

    def show(self, view: View) -> None:
        pass

    def choose(self, question: Choose) -> int | None:
        raise Ambiguous(question.brief, Hint(Do("chats"), " lists them with their numbers."))


def _open(session: Session, name: str) -> None:
    """Open the conversation of that name. Raises Ambiguous when several match."""
    if not name:
        raise UserError(
            "Which conversation?",
            Hint("Name one: ", Do("load", "NAME"), ", or take the last: ", Do("continue"), "."),
        )
    perform(session, open_named(session, name), Opening(Screen()))


def _ask(session: Session, question: Node, found: dict[str, Any] | None) -> int:
    settings = session.settings
    screen = make_screen(settings, in_shell)
    reply: Node | None = None
    try:
        with Interrupt() as interrupt:
            for line in unlike_last_turn(session):
                screen.show(Note(line, "warning"))
            if found is not None:
                patience = Patience(settings[table.MODEL], Waiting(session, settings[table.MODEL]))
                reply = answer(session, question, partial(_tell, screen, patience), lambda: interrupt.asked)
            else:
                name = settings[table.MODEL]
                waits, language = Waiting(session, name), language_of(settings)
                with screen.answer(name, settings[table.THINKING], waits=waits, language=language) as view:
                    reply = answer(session, question, view.feed, lambda: interrupt.asked)
    finally:
        for warning in session.take_warnings():
            screen.error(StoreError(spelled(warning, in_shell)))
        reply = reply or answered(session, question)
        if found is not None and reply is not None:
            found.update(account(session, reply))
    if interrupt.asked:
        raise Interrupted("The reply was interrupted." if reply is not None else "Interrupted before the reply.")
    assert reply is not None, "what nothing comes of is an error"
    for note in (*after_reply(reply, settings[table.VERBOSE]), *about_counting(session.counter.notice())):
        screen.show(note)
    return _judged(reply, settings[table.FORMAT], screen, found)


def _judged(reply: Node, form: str, screen: Screen, found: dict[str, Any] | None) -> int:
    """The exit code. A reply that is complete but has no text, only thinking or a tool call, is no answer, nor is
    one that has not the format asked for.
    """
    ended = ending_of(reply)
    error: ChatcliError
    if not reply.message.has_text and ended is not None:
        error = NoText(ended.what, ended.remedy)  # which a note has told
    else:
        verdict = judged(reply.message.text, form)
        if verdict.remark:
            screen.aside(verdict.remark)
        if verdict.error is None:
            return 0
        error = verdict.error
        screen.error(error)
    if found is not None:
        found.update(failure(error))
    return error.exit_code


def _tell(screen: Screen, patience: Patience, event: Event) -> None:
    """With --json only this is shown while the reply is made: what it waits for, and what is wrong with it."""
    match event:
        case Retry() | Repeats():
            screen.aside(event)
        case Tick() if line := patience.line():
            screen.aside(line.rstrip())
        case Text() | Thinking():
            patience.end()
