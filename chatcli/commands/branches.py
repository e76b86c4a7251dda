"""/retry: another reply to the same question. Nothing is overwritten; the earlier reply is a sibling."""

from __future__ import annotations

from chatcli.commands.outcome import Outcome, Reply
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
