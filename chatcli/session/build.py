"""Builds a session from its parts. Used by the loop, the pipe, the library and the commands."""

from __future__ import annotations

from chatcli.client import server as servers
from chatcli.errors import NotFound
from chatcli.hints import Do, Hint, Words
from chatcli.paths import find_paths
from chatcli.session.fallback import Watch, keep_in_memory, mending, open_store, unwatched
from chatcli.session.model_in_use import last_model
from chatcli.session.named_hosts import find_server
from chatcli.session.session import Session
from chatcli.session.wishes import Wishes, read_settings
from chatcli.settings import table
from chatcli.settings.layers import Layer, Settings, not_loaded

__all__ = ["Wishes", "build"]


def build(wishes: Wishes, settings: Settings | None = None, watch: Watch = unwatched) -> Session:
    """A session in which nothing has been started but the demo engine's process, and nothing has been sent.
    `settings`: those that `read_settings` made of these wishes, if that was done before. `watch` shows how far the
    recovery of a damaged store is, now and later.

    If conversations cannot be stored, or only be read, chatting still works: the session is then in memory, and
    `warnings` says so.
    """
    paths = find_paths()
    settings = settings or read_settings(paths, wishes)
    warnings: list[Words] = [Hint(fault.message, " ", fault.advice) for fault in settings.faults]
    store = open_store(settings, paths, warnings, watch)
    try:
        server = servers.start_demo() if wishes.demo else find_server(settings, paths)
        session = Session(settings, paths, store, server, warnings, watch)
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


def _resume(session: Session) -> None:
    """Open the conversation used last. Raises NotFound when there is none yet."""
    last = session.store.last(demo=session.server.demo)
    if last is None:
        raise NotFound("There is no conversation to continue yet.", Hint("Start one: ", Do("chatcli")))
    session.warn(*filter(None, [not_loaded(session.open(last))]))


def _take_last_model(session: Session) -> None:
    """If no setting names a model, use the one used last."""
    last = "" if session.settings[table.MODEL] else last_model(session)
    if last:
        session.settings.put("model", last, Layer.CONVERSATION)
