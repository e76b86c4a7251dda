"""The table behind complete.py: what the command line accepts, read from the flags and subcommands themselves."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from chatcli.cli.flags import NAMING, parser
from chatcli.commands import everything
from chatcli.commands.arguments import Parameter, Suggest
from chatcli.commands.chats import chat_words
from chatcli.commands.help import topic_words
from chatcli.commands.models import model_words, show_words
from chatcli.commands.settings import NAMES_OF_MODELS
from chatcli.commands.shell_config import settings_by_name
from chatcli.paths import private_directory, replace_private
from chatcli.session.session import Session
from chatcli.settings import table
from chatcli.settings.setting import Setting
from chatcli.settings.table import TABLE
from chatcli.text import first_clause

# Where complete.py finds what a session would suggest, and what needs no session. All else is a file, or free.
_SOURCES: dict[Suggest, str] = {model_words: "models", show_words: "models", chat_words: "chats"}
_WITHOUT_SESSION: tuple[Suggest, ...] = (topic_words, settings_by_name)
_OF_FLAGS = {"profile": "profiles", "template": "own commands", "resume": "chats"}
_SETTINGS: dict[str, Setting[Any]] = {each.name: each for each in TABLE}


def commands() -> dict[str, Any]:
    """By name ("" for chatcli itself): `flags` and `words` that may follow, each with its meaning, the `values` of
    flags, those flags that may stand `alone`, and the values of its `argument`. Values are words with their
    meanings, or the name of their source.
    """
    found = {" ".join(words): _command(words) for words in [(), *everything().subcommands]}
    for first in {words[0] for words in everything().subcommands}:  # `config` is none without a second word
        empty: dict[str, Any] = {
            "flags": [],
            "values": {},
            "alone": [],
            "argument": None,
            "words": _following((first,)),
        }
        found.setdefault(first, empty)
    return found


def keep(file: Path, made: dict[str, Any]) -> None:
    """A full or read-only disk raises nothing."""
    with suppress(OSError):
        private_directory(file.parent)
        replace_private(file, json.dumps(made).encode())


def _command(words: tuple[str, ...]) -> dict[str, Any]:
    parsed, _, _ = parser(words, cast(Any, None))
    own = everything().subcommands[words].parameters if words else ()
    by_name = {each.name: each for each in own}
    flags: list[list[str]] = []
    values: dict[str, Any] = {}
    alone: list[str] = []
    for each in cast(list[Any], parsed.params):
        if each.param_type_name != "option":
            continue
        names = [name for name in (*each.opts, *each.secondary_opts) if name.startswith("--")]
        flags += [[name, first_clause(each.help or "")] for name in names]
        if not each.is_flag:
            values |= dict.fromkeys((*each.opts, *each.secondary_opts), _values(each.name, by_name))
            if NAMING & set(names) or (each.name in _SETTINGS and _SETTINGS[each.name].kind.bare):
                alone += [*each.opts, *each.secondary_opts]
    flags.append(["--help", "Show the help."])
    argument = next((_suggested(each) for each in own if not each.flag), None)
    return {"flags": flags, "values": values, "alone": alone, "argument": argument, "words": _following(words)}


def _following(words: tuple[str, ...]) -> list[list[str]]:
    """The words that go on from these to a subcommand."""
    found: dict[str, str] = {}
    for name, each in everything().subcommands.items():
        if name[: len(words)] == words != name:
            found.setdefault(name[len(words)], first_clause(each.summary))
    return list(map(list, found.items()))


def _values(name: str, own: dict[str, Parameter]) -> Any:
    """The values of the flag of that name: of a setting, or of a subcommand's own parameter."""
    if name in own:
        return _suggested(own[name])
    if name == "option":
        return [each for setting in TABLE for each in _named(setting)]
    setting = _SETTINGS.get(name)
    if setting is None:
        return _OF_FLAGS.get(name)
    if setting in NAMES_OF_MODELS:
        return "models"
    if setting is table.HOST:
        return "hosts"
    return [[word, setting.kind.meanings.get(word, "")] for word in setting.kind.words]


def _named(setting: Setting[Any]) -> list[list[str]]:
    """NAME= and each NAME=VALUE."""
    values = [[f"{setting.name}={word}", setting.kind.meanings.get(word, "")] for word in setting.kind.words]
    return [[f"{setting.name}=", first_clause(setting.help)], *values]


def _suggested(parameter: Parameter) -> Any:
    suggest: Callable[..., Any] | None = parameter.suggest
    if suggest in _WITHOUT_SESSION:
        return [[word.text, first_clause(word.meaning)] for word in suggest(cast(Session, None), "")]
    return _SOURCES.get(suggest) if suggest is not None else None
