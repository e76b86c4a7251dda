"""A session with the demo engine and the results of commands in it, for the tests of command families."""

from __future__ import annotations

from chatcli.commands import everything
from chatcli.commands.outcomes import AskAgain, Outcome, Show, Watch
from chatcli.commands.spelling import at_prompt
from chatcli.errors import ChatcliError
from chatcli.hints import spelled
from chatcli.render.views import Document, Listing, Note, SourceText
from chatcli.session.session import Session
from chatcli.turn import answer, ask


def do(session: Session, line: str) -> Outcome:
    return everything().dispatch(session, line)


def followed(session: Session, outcome: Outcome) -> Outcome:
    """What the loop would do with a Watch or a Reply."""
    if isinstance(outcome, Watch):
        for _ in outcome.progress:
            pass
        return followed(session, outcome.then())
    if isinstance(outcome, AskAgain):
        answer(session, outcome.question, lambda event: None, onward=outcome.onward, model=outcome.model)
    return outcome


def shown(outcome: Outcome) -> str:
    """The text of what is to be shown, whatever its form."""
    assert isinstance(outcome, Show)
    texts = []
    for view in outcome.views:
        match view:
            case Note(text) | Document(text) | SourceText(text):
                texts.append(spelled(text, at_prompt))
            case Listing(_, rows, title):
                texts += [spelled(title, at_prompt)] if title else []
                texts += [" ".join(spelled(cell, at_prompt) for cell in row) for row in rows]
            case _:
                texts.append(repr(view))
    return "\n".join(texts)


def advised(error: ChatcliError) -> str:
    """The error's hint as the prompt spells it."""
    return spelled(error.advice, at_prompt)


def say(session: Session, text: str) -> None:
    answer(session, ask(session, text), lambda event: None)


def said(session: Session) -> list[str]:
    """The texts on the path."""
    return [node.message.text for node in session.conversation.path()]
