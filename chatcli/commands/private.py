"""/private: a conversation of which nothing is kept, unless the person says so later."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated

from chatcli.commands.arguments import Arg
from chatcli.commands.outcomes import Confirm, Outcome, Show
from chatcli.commands.registry import command
from chatcli.errors import UserError
from chatcli.hints import Do, Hint
from chatcli.render.views import Note
from chatcli.session.session import Session
from chatcli.settings import table
from chatcli.settings.layers import Layer

_BEGUN = Hint(
    "A private conversation: nothing that is said is kept, in the store or in the line history. ",
    Do("private", end=True),
    " ends it, ",
    Do("save", "NAME"),
    " keeps it after all.",
)
_ENDED = Hint("The private conversation is gone. What is said from here on is stored.")


@command("private", in_shell="chatcli --private")
def private(
    session: Session,
    *,
    end: Annotated[bool, Arg("end it: it is lost, and later conversations are stored")] = False,
) -> Outcome:
    """Start a conversation that is not kept: nothing of it is stored, nor are its lines remembered.

    The toolbar says `not saved`. `/private --end` ends it: then other conversations can be opened again. `/save
    NAME` keeps it after all, `/save FILE.md` writes it to a file.
    """
    if end:
        return _end(session)
    session.begin()
    session.detach()
    if session.settings[table.SAVE]:
        session.settings.put_value(table.SAVE, False, Layer.SET)
        session.setting_changed(table.SAVE)
    return Show.of(Note(_BEGUN, "quiet"))


def _end(session: Session) -> Outcome:
    if session.settings[table.SAVE]:
        raise UserError("This conversation is not private.", Hint(Do("private"), " starts one that is."))
    if session.conversation.tip is None:
        return _ended(session)
    return Confirm("What was said in this conversation is lost then. End it?", lambda: _ended(session))


def _ended(session: Session) -> Outcome:
    session.begin()
    session.settings.unset(table.SAVE.name)
    if not session.settings[table.SAVE]:  # by a flag, a variable or the settings file
        session.settings.put_value(table.SAVE, True, Layer.SET)
    session.setting_changed(table.SAVE)
    return Show.of(Note(_ENDED, "quiet"))


def stored_first(session: Session, then: Callable[[], Outcome]) -> Outcome:
    """Do `then` with the conversation in the store; where it is not kept, ask whether to store it first."""
    if session.settings[table.SAVE]:
        return then()
    from chatcli.commands.settings import set_

    asked = set_.run(session, table.SAVE.name, value="on")
    if not isinstance(asked, Confirm):
        return then()

    def store() -> Outcome:
        told = asked.then()
        after = then() if session.settings[table.SAVE] else Show.of()
        if isinstance(told, Show) and isinstance(after, Show):
            return Show((*told.views[1:], *after.views))  # without the note on the setting
        return after

    return replace(asked, then=store)
