"""Embeddings: vectors of messages, made in the background after a reply, and of the question, when recall needs
it. Nothing is sent while embedding_model is unset; without vectors, only words count.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterator
from contextlib import suppress
from dataclasses import field
from itertools import islice
from typing import TYPE_CHECKING

from chatcli.client.models import Model, same_model
from chatcli.conversation.context_state import State
from chatcli.conversation.events import Event, Tick
from chatcli.conversation.plan import Plan
from chatcli.conversation.retrieval import Embedder, Meaning, Passage
from chatcli.conversation.tree import Conversation, Node
from chatcli.dataclass import dataclass
from chatcli.errors import Busy, ChatcliError, Refused, StoreError, StreamBroken, Unreachable
from chatcli.hints import Do, Hint
from chatcli.session.background import Later, waiting
from chatcli.session.planning import plan_next
from chatcli.settings import table
from chatcli.store.vectors import packed

if TYPE_CHECKING:
    from chatcli.session.session import Session

AT_ONCE = 32  # passages in one request
ROUND = 512  # passages after one reply: older ones wait for the next reply
PATIENCE = 2.0  # seconds to wait for a question's vector
REMEMBERED = 16  # questions


@dataclass(slots=True)
class Round:
    """Vectors being made by `model` for the path to `tip`; the main thread takes them. `refused`: why no more are
    made; `whole`: the path was searched back to where an earlier search ended.
    """

    model: str
    conversation: Conversation
    tip: int
    embedder: Embedder | None = None
    made: list[tuple[Passage, tuple[bytes, bytes]]] = field(default_factory=list)
    cancelled: threading.Event = field(default_factory=threading.Event)
    refused: ChatcliError | None = None
    whole: bool = False


class Embeddings:
    """The vectors of the open conversation and of the last questions. A state machine, moved only by its methods:

        idle    no vectors are being made
        making  a round of them is being made in the background, or has been made and not been kept yet

               idle ──── reply_ended ─────────────────────────────────────► making
               making ── question_comes, close: those made are kept ──────► idle
               making ── numbers_changed: they are dropped ───────────────► idle

    Beside this, a model that cannot embed is given up: it is asked nothing until `model_set`.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._round: Round | None = None
        self._known: dict[str, Meaning | None] = {}  # by a question's text; None: it did not come in time
        self._wanted = ""  # the question whose vector a plan has asked for, and that is not known
        self._given_up = ""

    def reply_ended(self) -> None:
        """Make vectors, in the background, of passages that have none, the newest first."""
        self.question_comes()
        session = self._session
        model, conversation = self._model(), session.conversation
        if model and conversation.tip is not None and session.settings[table.RECALL] != "off":
            work = Round(model, conversation, conversation.tip)
            if session.background.start("embedding", lambda: self._make(work)):
                self._round = work

    def question_comes(self) -> None:
        """Before the next request: keep the vectors that were made, and stop making more."""
        work = self._round
        if work is None:
            return
        work.cancelled.set()
        self._session.background.wait("embedding", 0.5)
        self._keep()
        if work.refused is not None:
            self._give_up(work.model, work.refused)

    def close(self) -> None:
        """Keep the vectors that were made, without waiting for more."""
        if self._round is not None:
            self._round.cancelled.set()
        self._keep()

    def numbers_changed(self) -> None:
        """The messages have other ids now: the vectors being made are of no use."""
        if self._round is not None:
            self._round.cancelled.set()
        self._round = None

    def model_set(self) -> None:
        """Forget what the earlier model knew of questions, and that a model was given up."""
        self._known, self._wanted, self._given_up = {}, "", ""

    def of(self, text: str) -> Meaning | None:
        """The question's meaning if it is known; never waits. If not, `planned` asks the model for it."""
        model = self._session.settings[table.EMBEDDING_MODEL]
        meaning = self._known.get(text) if model else None
        if meaning is not None and meaning.embedder.name == model:
            return meaning
        if model and text not in self._known:
            self._wanted = text
        return None

    def planned(self, coming: Node | None = None) -> Generator[Event, None, tuple[Plan, State]]:
        """The plan for the next request (`coming` as in plan_next). If recall asked for the question's vector, the
        plan is made again once that is known. Yields ticks meanwhile.
        """
        self._wanted = ""
        plan = plan_next(self._session, coming)
        asked, model = self._wanted, self._model()
        if asked and model:
            meaning = yield from self._understood(model, asked)
            for oldest in list(self._known)[: max(0, len(self._known) + 1 - REMEMBERED)]:
                del self._known[oldest]
            self._known[asked] = meaning
            if meaning is not None:
                plan = plan_next(self._session, coming)
        return plan

    def _model(self) -> str:
        """The embedding model to use; "" where none is set, where it was given up, and in a strategy that does not
        recall.
        """
        settings = self._session.settings
        name = settings[table.EMBEDDING_MODEL]
        return name if settings[table.STRATEGY].recalls and name != self._given_up else ""

    def _give_up(self, model: str, why: ChatcliError) -> None:
        """Warn once. A failed connection or a busy server is tried again with the next message."""
        if isinstance(why, Unreachable | StreamBroken | Busy) or model == self._given_up:
            return
        self._given_up = model
        self._session.warn(Hint("Recall matches words only: ", why.message, " ", why.advice))

    def _keep(self) -> None:
        """Store the vectors made so far. If they cannot be stored now, nothing is lost: they are made again."""
        work, self._round = self._round, None
        if work is None or work.embedder is None:
            return
        made, work.made = work.made, []  # a thread that has not ended yet may add to its list
        with suppress(StoreError):
            vectors = self._session.store.vectors
            if made:
                vectors.keep(work.embedder, made)
            if work.whole:
                vectors.whole[work.embedder, work.conversation.id] = work.tip

    def _understood(self, model: str, text: str) -> Generator[Event, None, Meaning | None]:
        """The question's meaning; None when it does not come in time."""
        session, until = self._session, time.monotonic() + PATIENCE

        def ask() -> Meaning | None:
            known = embedder(session, model)
            keep_alive = session.settings[table.KEEP_ALIVE]
            made = session.client.get().embed(
                model, [text], keep_alive, lambda: time.monotonic() > until, asked=True
            )
            return Meaning(known, made[0]) if made else None

        asked = Later(ask)
        try:
            for _ in waiting(asked, every=0.05, most=PATIENCE):
                yield Tick()
        except ChatcliError as error:
            self._give_up(model, error)
        return asked.ready

    def _make(self, work: Round) -> None:
        """Runs in a thread of its own: only reads the store, and waits for a summary that is being made."""
        session = self._session
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
                made = zip(passages, vectors, strict=True)
                work.made += [(passage, packed(vector)) for passage, vector in made]
                if both and chats is not None and not _is_loaded(session, chats):
                    raise _no_room(work.model, chats)
                both = False
        except StoreError:
            return  # closed, or busy: try again later
        except ChatcliError as error:
            work.refused = error


