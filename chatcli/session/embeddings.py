"""Embeddings: vectors of messages, made in the background after a reply, and of the question, when recall needs
it. Nothing is sent while embedding_model is unset; without vectors, only words count.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from itertools import islice

from chatcli.client.models import Model, same_model
from chatcli.conversation.context_state import State
from chatcli.conversation.events import Event, Tick
from chatcli.conversation.plan import Plan
from chatcli.conversation.retrieval import Embedder, Meaning, Passage
from chatcli.conversation.tree import Node
from chatcli.errors import Busy, ChatcliError, Refused, StoreError, StreamBroken, Unreachable
from chatcli.session.background import Later, waiting
from chatcli.session.fallback import keep_vectors
from chatcli.session.planning import plan_next
from chatcli.session.session import Session, Vectorising
from chatcli.settings import table
from chatcli.store.vectors import packed

AT_ONCE = 32  # passages in one request
ROUND = 512  # passages after one reply: older ones wait for the next reply
PATIENCE = 2.0  # seconds to wait for a question's vector
REMEMBERED = 16  # questions


def begin(session: Session) -> None:
    """After a reply: make vectors, in the background, of passages that have none, the newest first."""
    end(session)
    model, tip = _model(session), session.conversation.tip
    if model and tip is not None and session.settings[table.RECALL] != "off":
        work = Vectorising(model, session.conversation.id, tip)
        session.meanings.round = work
        session.background.start("embedding", lambda: _work(session, work))


def end(session: Session) -> None:
    """Before the next request: keep the vectors that were made, and stop making more."""
    work, session.meanings.round = session.meanings.round, None
    if work is None:
        return
    work.cancelled.set()
    session.background.wait("embedding", 0.5)
    keep_vectors(session, work)
    if work.refused is not None:
        _give_up(session, work.model, work.refused)


def planned(session: Session, coming: Node | None = None) -> Generator[Event, None, tuple[Plan, State]]:
    """The plan for the next request (`coming` as in plan_next). If recall asked for the question's vector, the
    plan is made again once that is known. Yields ticks meanwhile.
    """
    session.meanings.wanted = ""
    plan = plan_next(session, coming)
    asked, model = session.meanings.wanted, _model(session)
    if asked and model:
        meaning = yield from _understood(session, model, asked)
        known = session.meanings.known
        for oldest in list(known)[: max(0, len(known) + 1 - REMEMBERED)]:
            del known[oldest]
        known[asked] = meaning
        if meaning is not None:
            plan = plan_next(session, coming)
    return plan


def embedder(session: Session, name: str) -> Embedder:
    """The embedding model of that name. Raises Missing, or Refused when it is not one."""
    model = session.client.get().model(name)
    if model.capabilities and "embedding" not in model.capabilities:
        raise Refused(f"{name} is not an embedding model.", _INSTEAD)
    return Embedder(name, model.digest)


_INSTEAD = "Get one with /pull nomic-embed-text, then /set embedding_model nomic-embed-text."


def _model(session: Session) -> str:
    """The embedding model to use; "" where none is set, or where it is no longer used."""
    name = session.settings[table.EMBEDDING_MODEL]
    return "" if name == session.meanings.refused else name


def _give_up(session: Session, model: str, why: ChatcliError) -> None:
    """Warn once. A failed connection or a busy server is tried again with the next message."""
    if isinstance(why, Unreachable | StreamBroken | Busy) or model == session.meanings.refused:
        return
    session.meanings.refused = model
    session.warnings.append(f"Recall matches words only: {why.message} {why.hint}".strip())


def _understood(session: Session, model: str, text: str) -> Generator[Event, None, Meaning | None]:
    """The question's meaning; None when it does not come in time."""
    until = time.monotonic() + PATIENCE

    def ask() -> Meaning | None:
        known = embedder(session, model)
        keep_alive = session.settings[table.KEEP_ALIVE]
        made = session.client.get().embed(model, [text], keep_alive, lambda: time.monotonic() > until, asked=True)
        return Meaning(known, made[0]) if made else None

    asked = Later(ask)
    try:
        for _ in waiting(asked, every=0.05, most=PATIENCE):
            yield Tick()
    except ChatcliError as error:
        _give_up(session, model, error)
    return asked.ready


def _work(session: Session, work: Vectorising) -> None:
    """Runs in its own thread: only reads the store, and waits for a summary that is being made."""
    try:
        work.embedder = embedder(session, work.model)
        client, chats = session.client.get(), session.model.ready
        both = chats is not None and _is_loaded(session, chats)
        for passages in _without(session, work, work.embedder):
            while session.summarizer.running and not work.cancelled.wait(0.1):
                pass
            vectors = client.embed(
                work.model,
                [passage.text for passage in passages],
                session.settings[table.KEEP_ALIVE],
                work.cancelled.is_set,
            )
            if not vectors:
                return
            work.made += [(passage, packed(vector)) for passage, vector in zip(passages, vectors, strict=True)]
            if both and chats is not None and not _is_loaded(session, chats):
                raise _no_room(work.model, chats)
            both = False
    except StoreError:
        return  # closed, or busy: try again later
    except ChatcliError as error:
        work.refused = error


def _is_loaded(session: Session, model: Model) -> bool:
    return any(same_model(row.name, model.name) for row in session.client.get().loaded())


def _no_room(name: str, chats: Model) -> Refused:
    return Refused(
        f"the server has no room for {name} beside {chats.name}, which it would have to reload each time.",
        "Let it hold two models (OLLAMA_MAX_LOADED_MODELS, more memory, a smaller num_ctx), then set "
        "embedding_model again.",
    )


def _without(session: Session, work: Vectorising, by: Embedder) -> Iterator[list[Passage]]:
    """The passages of the path that have no vector by that model, one request's worth at a time."""
    vectors, before, room = session.store.vectors, None, ROUND
    least = _looked_through(session, by, work.tip)
    while room > 0 and (before is None or before > least):
        found, before = vectors.missing(work.conversation, work.tip, by, before, room)
        room -= len(found)
        rest = iter(found)
        while some := list(islice(rest, AT_ONCE)):
            yield some
    if before is not None and before <= least:
        work.whole = True


def _looked_through(session: Session, by: Embedder, tip: int) -> int:
    """The number of the message up to which everything was found to have a vector; 1 when that is not known."""
    conversation = session.conversation
    node = session.store.vectors.whole.get((by, conversation.id))
    there = session.store.on_path(conversation, tip, [node]) if node is not None else []
    return there[0].number if there else 1
