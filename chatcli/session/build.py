"""Builds a session from its parts. Used by the loop, the pipe, the library and the commands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from typing import Any

from chatcli.client import server as servers
from chatcli.client.models import Model
from chatcli.client.ollama import Client
from chatcli.client.request import Request, think_as
from chatcli.conversation.message import Message
from chatcli.conversation.tree import Conversation
from chatcli.errors import ConfigError, Missing, NotFound, UserError
from chatcli.paths import Paths, find_paths
from chatcli.render.screen import Screen
from chatcli.render.terminal import Known
from chatcli.session.background import Background, Later
from chatcli.session.context_window import find_window
from chatcli.session.fallback import keep_in_memory, mending, open_store
from chatcli.session.session import Session
from chatcli.settings import table
from chatcli.settings.file import read_environment, read_file
from chatcli.settings.layers import Layer, Settings
from chatcli.store.conversations import settings_of
from chatcli.store.store import Store
from chatcli.tokens.counter import Counter
from chatcli.tokens.prepare import ModelSource


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
        session = _session(settings, paths, store, server)
        session.warnings = warnings
    except BaseException:
        store.close()
        raise
    try:
        if wishes.resume:
            mending(session, lambda: resume(session))
        mending(session, lambda: _take_last_model(session))
        if session.store.read_only is not None and wishes.chats:
            keep_in_memory(session, session.store.read_only)
    except BaseException:
        close(session)
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


def close(session: Session) -> None:
    """End what was started; safe to call twice."""
    disconnect(session)
    session.background.close()
    session.embeddings.close()
    session.store.close()


def resume(session: Session) -> None:
    """Open the conversation used last. Raises NotFound when there is none yet."""
    last = session.store.last(demo=session.server.demo)
    if last is None:
        raise NotFound("There is no conversation to continue yet.", "Start one: chatcli")
    refused = open_conversation(session, last)
    if refused:
        session.warnings.append(f"Settings not loaded: {', '.join(refused)}.")


def open_conversation(session: Session, conversation_id: int) -> list[str]:
    """Open that conversation with the settings it was left with; returns the settings that could not be used."""
    session.conversation = session.store.conversation(conversation_id)
    refused = session.settings.take_up(session.conversation.settings)
    forget_model(session)
    session.plan = None
    return refused


def new_conversation(session: Session) -> None:
    """Begin a new conversation with the same settings. The old one stays in the store."""
    session.conversation = Conversation(id=0, demo=session.server.demo)
    session.plan = None


def use_model(session: Session, name: str) -> Model:
    """Use that model from the next turn on. If the server does not know the name, this raises and the old one
    stays.
    """
    model = _model(session, name)
    session.settings.put("model", name, Layer.SET)
    forget_model(session)
    session.keep_settings()
    return model


def forget_model(session: Session) -> None:
    """Ask the server again about the model and its window before the next request."""
    session.model.forget()
    session.window.forget()
    session.counting.forget()


def reconnect(session: Session) -> None:
    """Use the server that the settings name now. The conversation stays."""
    url = servers.find(session.settings[table.HOST] or None)
    disconnect(session)
    session.server = servers.Server(url)
    forget_model(session)


def disconnect(session: Session) -> None:
    client = session.client.ready
    session.client.forget()
    if client is not None:
        client.close()
    session.server.close()


def renew_counter(session: Session) -> None:
    """Count as the setting tokenizer says."""
    session.counter = _counter(session.settings, session.paths)
    forget_model(session)


def count_again(session: Session) -> None:
    """Ask the server again, in the background, for what exact counts need, if a temporary failure prevented it."""
    if session.counting.ready is not None and session.counter.tries_again:
        session.background.start("counting", session.counter.prepare)


def model_names(session: Session) -> list[str]:
    """The names of the server's models, as a person types them: without the ending that can be left out."""
    return [model.name.removesuffix(":latest") for model in session.client.get().models()]


def settle_model(session: Session) -> list[str]:
    """Make sure that a model is named. If neither a setting nor an earlier conversation names one, use the
    server's only model. Returns the names to choose from if there are several; [] when the model is settled.
    """
    if session.settings[table.MODEL]:
        return []
    names = model_names(session)
    if not names:
        raise Missing(
            f"The server at {session.server.shown} has no model yet.",
            "Get one: ollama pull llama3.2 (or any from ollama.com/library), or try chatcli --demo.",
        )
    if len(names) > 1 and not session.server.demo:
        return names
    session.settings.put("model", names[0], Layer.CONVERSATION)
    return []


def _session(settings: Settings, paths: Paths, store: Store, server: servers.Server) -> Session:
    session = Session(
        settings=settings,
        paths=paths,
        store=store,
        server=server,
        client=Later(lambda: Client(session.server.url)),
        model=Later(lambda: _model_in_use(session)),
        window=Later(lambda: find_window(session)),
        counting=Later(lambda: _counting(session)),
        counter=_counter(settings, paths),
        background=Background(),
        conversation=Conversation(id=0, demo=server.demo),
    )
    return session


def _counter(settings: Settings, paths: Paths) -> Counter:
    return Counter(paths.vocabularies if settings[table.SAVE] else None, settings[table.TOKENIZER])


def _take_last_model(session: Session) -> None:
    """If no setting names a model, use the one used last; the demo engine has only its own."""
    settings, demo = session.settings, session.server.demo
    if settings[table.MODEL] and not (demo and settings.origin(table.MODEL) < Layer.CONVERSATION):
        return
    last = session.store.last(demo=demo)
    name = session.store.read(settings_of, last).get("model", "") if last is not None else ""
    settings.put("model", name, Layer.CONVERSATION)


def _model_in_use(session: Session) -> Model:
    names = settle_model(session)
    if names:
        raise UserError(
            f"Which model? None is set, and the server has {len(names)}: {', '.join(names)}.",
            'Name one: --model NAME, /model NAME, or model = "NAME" in the settings file.',
        )
    return _model(session, session.settings[table.MODEL])


def _counting(session: Session) -> Counter:
    """The counter, made ready in the background, since that takes a while, to count exactly for the
    model in use.
    """
    model, window = session.model.get(), session.window.get()
    think = session.settings[table.THINK]

    def render(messages: Sequence[Message]) -> str | None:
        request = Request(
            model.name, tuple(messages), {**session.settings.options(), "num_ctx": window}, think_as(think)
        )
        return session.client.get().render(request)

    system = (Message.system(model.system),) if model.system else ()
    source = ModelSource(lambda: session.client.get().vocabulary(model.name), render, variant=think or "")
    session.counter.use(model.name, model.digest, (*system, *model.messages), source)
    session.counter.prepare()
    return session.counter


def _model(session: Session, name: str) -> Model:
    try:
        return session.client.get().model(name)
    except Missing as error:
        names = model_names(session)
        there = f"There are: {', '.join(names)}." if names else "It has no model yet."
        hint = "/model switches to one of them." if session.server.demo else error.hint
        raise Missing(f"{error.message} {there}", hint) from None
