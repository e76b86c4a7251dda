"""How fast the server reads prompts in this conversation, and what of each prompt it had to read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

from chatcli.context.assemble import from_last_question
from chatcli.conversation.events import Done
from chatcli.conversation.plan import Plan
from chatcli.conversation.reading_speed import Patience, speed_of
from chatcli.conversation.tree import Node
from chatcli.conversation.usage import Turn
from chatcli.settings import table

if TYPE_CHECKING:
    from chatcli.session.session import Session

# How far back to look for measured turns: few replies come after so much new text that they tell a speed.
LOOKED_AT = 100


def patience_of(session: Session, coming: Node | None = None) -> Patience:
    """What recall may take of the server's time for the last question. The turns before it tell the speed, so that
    its quotes stay the same while tools are called. `coming` as in plan_next.
    """
    return Patience(session.settings[table.RECALL_PATIENCE], _speed(session, _before(session, coming)))


def reading_speed(session: Session) -> float | None:
    """Tokens a second, as all turns have told; None where it is not known."""
    return _speed(session, islice(session.conversation.back(), LOOKED_AT))


def _speed(session: Session, nodes: Iterable[Node]) -> float | None:
    return speed_of((node.turn for node in nodes if node.turn is not None), _here(session))


def read_anew(session: Session, plan: Plan, done: Done) -> int | None:
    """About how many tokens of the plan's prompt the server had to read; None where that is not known."""
    unread = done.unread
    if unread is None:
        begun = _begun_before(session, plan)
        if begun is None:
            return None
        unread = plan.messages[begun:]
    return sum(session.counter.count(message).tokens for message in unread)


def _begun_before(session: Session, plan: Plan) -> int | None:
    """How many of the messages the server read for the last reply, which another process may have asked for, and
    that reply; None where the prompt does not begin with these.
    """
    last = next((node for node in _before(session) if node.turn is not None), None)
    begun = session.counter.begun(plan.messages) if plan.is_chat else None
    if last is None or last.turn is None or begun is None or not last.turn.is_like(_here(session)):
        return None
    if begun.tokens != last.turn.usage.prompt_tokens or last.message.calls:
        return None
    return begun.messages + (0 if last.message.thinking else 1)


def _before(session: Session, coming: Node | None = None) -> Iterator[Node]:
    """The nodes before the last question, newest first."""
    back = islice(session.conversation.back(coming), LOOKED_AT)
    from_last_question(back)
    return back


def _here(session: Session) -> Turn:
    """A turn as the next one will be, for comparison, as far as that is known without asking the server."""
    model = session.model.ready
    return Turn(
        model=session.settings[table.MODEL],
        digest=model.digest if model is not None else "",
        options={"num_ctx": session.window.ready},
        server=session.server.fingerprint,
    )
