"""The next request: its plan, which toolbar and /context show, and what a change of settings takes out of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar

from chatcli.client.models import same_model
from chatcli.client.request import Request, check, think_as
from chatcli.conversation.message import Message
from chatcli.conversation.plan import Fate, Part, PartKind, Plan
from chatcli.conversation.usage import counted, in_tokens, total
from chatcli.dataclass import dataclass
from chatcli.errors import ChatcliError, ContextTooLong
from chatcli.hints import Do, Hint, Words
from chatcli.session.background import waiting
from chatcli.session.context_window import window_without_asking
from chatcli.session.model_in_use import use_in_counter
from chatcli.session.planning import fits_uncounted, planned
from chatcli.settings import table
from chatcli.settings.layers import Layer

if TYPE_CHECKING:
    from chatcli.session.session import Session

T = TypeVar("T")

# Seconds to wait for a vocabulary from a slow server; until it is there, counts are estimates.
PATIENCE = 3.0
_FATES = {Fate.OUT: "not be sent", Fate.SUMMARIZED: "only be sent as a summary", Fate.RECALLED: "only be quoted"}


def getting_ready(session: Session, most: float = math.inf) -> Iterator[None]:
    """Yield until the window is known and tokens can be counted, where anything has to be; wait `most` seconds for
    the window.
    """
    yield from waiting(session.window, most=most)
    if session.window.ready is not None and fits_uncounted(session):
        use_in_counter(session)
    else:
        yield from waiting(session.counting, most=min(most, PATIENCE))


class NextRequest:
    """The plan of the next request, made again when something has changed that it is made from."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._made_from: tuple[Any, ...] = ()
        self._made: Plan | ContextTooLong | None = None

    def plan(self) -> Plan:
        """The path, what is attached, and an empty question; or, where the last question has no reply, that one.

        Raises ContextTooLong, and what the server or the store raises.
        """
        for _ in getting_ready(self._session):
            pass
        self._session.counter.warm_up()
        return self._current()

    def known(self) -> Plan | ContextTooLong | None:
        """The same without asking the server: None when the model or its window is not known."""
        session = self._session
        model = session.model.ready
        if model is None or (session.window.ready or window_without_asking(session, model)) is None:
            return None
        try:
            return self._current()
        except ContextTooLong as error:
            return error
        except ChatcliError:
            return None

    def _current(self) -> Plan:
        made_from = self._parts()
        if self._made is None or made_from != self._made_from:
            try:
                self._made = self._make()
            except ContextTooLong as error:
                self._made = error
            self._made_from = made_from
        if isinstance(self._made, ContextTooLong):
            raise self._made
        return self._made

    def _parts(self) -> tuple[Any, ...]:
        """All that a plan is made from. Counts change with what was sent last, and with how they are made."""
        session, conversation = self._session, self._session.conversation
        return (
            *(conversation.id, conversation.tip, conversation.state, session.pending, session.plan),
            *(session.store, session.model.ready, session.window.get(), session.counter.describe()),
            *(session.settings.values(), session.facts.known()),
        )

    def _make(self) -> Plan:
        conversation = self._session.conversation
        if conversation.unanswered is not None:
            return planned(self._session)[0]
        plan, _ = planned(self._session, conversation.coming(Message.user("", self._session.pending)))
        parts = (replace(each, first=0, last=0, node=None) if each.node == 0 else each for each in plan.parts)
        return replace(plan, parts=tuple(parts))


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is known of the next request: its plan (None: not known), why it will be refused ("": it will not be),
    and the names of the tools that it offers.
    """

    plan: Plan | None = None
    refused: Words = ""
    tools: tuple[str, ...] = ()


def outlook(session: Session) -> Outlook:
    """What will be sent next, as far as it can be known within a few seconds."""
    if session.conversation.tip is not None:
        try:
            for _ in chain(waiting(session.model, most=PATIENCE), getting_ready(session, PATIENCE)):
                pass
        except ChatcliError:  # the next message raises it again
            return Outlook()
    model = session.model.ready
    if model is None:
        return Outlook()
    found = session.next_request.known()
    if isinstance(found, ContextTooLong):
        return Outlook(None, Hint(found.message, " ", found.advice))
    question = Message.user("", session.pending)
    try:
        check(Request(model.name, (question,), think=think_as(session.settings[table.THINK])), model)
    except ChatcliError as error:
        return Outlook(found, Hint(error.message, " ", error.advice))
    return Outlook(found, tools=tuple(tool.name for tool in session.tools.offered()))


def changing(session: Session, change: Callable[[], T]) -> tuple[T, list[Words]]:
    """Make the change; returns what it returns, and what it takes out of the next request."""
    before = outlook(session)
    made = change()
    return made, _told(session, before)


def with_another_model(session: Session, name: str) -> list[Words]:
    """What asking that model this time would take out of the request."""
    before = outlook(session)
    with session.asking(name):
        return _told(session, before)


def _told(session: Session, before: Outlook) -> list[Words]:
    """What is lost since, and what another set of tools costs."""
    after = outlook(session)
    lines = taken_away(before, after)
    if session.model.ready is not None and (notice := session.tools.notice()):
        lines.append(notice)
    if before.tools != after.tools and before.plan is not None and after.plan is not None:
        lines.append(_tools_cost(before.plan, after.plan, after.tools))
    if before.plan is not None and after.plan is not None:
        lines += _facts_cost(before.plan, after.plan)
    return lines


def _tools_cost(before: Plan, after: Plan, tools: tuple[str, ...]) -> str:
    """What the new set of tools costs in each request, and once, since definitions come before what was said."""
    saved, cost = before.of(PartKind.DEFINITIONS), after.of(PartKind.DEFINITIONS)
    each = f"{counted(len(tools), 'tool')}: {in_tokens(cost)} in each request"
    if not tools:
        each = f"No tools: {in_tokens(saved)} fewer in each request"
    return f"{each}{_read_again(after)}."


def _facts_cost(before: Plan, after: Plan) -> Iterator[str]:
    """What other facts cost, where the request has others."""
    was, cost = before.of(PartKind.FACTS), after.of(PartKind.FACTS)
    if was.tokens != cost.tokens:
        each = f"Your facts take {in_tokens(cost)}" if cost.tokens else f"Your facts took {in_tokens(was)}"
        yield f"{each} in each request{_read_again(after)}."


def _read_again(after: Plan) -> str:
    """A clause on a change at the front of the request, after which the server reads all of it."""
    said = any(part.first and part.fate is Fate.SENT for part in after.parts)
    return f"; {in_tokens(after.planned)} are read again" if said else ""


def unlike_last_turn(session: Session) -> list[Words]:
    """What the request does not send because flags or settings name another model or window than the last reply
    came from. A switch in the conversation has said so itself.
    """
    turn = session.conversation.turn
    if turn is None:
        return []
    settings = session.settings
    another = not same_model(settings[table.MODEL], turn.model)
    if not another and session.window.ready == turn.options.get("num_ctx"):
        return []
    after = outlook(session)
    if after.plan is None:
        return []
    narrower = after.plan.window != turn.options.get("num_ctx")
    untold = [
        *([settings.origin(table.MODEL) < Layer.SWITCHED] if another else []),
        *([settings.origin(table.NUM_CTX) < Layer.SWITCHED] if narrower else []),
    ]
    less = after.plan.left_out > turn.left_out or any(part.lacks for part in after.plan.parts)
    return taken_away(replace(after, plan=None), after) if any(untold) and less else []


def taken_away(before: Outlook, after: Outlook) -> list[Words]:
    """Sentences on what was sent before a change and is not after it; [] when nothing is lost. Where it is not
    known what was sent before: all that is not sent.
    """
    lines: list[Words] = list(_lost(before.plan, after.plan)) if after.plan is not None else []
    if lines:
        lines[-1] = Hint(lines[-1], Hint(" ", Do("context"), " shows what is sent."))
    if after.refused and after.refused != before.refused:
        lines.append(Hint("The next message will be refused: ", after.refused))
    return lines


def _lost(before: Plan | None, after: Plan) -> Iterator[str]:
    sent = _sent(before) if before is not None else None
    yield from _left_out(sent, after)
    yield from _incomplete(sent, after)
    if before is None:
        return
    still = {part.node: number for number, part in _sent(after).items()}
    for node in _whole(before) - _whole(after):
        if node in still:
            yield f"The files of message {still[node]} will no longer be sent whole, only passages of them."
    if before.of(PartKind.SUMMARY).tokens and not after.of(PartKind.SUMMARY).tokens:
        yield f"The summary ({in_tokens(before.of(PartKind.SUMMARY))}) will not be sent."


def _left_out(sent: Mapping[int, Part] | None, after: Plan) -> Iterator[str]:
    for part in after.parts:
        numbers = range(part.first, part.last + 1) if part.first and part.fate is not Fate.SENT else ()
        gone = [number for number in numbers if sent is None or number in sent]
        if gone:
            cost = f" ({in_tokens(total(sent[number].count for number in gone))})" if sent is not None else ""
            why = f": {part.why}" if part.why and part.fate is Fate.OUT else ""
            yield f"{_messages(gone)}{cost} will {_FATES[part.fate]}{why}."


def _incomplete(sent: Mapping[int, Part] | None, after: Plan) -> Iterator[str]:
    lacking: dict[str, list[int]] = {}
    for number, part in _sent(after).items():
        if part.lacks and (sent is None or (number in sent and sent[number].lacks != part.lacks)):
            lacking.setdefault(part.lacks, []).append(number)
    for lacks, numbers in lacking.items():
        yield f"{_messages(numbers)} will be sent {lacks}."


def _sent(plan: Plan) -> dict[int, Part]:
    """The messages that are sent, by number."""
    return {part.first: part for part in plan.parts if part.first and part.fate is Fate.SENT}


def _whole(plan: Plan) -> set[int | None]:
    """The messages whose files are sent whole."""
    return {part.node for part in plan.parts if part.kind is PartKind.DOCUMENTS and part.node}


def _messages(numbers: Iterable[int]) -> str:
    """`Message 3`, `Messages 3 to 8`, `Messages 3, 5 and 9`."""
    ordered = sorted(numbers)
    if len(ordered) == 1:
        return f"Message {ordered[0]}"
    if ordered[-1] - ordered[0] + 1 == len(ordered) > 2:
        return f"Messages {ordered[0]} to {ordered[-1]}"
    return f"Messages {', '.join(map(str, ordered[:-1]))} and {ordered[-1]}"
