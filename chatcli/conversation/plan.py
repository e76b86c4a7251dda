"""Plan: what one request sends, what it leaves out and why, and what it costs.

One object feeds the meter, the warning and the request, so that they cannot disagree.
"""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum

from chatcli.conversation.message import Message
from chatcli.conversation.usage import Count, counted, total
from chatcli.dataclass import dataclass


class PartKind(StrEnum):
    """What a part of the plan is."""

    TEMPLATE = "template"  # what the request costs besides its messages
    DEFINITIONS = "definitions"  # of the tools: a part of that
    SYSTEM = "system"
    FACTS = "facts"  # what the person wants known in every conversation
    SUMMARY = "summary"
    RECALLED = "recalled"
    DOCUMENTS = "documents"  # files sent whole, each time that their message is sent
    PASSAGES = "passages"  # of longer files, for one question
    VERBATIM = "verbatim"
    QUESTION = "question"
    CALLS = "calls"  # replies that ask for tools, with what they say beside it
    RESULTS = "results"  # of these calls


# What is looked up for one question and sent with it alone.
LOOKED_UP = frozenset({PartKind.RECALLED, PartKind.PASSAGES})


_DROPPABLE = frozenset({PartKind.VERBATIM, PartKind.DOCUMENTS, PartKind.CALLS, PartKind.RESULTS})

# Why a message may not reach the model although it is sent (Plan.may_be_dropped).
MAY_BE_DROPPED = "the server may drop it"


class Fate(StrEnum):
    """What becomes of a message in this request."""

    SENT = "sent"
    SUMMARIZED = "summarized"
    RECALLED = "recalled"
    OUT = "not sent"


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the plan. Messages `first` to `last` (their numbers) share one fate; both are 0 for a part that is
    not a message.

    `count` is what it adds to this request when its fate is SENT; for any other fate, what it would have cost
    (0 where that was not counted). `node`: the id in the store of the message, or of the one whose files it is.
    `lacks`: what the model cannot take of a message that is sent, as a phrase.
    """

    kind: PartKind
    fate: Fate
    count: Count
    why: str = ""
    first: int = 0
    last: int = 0
    node: int | None = None
    lacks: str = ""

    @property
    def messages(self) -> int:
        """How many messages the part is."""
        return self.last - self.first + 1 if self.first else 0


@dataclass(frozen=True, slots=True)
class Plan:
    """The request's messages and the account of them. `window`, `reserve` and `margin` are in tokens.
    `server_cuts`: the window does not limit the messages, and the server may drop some of them.

    `context`: the tokens of everything before the question, as /api/generate returned them. `raw`: the messages
    are one text, without roles and template. Both are sent to /api/generate, all other plans to /api/chat.
    `again`: how many tokens the server reads again because of quotes: the question before had some in its copy, or
    messages give way to those of this one (`gave_way`).
    """

    messages: tuple[Message, ...]
    parts: tuple[Part, ...]
    window: int
    reserve: int
    margin: int = 0
    server_cuts: bool = False
    context: tuple[int, ...] | None = None
    raw: bool = False
    again: int = 0
    gave_way: bool = False

    @property
    def is_chat(self) -> bool:
        """Whether it is sent to /api/chat, as messages."""
        return self.context is None and not self.raw

    @property
    def planned(self) -> Count:
        """The number of prompt tokens that the server is expected to count."""
        return total(part.count for part in self.parts if part.fate is Fate.SENT)

    @property
    def left_out(self) -> int:
        """How many messages of the path are not sent word for word."""
        return sum(part.messages for part in self.parts if part.fate is not Fate.SENT)

    @property
    def free(self) -> int:
        """Tokens left for the reply, never negative."""
        return max(0, self.window - self.planned.tokens)

    def part_of(self, number: int) -> Part | None:
        """The part that says what becomes of message `number`; None when the plan has no such message."""
        return next((part for part in self.parts if part.first <= number <= part.last), None)

    @property
    def excess(self) -> int:
        """Tokens that the window has no room for: the server drops at least as many."""
        return max(0, self.planned.tokens - self.window) if self.server_cuts else 0

    def may_be_dropped(self, part: Part) -> bool:
        """Whether the server may drop it. Ollama keeps system messages and the last message."""
        return part.fate is Fate.SENT and part.kind in _DROPPABLE and self.excess > 0

    def of(self, kind: PartKind) -> Count:
        """The tokens of that kind that are sent."""
        return total(part.count for part in self.parts if part.kind is kind and part.fate is Fate.SENT)


def with_template(plan: Plan, count: Count) -> Plan:
    """The same plan, with what the request costs besides its messages. If that is negative, because the server
    merges several messages into one, the messages cost that much less.
    """
    parts, saved = [], max(0, -count.tokens)
    for part in plan.parts:
        tokens = max(0, count.tokens) if part.kind is PartKind.TEMPLATE else part.count.tokens
        exact = (count if part.kind is PartKind.TEMPLATE else part.count).exact
        if part.fate is Fate.SENT:
            tokens, saved = max(0, tokens - saved), max(0, saved - tokens)
        parts.append(replace(part, count=Count(tokens, exact)))
    return replace(plan, parts=tuple(parts))


def with_definitions(plan: Plan, count: Count, tools: int) -> Plan:
    """The same plan, with what the definitions of so many tools cost taken out of the template's part."""
    if not tools:
        return plan
    at = next(at for at, part in enumerate(plan.parts) if part.kind is PartKind.TEMPLATE)
    template = plan.parts[at]
    tokens = min(count.tokens, template.count.tokens)
    rest = replace(template, count=Count(template.count.tokens - tokens, template.count.exact))
    own = Part(PartKind.DEFINITIONS, Fate.SENT, Count(tokens, count.exact), counted(tools, "tool"))
    return replace(plan, parts=(*plan.parts[:at], rest, own, *plan.parts[at + 1 :]))
