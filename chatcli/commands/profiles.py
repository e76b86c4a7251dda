"""/profile: the profiles of the settings file, and the one in use."""

from __future__ import annotations

from typing import Annotated, Any

from chatcli.attachments.compose import attaching
from chatcli.commands.arguments import Arg, Word, fitting
from chatcli.commands.files import attach
from chatcli.commands.outcomes import Outcome, Show, Watch
from chatcli.commands.registry import command
from chatcli.commands.settings import short
from chatcli.conversation.message import Attachment
from chatcli.errors import ConfigError
from chatcli.hints import Do, Hint
from chatcli.render.views import Listing, Note
from chatcli.session.next_request import changing
from chatcli.session.reply_format import shape
from chatcli.session.session import Session
from chatcli.settings import table
from chatcli.settings.named_tables import PROFILES, Row, read_rows
from chatcli.settings.setting import Setting
from chatcli.settings.table import TABLE

NONE = "none"


def profile_words(session: Session, typed: str) -> list[Word]:
    try:
        sound = read_rows(PROFILES, session.paths.settings_file).sound
    except ConfigError:  # the command itself shows it
        return []
    words = {name: described(row) for name, row in sound.items()}
    if session.settings.profile is not None:
        words.setdefault(NONE, "the settings without a profile")
    return fitting((Word(name, meaning) for name, meaning in words.items()), typed)


@command("profile", in_shell="--profile")
def profile(
    session: Session,
    *name: Annotated[str, Arg("a profile of the settings file, or none", profile_words, whole=True)],
) -> Outcome:
    """List the profiles, or use one from the next message on.

    A profile is a table of the settings file, `[profiles.NAME]`: a model, a system prompt, any other setting, and
    files for the next message. It replaces what an earlier profile set; `/profile none` takes it back.
    """
    rows, wanted = read_rows(PROFILES, session.paths.settings_file), " ".join(name)
    if not wanted:
        faults = (Note(Hint(each.message, " ", each.advice), "warning") for each in rows.faults.values())
        return Show((*_listed(session, rows.sound.values()), *faults))
    if wanted == NONE and NONE not in rows.sound:
        return _taken_up(session, None)
    row = rows.get(wanted)
    shape(row.values.get(table.FORMAT.name, ""))  # raises BadFile
    if not row.files:
        return _taken_up(session, row)
    from chatcli.client.fetch import fetch

    read: list[Attachment] = []

    def done() -> Outcome:
        return Show((*_taken_up(session, row).views, *attach(session, read).views))

    return Watch(attaching(row.files, read.append, fetch, encoding=session.settings[table.ENCODING]), done)


def described(row: Row) -> str:
    """Its description, or what it sets."""
    settings = (
        f"{each.name} = {_written(each, row.values[each.name])}" for each in TABLE if each.name in row.values
    )
    files = [f"files = {' '.join(row.files)}"] if row.files else []
    return row.values.get("description") or ", ".join([*settings, *files])


def _listed(session: Session, rows: Any) -> tuple[Listing | Note, ...]:
    used = session.settings.profile
    listed = tuple(
        ("*" if used is not None and used.name == row.name else "", row.name, described(row)) for row in rows
    )
    if not listed:
        where = f"There is no profile. One is a table in {session.paths.settings_file}: [profiles.NAME]."
        return (Note(where, "quiet"),)
    return (Listing(("", "profile", "what it sets"), listed, note=Hint(Do("profile", "NAME"), " uses one.")),)


def _taken_up(session: Session, row: Row | None) -> Show:
    """Use it, and say first what will no longer be sent."""
    changed, lost = changing(session, lambda: session.use_profile(row))
    notes = [Note(line, "warning") for line in lost]
    settings = session.settings
    if row is not None and row.values.get(table.SAVE.name) and not settings[table.SAVE]:
        use = Hint(Do("set", "save", "on"), " stores what was said before, too.")
        notes.append(Note(Hint("save stays off. ", use), "warning"))
    said = f"Profile: {row.name} (from the next message)." if row is not None else "No profile is used any more."
    lines = [f"{each.name} = {_written(each, settings[each])}" for each in changed]
    return Show((*notes, Note("\n".join([said, *lines]), "good")))


def _written(setting: Setting[Any], value: Any) -> str:
    return short(setting.as_typed(setting.kind.show(setting.kind.write(value))), 60)
