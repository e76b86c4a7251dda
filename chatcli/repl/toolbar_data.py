"""Collects the toolbar's values from the session, cheaply enough to do so on every key."""

from __future__ import annotations

from collections.abc import Sequence

from chatcli.attachments.files import sizes
from chatcli.context.budget import LEAST_REPLY
from chatcli.context.outgoing import less
from chatcli.conversation.message import Message
from chatcli.conversation.plan import Plan
from chatcli.conversation.usage import Count, counted, in_tokens, total
from chatcli.prompt.toolbar import Toolbar
from chatcli.session.session import Session
from chatcli.settings import table
from chatcli.settings.strategies import AUTO

# A longer line is counted by its beginning: the toolbar is drawn on every key.
COUNTED = 20_000
# Shown in place of a number when the next request cannot be made: what must be sent has no room.
TOO_LONG = "too long"
# Said of a line that cannot be sent.
LONGER = "longer than the window"


def meter(session: Session, typed: str = "") -> Toolbar:
    """The toolbar's values: the plan of the next request, and beside it what the line being typed adds to that."""
    known = session.next_request.known()
    plan = known if isinstance(known, Plan) else None
    coming = _coming(session, typed)
    window = (session.window.ready or 0) if known is not None else 0
    return Toolbar(
        model=session.settings[table.MODEL] or "no model yet",
        used=str(plan.planned) if plan is not None else TOO_LONG if known is not None else "",
        window=window,
        tokens=plan.planned.tokens if plan is not None else window,
        strategy="" if session.settings[table.STRATEGY] is AUTO else session.settings[table.STRATEGY].name,
        warning=LONGER if plan is not None and not plan.server_cuts and not _fits(coming, plan) else "",
        notes=(*_said(coming), *_notes(session, plan)),
    )


def _fits(coming: Sequence[Count], plan: Plan) -> bool:
    """Whether a message of these parts has room in the window, with no history at all."""
    return total(coming).tokens <= plan.window - plan.margin - min(plan.reserve, LEAST_REPLY)


def _said(coming: Sequence[Count]) -> tuple[str, ...]:
    if not coming:
        return ()
    line, *named = coming
    files = f", {total(named)} in {counted(len(named), 'file')}" if named else ""
    return (f"{line} typed{files}",)


def _coming(session: Session, typed: str) -> tuple[Count, ...]:
    """What the line adds to the next message: its own tokens, and those of each file that it names; nothing for a
    command, or before an encoding is loaded.
    """
    counter = session.counter
    if not counter.ready or not typed.strip() or typed.startswith(("/", "!")):
        return ()
    begin = typed[:COUNTED]
    count = less(counter.count(Message.user(begin)), counter.count(Message.user("")))
    if len(typed) > len(begin):
        count = Count(count.tokens * len(typed) // len(begin))
    named = [Count(size // 4) for size in sizes(typed)] if "@" in typed else []
    return (count, *named)


def _notes(session: Session, plan: Plan | None) -> tuple[str, ...]:
    last = session.conversation.last
    turn = last.turn if last is not None else None
    out = plan.left_out if plan is not None else 0
    unread = turn.unread if turn is not None else 0
    kinds = [each.kind for each in session.pending]
    numbers = {"picture": kinds.count("image"), "file": kinds.count("text")}
    attached = [counted(number, what) for what, number in numbers.items() if number]
    notes = (
        "" if session.settings[table.SAVE] else "not saved",
        "raw text" if session.settings[table.COMPLETE] else "",
        f"{out} left out" if out else "",
        f"{in_tokens(unread)} not read" if unread else "",
        f"{' and '.join(attached)} attached" if kinds else "",
        "demo" if session.server.demo and "demo" not in session.settings[table.MODEL] else "",
    )
    return tuple(note for note in notes if note)