def embedder(session: Session, name: str) -> Embedder:
    """The embedding model of that name. Raises Missing, or Refused when it is not one."""
    model = session.client.get().model(name)
    if model.capabilities and "embedding" not in model.capabilities:
        raise Refused(f"{name} is not an embedding model.", _INSTEAD)
    return Embedder(name, model.digest)


_GOOD = "nomic-embed-text"
_INSTEAD = Hint("Get one with ", Do("pull", _GOOD), ", then ", Do("set", "embedding_model", _GOOD), ".")


def _is_loaded(session: Session, model: Model) -> bool:
    return any(same_model(row.name, model.name) for row in session.client.get().loaded())


def _no_room(name: str, chats: Model) -> Refused:
    return Refused(
        f"the server has no room for {name} beside {chats.name}, which it would have to reload each time.",
        "Let it hold two models (OLLAMA_MAX_LOADED_MODELS, more memory, a smaller num_ctx), then set "
        "embedding_model again.",
    )


def _without(session: Session, work: Round, by: Embedder) -> Iterator[list[Passage]]:
    """The passages of the path that have no vector by that model, one request's worth at a time."""
    vectors, before, room = session.store.vectors, None, ROUND
    least = _looked_through(session, by, work)
    while room > 0 and (before is None or before > least):
        found, before = vectors.missing(work.conversation.id, work.tip, by, before, room)
        room -= len(found)
        rest = iter(found)
        while some := list(islice(rest, AT_ONCE)):
            yield some
    if before is not None and before <= least:
        work.whole = True


def _looked_through(session: Session, by: Embedder, work: Round) -> int:
    """The number of the message up to which everything was found to have a vector; 1 when that is not known."""
    conversation, tip = work.conversation, work.tip
    node = session.store.vectors.whole.get((by, conversation.id))
    there = session.store.on_path(conversation, tip, [node]) if node is not None else []
    return there[0].number if there else 1
