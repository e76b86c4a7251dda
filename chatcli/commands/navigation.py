"""Going to a message: in this conversation, or by its address in any. /back knows where one came from."""

from __future__ import annotations

from collections.abc import Sequence

from chatcli.commands.outcomes import Opened, Outcome
from chatcli.commands.tree import BEFORE, cut, standing
from chatcli.conversation.message import Role
from chatcli.conversation.reply_endings import ending_of
from chatcli.conversation.tree import Conversation, Ended, Node
from chatcli.errors import NotFound
from chatcli.session.build import open_conversation
from chatcli.session.session import Session
from chatcli.store import locations

# Columns of a message that is told of.
SHOWN = 50


def address(text: str) -> int | None:
    """The number in "@345", which is a message's own in the whole store."""
    return int(text[1:]) if text[:1] == "@" and text[1:].isdecimal() and len(text) < 19 else None


def visit(session: Session, node: int) -> Outcome:
    """Go to that message, wherever it is; its conversation is then on the table."""
    home = session.store.read(locations.home, node)
    if home is None:
        raise NotFound(f"There is no message @{node}.", "/search finds messages, and says how to go to each.")
    refused: list[str] = []
    if home != session.conversation.id:
        refused = open_conversation(session, home)
    jump(session, node)
    return opened(session, refused)


def arrive(session: Session, node: int) -> Opened:
    """Go to that message of the conversation on the table."""
    jump(session, node)
    session.plan = None
    return opened(session)


def opened(session: Session, refused: Sequence[str] = ()) -> Opened:
    """What there is to say of the place where the conversation stands, and of settings it could not use."""
    last, notes = session.conversation.last, []
    if session.conversation.unanswered is not None:
        notes.append("This question waits for a reply: /retry asks it. What you say now takes its place.")
    if last is not None and last.message.role is Role.ASSISTANT and not last.message.has_text:
        notes.append(_without_text(last))
    elif last is not None and last.ended in _UNFINISHED:
        notes.append(f"This reply {_UNFINISHED[last.ended]}: /continue goes on from there, /retry asks again.")
    if refused:
        notes.append(f"Settings not taken up: {', '.join(refused)}.")
    return Opened("\n".join(notes))


_UNFINISHED = {
    Ended.STOPPED: "was stopped",
    Ended.BROKEN: "broke off",
    Ended.INTERRUPTED: "was interrupted when chatcli ended",
}


def _without_text(reply: Node) -> str:
    """Of a reply that has no answer in it: what ended it, and what can be done."""
    if reply.ended in _UNFINISHED:
        return (
            f"This reply {_UNFINISHED[reply.ended]}, before its answer: /continue goes on from there, "
            "/retry asks again."
        )
    return str(ending_of(reply) or "")


def waiting_question(session: Session, conversation: Conversation) -> Node | None:
    """The newest question after the tip that got no reply: it is off the path until it is asked again."""
    for child in reversed(session.store.children(conversation, conversation.tip)):
        if child.message.role is Role.USER and not session.store.children(conversation, child.id):
            return child
    return None


def grown_elsewhere(session: Session) -> str:
    """What to say, once, where another program has gone on with this conversation since it was last looked at."""
    conversation = session.conversation
    newest = session.store.read(locations.newest, conversation.id) if conversation.id else None
    if newest is None or newest.id <= conversation.latest:
        return ""
    conversation.latest = newest.id
    said = cut(standing(newest), SHOWN)
    where = f"message {newest.number} there is «{said}»"
    return f"This conversation has grown elsewhere, too: {where}. To go there: /goto @{newest.id}"


def jump(session: Session, node: int | None) -> None:
    """Move the tip, and remember where it was, for /back. The beginning of all is no place to come back to."""
    conversation = session.conversation
    if conversation.tip is not None and conversation.tip != node:
        session.store.name(conversation, BEFORE, conversation.tip)
    session.store.go_to(conversation, node)
