"""One turn: store the question, plan the request, send it, store the reply, learn its token counts.

The REPL, the pipe and the library all use `ask` and `answer`. Nothing here draws. Read this module first.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, suppress
from dataclasses import field, replace
from itertools import islice
from typing import Any

from chatcli.attachments.compose import each_once
from chatcli.client.request import Request, check
from chatcli.conversation.context_state import State
from chatcli.conversation.events import LOOP, Done, Event, Text, Thinking, Tick, ToolCall
from chatcli.conversation.message import MOST_CALLS, Attachment, Message, Role, ToolUse
from chatcli.conversation.plan import PartKind, Plan
from chatcli.conversation.repetition import watched
from chatcli.conversation.reply_endings import ending
from chatcli.conversation.tree import Ended, Node
from chatcli.conversation.usage import NOTHING, Turn, packed
from chatcli.dataclass import dataclass
from chatcli.errors import ContextTooLong, Damaged, Gone, NoRoom, NoText, ReadOnly, StoreError
from chatcli.hints import Do, Hint, Words
from chatcli.session.context_window import cutting
from chatcli.session.fallback import go_on, still_there
from chatcli.session.next_request import getting_ready
from chatcli.session.planning import LOOKED_AT, asks_chat, plan_next, request_for, settled, with_costs
from chatcli.session.prompt_speed import read_anew
from chatcli.session.session import Session
from chatcli.settings import table
from chatcli.settings.strategies import AUTO
from chatcli.store.draft import Draft
from chatcli.tools.leave import Allow, nobody


def ask(session: Session, text: str, attachments: tuple[Attachment, ...] = ()) -> Node:
    """Store the question before anything else can fail; returns its node.

    Only pictures are checked first: CannotSee is raised before anything is stored.
    """
    message = Message.user(text, each_once(attachments))
    _check_sight(session, message)
    try:
        return still_there(session, lambda: _keep_question(session, message))
    except (NoRoom, ReadOnly, Damaged) as error:
        go_on(session, error, session.watch)
        return _keep_question(session, message)


def preview(session: Session, text: str, attachments: tuple[Attachment, ...] = ()) -> Plan:
    """The plan for asking this now, with what the messages left out would have cost. Nothing is stored, and no
    reply is asked for. Raises ContextTooLong and CannotSee, as asking would.
    """
    message = Message.user(text, each_once(attachments))
    _check_sight(session, message)
    for _ in _ready(session):
        pass
    planning = session.embeddings.planned(session.conversation.coming(message, replacing=True))
    while True:
        try:
            next(planning)
        except StopIteration as end:
            plan: Plan = end.value[0]
            break
    parts = (replace(part, node=part.node or None) for part in plan.parts)  # the question is not stored
    return with_costs(session, replace(plan, parts=tuple(parts)))


def answer(
    session: Session,
    question: Node,
    feed: Callable[[Event], None],
    stopped: Callable[[], bool] = lambda: False,
    onward: Node | None = None,
    model: str = "",
    allow: Allow = nobody,
) -> Node | None:
    """Get the reply to `question`, pass each event to `feed`, and return the reply's node: the last one, where
    tools were called. `question` is a user's message, or the last result of a tool.

    The tip is `question`, or `onward`, a reply to it to be continued: the new reply then begins with the text of
    that one. A reply may have thinking and no text: conversation/reply_endings.py says why.

    Returns None when it was stopped before anything came: the question is then off the path (the tip is its
    parent) but still in the tree. So it is when an error is raised before anything came (NoText: an empty reply).
    After an error later on, the partial reply is kept and the error is raised all the same.

    `stopped` is called between events, at least ten times a second. `model`: the model to ask this time. `allow`
    is asked about calls that need leave, between replies.
    """
    with session.asking(model), closing(stream(session, question, onward, allow)) as events:
        for event in events:
            feed(event)
            if stopped():
                break
    reply = answered(session, question)
    return None if reply is None or (onward is not None and reply.message == onward.message) else reply


def answered(session: Session, question: Node) -> Node | None:
    """The last reply after `question` on the path; None where none came."""
    for node in session.conversation.back():
        if node.number <= question.number or node.message.role is Role.USER:
            return None
        if node.message.role is Role.ASSISTANT:
            return node
    return None


def stream(
    session: Session, question: Node, onward: Node | None = None, allow: Allow = nobody
) -> Generator[Event]:
    """Yield the events of the reply to `question`: where it asks for tools, those of its calls and of the next
    reply, until one asks for none. Closing stops it; what came is kept however it ends. A reply to be continued
    whose calls were never begun goes on with them.
    """
    cut = session.conversation.state.cut
    if onward is None or not _awaits_calls(session, onward):
        yield from _reply_to(session, question, cut, onward)
    while session.tools.called():
        from chatcli.session.tool_calls import TurnEnded, run_calls

        try:
            yield from run_calls(session, allow)
        except TurnEnded:
            return
        last = session.conversation.last
        assert last is not None, "the results are there"
        yield from _reply_to(session, last, cut)


def _awaits_calls(session: Session, reply: Node) -> bool:
    """Whether its calls can be run, and have no message yet, on any branch: so that none runs a second time."""
    calls = reply.message.calls and session.tools.called()
    return bool(calls) and not session.store.children(session.conversation, reply.id)


def _reply_to(session: Session, question: Node, cut: int | None, onward: Node | None = None) -> Generator[Event]:
    """The events of one reply, to a question or to the results of tools. `cut`: where it was before the turn."""
    draft = session.store.begin_reply(session.conversation, question)
    reply = GrowingReply(save=draft.save, onward=onward.message if onward is not None else Message.assistant(""))
    outcome = [session.conversation.state]
    try:
        session.take_retries()  # of an earlier turn
        for event in _listen(session, question, outcome):
            yield from session.take_retries()
            reply.add(event)
            yield event
    except (GeneratorExit, KeyboardInterrupt):
        reply.stopped = True
        raise
    finally:
        _keep_reply(session, draft, reply, outcome[0])
        if reply.new.is_empty:
            _step_back(session, question, onward)
    if reply.done is not None and session.plan is not None:
        session.counter.learn(session.plan, reply.done.usage, reply.message if onward is None else None)
        session.count_again()
        try:
            if not session.tools.called():
                _settle(session, cut)
        except (NoRoom, ReadOnly, Damaged, Gone) as error:
            go_on(session, error)
    if reply.done is not None and reply.new.is_empty:
        raise _no_text(session, reply, onward)


def _listen(session: Session, question: Node, state: list[State]) -> Iterator[Event]:
    """Plan the request, send it and yield the reply's events; `state[0]` gets the state to store with the reply.

    When the server refuses the request as too long, learn the true count and plan again, once; but not where
    the server decides what it reads.
    """
    session.summarizer.question_comes()
    session.embeddings.question_comes()
    yield from _ready(session)
    _check_sight(session, question.message)
    if asks_chat(session):
        yield from session.summarizer.before_request()
    back = islice(session.conversation.back(), LOOKED_AT)
    if session.tools.offered() or any(node.message.role is Role.TOOL for node in back):
        yield Tick()  # the plan may ask the server what calls cost, which may have to load the model first
    plan, state[0] = yield from session.embeddings.planned()
    session.warn(*_about_context(session, plan))
    session.store.back_up()  # while the model writes; who leaves does not wait for it
    try:
        yield from _events(session, plan)
        return
    except ContextTooLong as error:
        if plan.server_cuts:  # the same messages would be sent again
            error.advice = Hint(error.advice, " ", Do("set", "strategy", AUTO.name), " sends what fits.")
            raise
        if not session.counter.ready:  # what was not counted has to be
            session.count_all(True)
            yield from _ready(session)
            session.counter.warm_up()
        session.counter.too_long(error.needed, plan)
    try:
        plan, state[0] = plan_next(session)
        yield from _events(session, plan)
    except ContextTooLong:
        session.counter.relent()
        raise


def _ready(session: Session) -> Iterator[Event]:
    """Yield ticks until the window is known and tokens can be counted."""
    for _ in getting_ready(session):
        yield Tick()


def _about_context(session: Session, plan: Plan) -> Iterator[Words]:
    """What a person should know, once: why no tools are offered, and of /api/generate and its context."""
    if told := session.tools.notice():
        yield told
    if not session.settings[table.GENERATE] or plan.raw:
        return
    if plan.context == ():
        yield "Ollama calls the context of /api/generate deprecated. Where it returns none, /api/chat is asked."
    elif plan.is_chat and (session.plan is None or not session.plan.is_chat):
        if session.tools.offered():
            yield "/api/chat is asked: /api/generate takes no tools."
            return
        yield "/api/chat is asked: the server returned no context that holds all of this, or it no longer fits."


def _settle(session: Session, cut: int | None) -> None:
    """After a reply: move the cut if it must move, and start a summary of the messages before it, where it is not
    what it was before the turn, or one that the last question cancelled.
    """
    if session.plan is not None and not session.plan.is_chat:
        return
    before, state = session.conversation.state, settled(session)
    if state != before:
        session.store.keep_state(session.conversation, state)
    session.summarizer.reply_ended(cut_moved=state.cut != cut)
    session.embeddings.reply_ended()


def _events(session: Session, plan: Plan) -> Iterator[Event]:
    session.sending(plan)
    guard = session.settings[table.LOOP_GUARD]
    with closing(session.client.get().chat(request_for(session, plan))) as events:
        yield from events if guard == "off" else watched(events, stops=guard == "stop")


def _keep_question(session: Session, message: Message) -> Node:
    """Store it as a child of the tip. An earlier question without a reply is left off the path, as its sibling."""
    session.ensure_stored()
    unanswered = session.conversation.unanswered
    if unanswered is not None:
        session.store.go_to(session.conversation, unanswered.parent)
    return session.store.append(session.conversation, message)


def _keep_reply(session: Session, draft: Draft, reply: GrowingReply, state: State) -> None:
    """Store the reply, however it ended; even when the disk has become full or the store is damaged."""
    if not reply.started:
        draft.drop()
        return
    try:
        draft.finish(reply.message, reply.ended, _provenance(session, reply), state)
    except (NoRoom, ReadOnly, Damaged, Gone) as error:
        go_on(session, error)
        last = session.conversation.last
        if last is not None and last.message.role is Role.ASSISTANT:  # as far as it was saved, or to be continued
            session.store.go_to(session.conversation, last.parent)
        question = session.conversation.last
        if question is not None:
            again = session.store.begin_reply(session.conversation, question)
            again.finish(reply.message, reply.ended, _provenance(session, reply))


def _step_back(session: Session, question: Node, onward: Node | None) -> None:
    """Nothing came: take the question off the path; a reply that was to be continued stays the tip, and so do
    results of tools. Where nothing can be written, the next question does so.
    """
    stays = onward or (question if question.message.role is Role.TOOL else None)
    tip = stays.id if stays is not None else question.parent
    if session.conversation.tip != tip:
        with suppress(NoRoom, ReadOnly):
            session.store.go_to(session.conversation, tip)


def _no_text(session: Session, reply: GrowingReply, onward: Node | None) -> NoText:
    """The error for a reply that ended empty, with the reason."""
    ended = ending(reply.new, reply.ended, _provenance(session, reply), onward is not None)
    assert ended is not None
    return NoText(ended.what, ended.remedy, limit=ended.limit or "")


def _check_sight(session: Session, message: Message) -> None:
    """Raise CannotSee for pictures that the model cannot see; the server would silently ignore them."""
    if message.images:
        model = session.model.get()
        check(Request(model.name, (message,), {}), model)


def _provenance(session: Session, reply: GrowingReply) -> Turn:
    plan, model, done = session.plan, session.model.ready, reply.done or Done("")
    sent: dict[str, Any] = {"num_ctx": plan.window} if plan is not None else {}  # no larger than the model's
    if plan is not None and plan.server_cuts:
        sent |= cutting(session)
    return Turn(
        model=session.settings[table.MODEL],
        digest=model.digest if model is not None else "",
        options={**session.settings.options(), **sent},
        planned=plan.planned if plan is not None and session.counter.ready else NOTHING,
        usage=done.usage,
        done_reason=done.reason,
        left_out=plan.left_out if plan is not None else 0,
        first_token_seconds=reply.first_token,
        sent=session.counter.fingerprint(plan, done.usage) if plan is not None else "",
        context=packed(done.context) if done.context and plan is not None and _holds_all(plan) else "",
        server=session.server.fingerprint,
        read=read_anew(session, plan, done) if plan is not None and reply.done is not None else None,
        quoted=plan.of(PartKind.RECALLED).tokens if plan is not None else 0,
        again=plan.again if plan is not None else 0,
        gave_way=plan is not None and plan.gave_way,
    )


def _holds_all(plan: Plan) -> bool:
    """Whether the context that comes back stands for all that was said: a picture is not among its tokens."""
    return plan.context is not None and not any(message.images for message in plan.messages)


# A reply in progress is saved at least this often, in seconds.
SAVE_EVERY = 0.8


@dataclass(slots=True)
class GrowingReply:
    """What has come of a reply so far. `onward`: the reply that it continues. `save` is called with text and
    thinking, at most every SAVE_EVERY seconds.
    """

    save: Callable[[str, str], None]
    onward: Message = Message.assistant("")
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
                if len(self.tool_uses) < MOST_CALLS:
                    self.tool_uses.append(use)
            case Done():
                self.done = event
        now = time.monotonic()
        if self.started and self.first_token is None:
            self.first_token = now - self.began
        if self.started and now - self.saved >= SAVE_EVERY:
            with suppress(StoreError, Gone):  # a full disk or a long lock is told at the end, if it still matters
                message = self.message
                self.save(message.text, message.thinking)
            self.saved = now

    @property
    def started(self) -> bool:
        return bool(self.texts or self.thoughts or self.tool_uses)

    @property
    def new(self) -> Message:
        """What has come, without the reply that it continues."""
        texts, thoughts = "".join(self.texts), "".join(self.thoughts)
        return Message(Role.ASSISTANT, texts, thoughts, tool_uses=tuple(self.tool_uses))

    @property
    def message(self) -> Message:
        before, new = self.onward, self.new
        return replace(
            new,
            text=before.text + new.text,
            thinking=before.thinking + new.thinking,
            tool_uses=before.tool_uses + new.tool_uses,
        )

    @property
    def ended(self) -> Ended:
        if self.done is not None and self.done.reason != LOOP:
            return Ended.LENGTH if self.done.reason == "length" else Ended.COMPLETE
        return Ended.STOPPED if self.stopped or self.done is not None else Ended.BROKEN
