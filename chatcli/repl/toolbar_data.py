"""Collects the toolbar's values from the session, cheaply enough to do so on every key."""

from __future__ import annotations

from functools import lru_cache

from chatcli.attachments.files import sizes
from chatcli.conversation.message import Attachment, Message
from chatcli.conversation.usage import Count, counted, in_tokens, total
from chatcli.prompt.toolbar import Toolbar
from chatcli.session.session import Session
from chatcli.settings import table
from chatcli.tokens.counter import Counter

# A longer line is counted by its beginning: the toolbar is drawn on every key.
COUNTED = 20_000
# How far back a measured reply is looked for.
LOOKED_AT = 20


def meter(session: Session, typed: str = "") -> Toolbar:
    """The toolbar's values. `typed`: the line being typed, which is counted, too, with its attachments."""
    used = spoken(session)
    return Toolbar(
        model=session.settings[table.MODEL] or "no model yet",
        used=str(used),
        window=session.window.ready or session.settings[table.NUM_CTX] or 0,
        tokens=used.tokens,
        strategy=session.settings[table.STRATEGY].name,
        notes=(*_coming(session, typed), *_notes(session)),
    )


def spoken(session: Session) -> Count:
    """Used tokens of the window: the last measured prompt and reply, and the messages after them. Where the server
    has cut the prompt: what it was sent.
    """
    since: list[Count] = []
    for node in session.conversation.back():
        if node.turn is not None and node.turn.usage.prompt_tokens is not None:
            usage = node.turn.usage
            prompt = node.turn.planned if node.turn.overfull else Count(usage.prompt_tokens or 0, exact=True)
            return total((prompt, Count(usage.reply_tokens or 0, exact=True), *since))
        since.append(session.counter.count(node.message.without_thinking))
        if len(since) > LOOKED_AT:
            break
    return total(since)


def _coming(session: Session, typed: str) -> tuple[str, ...]:
    """What the next message costs so far, with its files and pictures; nothing for a command, or before an
    encoding is loaded.
    """
    counter, pictures = session.counter, tuple(each for each in session.pending if each.kind == "image")
    texts = [each for each in session.pending if each.kind == "text"]
    if not counter.ready or not (typed.strip() or session.pending) or typed.startswith("/"):
        return ()
    begin = typed[:COUNTED]
    count = counter.count(Message.user(begin, pictures))
    if len(typed) > len(begin):
        count = Count(count.tokens * len(typed) // len(begin))
    named = [Count(size // 4) for size in sizes(typed)] if "@" in typed else []
    count = total((count, *(_file(counter, each) for each in texts), *named))
    return (f"{count} typed",)


@lru_cache(maxsize=64)
def _file(counter: Counter, file: Attachment) -> Count:
    """The tokens of a file, as an estimate, since only passages of a long one are sent."""
    return Count(counter.text(file.data.decode("utf-8", "replace")).tokens)


def _notes(session: Session) -> tuple[str, ...]:
    last = session.conversation.last
    turn = last.turn if last is not None else None
    out = turn.left_out if turn is not None else 0
    unread = turn.unread if turn is not None else 0
    kinds = [each.kind for each in session.pending]
    numbers = {"picture": kinds.count("image"), "file": kinds.count("text")}
    attached = [counted(number, what) for what, number in numbers.items() if number]
    notes = (
        f"{out} left out" if out else "",
        f"{in_tokens(unread)} not read" if unread else "",
        f"{' and '.join(attached)} attached" if kinds else "",
        "demo" if session.server.demo else "",
        "" if session.settings[table.SAVE] else "not saved",
    )
    return tuple(note for note in notes if note)
