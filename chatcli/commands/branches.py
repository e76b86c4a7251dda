"""/retry, /continue, /undo: other ways on. Nothing is overwritten; an earlier reply becomes a sibling."""

from __future__ import annotations

from typing import Annotated

from chatcli.commands.arguments import Arg
from chatcli.commands.outcome import Outcome, Prefill, Reply
from chatcli.commands.registry import command
from chatcli.conversation.message import Role
from chatcli.conversation.tree import Node
from chatcli.errors import UserError
from chatcli.session import Session


@command("retry", "regenerate")
def retry(session: Session) -> Outcome:
    """Ask the last question again: for another reply, or after an error. The earlier reply is kept."""
    question = _last_question(session)
    session.store.go_to(session.conversation, question.id)
    return Reply(question)


@command("continue", "go")
def continue_(session: Session) -> Outcome:
    """Go on from a reply that was stopped, broke off, or reached a limit. The shorter one is kept as a sibling."""
    last = session.conversation.last
    if last is None or last.message.role is not Role.ASSISTANT or last.parent is None:
        raise UserError("There is no reply to go on from.", "/retry asks the last question again.")
    return Reply(session.conversation.node(last.parent), onward=last)


@command("undo")
def undo(session: Session, exchanges: Annotated[int, Arg("how many exchanges to step back")] = 1) -> Outcome:
    """Step back before the last question (or the last few) and put it into the line. Nothing is deleted."""
    questions = [node for node in session.conversation.back() if node.message.role is Role.USER]
    if not 1 <= exchanges <= len(questions):
        raise UserError(f"There are {len(questions)} exchanges to step back over.")
    question = questions[exchanges - 1]
    session.store.go_to(session.conversation, question.parent)
    return Prefill(question.message.text)


def _last_question(session: Session) -> Node:
    """The newest question: one that got no reply (it is off the path), else the last one on the path."""
    conversation = session.conversation
    if conversation.id:
        for child in reversed(session.store.children(conversation, conversation.tip)):
            if child.message.role is Role.USER:
                return child
    for node in conversation.back():
        if node.message.role is Role.USER:
            return node
    raise UserError("Nothing has been asked yet, so there is nothing to ask again.")
