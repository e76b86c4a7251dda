"""/context: what the model sees, what it does not, and why."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from typing import Annotated

from chatcli.client.models import Model
from chatcli.commands.arguments import Arg, Word
from chatcli.commands.outcomes import Outcome, Show
from chatcli.commands.registry import command
from chatcli.conversation.message import Message, Role
from chatcli.conversation.plan import Fate, Part, PartKind, Plan
from chatcli.conversation.usage import NOTHING, Count, in_tokens, total
from chatcli.errors import BadArgument, NotFound, ServerError, UserError
from chatcli.render.views import Note, WindowView
from chatcli.session.context_window import loaded
from chatcli.session.planning import plan_next
from chatcli.session.session import Session
from chatcli.settings import table
from chatcli.store import locations

# Of so many messages that are not sent, tokens are counted; of more they are estimated.
COUNTED = 400

_FATES = {
    Fate.SENT: "sent word for word",
    Fate.SUMMARISED: "part of the summary",
    Fate.RECALLED: "recalled beside the question",
    Fate.OUT: "left out",
}


def why_words(session: Session, typed: str) -> Iterator[Word]:
    words = {"why": "one message", "last": "the last request, with what was looked up for it"}
    return (Word(word, meaning) for word, meaning in words.items() if word.startswith(typed))


@command("context", "ctx")
def context(
    session: Session,
    which: Annotated[str, Arg("why, to ask about one message, or last", why_words)] = "",
    number: Annotated[int, Arg("the number of that message")] = 0,
) -> Outcome:
    """Show the context window as a picture: what is sent, what is left out and why, and what is free.

    It is that of the request to come; `/context last` shows the last one as it was sent, with what was recalled
    and read up for its question. `/context why 7` tells what becomes of message 7, and why.
    """
    if session.conversation.tip is None:
        return Show.of(Note("Nothing has been said yet: the window is empty.", "quiet"))
    if which not in {"", "why", "last"} or (which == "why") != bool(number):
        raise BadArgument(
            f"/context knows nothing of «{which}».", "Usage: /context, /context last, or /context why NUMBER"
        )
    if which == "last" and session.plan is None:
        raise UserError(
            "Nothing has been sent yet since this conversation was opened.", "/context shows what will be."
        )
    plan = session.plan if which == "last" and session.plan else _plan_with_the_next_message(session)
    if which == "why":
        return Show.of(_why(session, plan, number))
    model = session.model.get()
    row = None
    with suppress(ServerError):  # all but this word is known here
        row = loaded(session, model)
    turn = next((node.turn for node in session.conversation.back() if node.turn is not None), None)
    return Show.of(
        WindowView(
            plan=_with_costs(session, plan),
            strategy=session.settings[table.STRATEGY],
            allocated=row.context_length if row is not None else None,
            trained=model.trained,
            measured=turn.usage.prompt_tokens if turn is not None else None,
            planned=str(turn.planned) if turn is not None else "",
            lines=(
                f"Counted by {session.counter.describe()}.",
                *filter(None, [session.counter.why()]),
                *_from_the_modelfile(model),
                *(() if which else _looked_up(session)),
            ),
        )
    )


def _from_the_modelfile(model: Model) -> tuple[str, ...]:
    """What the model brings along itself, which counts as part of the template."""
    brought = ["its SYSTEM, unless a system prompt is set"] if model.system else []
    brought += [f"its {len(model.messages)} MESSAGEs"] if model.messages else []
    return (
        (f"The template's tokens include what the Modelfile of {model.name} puts in: {', '.join(brought)}.",)
        if brought
        else ()
    )


def _looked_up(session: Session) -> tuple[str, ...]:
    """What went with the last question only, and is therefore not in the request to come."""
    parts = session.plan.parts if session.plan is not None else ()
    told = [
        part.why
        for part in parts
        if part.kind in {PartKind.RECALLED, PartKind.DOCUMENTS} and ": whole, in message " not in part.why
    ]
    return (f"With the last question went {'; '.join(told)}: /context last.",) if told else ()


def _why(session: Session, plan: Plan, number: int) -> Note:
    node = session.conversation.message(number)
    part = next((each for each in plan.parts if each.first <= number <= each.last), None)
    if node is None or part is None:
        raise NotFound(
            f"There is no message {number} in this conversation.", "/context lists them with their numbers."
        )
    begin = node.message.brief[:60]
    reason = f": {part.why}" if part.why and part.fate is not Fate.SUMMARISED else ""
    cost = session.counter.count(node.message.without_thinking)
    said = f"Message {number} ({node.message.role}, {in_tokens(cost)}, «{begin}») is {_FATES[part.fate]}{reason}."
    last = session.plan.parts if session.plan is not None else ()
    quoted = next((each for each in last if each.fate is Fate.RECALLED and each.first == number), None)
    return Note(f"{said} With the last question it was {_FATES[Fate.RECALLED]}: {quoted.why}." if quoted else said)


def _plan_with_the_next_message(session: Session) -> Plan:
    """The plan of the request to come: the path, and after a reply an empty message in the place of the next."""
    last = session.conversation.last
    if last is None or last.message.role is Role.USER:
        return plan_next(session)[0]
    coming = replace(last, id=0, parent=last.id, number=last.number + 1, message=Message.user(""))
    plan, _ = plan_next(session, coming)
    parts = (replace(each, first=0, last=0, node=None) if each.node == 0 else each for each in plan.parts)
    return replace(plan, parts=tuple(parts))


def _with_costs(session: Session, plan: Plan) -> Plan:
    """The plan with what its ranges of messages would have cost, each range still in one row."""

    def cost(part: Part) -> Part:
        if part.fate is Fate.SENT or not part.first or part.count.tokens:
            return part
        return replace(part, count=_cost_of(session, part.first, part.last))

    return replace(plan, parts=tuple(map(cost, plan.parts)))


def _cost_of(session: Session, first: int, last: int) -> Count:
    """Of messages of the path by their numbers; of very many an estimate, by how long they are."""
    conversation, store = session.conversation, session.store
    if conversation.tip is None:
        return NOTHING
    if last - first < COUNTED:
        ids = store.read(locations.ids_between, conversation.id, conversation.tip, first, last)
        found = store.on_path(conversation, conversation.tip, ids)
        return total(session.counter.count(node.message.without_thinking) for node in found)
    letters = store.read(locations.letters_between, conversation.id, conversation.tip, first, last)
    known = [node.message.without_thinking for node in islice(conversation.back(), COUNTED // 4)]
    rate = total(map(session.counter.count, known)).tokens / max(1, sum(len(each.text) for each in known))
    return Count(round(letters * rate))
