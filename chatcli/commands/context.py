"""/context: what the model sees, what it does not see, and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Annotated

from chatcli.client.models import Loaded, Model
from chatcli.commands.arguments import Arg, Word, fitting
from chatcli.commands.facts import not_sent
from chatcli.commands.outcomes import Outcome, Show
from chatcli.commands.registry import command
from chatcli.commands.statistics import counted_by
from chatcli.context.specifics import Kept, specifics
from chatcli.context.tool_results import in_words
from chatcli.conversation.context_state import Summary
from chatcli.conversation.plan import LOOKED_UP, MAY_BE_DROPPED, Fate, PartKind, Plan
from chatcli.conversation.reading_speed import Patience
from chatcli.conversation.tree import Node
from chatcli.conversation.usage import in_tokens
from chatcli.errors import BadArgument, NotFound, ServerError, UserError
from chatcli.hints import Do, Hint, Words
from chatcli.render.views import Note, WindowView
from chatcli.session.context_window import gigabytes, in_memory, loaded, on_gpu
from chatcli.session.planning import COUNTED, cost_of, nodes_between, summary_of, with_costs
from chatcli.session.prompt_speed import reading_speed
from chatcli.session.session import Session
from chatcli.settings import table

USAGE = Hint("Usage: ", Do("context"), ", ", Do("context", "last"), ", or ", Do("context", "why", "NUMBER"))
# How many of the numbers and the like are shown that were kept, listed or lost.
SHOWN = 20
_FATES = {
    Fate.SENT: "sent word for word",
    Fate.SUMMARIZED: "summarized",
    Fate.RECALLED: "recalled",
    Fate.OUT: "not sent",
}


def why_words(session: Session, typed: str) -> list[Word]:
    words = {"why": "one message, or the summary", "last": "the last request, with what was recalled for it"}
    return fitting((Word(word, meaning) for word, meaning in words.items()), typed)


@command("context", "ctx")
def context(
    session: Session,
    which: Annotated[str, Arg("why, for the summary, why NUMBER, for one message, or last", why_words)] = "",
    number: Annotated[int, Arg("the number of that message")] = 0,
) -> Outcome:
    """Show how the context window is used: what is sent, what is not sent and why, and what is free.

    It shows the next request; `/context last` shows the last one as it was sent, with the messages recalled and
    the passages of files quoted for its question. `/context why 7` says whether message 7 is sent, and why;
    `/context why` says what the summary was made of, and what it kept and lost of numbers, dates and quoted
    strings.
    """
    if which not in {"", "why", "last"} or (number and which != "why"):
        raise BadArgument(f'Unknown argument "{number if which == "last" else which}".', USAGE)
    if which == "last" and session.plan is None:
        raise UserError("Nothing has been sent from here yet.", Hint(Do("context"), " shows what will be sent."))
    plan = session.plan if which == "last" and session.plan else session.next_request.plan()
    if which == "why":
        return Show.of(_why(session, plan, number) if number else _of_summary(session, plan))
    model = session.model.get()
    row = None
    with suppress(ServerError):  # without it, only the allocated window is missing
        row = loaded(session, model)
    turn = session.conversation.turn
    return Show.of(
        WindowView(
            plan=with_costs(session, plan),
            strategy=session.settings[table.STRATEGY].name,
            allocated=row.context_length if row is not None else None,
            trained=model.trained,
            measured=turn.usage.prompt_tokens if turn is not None else None,
            planned=str(turn.planned) if turn is not None and turn.planned.tokens else "",
            dropped=turn.unread or 0 if turn is not None else 0,
            lines=(
                counted_by(session),
                *filter(None, [session.counter.why(), _memory(model, row)]),
                *_from_the_modelfile(model),
                *filter(None, [not_sent(session)]),
                *_read_again(session, plan),
                *(() if which else _looked_up(session)),
            ),
        )
    )


def _from_the_modelfile(model: Model) -> tuple[str, ...]:
    """What the model's Modelfile adds to every request; it is counted as part of the template."""
    brought = ["its SYSTEM (unless you set a system prompt)"] if model.system else []
    brought += [f"its {len(model.messages)} MESSAGEs"] if model.messages else []
    return (
        (f"The template's tokens include what the Modelfile of {model.name} adds: {', '.join(brought)}.",)
        if brought
        else ()
    )


def _memory(model: Model, row: Loaded | None) -> str:
    """What the server says of the loaded model's memory, and what of it the window is expected to take."""
    if row is None or row.context_length is None:
        return ""
    window = in_memory(model, row.context_length)
    of_it = f", {window} of it for the window as its layers predict" if window else ""
    return f"{model.name} takes {gigabytes(row.size)} of memory{of_it}; {on_gpu(row)} is on the GPU."


