"""The rolling summary at work: asked for after a reply in the background, or waited for; never in anyone's way."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from itertools import islice

from chatcli.client.models import Progress
from chatcli.context.summary import accepted
from chatcli.conversation.events import Event, Text, Tick
from chatcli.conversation.state import State
from chatcli.errors import ChatcliError
from chatcli.planning import request_of, summary_due
from chatcli.session import Job, Session
from chatcli.settings import table


def begin(session: Session) -> None:
    """After a reply, in strategy auto: ask for the summary that is due, in the background."""
    if session.settings[table.STRATEGY] != "auto" or not session.conversation.id:
        return
    wanted = summary_due(session, session.conversation.back())
    if wanted is None:
        return
    job = Job(wanted, session.conversation.id)
    session.summary = job
    session.background.start("summary", lambda: _work(session, job))


def end(session: Session) -> None:
    """Before the next request: take the summary if it is there, and cancel it if not."""
    job, session.summary = session.summary, None
    if job is None:
        return
    if session.background.running("summary"):
        job.cancelled.set()
        session.background.wait("summary", 1.0)
    elif job.answer and job.conversation == session.conversation.id:
        take(session, job)


def waited_for(session: Session) -> Iterator[Event]:
    """In strategy summary: before the request for the question at the tip, make the summary that is due. Yields
    ticks, so that the time can be seen to pass.
    """
    if session.settings[table.STRATEGY] != "summary":
        return
    wanted = summary_due(session, islice(session.conversation.back(), 1, None))
    if wanted is not None:
        job = Job(wanted, session.conversation.id)
        try:
            for _ in _asked(session, job):
                yield Tick()
        except ChatcliError as error:
            session.warnings.append(f"No summary could be made; what there was stays. {error.message}")
        take(session, job)


def compacting(session: Session, job: Job) -> Iterator[Progress]:
    """The work of /compact, as progress to be watched."""
    yield Progress("summarising")
    with closing(_asked(session, job)) as events:
        for _ in events:
            yield Progress("summarising")


def take(session: Session, job: Job) -> State | None:
    """Put the answer to use, when it will do; the state then."""
    state = accepted(job.due, job.answer, session.conversation.state, session.counter.count)
    if state is not None:
        session.store.keep_state(session.conversation, state)
    return state


def _work(session: Session, job: Job) -> None:
    try:
        for _ in _asked(session, job):
            if job.cancelled.is_set():
                return
    except ChatcliError:
        job.answer = ""  # no summary this time: the cut is made all the same, and all of it stays searchable


def _asked(session: Session, job: Job) -> Generator[Event]:
    pieces: list[str] = []
    with closing(session.client.get().chat(request_of(session, job.due.messages, job.due.limit))) as events:
        for event in events:
            if isinstance(event, Text):
                pieces.append(event.text)
            yield event
    job.answer = "".join(pieces)
