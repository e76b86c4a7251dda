"""Runs the rolling summary: requested in the background after a reply, or waited for. It never delays the user."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from itertools import islice

from chatcli.client.models import Model
from chatcli.context.summary import accepted, due
from chatcli.conversation.context_state import State
from chatcli.conversation.events import Event, Progress, Text, Tick
from chatcli.conversation.tree import Node
from chatcli.errors import ChatcliError
from chatcli.session.planning import basis_of, request_of
from chatcli.session.session import Job, Session
from chatcli.settings import table


def begin(session: Session) -> None:
    """After a reply, in strategy auto: request the summary that is due, in the background."""
    session.owed = False
    if session.settings[table.STRATEGY] != "auto" or not session.conversation.id:
        return
    job = wanted(session, session.conversation.back())
    if job is not None:
        session.summary = job
        session.background.start("summary", lambda: _work(session, job))


def collect(session: Session) -> None:
    """Take the summary if it is ready: call this before anything that may read it or change what it was
    made of.
    """
    job = session.summary
    if job is None or session.background.running("summary"):
        return
    session.summary = None
    if job.failure is not None:
        session.warnings.append(
            f"No summary could be made; recall still finds every message. {job.failure.message}"
        )
    if job.answer and _still_fits(session, job):
        take(session, job)
    elif job.answer:
        session.owed = True


def end(session: Session) -> None:
    """Before the next request: take the summary if it is ready; if not, cancel it, to be requested again later."""
    collect(session)
    job, session.summary = session.summary, None
    if job is not None:
        job.cancelled.set()
        session.owed = True
        session.background.wait("summary", 1.0)


def _still_fits(session: Session, job: Job) -> bool:
    """Whether the conversation, the state and the branch are still those that the summary was made of."""
    conversation = session.conversation
    if job.conversation != conversation.id or job.state != conversation.state or conversation.tip is None:
        return False
    return bool(session.store.on_path(conversation, conversation.tip, [job.due.upto]))


def waited_for(session: Session) -> Iterator[Event]:
    """In strategy summary, before the request for the question at the tip: make the summary that is due. Yields
    ticks, so that the elapsed time can be shown.
    """
    if session.settings[table.STRATEGY] != "summary":
        return
    job = wanted(session, islice(session.conversation.back(), 1, None))
    if job is not None:
        session.summary = job
        try:
            for _ in _asked(session, job):
                yield Tick()
        except ChatcliError as error:
            session.warnings.append(f"No summary could be made; the earlier one stays. {error.message}")
        finally:
            session.summary = None
        take(session, job)


def wanted(session: Session, back: Iterable[Node], now: bool = False) -> Job | None:
    """The summary to request now for the path `back`, which ends with a reply; with `now`, even if none is due."""
    basis, own, window = basis_of(session), session.model.get(), session.window.get()
    model = _summariser(session, own)
    if model is own:
        plan, shorter = session.plan, basis
    else:
        # That model has nothing cached, and its prompt is counted with the vocabulary of the model that chats.
        window = min(window, model.trained or window)
        plan, shorter = None, replace(basis, budget=replace(basis.budget, window=window * 3 // 4))
    found = due(back, shorter, plan, now)
    return None if found is None else Job(found, session.conversation.id, basis.state, model, window)


def _summariser(session: Session, own: Model) -> Model:
    """The model that makes summaries: summary_model if it is set and available, else the one that chats."""
    name = session.settings[table.SUMMARY_MODEL]
    if name in {"", own.name}:
        return own
    try:
        other = session.client.get().model(name)
        return own if other.digest and other.digest == own.digest else other
    except ChatcliError as error:
        session.warnings.append(f"{error.message} {own.name} writes the summary instead of summary_model.")
        return own


def compacting(session: Session, job: Job) -> Iterator[Progress]:
    """The work of /compact, as progress to show."""
    yield Progress("summarizing")
    with closing(_asked(session, job)) as events:
        for _ in events:
            yield Progress("summarizing")


def take(session: Session, job: Job) -> State | None:
    """Use the answer if it is good enough. Returns the new state, or None."""
    state = accepted(job.due, job.answer, session.conversation.state, session.counter.count)
    if state is not None:
        session.store.keep_state(session.conversation, state)
    return state


def _work(session: Session, job: Job) -> None:
    try:
        for _ in _asked(session, job):
            if job.cancelled.is_set():
                return
    except ChatcliError as error:
        # No summary this time: the cut is made anyway, and everything stays searchable.
        job.answer, job.failure = "", error


def _asked(session: Session, job: Job) -> Generator[Event]:
    pieces: list[str] = []
    request = request_of(session, job.model, job.window, job.due.messages, job.due.limit)
    with closing(session.client.get().chat(request)) as events:
        for event in events:
            if isinstance(event, Text):
                pieces.append(event.text)
            yield event
    job.answer = "".join(pieces)
