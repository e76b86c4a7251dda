"""From what has been said to what is sent: a pure function of path, system prompt, budget, counts and state."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain

from chatcli.context.budget import Budget
from chatcli.context.strategies import STRATEGIES, Choice, Counting, Need
from chatcli.conversation.message import Message, Role
from chatcli.conversation.plan import Fate, Kind, Part, Plan
from chatcli.conversation.state import State
from chatcli.conversation.tree import Node
from chatcli.conversation.usage import Count
from chatcli.errors import ContextTooLong


def assemble(
    back: Iterable[Node],
    system: str,
    budget: Budget,
    count: Counting,
    state: State,
    strategy: str = "auto",
    window_messages: int = 20,
    sees: bool = True,
) -> tuple[Plan, State]:
    """Plan the next request. `back` yields the path's nodes from the tip to the root; only as many are asked for
    as the strategy needs, so that the cost does not grow with the conversation.

    `sees`: whether the model takes pictures; for one that does not, those of earlier messages stay out.

    The system prompt, and everything from the last question on, are always sent; ContextTooLong when those
    alone do not fit.
    """

    def cost(message: Message) -> Count:
        return count(as_sent(message, sees))

    nodes = iter(back)
    question = _from_last_question(nodes)
    front = (Message.system(system),) if system else ()
    always = _always(front, question, cost)
    _check_fits(always, budget)
    room = budget.room - sum(part.count.tokens for part in always)
    choice = STRATEGIES[strategy](
        Need(
            question=question[0],
            earlier=nodes,
            room=max(0, room if budget.history is None else min(room, budget.history)),
            count=cost,
            state=state,
            messages=window_messages,
        )
    )
    messages = (*front, *(as_sent(node.message, sees) for node in chain(choice.sent, question)))
    parts = (Part(Kind.TEMPLATE, Fate.SENT, budget.fixed), *_parts(always, choice, question, cost))
    return Plan(messages, parts, budget.window, budget.reserve, budget.margin), choice.state


def as_sent(message: Message, sees: bool = True) -> Message:
    """The request's copy of a message. Earlier thinking stays out: templates drop it, and it would be counted."""
    if message.thinking:
        message = replace(message, thinking="")
    if message.images and not sees:
        message = replace(message, attachments=tuple(each for each in message.attachments if each.kind != "image"))
    return message


def _from_last_question(nodes: Iterator[Node]) -> tuple[Node, ...]:
    """The last question and what follows it (a reply that is to be continued), oldest first."""
    tail: list[Node] = []
    for node in nodes:
        tail.append(node)
        if node.message.role is Role.USER:
            break
    return tuple(tail[::-1])


def _always(front: tuple[Message, ...], question: tuple[Node, ...], count: Counting) -> tuple[Part, ...]:
    system = tuple(Part(Kind.SYSTEM, Fate.SENT, count(message), "always sent") for message in front)
    return system + tuple(_part(Kind.QUESTION, Fate.SENT, node, count, "always sent") for node in question)


def _parts(
    always: tuple[Part, ...], choice: Choice, question: tuple[Node, ...], count: Counting
) -> tuple[Part, ...]:
    """System, what is left out as one range, what is sent message by message, the question."""
    system = tuple(part for part in always if part.kind is Kind.SYSTEM)
    asked = tuple(part for part in always if part.kind is Kind.QUESTION)
    first = (choice.sent or question)[0].number
    out = (Part(Kind.VERBATIM, Fate.OUT, Count(0), choice.why, 1, first - 1),) if first > 1 else ()
    sent = tuple(_part(Kind.VERBATIM, Fate.SENT, node, count, "") for node in choice.sent)
    return system + out + sent + asked


def _part(kind: Kind, fate: Fate, node: Node, count: Counting, why: str) -> Part:
    return Part(kind, fate, count(node.message), why, node.number, node.number, node.id)


def _check_fits(always: tuple[Part, ...], budget: Budget) -> None:
    needed = sum(part.count.tokens for part in always)
    if needed <= budget.most:
        return
    names = {Kind.SYSTEM: "system prompt", Kind.QUESTION: "this message"}
    biggest = sorted(((names[part.kind], part.count.tokens) for part in always), key=lambda row: -row[1])
    sizes = ", ".join(f"{name} {tokens} tokens" for name, tokens in biggest)
    raise ContextTooLong(
        f"This does not fit the context window of {budget.window} tokens even without any history: {sizes}; "
        f"there is room for {max(0, budget.most)}.",
        "Shorten it, or take a larger window with /set num_ctx (--num-ctx in the shell).",
        needed=needed,
        available=max(0, budget.most),
        biggest=tuple(biggest),
    )
