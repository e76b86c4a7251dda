"""What the toolbar shows, read off the session: values only, cheap enough to be asked for on every key."""

from __future__ import annotations

from chatcli.conversation.message import Message
from chatcli.conversation.tree import Conversation
from chatcli.conversation.usage import NOTHING, Count
from chatcli.prompt.toolbar import Toolbar
from chatcli.session import Session
from chatcli.settings import table

# A longer line is counted by its beginning: the toolbar is drawn on every key.
COUNTED = 20_000


def meter(session: Session, typed: str = "") -> Toolbar:
    """`typed`: the line being typed, which is counted too, with what is attached to it."""
    used = spoken(session.conversation)
    return Toolbar(
        model=session.settings[table.MODEL] or "no model yet",
        used=str(used),
        window=session.window.ready or session.settings[table.NUM_CTX] or 0,
        tokens=used.tokens,
        strategy=session.settings[table.STRATEGY],
        notes=(*_coming(session, typed), *_notes(session)),
    )


def spoken(conversation: Conversation) -> Count:
    """Tokens of the window in use after the last reply: its prompt and itself, as measured where measured."""
    last = conversation.last
    if last is None or last.turn is None:
        return NOTHING
    usage, planned = last.turn.usage, last.turn.planned
    prompt = Count(usage.prompt_tokens, exact=True) if usage.prompt_tokens is not None else planned
    reply = Count(usage.reply_tokens, exact=True) if usage.reply_tokens is not None else NOTHING
    return prompt + reply


def _coming(session: Session, typed: str) -> tuple[str, ...]:
    """What the next message costs so far. Commands cost nothing; before an encoding is there nothing is said."""
    pictures = tuple(session.pending)
    if not session.counter.ready or not (typed.strip() or pictures) or typed.startswith("/"):
        return ()
    begin = typed[:COUNTED]
    count = session.counter.count(Message.user(begin, pictures))
    if len(typed) > len(begin):
        count = Count(count.tokens * len(typed) // len(begin))
    return (f"{count} typed",)


def _notes(session: Session) -> tuple[str, ...]:
    last = session.conversation.last
    out = last.turn.left_out if last is not None and last.turn is not None else 0
    pictures = len(session.pending)
    notes = (
        f"{out} left out" if out else "",
        f"{pictures} picture{'s' if pictures > 1 else ''} attached" if pictures else "",
        "demo" if session.server.demo else "",
        "" if session.settings[table.SAVE] else "not saved",
    )
    return tuple(note for note in notes if note)
