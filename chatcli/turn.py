"""One turn, top to bottom: keep the question, plan, ask, listen, keep the reply, learn. It draws nothing.

The REPL, the pipe and the library all go through `ask` and `answer`. Read this first.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from chatcli.background import waiting
from chatcli.build import keep_settings
from chatcli.client.request import Request, check, think_as
from chatcli.context.assemble import assemble
from chatcli.context.budget import Budget, margin_for, reserve_for
from chatcli.conversation.events import Done, Event, Text, Thinking, Tick, ToolCall
from chatcli.conversation.message import Attachment, Message, Role, ToolUse
from chatcli.conversation.plan import Plan, with_template
from chatcli.conversation.state import State
from chatcli.conversation.tree import Ended, Node
from chatcli.conversation.usage import NOTHING, Count, Turn
from chatcli.errors import BadFile, ContextTooLong, StoreError
from chatcli.session import Session
from chatcli.settings import table
from chatcli.settings.settings import Layer
from chatcli.window import offer

# A reply in progress is saved at least this often, in seconds.
SAVE_EVERY = 0.8


def ask(session: Session, text: str, attachments: tuple[Attachment, ...] = ()) -> Node:
    """Keep the question, before anything can fail. Only a picture is looked at first: a model that cannot see is
    said so before anything is stored.
    """
    message = Message.user(text, attachments)
    _check_sight(session, message)
    if not session.conversation.id:
        session.conversation = session.store.create(demo=session.server.demo, settings=session.settings.kept())
    unanswered = session.conversation.unanswered
    if unanswered is not None:
        session.store.go_to(session.conversation, unanswered.parent)
    return session.store.append(session.conversation, message)


def answer(
    session: Session,
    question: Node,
    feed: Callable[[Event], None],
    stopped: Callable[[], bool] = lambda: False,
    onward: Node | None = None,
) -> Node | None:
    """Get the reply to `question` and hand each event to `feed`; the reply's node.

    `question` is the tip of the conversation, or `onward` is: a reply to it that is to be continued; what comes is
    then kept as a new reply that begins with that one's text.

    None when no text came at all: then the question is off the path (the tip is its parent) but still in the
    tree. The same holds when an error is raised before any text; after some text, the partial reply is kept
    and the error raised all the same. `stopped` is asked between events, ten times a second at least.
    """
    before = session.conversation.tip
    with closing(stream(session, question, onward)) as events:
        for event in events:
            feed(event)
            if stopped():
                break
    last = session.conversation.last
    return last if last is not None and last.parent == question.id and last.id != before else None


def stream(session: Session, question: Node, onward: Node | None = None) -> Generator[Event]:
    """The events of the reply to `question`. Whatever came of it is kept, however it ends: closing stops it."""
    draft = session.store.begin_reply(session.conversation, question)
    reply = Reply(save=draft.save, prefix=onward.message.text if onward is not None else "")
    outcome = [session.conversation.state]
    try:
        for event in _listen(session, question, outcome):
            reply.add(event)
            yield event
    except (GeneratorExit, KeyboardInterrupt):
        reply.stopped = True
        raise
    finally:
        if reply.started:
            draft.finish(reply.message, reply.ended, _provenance(session, reply), outcome[0])
        else:
            draft.drop()
        if not reply.texts:
            _step_back(session, question, onward)
    if reply.done is not None and session.plan is not None:
        session.counter.learn(session.plan, reply.done.usage, reply.message if onward is None else None)


@dataclass(slots=True)
class Reply:
    """What has come of a reply so far, after `prefix`, the text of a reply that it goes on from. `save` is called
    with text and thinking every now and then.
    """

    save: Callable[[str, str], None]
    prefix: str = ""
    texts: list[str] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    tool_uses: list[ToolUse] = field(default_factory=list)
    done: Done | None = None
    stopped: bool = False
    began: float = field(default_factory=time.monotonic)
    first_token: float | None = None
    saved: float = 0.0

    def add(self, event: Event) -> None:
        match event:
            case Text(text):
                self.texts.append(text)
            case Thinking(text):
                self.thoughts.append(text)
            case ToolCall(use):
                self.tool_uses.append(use)
            case Done():
                self.done = event
        now = time.monotonic()
        if self.started and self.first_token is None:
            self.first_token = now - self.began
        if self.started and now - self.saved >= SAVE_EVERY:
            with suppress(StoreError):  # a full disk or a long lock is told at the end, when it still matters
                self.save(self.text, "".join(self.thoughts))
            self.saved = now

    @property
    def text(self) -> str:
        return self.prefix + "".join(self.texts)

    @property
    def started(self) -> bool:
        return bool(self.texts or self.thoughts or self.tool_uses)

    @property
    def message(self) -> Message:
        return Message(Role.ASSISTANT, self.text, thinking="".join(self.thoughts), tool_uses=tuple(self.tool_uses))

    @property
    def ended(self) -> Ended:
        if self.done is not None:
            return Ended.LENGTH if self.done.reason == "length" else Ended.COMPLETE
        return Ended.STOPPED if self.stopped else Ended.BROKEN


def plan_next(session: Session, coming: Node | None = None) -> tuple[Plan, State]:
    """What would be sent now, and the state to keep with it once it was. `coming`: a message not yet said, to be
    planned for as if it were the tip.
    """
    session.counter.warm_up()
    window = _settle_window(session)
    system = session.settings[table.SYSTEM]
    fixed = session.counter.fixed((Message.system(system),) if system else ())
    for _ in range(3):  # what a request costs besides its messages hangs a little on which messages they are
        plan, state = _assemble(session, coming, system, _budget(session, window, fixed))
        before, fixed = fixed, session.counter.fixed(plan.messages)
        if fixed.tokens <= before.tokens:
            break
    return with_template(plan, fixed), state


def _budget(session: Session, window: int, fixed: Count) -> Budget:
    return Budget(
        window=window,
        reserve=reserve_for(window, session.settings[table.RESERVE]),
        margin=margin_for(window, fixed.exact),
        fixed=fixed,
        history=session.settings[table.HISTORY_BUDGET],
    )


def _assemble(session: Session, coming: Node | None, system: str, budget: Budget) -> tuple[Plan, State]:
    try:
        return assemble(
            chain([coming] if coming is not None else [], session.conversation.back()),
            system,
            budget,
            session.counter.count,
            session.conversation.state,
            session.settings[table.STRATEGY],
            session.settings[table.WINDOW_MESSAGES],
            sees=session.model.get().sees,
        )
    except ContextTooLong as error:
        besides = budget.window - max(0, error.available or 0)
        error.hint = f"{error.hint} {offer(session.model.get(), (error.needed or 0) + besides)}".strip()
        raise


def request_for(session: Session, plan: Plan) -> Request:
    """The plan as it goes to the server, with num_ctx as planned for."""
    settings = session.settings
    return Request(
        model=session.model.get().name,
        messages=plan.messages,
        options={**settings.options(), "num_ctx": plan.window},
        think=think_as(settings[table.THINK]),
        format=_shape(settings[table.FORMAT]),
        keep_alive=settings[table.KEEP_ALIVE],
    )


def _listen(session: Session, question: Node, state: list[State]) -> Iterator[Event]:
    """Send the plan and pass on what comes; `state` is what to remember with it. A count that proved too small is
    learnt from, and planned again once.
    """
    for _ in chain(waiting(session.window), waiting(session.counting)):
        yield Tick()
    _check_sight(session, question.message)
    for last_try in (False, True):
        session.plan, state[0] = plan_next(session)
        try:
            with closing(session.client.get().chat(request_for(session, session.plan))) as events:
                yield from events
                return
        except ContextTooLong as error:
            session.counter.too_long(error.needed, session.plan)
            if last_try:
                raise


def _step_back(session: Session, question: Node, onward: Node | None) -> None:
    """No text came: a question without a reply is not on the path, and a reply to go on from stays as it was."""
    tip = onward.id if onward is not None else question.parent
    if session.conversation.tip != tip:
        session.store.go_to(session.conversation, tip)


def _check_sight(session: Session, message: Message) -> None:
    """Refuse pictures for a model that cannot see them; the server would pass over them in silence."""
    if message.images:
        model = session.model.get()
        check(Request(model.name, (message,), {}), model)


def _settle_window(session: Session) -> int:
    """The window, fixed through the conversation from now on: kept as its num_ctx."""
    window = session.window.get()
    if session.settings[table.NUM_CTX] is None:
        session.settings.put_value(table.NUM_CTX, window, Layer.CONVERSATION)
        keep_settings(session)
    return window


def _provenance(session: Session, reply: Reply) -> Turn:
    plan, model, done = session.plan, session.model.ready, reply.done or Done("")
    return Turn(
        model=session.settings[table.MODEL],
        digest=model.digest if model is not None else "",
        options=session.settings.options(),
        planned=plan.planned if plan is not None else NOTHING,
        usage=done.usage,
        done_reason=done.reason,
        left_out=plan.left_out if plan is not None else 0,
        first_token_seconds=reply.first_token,
    )


def _shape(asked: str) -> str | dict[str, Any] | None:
    """The request's `format`: nothing, "json", or the JSON Schema in the file that was named."""
    if asked in {"", "json"}:
        return asked or None
    try:
        schema = json.loads(Path(asked).expanduser().read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadFile(
            f"The JSON Schema for format cannot be read: {error}", "/unset format, or name another file."
        ) from None
    if not isinstance(schema, dict):
        raise BadFile(
            f"{asked} is not a JSON Schema: it must hold one object.", "/unset format, or name another file."
        )
    return schema
