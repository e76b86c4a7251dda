"""What the command line or the library asks for, and the settings and the screen that come of it: all that a
prompt needs before there is a session.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext, suppress
from dataclasses import field
from typing import Any, Literal, TextIO

from chatcli.dataclass import dataclass
from chatcli.errors import ConfigError
from chatcli.hints import Speller
from chatcli.paths import Paths
from chatcli.render.screen import Screen
from chatcli.render.terminal import Known
from chatcli.settings import table
from chatcli.settings.file import read_environment, read_file
from chatcli.settings.layers import Layer, Settings


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the command line (or the library) asked for. `values`: settings by name, as typed or as Python has
    them; `named`: the conversation that the caller is to open ("": ask which). `chats` is False for a subcommand:
    a store that can only be read is then left open. `tolerant` ignores a settings file that cannot be read.
    `profile`: the name of a profile of the settings file ("": none).
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    demo: bool = False
    resume: bool = False
    named: str | None = None
    chats: bool = True
    tolerant: bool = False
    profile: str = ""


@dataclass(frozen=True, slots=True)
class Output:
    """How the reply to one question is given to the shell. `form`: as text, as one JSON object, or as JSON lines
    while it comes. `code`: only its first code block. `then_chat`: the terminal talks on.
    """

    form: Literal["text", "json", "jsonl"] = "text"
    code: bool = False
    then_chat: bool = False


def read_settings(paths: Paths, wishes: Wishes) -> Settings:
    """What is wished for, over what the environment and the settings file say. Raises ConfigError, BadValue, and
    NotFound for a profile that there is not.
    """
    settings = Settings()
    with suppress(ConfigError) if wishes.tolerant else nullcontext():
        settings.faults = tuple(read_file(settings, paths.settings_file))
    read_environment(settings)
    if wishes.profile:
        from chatcli.settings.named_tables import PROFILES, read_rows

        settings.use_profile(read_rows(PROFILES, paths.settings_file).get(wishes.profile), Layer.PROFILE)
    for name, value in wishes.values.items():
        settings.put(name, value, Layer.FLAG)
    return settings


def make_screen(
    settings: Settings, speller: Speller, known: Known | None = None, file: TextIO | None = None
) -> Screen:
    """The screen as the settings ask for it; where they leave it open, the environment decides whether it is
    plain. `known`: what the terminal told an earlier screen. `file`: takes the place of standard output.
    """
    chosen = settings.origin(table.PLAIN) is not Layer.DEFAULT
    screen = Screen(
        file,
        plain=settings[table.PLAIN] if chosen else None,
        theme=settings[table.THEME],
        code_theme=settings[table.CODE_THEME],
        known=known,
    )
    screen.speller = speller
    screen.prose = settings[table.WORDWRAP]
    screen.bell = settings[table.BELL]
    return screen
