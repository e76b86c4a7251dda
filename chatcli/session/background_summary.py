"""Summarizer: the rolling summary, requested in the background after a reply, or waited for. It never delays the
user.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from chatcli.client.models import Model
from chatcli.context.assemble import from_last_question
from chatcli.conversation.context_state import State
from chatcli.conversation.events import Done, Event, Retry, Text, Tick
from chatcli.conversation.tree import Node
from chatcli.dataclass import dataclass
from chatcli.errors import ChatcliError, NoRoom, ReadOnly
from chatcli.session.planning import basis_of, request_of
from chatcli.settings import table

if TYPE_CHECKING:
    from chatcli.context.summary import Due, Refusal
    from chatcli.session.session import Session


class Stage(StrEnum):
    """Where the Summarizer is; its docstring draws the steps between them."""

    IDLE = "idle"
    ASKED = "asked"
    SHOWN = "shown"
    OWED = "owed"


@dataclass(slots=True)
class Job:
    """A request for a summary of a conversation in that state, to `model` with a window of so many tokens. The
    main thread takes its answer; cancelling it loses nothing.

    `due`: what is asked for now, or was when `answer` came. It is `begun` first; where one request has no room for
    all that is to be summarized, others follow, each with the summary before it. `shortened`: the messages of
    which any of them left out the middle. `cut_off`: the answer's limit ended it.
    """

    begun: Due
    conversation: int
    state: State
    model: Model
    window: int
    due: Due = field(init=False)
    shortened: tuple[int, ...] = ()
    cancelled: threading.Event = field(default_factory=threading.Event)
    answer: str = ""
    cut_off: bool = False
    failure: ChatcliError | None = None

    def __post_init__(self) -> None:
        self.due = self.begun


class Summarizer:
    """Makes the summary of the open conversation. A state machine, moved only by its methods:

        idle   nothing is to be done
        asked  the model is writing a summary, or has written it and nobody has taken it yet
        shown  /compact --dry has shown a summary; /compact uses it while nothing has changed
        owed   a summary was stopped, or does not fit any more: the next reply checks whether one is due

               idle, owed, shown ─── reply_ended, before_request: one is due ───► asked
               asked ─────────────── collect: taken, not usable, or failed ─────► idle
               asked ─────────────── collect: it does not fit any more ─────────► owed
               asked ─────────────── question_comes: it is not ready ───────────► owed
               idle, owed, shown ─── compact: it is only shown ─────────────────► shown
               idle, owed, shown ─── compact: it is used ───────────────────────► idle
               owed, shown ───────── reply_ended: none is due ──────────────────► idle
               asked, shown ──────── conversation_changed ──────────────────────► owed
               owed, shown ───────── undo ──────────────────────────────────────► idle

    compact and undo begin with question_comes. A summary that failed or was not usable is not owed: it is made
    when the cut has moved again.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._stage = Stage.IDLE
        self._job: Job | None = None

    @property
    def stage(self) -> Stage:
        return self._stage

    @property
    def running(self) -> bool:
        """Whether the model is writing a summary in the background now."""
        return self._session.background.running("summary")

    def reply_ended(self, cut_moved: bool) -> None:
        """Where the strategy moves the cut: request the summary that is due, in the background. `cut_moved`:
        messages were left out that were sent before.
        """
        session = self._session
        if self._stage is Stage.ASKED or not (cut_moved or self._stage in {Stage.OWED, Stage.SHOWN}):
            return
        self._enter(Stage.IDLE)
        strategy = session.settings[table.STRATEGY]
        if not (strategy.summarizes and strategy.moves_cut and session.conversation.id):
            return
        job = self._wanted(session.conversation.back())
        if job is not None:
            started = session.background.start("summary", lambda: self._work(job))
            self._enter(Stage.ASKED if started else Stage.OWED, job)

    def collect(self) -> None:
        """Take the summary if it is ready: call this before anything that may read it or change what it was
        made of.
        """
        job = self._job
        if self._stage is not Stage.ASKED or job is None or self.running:
            return
        self._enter(Stage.OWED)
        if job.failure is not None:
            self._session.warn(
                f"No summary could be made; recall still finds every message. {job.failure.message}"
            )
        if job.answer and not self._still_fits(job):
            return
        if job.failure is None:
            self._take_or_tell(job, "Recall still finds every message.")
        self._enter(Stage.IDLE)

    def question_comes(self) -> None:
        """Before any other request: take the summary if it is ready; if not, stop it, to be requested again
        later.
        """
        self.collect()
        if self._stage is Stage.ASKED:
            self._stop()
            self._session.background.wait("summary", 1.0)

    def before_request(self) -> Iterator[Event]:
        """Before a request for the last question on the path, where the strategy moves no cut: make the summary
        that is due of what was said before it. Yields ticks, so that the elapsed time can be shown.
        """
        session = self._session
        strategy = session.settings[table.STRATEGY]
        if strategy.moves_cut or not strategy.summarizes:
            return
        back = session.conversation.back()
        from_last_question(back)
        job = self._wanted(back)
        if job is None:
            return
        self._enter(Stage.ASKED, job)
        try:
            for event in self.asking(job):
                yield event if isinstance(event, Retry) else Tick()
        except ChatcliError as error:
            session.warn(f"No summary could be made; the earlier one stays. {error.message}")
        else:
            self._take_or_tell(job, "The earlier one stays.")
        finally:
            self._enter(Stage.OWED)
        self._enter(Stage.IDLE)

    def compact(self, dry: bool) -> Job | None:
        """For /compact: the summary to make now, even if none is due; None when there is nothing to summarize. If
        it has an answer, it is the one that was shown; else run `asking`. Then call `compacted`.
        """
        self.question_comes()
        conversation = self._session.conversation
        job = self._wanted(conversation.back(), now=True) if conversation.id else None
        if job is None or self._stage is not Stage.SHOWN:
            return job
        shown = self._job
        self._enter(Stage.OWED)
        fits = not dry and shown is not None and (shown.begun, shown.model) == (job.begun, job.model)
        return shown if fits else job

    def asking(self, job: Job) -> Generator[Event]:
        """Ask the model, again while there is more to summarize than one request has room for; the answer is then
        in the job. Yields the events. Raises ServerError, ModelError.
        """
        yield from self._asked(job)
        while job.due.more:
            made = self._accepted(job)
            back = self._session.conversation.back()
            rest = self._due(back, job.model, made, now=True) if isinstance(made, State) else None
            if rest is None:
                break
            job.due = rest
            yield from self._asked(job)

    def _asked(self, job: Job) -> Generator[Event]:
        session = self._session
        pieces: list[str] = []
        job.shortened += job.due.shortened
        # What continues the last request begins with the definitions, as that did.
        tools = session.tools.definitions() if job.due.cached else ()
        request = request_of(session, job.model, job.window, job.due.messages, job.due.limit, tools)
        with closing(session.client.get().chat(request)) as events:
            for event in events:
                if isinstance(event, Text):
                    pieces.append(event.text)
                elif isinstance(event, Done):
                    job.cut_off = event.reason == "length"
                yield event
        job.answer = "".join(pieces)

    def compacted(self, job: Job, dry: bool) -> State | Refusal:
        """The state with this summary, which is then in use unless `dry`; or why the answer is none."""
        state = self._accepted(job) if dry else self._take(job)
        if isinstance(state, State):
            self._enter(*((Stage.SHOWN, job) if dry else (Stage.IDLE,)))
        return state

    def undo(self) -> None:
        """Before a summary is undone: the one being made is not wanted either."""
        self.question_comes()
        self._enter(Stage.IDLE)

    def conversation_changed(self) -> None:
        """Another conversation is open, or the messages of this one have other ids: a summary of them does not fit
        any more.
        """
        if self._stage in {Stage.ASKED, Stage.SHOWN}:
            self._stop()

    def _enter(self, stage: Stage, job: Job | None = None) -> None:
        self._stage, self._job = stage, job if stage in {Stage.ASKED, Stage.SHOWN} else None

    def _stop(self) -> None:
        if self._job is not None:
            self._job.cancelled.set()
        self._enter(Stage.OWED)

    def _wanted(self, back: Iterable[Node], now: bool = False) -> Job | None:
        """The summary to request for the path `back`, which ends with a reply; with `now`, even if none is due."""
        session = self._session
        model = self._model(session.model.get())
        found = self._due(back, model, session.conversation.state, now)
        window = self._window(model)
        return (
            None
            if found is None
            else Job(found, session.conversation.id, session.conversation.state, model, window)
        )

    def _due(self, back: Iterable[Node], model: Model, state: State, now: bool) -> Due | None:
        """What is due of `model` in that state of the conversation."""
        from chatcli.context.summary import due  # most questions need no summary

        basis, plan = replace(basis_of(self._session), state=state), self._session.plan
        if model is not self._session.model.get():
            # That model has nothing cached, and its prompt is counted with the vocabulary of the model that chats.
            window = self._window(model) * 3 // 4
            plan, basis = None, replace(basis, budget=replace(basis.budget, window=window))
        return due(back, basis, plan, now)

    def _window(self, model: Model) -> int:
        own = self._session.window.get()
        return own if model is self._session.model.get() else min(own, model.trained or own)

    def _model(self, own: Model) -> Model:
        """The model that makes summaries: summary_model if it is set and available, else the one that chats."""
        name = self._session.settings[table.SUMMARY_MODEL]
        if name in {"", own.name}:
            return own
        try:
            other = self._session.client.get().model(name)
            return own if other.digest and other.digest == own.digest else other
        except ChatcliError as error:
            self._session.warn(f"{error.message} {own.name} writes the summary instead of summary_model.")
            return own

    def _work(self, job: Job) -> None:
        """Runs in a thread of its own."""
        try:
            for _ in self.asking(job):
                if job.cancelled.is_set():
                    return
        except ChatcliError as error:
            # No summary this time: the cut is made anyway, and everything stays searchable.
            job.answer, job.failure = "", error

    def _still_fits(self, job: Job) -> bool:
        """Whether the conversation, the state and the branch are still those that the summary was made of."""
        conversation = self._session.conversation
        if job.conversation != conversation.id or job.state != conversation.state or conversation.tip is None:
            return False
        return bool(self._session.store.on_path(conversation, conversation.tip, [job.due.upto]))

    def _accepted(self, job: Job) -> State | Refusal:
        from chatcli.context.summary import accepted

        state, count = self._session.conversation.state, self._session.counter.count
        return accepted(job.due, job.answer, state, count, job.cut_off)

    def _take_or_tell(self, job: Job, meanwhile: str) -> None:
        """Use the answer, or warn why it is not used, and what happens `meanwhile`."""
        try:
            refused = self._take(job)
        except (NoRoom, ReadOnly) as error:
            self._session.warn(f"The summary could not be stored. {error.message}")
            return
        if not isinstance(refused, State):
            self._session.warn(f"{not_used(job.model.name, refused)} {meanwhile}")

    def _take(self, job: Job) -> State | Refusal:
        """Use the answer if it is good enough. Returns the new state, or why it is not."""
        state = self._accepted(job)
        if isinstance(state, State):
            self._session.store.keep_state(self._session.conversation, state)
        return state


def not_used(model: str, refused: Refusal) -> str:
    """The sentence on a summary that is none."""
    return f"The summary by {model} is not used: {refused}."
