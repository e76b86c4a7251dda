"""Outcomes are acted on in one place, whatever surface shows them."""

from __future__ import annotations

import io
from collections.abc import Generator, Iterator
from typing import get_args

import pytest

from chatcli.cli.subcommand import Shell
from chatcli.commands.outcomes import (
    AskAgain,
    Choose,
    Confirm,
    Copy,
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
from chatcli.commands.perform import DECLINED, perform
from chatcli.conversation.events import Progress
from chatcli.conversation.tree import Node
from chatcli.errors import Ambiguous, StreamBroken, UserError
from chatcli.hints import Hint, Words
from chatcli.render.screen import Screen
from chatcli.render.views import History, Note
from chatcli.session.session import Session
from tests.commanding import Person, say, shown

SAID = Note("said")


class Witness(Person):
    """Writes down what it was asked for."""

    def __init__(self, session: Session, yes: bool = True) -> None:
        super().__init__(session)
        self.asked: list[object] = []
        self._yes = yes

    def confirm(self, question: Words) -> bool:
        self.asked.append(question)
        return self._yes

    def choose(self, question: Choose) -> int | None:
        self.asked.append(question.question)
        return 1 if self._yes else None

    def edit(self, text: str, ending: str) -> str:
        self.asked.append(text)
        return f"edited{ending}"

    def copy(self, text: str) -> None:
        self.asked.append(text)

    def prefill(self, text: str) -> None:
        self.asked.append(text)

    def send(self, text: str) -> None:
        self.asked.append(text)

    def reply(self, question: Node, onward: Node | None, model: str) -> None:
        self.asked.append(question.message.text)

    def leave(self) -> None:
        self.asked.append("leave")


def outcomes(session: Session) -> dict[type, tuple[Outcome, list[object], list[str]]]:
    """One of each kind, with what the surface is asked for and what it shows."""
    question = session.conversation.path()[0]
    return {
        Show: (Show.of(SAID), [], ["said"]),
        Print: (Print("printed"), [], ["printed"]),
        Confirm: (Confirm("Sure?", lambda: Show.of(SAID)), ["Sure?"], ["said"]),
        Choose: (Choose("Which?", ("a", "b"), lambda at: Show.of(Note(str(at)))), ["Which?"], ["1"]),
        Watch: (Watch((each for each in [Progress("works")]), lambda: Show.of(SAID)), [], ["said"]),
        Edit: (Edit("text", lambda text: Show.of(Note(text)), ".toml"), ["text"], ["edited.toml"]),
        Copy: (Copy("text", "it"), ["text"], ["Copied it to the clipboard."]),
        Prefill: (Prefill("line"), ["line"], []),
        Send: (Send("hello"), ["hello"], []),
        AskAgain: (AskAgain(question), ["hello"], []),
        Opened: (Opened(Hint("noted")), [], ["noted"]),
        Quit: (Quit(), ["leave"], []),
    }


@pytest.mark.parametrize("kind", get_args(Outcome), ids=lambda kind: kind.__name__)
def test_every_outcome_is_acted_on(kind: type, session: Session) -> None:
    say(session, "hello")
    outcome, asked, told = outcomes(session)[kind]
    witness = Witness(session)
    assert perform(session, outcome, witness) == 0
    assert witness.asked == asked
    views = [view for view in witness.views if not isinstance(view, History)]
    assert all(any(each in text for text in map(str, views)) for each in told)
    assert bool(told) == bool(views)


def test_the_exit_code_is_that_of_the_last_outcome_and_no_is_one_too(session: Session) -> None:
    wrong = Show((SAID,), exit_code=3)
    assert perform(session, Confirm("Sure?", lambda: wrong), Witness(session)) == 3
    assert perform(session, Confirm("Sure?", lambda: wrong), Witness(session, yes=False)) == DECLINED
    assert perform(session, Choose("?", ("a", "b"), lambda _: wrong), Witness(session, yes=False)) == DECLINED


def test_a_conversation_that_is_opened_shows_where_it_stands(session: Session) -> None:
    say(session, "hello")
    say(session, "and again")
    witness = Witness(session)
    perform(session, Opened(Hint("noted")), witness)
    assert "2 earlier messages" in shown(Show((witness.views[0],)))
    assert isinstance(witness.views[1], History)
    assert witness.views[2:] == [Note(Hint("noted"), "warning")]
    session.go_to(session.conversation.path()[2].id)
    perform(session, Opened(Hint("noted")), witness)
    assert shown(Show((witness.views[3],))).rstrip().endswith(", 1 earlier message")


def test_without_a_reply_the_tip_returns_to_where_it_was(session: Session) -> None:
    say(session, "hello")
    home, question = session.conversation.tip, session.conversation.path()[0]
    session.store.go_to(session.conversation, question.id)

    class Breaking(Witness):
        def reply(self, question: Node, onward: Node | None, model: str) -> None:
            raise StreamBroken("It broke off.")

    with pytest.raises(StreamBroken):
        perform(session, AskAgain(question, home=home), Breaking(session))
    assert session.conversation.tip == home


def test_a_watched_job_is_ended_when_the_watching_ends(session: Session) -> None:
    ended = []

    def job() -> Generator[Progress, None, None]:
        try:
            yield Progress("works")
            yield Progress("works on")
        finally:
            ended.append(True)

    class Impatient(Witness):
        def watch(self, progress: Iterator[Progress]) -> None:
            next(progress)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        perform(session, Watch(job(), lambda: Show.of(SAID)), Impatient(session))
    assert ended == [True]


@pytest.mark.parametrize("kind", [Copy, Prefill, Send, AskAgain, Quit], ids=lambda kind: kind.__name__)
def test_the_shell_refuses_what_only_the_prompt_can_do(kind: type, session: Session) -> None:
    say(session, "hello")
    with pytest.raises(UserError, match="only inside chatcli"):
        perform(session, outcomes(session)[kind][0], Shell(Screen(io.StringIO(), io.StringIO())))


def test_the_shell_asks_nobody_in_a_pipe(session: Session) -> None:
    say(session, "hello")
    shell = Shell(Screen(io.StringIO(), io.StringIO()))
    with pytest.raises(UserError, match=r"Sure\?"):
        perform(session, outcomes(session)[Confirm][0], shell)
    with pytest.raises(Ambiguous, match=r"Which\? a; b"):
        perform(session, outcomes(session)[Choose][0], shell)
