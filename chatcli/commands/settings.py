"""/set, /unset, /system: show and change the settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Annotated, Any

from chatcli.client.models import Model
from chatcli.commands.arguments import Arg, Word, fitting
from chatcli.commands.outcomes import Confirm, Outcome, Prefill, Show
from chatcli.commands.registry import command
from chatcli.errors import BadArgument, ChatcliError
from chatcli.hints import Do, Hint
from chatcli.render.views import Document, Listing, Note
from chatcli.session.background import waiting
from chatcli.session.context_window import as_allocated, in_memory, price_of_change
from chatcli.session.embeddings import embedder
from chatcli.session.named_hosts import find_server, host_names
from chatcli.session.next_request import PATIENCE, changing
from chatcli.session.reply_format import shape
from chatcli.session.session import Session
from chatcli.settings import table
from chatcli.settings.file import write_setting
from chatcli.settings.layers import Layer, Settings, find_setting
from chatcli.settings.quoting import unquoted
from chatcli.settings.setting import Setting
from chatcli.settings.strategies import STRATEGIES
from chatcli.settings.table import SHORTHANDS, TABLE

# Columns of a model's own system prompt that are shown where it is not shown whole.
OF_MODEL = 60
# Where a value comes from that is not set here.
FROM_MODEL = "the model's Modelfile"
NAMES_OF_MODELS = (table.MODEL, table.SUMMARY_MODEL, table.EMBEDDING_MODEL)


# What is asked and said when saving is switched on after something was said.
STORE = Hint(
    "This also stores what was said before in this conversation",
    Hint(" (after ", Do("clear"), " it would not)"),
    ". Store it?",
)
STORED = Hint("This conversation is stored from its beginning: ", Do("chats"), " lists it.")
# A change of one of these makes Ollama reload the model.
RELOADING = (table.NUM_CTX, table.NUM_BATCH, table.NUM_GPU, table.MAIN_GPU, table.USE_MMAP, table.NUM_THREAD)


def setting_words(session: Session, typed: str) -> list[Word]:
    """The names of settings, and the shorthands of ollama run."""
    names = {setting.name: setting.help for setting in TABLE}
    names |= {word: f"{setting.name} {value}" for word, (setting, value) in SHORTHANDS.items()}
    return fitting((Word(name, meaning) for name, meaning in names.items()), typed)


def value_words(session: Session, typed: str) -> list[Word]:
    """The values of the setting that the typed text begins with."""
    name, _, value = typed.partition(" ")
    setting = next((row for row in TABLE if name in {row.name, *row.aliases}), None)
    if setting is table.HOST:
        return fitting(map(Word, host_names(session.paths)), value)
    if setting in NAMES_OF_MODELS:
        from chatcli.commands.models import model_words

        return model_words(session, value)
    kind = setting.kind if setting is not None else None
    words = kind.words if kind is not None else ()
    meanings = kind.meanings if kind is not None else {}
    model = session.model.ready
    if setting is table.NUM_CTX and model is not None:
        sizes = {word: as_allocated(table.NUM_CTX.kind.take(word) or 1, model) for word in words}
        meanings = {word: in_memory(model, size) for word, size in sizes.items()}
    if setting is not None:  # a word without a meaning of its own says whether it is in use, or the default
        now, usual = session.settings.shown(setting), setting.kind.write(setting.default)
        meanings = {usual: "the default", now: "in use", **meanings}
    return fitting((Word(word, meanings.get(word, "")) for word in words), value)


def prompt_file_words(session: Session, typed: str) -> Iterator[Word]:
    """The files after an @."""
    from chatcli.commands.files import file_words

    if typed.startswith("@"):
        yield from (Word(f"@{each.text}", each.meaning) for each in file_words(session, typed[1:]))


@command("set")
def set_(
    session: Session,
    name: Annotated[str, Arg("a setting", setting_words)] = "",
    *,
    value: Annotated[str, Arg("its value", value_words)] = "",
    always: Annotated[bool, Arg("for later conversations, too: written to the settings file")] = False,
) -> Outcome:
    """Change a setting, show it, or list them all.

    `/set` lists every setting with its value and where the value came from; `/set NAME` shows one, or switches it
    on where it can be on; `/set NAME VALUE` sets it for this conversation, `/set --always NAME VALUE` also for
    later ones. Quotes are those of a shell: `/set stop "END OF" 'and so'` sets two texts. The forms of `ollama
    run` work, too: `/set parameter num_ctx 8192`, `/set verbose`, `/set nothink`.
    """
    if name == "parameter":
        name, _, value = value.partition(" ")
    if not name:
        return Show.of(_listing(session))
    if name in SHORTHANDS and not value:
        shorthand, value = SHORTHANDS[name]
        name = shorthand.name
    if name == "noformat":
        return unset.run(session, "format")
    setting = find_setting(name)
    value = value.strip() or setting.kind.bare
    if not value:
        return Show.of(_row_note(session, setting))
    if setting is table.MODEL:
        from chatcli.commands.models import model

        changed = model.run(session, setting.typed(value) or "")
    else:
        is_file = setting is table.SYSTEM and value.startswith("@")
        given = _text_of_file(session, value) if is_file else setting.typed(value)
        changed = _telling(session, setting, lambda: _change(session, setting, given))
    return _lasting(session, setting, changed) if always else changed


@command("unset")
def unset(
    session: Session,
    name: Annotated[str, Arg("a setting", setting_words)],
    *,
    always: Annotated[bool, Arg("remove it from the settings file, too")] = False,
) -> Outcome:
    """Reset a setting to what flags, environment, file or default say."""
    setting = find_setting(name)

    def change() -> Outcome:
        before = session.settings[setting]
        if always:
            write_setting(session.paths.settings_file, setting, None)
            session.settings.remove(setting, Layer.FILE)
        session.settings.unset(name)
        return _in_force(session, setting, before, lambda: Show.of(_row_note(session, setting)))

    return _telling(session, setting, change)


@command("system", in_shell="--system")
def system(
    session: Session, *, text: Annotated[str, Arg("the new system prompt, or @FILE", prompt_file_words)] = ""
) -> Outcome:
    """Show the system prompt, or replace it.

    `/system TEXT` replaces it from the next message on, `/system @FILE` by the text of a file; TEXT may be a block
    between three double quotes. `/system edit` puts it into the line; `/unset system`
    removes it. A change empties the server's prompt cache: the next reply starts later.
    """
    current = session.settings[table.SYSTEM]
    if text == "edit":
        return Prefill(f"/{system.name} {table.SYSTEM.as_typed(current) if current else current}")
    if text:
        given = _text_of_file(session, text) if text.startswith("@") else unquoted(text)
        return _telling(session, table.SYSTEM, lambda: _change(session, table.SYSTEM, given))
    if current:
        return Show.of(Document(current))
    of_model = _of_model(_known_model(session), table.SYSTEM)
    if of_model:
        whose = f"This is the system prompt of {session.settings[table.MODEL]}, from its Modelfile. Replace it: "
        return Show.of(Document(of_model), Note(Hint(whose, Do("system", "TEXT"), "."), "quiet"))
    return Show.of(Note(Hint("No system prompt. Set one: ", Do("system", "TEXT")), "quiet"))


def _text_of_file(session: Session, typed: str) -> str:
    """The text of the file that is named after an @. Raises BadFile."""
    from chatcli.reading.files import text_named

    return text_named(unquoted(typed[1:].strip()), session.settings[table.ENCODING])


def _telling(session: Session, setting: Setting[Any], change: Callable[[], Outcome]) -> Outcome:
    """Make the change, and say first what it takes out of the next request."""
    if setting.group == "screen":
        return change()
    changed, lost = changing(session, change)
    notes = tuple(Note(line, "warning") for line in lost)
    return Show((*notes, *changed.views)) if isinstance(changed, Show) else changed


def _change(session: Session, setting: Setting[Any], value: Any) -> Outcome:
    """Set it to a value as `Settings.put` takes it; None: to none."""
    if setting is table.SYSTEM and value == "":
        raise BadArgument("The system prompt is empty.", Hint(Do("unset", "system"), " removes it."))
    if setting is table.FORMAT and value:
        shape(value)
    if setting is table.EMBEDDING_MODEL and value:
        embedder(session, value)
    if setting is table.SUMMARY_MODEL and value:
        session.client.get().model(value)  # raises Missing
    if setting is table.HOST and value:
        find_server(session.settings, session.paths, value)
    before, window = session.settings[setting], session.window.ready
    if value is None:
        session.settings.put_value(setting, setting.default, Layer.SET)
    else:
        session.settings.put(setting.name, value, Layer.SET)
    return _in_force(session, setting, before, lambda: _changed(session, setting, before, window))


def _changed(session: Session, setting: Setting[Any], before: Any, window: int | None) -> Show:
    notes = [_row_note(session, setting)]
    if setting in RELOADING and session.settings[setting] != before:
        notes.append(Note(_reloading(session, window), "quiet"))
    if setting is table.SYSTEM and session.conversation.tip is not None:
        notes.append(Note("The server reads the whole conversation again for the next reply.", "quiet"))
    return Show(tuple(notes))


def _lasting(session: Session, setting: Setting[Any], changed: Outcome) -> Outcome:
    """Write the current value to the settings file, and say so."""
    if isinstance(changed, Confirm):
        return replace(changed, then=lambda: _lasting(session, setting, changed.then()))
    path = session.paths.settings_file
    write_setting(path, setting, session.settings.written(setting) or None)
    session.settings.put_value(setting, session.settings[setting], Layer.FILE)
    kept = Note(
        Hint(f"Written to {path}", Hint("; ", Do("unset", setting.name, always=True), " removes it"), "."), "quiet"
    )
    return Show((*changed.views, kept)) if isinstance(changed, Show) else changed


def _reloading(session: Session, window: int | None) -> str:
    """`window`: the one before the change, where it is known."""
    model, num_ctx = _known_model(session), session.settings[table.NUM_CTX]
    cost = ""
    if model is not None and num_ctx is not None:
        cost = price_of_change(model, as_allocated(num_ctx, model), window)
    return f"Ollama reloads the model; the next reply starts later. {cost}".rstrip()


def _in_force(session: Session, setting: Setting[Any], before: Any, tell: Callable[[], Show]) -> Outcome:
    """Do what else a change needs. When saving is switched on after something was said, ask first whether to store
    that; until then saving stays off.
    """
    settings, now, origin = session.settings, session.settings[setting], session.settings.origin(setting)
    if setting is not table.SAVE or not now or before or session.conversation.tip is None:
        if setting is not table.SAVE or now != before:
            session.setting_changed(setting)
        return tell()
    settings.put_value(table.SAVE, False, Layer.SET)

    def store() -> Outcome:
        if origin is Layer.SET:
            settings.put_value(table.SAVE, True, Layer.SET)
        else:
            settings.remove(table.SAVE, Layer.SET)
        session.setting_changed(setting)
        return Show((*tell().views, *([Note(STORED, "quiet")] if settings[table.SAVE] else [])))

    return Confirm(STORE, store)


def _row_note(session: Session, setting: Setting[Any]) -> Note:
    value = session.settings.shown(setting)
    of_model = "" if value else _of_model(_known_model(session), setting)
    shown = f"{short(setting.as_typed(of_model), OF_MODEL)}  ({FROM_MODEL})" if of_model else None
    shown = shown or f"{setting.as_typed(value)}  ({session.settings.source(setting)})"
    meaning = setting.kind.meanings.get(value)
    means = f"\n{value}: {meaning}." if meaning else ""
    more = f"{_without_effect(session, setting)}{_allocated(session, setting)}"
    return Note(f"{setting.name} = {shown}\n{setting.help}{means}{more}")


def _allocated(session: Session, setting: Setting[Any]) -> str:
    """A line on the window that the server allocates, where it is not the one that num_ctx asks for."""
    model, num_ctx = session.model.ready, session.settings[table.NUM_CTX]
    if setting is not table.NUM_CTX or model is None or num_ctx in {None, as_allocated(num_ctx or 1, model)}:
        return ""
    gets = as_allocated(num_ctx or 1, model)
    why = "for which it was trained" if num_ctx and gets < num_ctx else "the least for a model that sees"
    return f"\n{model.name} gets {gets}, {why}."


def _without_effect(session: Session, setting: Setting[Any]) -> str:
    """A line for a setting that the strategy in use does not read."""
    reading = [each.name for each in STRATEGIES if setting.name in each.settings]
    now = session.settings[table.STRATEGY].name
    if not reading or now in reading:
        return ""
    return f"\nIt has an effect in strategy {' and '.join(reading)} only; the strategy is {now}."


def _of_model(model: Model | None, setting: Setting[Any]) -> str:
    """What the model's Modelfile says for a setting that is not set here; "" where it says nothing."""
    if model is None:
        return ""
    preset = tuple(model.preset.get(setting.name, ()))
    if setting.kind.many and preset:
        return setting.kind.write(preset)
    return model.system if setting is table.SYSTEM else ", ".join(preset)


def _known_model(session: Session) -> Model | None:
    """The model in use; None where the server does not say soon what it is."""
    with suppress(ChatcliError):  # the next message raises it again
        for _ in waiting(session.model, most=PATIENCE):
            pass
    return session.model.ready


def _listing(session: Session) -> Listing:
    model, settings = _known_model(session), session.settings
    rows = tuple((each.name, *_value_and_origin(settings, model, each), each.help) for each in TABLE)
    return Listing(
        ("setting", "value", "from", "meaning"),
        rows,
        note=Hint(Do("set", "NAME", "VALUE"), " changes one, ", Do("unset", "NAME"), " resets it."),
    )


def _value_and_origin(settings: Settings, model: Model | None, setting: Setting[Any]) -> tuple[str, str]:
    value = settings.shown(setting)
    of_model = "" if value else _of_model(model, setting)
    return short(setting.as_typed(of_model or value)), FROM_MODEL if of_model else settings.source(setting)


def short(value: str, most: int = 24) -> str:
    """One line of at most so many characters; where something is left out, it ends in "…"."""
    line = " ".join(value.split())
    return value if len(value) <= most and "\n" not in value else line[: most - 1] + "…"
