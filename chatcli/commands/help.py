"""/help and /bye: the list of commands, help for each of them, and the way out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from chatcli.commands.arguments import Arg, Word
from chatcli.commands.outcomes import Outcome, Quit, Show
from chatcli.commands.registry import Command, Registry, command
from chatcli.hints import Do, Hint
from chatcli.render.views import Document, Listing
from chatcli.session.session import Session
from chatcli.settings.layers import find_setting
from chatcli.settings.table import TABLE, Setting


def topic_words(session: Session, typed: str) -> Iterator[Word]:
    from chatcli.commands import everything

    for each in everything().commands:
        if each.name.startswith(typed):
            yield Word(each.name, each.summary)
    yield Word("shortcuts", "the keys")


@command("help", "?", in_shell="chatcli --help")
def help_(
    session: Session, *topic: Annotated[str, Arg("a command, a setting, or shortcuts", topic_words, whole=True)]
) -> Outcome:
    """List the commands, or explain a command, a setting, or the keys (/? shortcuts)."""
    from chatcli.commands import everything

    registry = everything()
    if not topic:
        return Show.of(_overview(registry))
    if topic == ("shortcuts",):
        from chatcli.prompt.keys import shortcuts

        return Show.of(Listing(("keys", "what they do"), tuple(shortcuts())))
    name = " ".join(topic).removeprefix("/")
    if any(name in {setting.name, *setting.aliases} for setting in TABLE) and name not in registry:
        return Show.of(_about_setting(find_setting(name)))
    return Show.of(_about(registry, registry.find(name)))


@command("bye", "exit", "quit", "q")
def bye(session: Session) -> Outcome:
    """Leave. The conversation is stored; `chatcli --continue` opens it again."""
    return Quit()


def _overview(registry: Registry) -> Listing:
    rows = tuple((registry.usage(each), each.summary) for each in registry.commands if " " not in each.name)
    return Listing(
        ("command", "what it does"),
        rows,
        note=Hint(
            Do("help", "NAME"),
            " explains one; ",
            Do("help", "shortcuts"),
            ' lists the keys. A line of """ starts a text of several lines.',
        ),
    )


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
