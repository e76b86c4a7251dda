"""Loop: reads a line, acts on it, repeats. It shows every error that a person can meet, and continues."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeVar

from chatcli.attachments.compose import Composed, composing, refuse
from chatcli.attachments.files import is_path
from chatcli.attachments.mentions import Missing, Sure
from chatcli.client.fetch import fetch
from chatcli.commands import everything
from chatcli.commands.files import attach
from chatcli.commands.models import choose_model
from chatcli.commands.navigation import opened
from chatcli.commands.outcomes import Choose, Data, Outcome, Send, Show
from chatcli.commands.perform import perform, said_elsewhere
from chatcli.commands.spelling import at_prompt
from chatcli.conversation.events import Progress
from chatcli.conversation.message import Attachment
from chatcli.conversation.tree import Node
from chatcli.errors import ChatcliError, Damaged, UserError
from chatcli.hints import Do, Hint, Words, spelled
from chatcli.prompt.line import SIGNS
from chatcli.prompt.reader import Closed, Interrupted, Reader, TypedLine
from chatcli.prompt.reader import Outcome as Entry
from chatcli.prompt.shell import run
from chatcli.render.screen import Screen
from chatcli.render.views import Note, Pictures, SourceText, View
from chatcli.repl.crash_report import told
from chatcli.repl.furniture import Furniture
from chatcli.repl.hearing import Hearing
from chatcli.repl.notes import (
    Apart,
    about_composed,
    about_counting,
    about_format,
    after_reply,
    farewell,
    unanswered_calls,
)
from chatcli.repl.remedies import Remedies
from chatcli.repl.shell_output import as_attachment, offer
from chatcli.repl.signals import Interrupt
from chatcli.repl.streams import OutputFailed
from chatcli.session.fallback import mend, still_there
from chatcli.session.model_in_use import settle_model
from chatcli.session.next_request import unlike_last_turn
from chatcli.session.session import Session
from chatcli.settings import table
from chatcli.turn import answer, answered, ask

T = TypeVar("T")

LEAVING = frozenset({"quit", "exit"})


class Loop:
    """Reads and acts until the person leaves. `_line` is the text that the next prompt starts with; `_doubted` the
    message that was not sent because it names files that are not there: entered again, it is sent. `_said` tells
    whether anything was said in this run. After an error, or a stopped reply, what is queued waits for Enter.
    """

    def __init__(self, session: Session, furniture: Furniture) -> None:
        self._session = session
        self._furniture = furniture
        self._line = ""
        self._doubted = ""
        self._leaving = self._said = False
        self._apart = Apart(lambda: self._screen.show(Note("")))
        self._flows = True  # the queue goes on: what was done last went well
        self._remedies = Remedies(session, self._ask, self._act)
        session.show_retries(lambda retry: self._screen.show(Note(str(retry), "quiet")))

    @property
    def _screen(self) -> Screen:
        return self._furniture.screen

    @property
    def _reader(self) -> Reader:
        return self._furniture.reader

    def run(
        self,
        opening: Outcome | None = None,
        entry: Entry | None = None,
        attached: Sequence[Attachment] = (),
        first: str = "",
    ) -> None:
        """Run the loop. `opening`: what to do first; `entry`: what was entered at the first prompt, if it has been
        shown; `attached`: what goes with the first message; `first`: that message, if it is known already.
        """
        self._guarded(self._furniture.warn if entry is not None else lambda: self._greet(opening))
        if attached:
            self._guarded(lambda: self._act(attach(self._session, attached)))
        if first:
            self._guarded(lambda: self.send(first))
        self._converse(entry)
        if self._said:
            self._guarded(self._part)

    def _converse(self, entry: Entry | None) -> None:
        """Until the person leaves."""
        while not self._leaving:
            if entry is None:
                line, self._line = self._line, ""
                entry = self._furniture.read(line, queued=self._flows)
            match entry:
                case Closed():
                    return
                case Interrupted():
                    self._screen.show(Note(Hint("To leave, press Ctrl-D or type ", Do("bye"), "."), "quiet"))
                case TypedLine() as typed:
                    self._take(typed)
            entry = None

    def _part(self) -> None:
        if kept := farewell(self._session):
            self._screen.show(Note(kept, "quiet"))

    def _greet(self, opening: Outcome | None) -> None:
        """Show where the conversation is. The first prompt waits for no server."""
        session = self._session
        self._furniture.warn()
        self._apart.expect()
        if opening is not None:
            self._act(opening)
        elif session.conversation.tip is not None:
            self._act(opened(session))

    def _settle_model(self) -> None:
        """Ask which model to use when none is set and there are several."""
        if not self._session.settings[table.MODEL] and not self._session.server.demo:
            names = settle_model(self._session)
            if names:
                rows = self._session.client.get().models()
                self._act(choose_model(self._session, "Which model?", rows, self._chosen))

    def _chosen(self, name: str) -> Outcome:
        self._session.use_model(name)
        return Show.of(Note(Hint(f"Model: {name}. ", Do("model"), " switches."), "quiet"))

    def _take(self, typed: TypedLine) -> None:
        self._flows = True
        text = typed.text.strip("\n")
        if typed.pasted or not text.lstrip().startswith(SIGNS):
            if text.strip() in LEAVING and not typed.pasted:
                self._leaving = True
            elif text.strip():
                self._guarded(lambda: self.send(text))
        elif text.startswith(tuple(sign * 2 for sign in SIGNS)):
            self._guarded(lambda: self.send(text[1:]))
        elif is_path(text):
            self._guarded(lambda: self.send(text))
        elif text.lstrip().startswith("!"):
            self._guarded(lambda: self._in_shell(text.lstrip()[1:].strip()), typed.retyped)
        else:
            self._guarded(lambda: self._command(text.lstrip()[1:]), typed.retyped)

    def _in_shell(self, command: str) -> None:
        """Run it in the shell, and offer its output to the next message."""
        if not command:
            raise UserError(
                "A command for the shell follows the !.", "To send a message that begins with !, type !!."
            )
        ran = run(command, self._reader.keyboard)
        if ran.status:
            self.show(Note(f"It ended with status {ran.status}.", "quiet"))
        if ran.output and self._reader.ask(offer(self._session, ran), True):
            self._act(attach(self._session, [as_attachment(command, ran)]))
        self._furniture.warn()
        self._furniture.get_ready()

    def _command(self, line: str) -> None:
        self._session.summarizer.collect()
        self._apart.expect()
        still_there(self._session, lambda: self._run(line))
        self._furniture.warn()
        if not self._leaving:
            self._furniture.get_ready()

    def _run(self, line: str) -> None:
        outcome = everything().dispatch(self._session, line)
        try:
            self._act(outcome)
        finally:
            if isinstance(outcome, Send) and self._line:  # what was typed, not the text that it stands for
                self._line = f"/{line}"

    def _guarded(self, step: Callable[[], None], typed: str = "") -> None:
        """Run `step`; an error is shown and the loop continues. After an unexpected one, `typed` is back in the
        line.
        """
        went_well = False
        try:
            self._mended(step)
            went_well = True
        except ChatcliError as error:
            self._fail(error)
        except KeyboardInterrupt:
            self.show(Note("Stopped.", "quiet"))
        except OutputFailed:
            raise
        except Exception as error:  # the last resort
            self._line = self._line or typed
            self._fail(told(error, self._furniture.faults))
        finally:
            self._flows = self._flows and went_well
        self._apart.end()

    def _fail(self, error: ChatcliError) -> None:
        self._apart.begin()
        self._screen.error(error)

    def _mended(self, step: Callable[[], None]) -> None:
        try:
            step()
        except Damaged as error:
            self._screen.error(Damaged(error.message, "Saving what can be read..."))
            mend(self._session, error, self._session.watch)
            self._furniture.warn()

    def _compose(self, text: str) -> Composed:
        """The message with its files and pages read; progress is shown when that takes time."""

        def judge(missing: Sequence[Missing]) -> None:
            doubted, self._doubted = self._doubted, text
            if doubted != text:
                doubtful = [each for each in missing if each.sure > Sure.WORD]
                refuse(doubtful, "Correct the name, or press Enter again to send it as words.")

        composed: list[Composed] = []
        encoding = self._session.settings[table.ENCODING]
        self._screen.progress(composing(text, composed.append, fetch, encoding=encoding, judge=judge))
        return composed[0]

    def _listen(self, question: Node, onward: Node | None = None, model: str = "") -> Node | None:
        session, settings = self._session, self._session.settings
        self._apart.end()
        self._said = True
        with Interrupt() as interrupt, Hearing(session, self._screen, self._reader, model) as hearing:
            reply = answer(session, question, hearing.feed, lambda: interrupt.asked, onward, model, hearing.allow)
        self._flows = reply is not None and not interrupt.asked and not hearing.was_quit
        self._screen.show(Note(""))
        if reply is not None and reply.message.calls and reply != session.conversation.last:
            self._screen.show(unanswered_calls())
        elif reply is not None:
            for note in (
                *after_reply(reply, settings[table.VERBOSE], hearing.repeats),
                *about_format(reply, settings[table.FORMAT]),
                *about_counting(session.counter.notice()),
            ):
                self._screen.show(note)
        return reply

    def _hear(self, question: Node, onward: Node | None = None, model: str = "") -> Node | None:
        """The reply to a question that may have left the path when it failed."""
        tip = (onward or question).id
        if self._session.conversation.tip != tip:
            self._session.go_to(tip)
        return self._listen(question, onward, model)

    def _helped(self, step: Callable[[], T]) -> T:
        """Run `step`, and again when what it lacked was offered and could be had."""
        try:
            return step()
        except ChatcliError as error:
            if not self._remedies.helped(error, default=not self._screen.plain):
                raise
        return step()

    def _ask(self, question: str, default: bool) -> bool:
        return self._reader.ask(question, default)

    def _act(self, outcome: Outcome) -> None:
        perform(self._session, outcome, self)

    # What the loop is to `perform`: a Surface.

    def show(self, view: View) -> None:
        self._apart.begin()
        self._screen.show(view)

    def tell(self, _data: Data) -> bool:
        return False

    def print(self, text: str) -> None:
        self.show(SourceText(text))

    def watch(self, progress: Iterator[Progress]) -> None:
        self._apart.begin()
        self._screen.progress(progress)

    def confirm(self, question: Words) -> bool:
        self._apart.begin()
        return self._reader.ask(spelled(question, at_prompt), False)

    def choose(self, question: Choose) -> int | None:
        self._apart.begin()
        return self._reader.choose(question.question, question.choices, question.detail, question.find)

    def edit(self, text: str, ending: str) -> str:
        from chatcli.prompt.editor import edit_between_prompts

        return edit_between_prompts(text, ending)

    def copy(self, text: str) -> None:
        self._screen.copy(text)

    def prefill(self, text: str) -> None:
        self._line = text

    def send(self, text: str) -> None:
        """Send a message and show the reply. Without a reply, the text is back in the line, pictures attached."""
        session = self._session
        question: Node | None = None
        try:
            self._helped(self._settle_model)
            for note in said_elsewhere(session):
                self.show(note)
            composed = self._compose(text)
            found = composed.attachments
            question = ask(session, composed.text, (*session.pending, *found))
            if found:
                self._screen.show(Note(f"Attached: {', '.join(each.name for each in found)}", "quiet"))
                self._screen.show(Pictures(found))
            for note in about_composed(composed):
                self._screen.show(note)
            for line in unlike_last_turn(session):
                self._screen.show(Note(line, "warning"))
            if self._helped(partial(self._hear, question)) is None:
                self._screen.show(Note("No reply came. The message is back in the line.", "quiet"))
        finally:
            self._line = TypedLine(text, pasted=True).retyped
            if question is not None and answered(session, question) is not None:
                self._line = self._doubted = ""
                session.detach()
            self._furniture.warn()

    def reply(self, question: Node, onward: Node | None, model: str) -> None:
        self._helped(partial(self._hear, question, onward, model))

    def leave(self) -> None:
        self._leaving = True
