"""/help and /bye: the commands by groups, help for each of them, the keys and the settings, and the way out."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Annotated

from chatcli.commands.arguments import Arg, Word, fitting
from chatcli.commands.outcomes import Outcome, Quit, Show
from chatcli.commands.own import OwnCommands
from chatcli.commands.registry import Command, Registry, command
from chatcli.conversation.usage import counted
from chatcli.errors import UnknownCommand
from chatcli.hints import Do, Hint
from chatcli.render.views import Document, Listing, Note, View
from chatcli.session.session import Session
from chatcli.settings.setting import Setting
from chatcli.settings.table import TABLE, by_group
from chatcli.text import first_clause

KEYS, SETTINGS, OWN = "keys", "settings", "own"
_SHOWS_VALUES = (Do("set"), " lists the values, ", Do("set", "NAME", "VALUE"), " changes one.")
_NAMED = {name: setting for setting in TABLE for name in (setting.name, *setting.aliases)}


def topic_words(session: Session, typed: str) -> list[Word]:
    from chatcli.commands import everything

    registry = everything()
    own = registry.own().sound
    topics = {KEYS: "the keys", SETTINGS: "all settings"} | ({OWN: "your own commands"} if own else {})
    topics |= {name: _names(each) for name, each in registry.groups.items() if name not in topics}
    topics |= {each.name: each.summary for each in registry.commands}
    topics |= {each.name: each.summary for each in own.values()}
    topics |= {each.name: each.help for each in TABLE if each.name not in topics}
    topics |= {f"{SETTINGS} {group}": f"the settings of {group}" for group in by_group()}
    return fitting((Word(name, meaning) for name, meaning in topics.items()), typed)


@command("help", "?", subcommand="help", tolerant=True)
def help_(
    session: Session,
    *topic: Annotated[str, Arg("a group, a command, a setting, keys or settings", topic_words, whole=True)],
) -> Outcome:
    """Show the commands by groups, or explain a group, a command, a setting, the keys or all settings."""
    from chatcli.commands import everything

    registry, name = everything(), " ".join(topic)
    groups = {f"{SETTINGS} {group}": group for group in by_group()}
    if not name:
        return Show.of(_overview(registry))
    if name in {KEYS, "shortcuts"}:
        from chatcli.prompt.keys import shortcuts

        return Show.of(Listing(("keys", "what they do"), tuple(shortcuts())))
    if name in groups:
        return Show.of(_about_settings(groups[name]))
    if name == OWN:
        return Show.of(*_about_own(registry.own()))
    if name in registry.groups:
        return Show.of(_about_group(registry, name), *([_settings()] if name == SETTINGS else []))
    return Show.of(_about_one(registry, topic, name))


@command("bye", "exit", "quit", "q")
def bye(session: Session) -> Outcome:
    """Leave. The conversation is stored; `chatcli --continue` opens it again."""
    return Quit()


def _about_one(registry: Registry, topic: tuple[str, ...], name: str) -> Document:
    """A command of the prompt, else a setting, else a subcommand of the shell. Raises UnknownCommand."""
    command = name.removeprefix("/")
    if command not in registry and name in _NAMED:
        return _about_setting(_NAMED[name])
    of_shell = registry.subcommands.get(topic) if command not in registry else None
    return _about(registry, of_shell or _found(registry, command))


def _found(registry: Registry, name: str) -> Command:
    """Raises UnknownCommand, which names a topic that is spelled like this one."""
    own = registry.own()
    if name in registry or name in own.faults:
        return registry.find(name)
    topics = [*(each.name for each in registry.commands), KEYS, SETTINGS, *registry.groups, *own.sound, *_NAMED]
    near = difflib.get_close_matches(name, topics, n=1)
    meant = Hint("Did you mean ", Do("help", near[0]), "?") if near else Hint(Do("help"), " lists the commands.")
    raise UnknownCommand(f"There is no help on {name}.", meant)


def _overview(registry: Registry) -> Listing:
    own = registry.own()
    mine = " ".join(f"/{name}" for name in own.sound)
    mine += f" ({counted(len(own.faults), 'file')} with a fault)" if own.faults else ""
    rows = tuple((name, _names(commands)) for name, commands in registry.groups.items())
    return Listing(
        ("group", "commands"),
        (*rows, *([(OWN, mine.strip())] if mine else [])),
        note=Hint(
            Do("help", "GROUP"),
            " explains a group, ",
            Do("help", "NAME"),
            " a command or a setting; ",
            Do("help", KEYS),
            " lists the keys, ",
            Do("help", SETTINGS),
            ' the settings. Tab completes. A line of """ starts a text of several lines.',
        ),
    )


def _names(commands: list[Command]) -> str:
    """Those that are no words of another: `/models` stands for `/models rm`, too."""
    return " ".join(f"/{each.name}" for each in commands if " " not in each.name)


def _about_group(registry: Registry, group: str) -> Listing:
    rows = tuple((f"/{each.name}", first_clause(each.summary)) for each in registry.groups[group])
    return Listing(("command", "what it does"), rows, note=Hint(Do("help", "NAME"), " says more of one."))


def _about_own(own: OwnCommands) -> Iterator[View]:
    """The person's own commands, and what is wrong with the files that are none."""
    rows = tuple((f"/{each.name}", each.summary) for each in own.sound.values())
    where = Hint(
        f"NAME.md in {own.folder} is /NAME at the prompt and chatcli -t NAME in the shell. "
        "In its text $ARGUMENTS and $1 stand for what follows the name."
    )
    yield Listing(("command", "what it sends"), rows, note=where) if rows else Note(where, "quiet")
    yield from (Note(Hint(each.message, " ", each.advice), "warning") for each in own.faults.values())


def _settings() -> Listing:
    return Listing(
        ("settings", "names"),
        tuple((group, " ".join(each.name for each in settings)) for group, settings in by_group().items()),
        note=Hint(
            Do("help", SETTINGS, "GROUP"), " explains a group, ", Do("help", "NAME"), " one. ", *_SHOWS_VALUES
        ),
    )


def _about_settings(group: str) -> Listing:
    rows = tuple((each.name, first_clause(each.help)) for each in by_group()[group])
    return Listing(("setting", "meaning"), rows, note=Hint(*_SHOWS_VALUES))


def _about(registry: Registry, each: Command) -> Document:
    lines = [f"**`{each.usage}`**", "", each.summary, "", each.details]
    if each.aliases:
        lines += ["", "Also: " + ", ".join(f"`/{alias}`" for alias in each.aliases)]
    lines += ["", *(f"- `{parameter.usage}`: {parameter.meaning}" for parameter in each.parameters)]
    lines += ["", *(f"- `{word.usage}`: {word.summary}" for word in registry.words_of(each))]
    return Document("\n".join(lines))


def _about_setting(setting: Setting[object]) -> Document:
    choices = "".join(f"\n- `{word}`: {meaning}" for word, meaning in setting.kind.meanings.items())
    return Document(
        f"**`{setting.name}`** {setting.help}\n\nExpects {setting.kind.expects}. "
        f"`/set {setting.name} VALUE`, `{setting.flag} VALUE` in the shell, `{setting.variable}`, "
        f"or `{setting.name} = ...` in the settings file.\n{choices}"
    )
