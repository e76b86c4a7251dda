"""One question and its reply, for the shell: text or JSON on stdout, everything else on stderr."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from io import StringIO
from typing import TYPE_CHECKING, Any

from chatcli.attachments.compose import Composed, composing, with_piped
from chatcli.cli.json_object import account, event_line, failure, result, write
from chatcli.cli.overflow import ERROR, GROW, LongInput, with_ways
from chatcli.commands.spelling import in_shell
from chatcli.conversation.events import Event, Progress, Repeats, Retry, Text, Thinking, Tick, ToolResult
from chatcli.conversation.reply_endings import ending_of
from chatcli.conversation.tree import Ended, Node
from chatcli.errors import (
    ChatcliError,
    ContextTooLong,
    Interrupted,
    NoCode,
    NoText,
    StoreError,
    UserError,
)
from chatcli.hints import Do, Hint, spelled
from chatcli.paths import find_paths
from chatcli.reading.raw import Raw
from chatcli.render.extract import first_code
from chatcli.render.reply import Patience
from chatcli.render.screen import Screen
from chatcli.render.views import Note
from chatcli.repl.hearing import Hearing
from chatcli.repl.leave_question import nobody
from chatcli.repl.notes import about_composed, about_counting, after_reply
from chatcli.repl.signals import Interrupt
from chatcli.repl.waiting import Waiting
from chatcli.session.build import build
from chatcli.session.fallback import mending, unwatched
from chatcli.session.next_request import unlike_last_turn
from chatcli.session.reply_format import judged, shape
from chatcli.session.session import Session
from chatcli.session.wishes import Output, Wishes, make_screen, read_settings
from chatcli.settings import table
from chatcli.settings.layers import Layer
from chatcli.text import clean
from chatcli.tools.leave import Allow
from chatcli.turn import answer, answered

if TYPE_CHECKING:
    from chatcli.prompt.reader import Reader

_OF_THE_NAME = "All words after --resume are the name; with a prompt: chatcli --resume=NAME PROMPT. "


def run(
    wishes: Wishes,
    prompt: str,
    images: Sequence[str] = (),
    files: Sequence[str] = (),
    output: Output = Output(),  # noqa: B008 - it is frozen
    found: dict[str, Any] | None = None,
) -> int:
    """Ask once and return the exit code. Errors are raised, and cli/main.py shows them. `found` gets what comes of
    it, whatever happens, where the output is JSON: cli/main.py prints it.
    """
    found = {} if found is None else found
    settings = read_settings(find_paths(), wishes)
    shape(settings[table.FORMAT])  # refused before anything is read or sent
    files = (*(settings.profile.files if settings.profile is not None else ()), *files)
    composed = _composed(settings[table.ENCODING], prompt, images, files, quiet=output.form != "text")
    if not composed.text and not composed.attachments:
        raise UserError(
            "There is nothing to send: no prompt, and nothing on standard input.",
            Hint(_OF_THE_NAME if wishes.named else "", "See ", Do("chatcli", help=True), "."),
        )
    if not sys.stdout.isatty():
        settings.put_value(table.LOOP_GUARD, "off", Layer.DEFAULT)
    session = build(wishes, settings, Screen().progress if output.form == "text" else unwatched)
    try:
        screen = make_screen(session.settings, in_shell)
        session.show_retries(screen.aside)
        # What it costs is told, or decides what is sent.
        told = output.form != "text" or settings[table.VERBOSE]
        session.count_all(told or settings[table.OVERFLOW] != ERROR)
        for note in about_composed(composed):
            screen.show(note)
        if wishes.named is not None:
            from chatcli.cli.subcommand import open_conversation

            mending(session, lambda: open_conversation(session, wishes.named or ""))
        one = Oneshot(session, output, found)
        return mending(session, lambda: one.run(composed))
    finally:
        session.close()


def _composed(encoding: str, prompt: str, images: Sequence[str], files: Sequence[str], quiet: bool) -> Composed:
    done: list[Composed] = []

    def steps() -> Generator[Progress]:
        """Standard input comes last: a file or a system prompt called "-" has read it already."""
        yield from composing(prompt, done.append, fetch, images, files, encoding=encoding)
        if not sys.stdin.isatty():
            done.append((yield from with_piped(done[0], encoding)))

    def fetch(address: str) -> Generator[Progress, None, Raw]:
        from chatcli.client.fetch import fetch

        return fetch(address)

    if quiet:
        deque(steps(), maxlen=0)
    else:
        Screen().progress(steps())
    return done[-1]


class Oneshot:
    """Gets the reply to one question, and gives it to the shell as `output` says; `found`: see `run`."""

    def __init__(self, session: Session, output: Output, found: dict[str, Any]) -> None:
        self._session, self._output, self._found = session, output, found
        self._screen = make_screen(session.settings, in_shell)
        self._patience = Patience(session.settings[table.MODEL], Waiting(session, session.settings[table.MODEL]))
        self._holds_back, self._held = output.code, StringIO()
        self._results: list[ToolResult] = []

    def run(self, composed: Composed) -> int:
        self._found.clear()
        tell = partial(_tell, self._screen, self._patience, False)
        try:
            return self.ask(LongInput(self._session, composed, self._screen.aside, tell, self._heard).question())
        except ContextTooLong as error:
            if self._session.settings[table.OVERFLOW] in {ERROR, GROW}:
                error = with_ways(error, self._session)
            raise error

    def _heard(self, reply: Node, number: int, count: int) -> None:
        """Keep the reply to a part of the input for --json. Of the answer to the whole a pipe gets all, or nothing
        where it is not complete.
        """
        self._holds_back = self._holds_back or not self._screen.is_terminal
        if (ended := ending_of(reply)) is not None:  # what to do is about the one answer, which comes later
            self._screen.aside(ended.what)
        if not self._is_json:
            return
        told = account(self._session, reply)
        self._found.setdefault("parts", []).append(told)
        if self._output.form == "jsonl":
            write({"type": "part", "part": number, "of": count, **told})

    def ask(self, question: Node) -> int:
        session = self._session
        reply: Node | None = None
        try:
            with Interrupt() as interrupt, self._listening() as (feed, allow):
                for line in unlike_last_turn(session):
                    self._screen.show(Note(line, "warning"))
                reply = answer(session, question, feed, lambda: interrupt.asked, allow=allow)
        finally:
            for warning in session.take_warnings():
                self._screen.error(StoreError(spelled(warning, in_shell)))
            reply = reply or answered(session, question)
            if self._is_json and reply is not None:
                self._found.update(account(session, reply))
                if self._results:
                    self._found["tool_calls"] = list(map(result, self._results))
        if interrupt.asked:
            raise Interrupted(
                "The reply was interrupted." if reply is not None else "Interrupted before the reply."
            )
        assert reply is not None, "what nothing comes of is an error"
        if reply.message.calls and reply != session.conversation.last:
            raise Interrupted("The turn was ended before an answer.")
        if not self._output.code:
            sys.stdout.write(self._held.getvalue())
        verbose = session.settings[table.VERBOSE]
        for note in (*after_reply(reply, verbose), *about_counting(session.counter.notice())):
            self._screen.show(note)
        return self._judged(reply)

    @property
    def _is_json(self) -> bool:
        return self._output.form != "text"

    @contextmanager
    def _listening(self) -> Iterator[tuple[Callable[[Event], None], Allow]]:
        """What shows the events while they come, and what is asked about calls of tools."""
        session, settings = self._session, self._session.settings
        if self._is_json:
            tell = partial(_tell, self._screen, self._patience, self._output.form == "jsonl")

            def feed(event: Event) -> None:
                self._results += [event] if isinstance(event, ToolResult) else []
                tell(event)

            yield feed, partial(nobody, self._screen.aside)
            return
        screen = make_screen(settings, in_shell, file=self._held) if self._holds_back else self._screen
        may_ask = settings[table.TOOLS] and screen.is_terminal and sys.stdin.isatty()
        reader: Reader | None = None
        if may_ask:
            from chatcli.cli.subcommand import one_answer

            reader = one_answer()
        with Hearing(session, screen, reader) as hearing:
            yield hearing.feed, hearing.allow

    def _judged(self, reply: Node) -> int:
        """The exit code."""
        error = self._fault(reply) or (self._code_of(reply) if self._output.code else None)
        if error is None:
            return 0
        if not isinstance(error, NoText):  # a note has told of that
            self._screen.error(error)
        if self._is_json:
            self._found.update(failure(error))
        return error.exit_code

    def _fault(self, reply: Node) -> ChatcliError | None:
        """Why a whole reply is no answer: it has no text, only thinking or a tool call, or it has not the format
        asked for.
        """
        ended = ending_of(reply)
        if not reply.message.has_text and ended is not None:
            return NoText(ended.what, ended.remedy)
        verdict = judged(reply.message.text, self._session.settings[table.FORMAT])
        if verdict.remark:
            self._screen.aside(verdict.remark)
        return verdict.error

    def _code_of(self, reply: Node) -> NoCode | None:
        """Print the first code block of the reply; where there is none, the reply is on standard error."""
        text, broken_off = reply.message.text, reply.ended is not Ended.COMPLETE
        code = first_code(text, broken_off)
        if self._is_json:
            self._found["code"] = code
        elif code is not None:
            from chatcli.cli.subcommand import Shell

            Shell(self._screen).print(clean(code))
        else:
            sys.stderr.write(clean(text).rstrip("\n") + "\n")
        if code is not None:
            return None
        if broken_off and first_code(text) is not None:
            longer = Hint("Ask for less at once, or for a longer reply: ", Do("set", "num_predict"), ".")
            return NoCode("The reply ends inside its first code block.", longer)
        return NoCode("The reply has no code block.", "Ask for code between ``` and ```.")


def _tell(screen: Screen, patience: Patience, as_lines: bool, event: Event) -> None:
    """With --json only this is shown while the reply is made: what it waits for, and what is wrong with it.
    `as_lines`: the reply is printed, too, as it comes.
    """
    match event:
        case Retry() | Repeats():
            screen.aside(event)
        case Tick() if line := patience.line():
            screen.aside(line.rstrip())
        case Text() | Thinking():
            patience.end()
    if as_lines and (line_of_it := event_line(event)):
        write(line_of_it)
