"""`chatcli config` in the shell: show, get, set, unset, edit the settings file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from chatcli.commands.arguments import Arg, Word, fitting
from chatcli.commands.outcomes import Edit, Outcome, Print, Show
from chatcli.commands.registry import command
from chatcli.commands.settings import short
from chatcli.errors import BadArgument, ConfigError
from chatcli.hints import Do, Hint, Usage
from chatcli.reading.files import text_named
from chatcli.render.views import Listing, Note
from chatcli.session.reply_format import shape
from chatcli.session.session import Session
from chatcli.settings import table
from chatcli.settings.file import is_written, read_file, read_text, text_of_file, write_setting, write_text
from chatcli.settings.layers import Layer, Settings, find_setting
from chatcli.settings.setting import Setting
from chatcli.settings.table import TABLE

# What `config edit` begins with where there is no settings file yet.
BEGINNING = """\
# Settings of chatcli, one a line. `chatcli help settings` lists them.
# model = "llama3.2"

# [profiles.code]
# system = "You write code."
"""


def settings_by_name(session: Session, typed: str) -> list[Word]:
    return fitting((Word(each.name, each.help) for each in TABLE), typed)


@command("", subcommand=("config", "config show"), tolerant=True, data=True)
def show(session: Session) -> Outcome:
    """Show every setting with its value, and where the value comes from."""
    _check(session)
    settings = session.settings
    rows = tuple(
        (each.name, short(each.as_typed(settings.shown(each)), 40), settings.source(each), each.help)
        for each in TABLE
    )
    path = session.paths.settings_file
    where = f"The settings file is {path}." if path.exists() else f"There is no settings file: it would be {path}."
    return Show.of(
        Listing(("setting", "value", "from", "meaning"), rows, note=where),
        data=lambda: {each.name: _told(settings, each) for each in TABLE},
    )


@command("", subcommand="config path", tolerant=True)
def path_(session: Session) -> Outcome:
    """Print the path of the settings file."""
    return Print(f"{session.paths.settings_file}\n")


@command("", subcommand="config get", tolerant=True, data=True)
def get(session: Session, name: Annotated[str, Arg("a setting", settings_by_name)]) -> Outcome:
    """Print the value of a setting: of the environment, the settings file, or the default."""
    _check(session)
    setting = find_setting(name)
    return Print(f"{session.settings.shown(setting)}\n", data=lambda: _told(session.settings, setting))


@command("", subcommand="config set", tolerant=True)
def set_(
    session: Session,
    name: Annotated[str, Arg("a setting", settings_by_name)],
    *value: Annotated[str, Arg("its value", dashed=True)],
) -> Outcome:
    """Write a setting to the settings file. Comments, order and profiles in it stay."""
    setting, path = find_setting(name), session.paths.settings_file
    given = (setting.kind.bare,) if not value and setting.kind.bare else value
    if not given:
        raise BadArgument("The value is missing.", Hint("Usage: ", Usage("config set")))
    read, text = Settings(), " ".join(given)
    if setting is table.SYSTEM and text.startswith("@"):
        text = text_named(text[1:], session.settings[table.ENCODING])
    read.put(setting.name, list(given) if setting.kind.many else text, Layer.FILE)
    shape(read[table.FORMAT])  # raises BadFile
    write_setting(path, setting, read.written(setting) or None)
    told = Note(f"{setting.name} = {setting.as_typed(read.shown(setting))}  (in {path})", "good")
    return Show.of(told, *_hidden(session, setting), *_faults(path))


@command("", subcommand="config unset", tolerant=True)
def unset(session: Session, name: Annotated[str, Arg("a setting", settings_by_name)]) -> Outcome:
    """Remove a setting from the settings file."""
    setting, path = find_setting(name), session.paths.settings_file
    if not is_written(path, setting):
        return Show.of(Note(f"{setting.name} is not in {path}.", "quiet"), *_faults(path))
    write_setting(path, setting, None)
    told = Note(f"{setting.name} is removed from {path}.", "good")
    return Show.of(told, *_hidden(session, setting), *_faults(path))


@command("", subcommand="config edit", tolerant=True)
def edit(session: Session) -> Outcome:
    """Open the settings file in your editor (OLLAMA_EDITOR, VISUAL or EDITOR), and check it afterwards.

    A text that is no settings file is not written: the file stays as it was, and the text is kept for the next
    `chatcli config edit`.
    """
    path, kept = session.paths.settings_file, _kept(session)
    before = text_of_file(kept) or text_of_file(path) or BEGINNING

    def edited(text: str) -> Outcome:
        text = f"{text}\n" if text.strip() and not text.endswith("\n") else text
        if text == before and not kept.exists():
            return Show.of(Note("Nothing is changed.", "quiet"))
        try:
            faults = read_text(Settings(), text, path)
        except ConfigError as error:
            write_text(kept, text)
            again = Hint(f"{path} is as it was. Your text is kept: ", Do("config edit"), " opens it again.")
            return Show(
                (Note(Hint(error.message, " ", error.advice), "warning"), Note(again, "quiet")), exit_code=2
            )
        write_text(path, text)
        kept.unlink(missing_ok=True)
        told = (Note(Hint(each.message, " ", each.advice), "warning") for each in faults)
        return Show((Note(f"Written to {path}.", "good"), *told))

    return Edit(before, edited, ".toml")


def _kept(session: Session) -> Path:
    """Where a text is kept that is no settings file."""
    return session.paths.settings_file.with_suffix(".edited.toml")


def _check(session: Session) -> None:
    """Raise what is wrong with the settings file: these commands start in spite of it."""
    read_file(Settings(), session.paths.settings_file)


def _told(settings: Settings, setting: Setting[Any]) -> dict[str, Any]:
    value = settings[setting]
    if isinstance(value, tuple):
        value = list(value)
    plain = value is None or isinstance(value, bool | int | float | list)
    return {"value": value if plain else settings.shown(setting), "from": settings.source(setting)}


def _faults(path: Path) -> tuple[Note, ...]:
    """What is still wrong with the settings of the file, as a note: this did not keep one from being written."""
    try:
        read_file(Settings(), path)
    except ConfigError as error:
        return (Note(Hint(error.message, " ", error.advice), "warning"),)
    return ()


def _hidden(session: Session, setting: Setting[Any]) -> tuple[Note, ...]:
    """A note where the environment has a value that comes before the file's."""
    if session.settings.origin(setting) is not Layer.ENVIRONMENT:
        return ()
    value = setting.as_typed(session.settings.shown(setting))
    return (Note(f"The environment comes before the file: {setting.name} = {value}.", "warning"),)
