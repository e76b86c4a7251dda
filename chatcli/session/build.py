"""Builds a session from its parts. Used by the loop, the pipe, the library and the commands."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from typing import Any

from chatcli.client import server as servers
from chatcli.errors import ConfigError, NotFound
from chatcli.paths import Paths, find_paths
from chatcli.render.screen import Screen
from chatcli.render.terminal import Known
from chatcli.session.fallback import keep_in_memory, mending, open_store
from chatcli.session.session import Session
from chatcli.settings import table
from chatcli.settings.file import read_environment, read_file
from chatcli.settings.layers import Layer, Settings
from chatcli.store.conversations import settings_of


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the command line (or the library) asked for. `values`: settings by name, as typed or as Python has
    them; `named`: the conversation that the caller is to open ("": ask which). `chats` is False for a subcommand:
    a store that can only be read is then left open. `tolerant` ignores a settings file that cannot be read.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    demo: bool = False
    resume: bool = False
    named: str | None = None
    chats: bool = True
    tolerant: bool = False


def build(wishes: Wishes) -> Session:
    """A session in which nothing has been started but the demo engine's process, and nothing has been sent.

    If conversations cannot be stored, or only be read, chatting still works: the session is then in memory, and
    `warnings` says so.
    """
    paths = find_paths()
    settings = read_settings(paths, wishes.values, tolerant=wishes.tolerant)
    warnings: list[str] = []
    store = open_store(settings, paths, warnings)
    try:
        server = (
            servers.start_demo() if wishes.demo else servers.Server(servers.find(settings[table.HOST] or None))
        )
        session = Session(settings, paths, store, server, warnings)
    except BaseException:
        store.close()
        raise
    try:
        if wishes.resume:
            mending(session, lambda: _resume(session))
        mending(session, lambda: _take_last_model(session))
        if session.store.read_only is not None and wishes.chats:
            keep_in_memory(session, session.store.read_only)
    except BaseException:
        session.close()
        raise
    return session


def read_settings(paths: Paths, values: Mapping[str, Any], *, tolerant: bool = False) -> Settings:
    settings = Settings()
    with suppress(ConfigError) if tolerant else nullcontext():
        read_file(settings, paths.settings_file)
    read_environment(settings)
    for name, value in values.items():
        settings.put(name, value, Layer.FLAG)
    return settings


def make_screen(settings: Settings, known: Known | None = None) -> Screen:
    """The screen as the settings ask for it; where they leave it open, the environment decides whether it is
    plain. `known`: what the terminal told an earlier screen.
    """
    chosen = settings.origin(table.PLAIN) is not Layer.DEFAULT
    return Screen(
        plain=settings[table.PLAIN] if chosen else None,
        theme=settings[table.THEME],
        code_theme=settings[table.CODE_THEME],
        known=known,
    )


def _resume(session: Session) -> None:
    """Open the conversation used last. Raises NotFound when there is none yet."""
    last = session.store.last(demo=session.server.demo)
    if last is None:
        raise NotFound("There is no conversation to continue yet.", "Start one: chatcli")
    refused = session.open(last)
    if refused:
        session.warn(f"Settings not loaded: {', '.join(refused)}.")


def _take_last_model(session: Session) -> None:
    """If no setting names a model, use the one used last; the demo engine has only its own."""
    settings, demo = session.settings, session.server.demo
    if settings[table.MODEL] and not (demo and settings.origin(table.MODEL) < Layer.CONVERSATION):
        return
    last = session.store.last(demo=demo)
    name = session.store.read(settings_of, last).get("model", "") if last is not None else ""
    settings.put("model", name, Layer.CONVERSATION)
