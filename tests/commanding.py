"""A session with the demo engine and the results of commands in it, for the tests of command families."""

from __future__ import annotations

from collections.abc import Iterator

from rich.color import ColorSystem

from chatcli.commands import everything
from chatcli.commands.outcomes import Choose, Data, Outcome, Show, Watch
from chatcli.commands.perform import perform
from chatcli.commands.spelling import at_prompt
from chatcli.conversation.events import Progress
from chatcli.conversation.tree import Node
from chatcli.errors import ChatcliError
from chatcli.hints import Words, spelled
from chatcli.prompt.editor import edit
from chatcli.render.views import Document, Drawing, Listing, Note, SourceText, View
from chatcli.session.session import Session
from chatcli.store.outline import Spot, Twig
from chatcli.store.store import Store
from chatcli.turn import answer, ask


def do(session: Session, line: str) -> Outcome:
    return everything().dispatch(session, line)


class Person:
    """A Surface for tests: it keeps what is shown, says yes, takes the first choice, and has replies made."""

    def __init__(self, session: Session) -> None:
        self.views: list[View] = []
        self._session = session

    def show(self, view: View) -> None:
        self.views.append(view)

    def tell(self, data: Data) -> bool:
        return False

    def print(self, text: str) -> None:
        self.views.append(SourceText(text))

    def watch(self, progress: Iterator[Progress]) -> None:
        for _ in progress:
            pass

    def confirm(self, question: Words) -> bool:
        return True

    def choose(self, question: Choose) -> int | None:
        return 0 if question.choices else None

    def edit(self, text: str, ending: str) -> str:
        return edit(text, ending)

    def copy(self, text: str) -> None:
        pass

    def prefill(self, text: str) -> None:
        pass

    def send(self, text: str) -> None:
        say(self._session, text)

    def reply(self, question: Node, onward: Node | None, model: str) -> None:
        answer(self._session, question, lambda event: None, onward=onward, model=model)

    def leave(self) -> None:
        pass


def followed(session: Session, outcome: Outcome) -> Outcome:
    """Do what the outcome asks for; returns the outcome, or what was shown after a job was watched."""
    person = Person(session)
    perform(session, outcome, person)
    return Show(tuple(person.views)) if isinstance(outcome, Watch) else outcome


def shown(outcome: Outcome) -> str:
    """The text of what is to be shown, whatever its form."""
    assert isinstance(outcome, Show)
    texts = []
    for view in outcome.views:
        match view:
            case Note(text) | Document(text) | SourceText(text) | Drawing(text):
                texts.append(spelled(text, at_prompt))
            case Listing(_, rows, title):
                texts += [spelled(title, at_prompt)] if title else []
                texts += [" ".join(spelled(cell, at_prompt) for cell in row) for row in rows]
            case _:
                texts.append(repr(view))
    return "\n".join(texts)


def drawn(outcome: Outcome, colors: ColorSystem | None = None) -> list[str]:
    """The lines of what is to be shown by a terminal with these colors; they are taken out."""
    from chatcli.render.lines import plain
    from chatcli.render.notices import draw
    from chatcli.render.theme import Palette

    assert isinstance(outcome, Show)
    return [
        plain(line) for view in outcome.views for line in draw(view, Palette("dark", colors=colors), 100, True)
    ]


def advised(error: ChatcliError) -> str:
    """The error's hint as the prompt spells it."""
    return spelled(error.advice, at_prompt)


def say(session: Session, text: str) -> None:
    answer(session, ask(session, text), lambda event: None)


def twigs_of(store: Store, conversation: int) -> list[Twig]:
    """The whole tree in brief, in the order it grew."""
    runs = store.outline(conversation).above
    spots = (Spot(run.branch, number) for run in runs for number in range(run.first, run.last + 1))
    return sorted(store.twigs(spots).values(), key=lambda twig: twig.id)


def said(session: Session) -> list[str]:
    """The texts on the path."""
    return [node.message.text for node in session.conversation.path()]