def _looked_up(session: Session) -> tuple[Words, ...]:
    """What was sent with the last question only, and is therefore not in the next request."""
    parts = session.plan.parts if session.plan is not None else ()
    told = [part.why for part in parts if part.kind in LOOKED_UP and part.fate is Fate.SENT]
    said = Hint(f"The last question was sent with {'; '.join(told)}: ", Do("context", "last"), ".")
    return (said,) if told else ()


def _read_again(session: Session, plan: Plan) -> tuple[str, ...]:
    """What this request costs besides its quotes."""
    if not plan.again:
        return ()
    price = Patience(speed=reading_speed(session)).price(plan.again)
    if plan.gave_way:
        return (f"Messages gave way to quotes: all after these, {in_tokens(plan.again)}, are read again{price}.",)
    return (f"The question before had quotes: from it on, {in_tokens(plan.again)} are read again{price}.",)


def _of_summary(session: Session, plan: Plan) -> Note:
    """What the summary was made of, and what became of what is specific in it."""
    made = summary_of(session)
    if made is None:
        raise BadArgument("The number of a message is missing, and there is no summary.", USAGE)
    first = max(made.first or 1, made.last - COUNTED + 1)
    nodes = nodes_between(session, first, made.last)
    size = plan.of(PartKind.SUMMARY)
    state = f"takes {in_tokens(size)}" if size.tokens else "is not sent"
    of = f"It was made of messages {made.first or 1} to {made.last}"
    instead = f"{of} ({in_tokens(cost_of(session, made.first or 1, made.last))})"
    before = made.replaces if made.replaces is not None and made.replaces.last < made.last else None
    also = f", and of the summary up to message {before.last} in the place of those" if before is not None else ""
    return Note(f"The summary {state}. {instead}{also}. {_became(session, made, nodes) or _NOTHING}")


_NOTHING = "They have no numbers, dates or quoted strings."


def _became(session: Session, made: Summary, nodes: Iterable[Node]) -> str:
    """A sentence on what became of the numbers and the like in these messages; "" where they have none."""
    text, whole = Kept.of(made.text), Kept.of(made.whole)
    said = (in_words(node.message) for node in nodes if node.id not in session.conversation.state.forgotten)
    different = {each.forms: each for one in said for each in specifics(one)}
    if not different:
        return ""
    kept = [each.text for each in different.values() if text.has(each)]
    below = [each.text for each in different.values() if whole.has(each) and not text.has(each)]
    gone = [each.text for each in different.values() if not whole.has(each)]
    rows = ((kept, "in its text"), (below, "listed below it"), (gone, "lost"))
    told = "; ".join(f"{len(each)} {where}: {_some(each)}" for each, where in rows if each)
    return f"Of the numbers, dates, quoted strings and code spans, {told}."


def _some(texts: Sequence[str]) -> str:
    """The last of them, and how many there are before."""
    more = len(texts) - SHOWN
    return (f"{more} more, " if more > 0 else "") + ", ".join(texts[-SHOWN:])


def _why(session: Session, plan: Plan, number: int) -> Note:
    node = session.conversation.message(number)
    part = plan.part_of(number)
    if node is None or part is None:
        raise NotFound(
            f"There is no message {number} in this conversation.",
            Hint(Do("context"), " lists them with their numbers."),
        )
    begin = node.message.brief[:60]
    why = part.lacks or part.why or (MAY_BE_DROPPED if plan.may_be_dropped(part) else "")
    reason = f": {why}" if why and part.fate is not Fate.SUMMARIZED else ""
    cost = part.count if part.fate is Fate.SENT else cost_of(session, number, number)
    said = f'Message {number} ({node.message.role}, {in_tokens(cost)}, "{begin}") is {_FATES[part.fate]}{reason}.'
    made = summary_of(session)
    if part.fate is Fate.SUMMARIZED and made is not None and (became := _became(session, made, [node])):
        said = f"{said} {became}"
    last = session.plan.parts if session.plan is not None else ()
    found = (each for each in last if each.first == number)
    quoted = next((each for each in found if PartKind.RECALLED is each.kind or each.fate is Fate.RECALLED), None)
    if quoted is None:
        return Note(said)
    was = "recalled" if quoted.fate is Fate.RECALLED else "not recalled, although it fits"
    return Note(f"{said} With the last question it was {was}: {quoted.why}.")
