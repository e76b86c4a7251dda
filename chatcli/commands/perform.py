"""Does what an outcome asks for, on a surface: the prompt, the shell or a test. Only this interprets outcomes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from typing import Protocol, assert_never

from chatcli.commands.navigation import grown_elsewhere
from chatcli.commands.outcomes import (
    AskAgain,
    Choose,
    Confirm,
    Copy,
    Data,
    Edit,
    Opened,
    Outcome,
    Prefill,
    Print,
    Quit,
    Send,
    Show,
    Watch,
)
from chatcli.conversation.events import Progress
from chatcli.conversation.tree import Node
from chatcli.conversation.usage import counted
from chatcli.hints import Words
from chatcli.render.views import History, Note, View
from chatcli.session.next_request import with_another_model
from chatcli.session.session import Session
from chatcli.turn import answered

# The exit code when a question was answered by no.
DECLINED = 1
# How many messages are shown of a conversation that is opened.
SHOWN_ON_RESUME = 2


class Surface(Protocol):
    """Where a person meets chatcli. What a surface cannot do, it refuses with a UserError."""

    def show(self, view: View) -> None: ...

    def tell(self, data: Data, /) -> bool:
        """Write what an outcome says as data, in place of its views; False where a person is to read it."""

    def print(self, text: str) -> None:
        """Write `text` unchanged."""

    def watch(self, progress: Iterator[Progress]) -> None:
        """Show the progress until it ends."""

    def confirm(self, question: Words) -> bool: ...

    def choose(self, question: Choose) -> int | None:
        """The index of the choice; None for none of them."""

    def edit(self, text: str, ending: str, /) -> str:
        """The text as the person's editor leaves it: see Edit."""

    def copy(self, text: str, /) -> None:
        """Put `text` on the clipboard."""

    def prefill(self, text: str, /) -> None:
        """Put `text` into the next line."""

    def send(self, text: str, /) -> None:
        """Send `text` as if it had been typed."""

    def reply(self, question: Node, onward: Node | None, model: str, /) -> None:
        """Get a reply to the question and show it: see AskAgain."""

    def leave(self) -> None:
        """End the program after this."""


def perform(session: Session, outcome: Outcome, surface: Surface) -> int:
    """Do it, and what follows from it; returns the exit code that a shell gets."""
    match outcome:
        case Show() | Print():
            _told(outcome, surface)
            return outcome.exit_code if isinstance(outcome, Show) else 0
        case Confirm(question, then):
            return perform(session, then(), surface) if surface.confirm(question) else DECLINED
        case Choose(then=then_with):
            index = surface.choose(outcome)
            return perform(session, then_with(index), surface) if index is not None else DECLINED
        case Edit(text, then_edited, ending):
            return perform(session, then_edited(surface.edit(text, ending)), surface)
        case Watch(then=then):
            _watch(outcome, surface)
            return perform(session, then(), surface)
        case Copy(text, what):
            surface.copy(text)
            surface.show(Note(f"Copied {what} to the clipboard.", "quiet"))
        case Prefill(text):
            surface.prefill(text)
        case Send(text, values):
            with session.for_one_message(values):
                surface.send(text)
        case AskAgain():
            _ask_again(session, outcome, surface)
        case Opened(note):
            for view in where_it_stands(session, note):
                surface.show(view)
        case Quit():
            surface.leave()
        case _:
            assert_never(outcome)
    return 0


def _watch(job: Watch, surface: Surface) -> None:
    try:
        with closing(job.progress):
            surface.watch(job.progress)
    except KeyboardInterrupt:
        if job.unfinished:
            surface.show(Note(job.unfinished, "quiet"))
        raise


def _told(outcome: Show | Print, surface: Surface) -> None:
    """Say it as data where the surface asks for that, and else to a person, who always gets the warnings."""
    as_data = outcome.data is not None and surface.tell(outcome.data)
    match outcome:
        case Show(views):
            for view in views:
                if not as_data or (isinstance(view, Note) and view.tone == "warning"):
                    surface.show(view)
        case Print(text) if not as_data:
            surface.print(text)


def _ask_again(session: Session, again: AskAgain, surface: Surface) -> None:
    try:
        for note in said_elsewhere(session):
            surface.show(note)
        for line in with_another_model(session, again.model) if again.model else ():
            surface.show(Note(line, "warning"))
        surface.reply(again.question, again.onward, again.model)
    finally:
        if again.home is not None and answered(session, again.question) is None:
            session.store.go_to(session.conversation, again.home)


def said_elsewhere(session: Session) -> Iterator[Note]:
    """A note when another program has added to this conversation."""
    if told := grown_elsewhere(session):
        yield Note(told, "quiet")


def where_it_stands(session: Session, note: Words) -> Iterator[View]:
    """The title and the newest messages of the open conversation, and then the note."""
    conversation = session.conversation
    newest = tuple(islice(conversation.back(), SHOWN_ON_RESUME))[::-1]
    if newest:
        earlier = newest[0].number - 1
        yield Note(
            f'"{conversation.title}"' + (f", {counted(earlier, 'earlier message')}" if earlier else ""), "quiet"
        )
        yield History(newest)
    if note:
        yield Note(note, "warning")
