"""The plan of a request to /api/generate: a question after the context that the server returned, or raw text."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import islice

from chatcli.context.assemble import assemble
from chatcli.context.plan_inputs import Basis
from chatcli.conversation.context_state import State
from chatcli.conversation.plan import Fate, Part, PartKind, Plan
from chatcli.conversation.tree import Node
from chatcli.conversation.usage import NOTHING, Count
from chatcli.settings.strategies import FULL, TRIM

HELD = "as the context that /api/generate returned"


def after_context(back: Iterable[Node], basis: Basis, context: tuple[int, ...]) -> Plan:
    """The question alone, after `context`: the tokens of all that was said before it. `back` as in assemble; its
    first node is the question. Raises ContextTooLong when both do not fit together.
    """
    held = Count(len(context), exact=True)
    alone = replace(
        basis,
        budget=replace(basis.budget, fixed=basis.budget.fixed + held),
        state=State(),
        strategy=FULL,
        # The facts are in that context since the first question.
        memory=replace(basis.memory, recall="off", facts=() if context else basis.memory.facts),
    )
    [question] = islice(back, 1)
    plan, _ = assemble([question], alone)
    before = question.number - 1
    earlier = [Part(PartKind.VERBATIM, Fate.SENT, held, HELD, 1, before)] if before else []
    sent = [part for part in plan.parts if part.fate is Fate.SENT]
    at = next(at for at, part in enumerate(sent) if part.kind is PartKind.QUESTION)
    return replace(plan, parts=(*sent[:at], *earlier, *sent[at:]), context=context)


def raw_text(back: Iterable[Node], basis: Basis, count: Callable[[str], Count]) -> Plan:
    """All that was said, as one text without roles and template; where it does not fit, the newest of it. `count`:
    the tokens of a text. Raises ContextTooLong when the newest text alone does not fit.
    """
    plain = replace(
        basis,
        system="",
        budget=replace(basis.budget, fixed=NOTHING),
        count=lambda message: count(message.text),
        state=replace(basis.state, summary=None, pins=frozenset()),
        strategy=TRIM,
        memory=replace(basis.memory, recall="off", preset="", facts=()),
    )
    plan, _ = assemble(back, plain)
    return replace(plan, raw=True)
