"""ToolCosts: what tool calls, their results and the definitions of tools cost, as the server writes them.

Every model writes calls in a way of its own, so no table of gaps foretells them. A request that has some is
rendered whole before it is sent, and its text is counted. What each reply with calls adds is read out of one more
rendering, so that a plan can be made from parts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace
from hashlib import sha256
from itertools import pairwise
from typing import Any, NamedTuple

from chatcli.conversation.message import Message, Role
from chatcli.dataclass import dataclass
from chatcli.pattern import pattern
from chatcli.tokens.measured import Measured

Definitions = tuple[Mapping[str, Any], ...]

AT_ONCE = 16  # replies with calls in one rendering
AROUND_RESULT = 48  # tokens that a template may put around a call and its result, where it was not seen
STAND_IN = Message.assistant("ok")
_SENTINEL = pattern(r"qz(\d+)rzq")


@dataclass(slots=True)
class ToolCosts:
    """`calls`: by the name of a reply (measured.name_of), the tokens of it, its calls, and what is around their
    results. `definitions`: their tokens in a request without and with a system message; () where not rendered.
    `rendered`: the whole requests that were, without what pictures cost, by the role of their last message: a
    template may write calls otherwise once there is another question. `agrees`: whether the last of them that ends
    with a question cost what was foretold from its parts.
    """

    calls: dict[str, int] = field(default_factory=dict)
    definitions: tuple[int, ...] = ()
    agrees: bool = False
    rendered: dict[Role, Measured] = field(default_factory=lambda: {role: Measured() for role in Role})

    def rendered_like(self, messages: Sequence[Message]) -> Measured:
        """The requests rendered that end as this one does."""
        return self.rendered[messages[-1].role]


class Group(NamedTuple):
    """A reply with calls, and their results; no reply where a conversation from elsewhere has results alone."""

    reply: Message | None
    results: Sequence[Message]


def has_calls(messages: Sequence[Message]) -> bool:
    return any(message.tool_uses or message.role is Role.TOOL for message in messages)


def name_of_set(definitions: Definitions) -> str:
    """A short name for exactly these definitions; "" for none."""
    return sha256(as_text(definitions).encode("utf-8", "surrogatepass")).hexdigest()[:12] if definitions else ""


def as_text(definitions: Definitions) -> str:
    """The definitions as JSON, one in a line: about what a template makes of them."""
    return "\n".join(json.dumps(each, ensure_ascii=False, default=str) for each in definitions)


def apart(messages: Sequence[Message]) -> tuple[list[Message], list[Group], int]:
    """The messages without calls and results; these, in groups; and how many replies were put in between questions
    that are no neighbors.
    """
    others: list[Message] = []
    groups: list[Group] = []
    stand_ins, after_group = 0, False
    for message, before in zip(messages, [None, *messages], strict=False):
        if message.calls:
            groups.append(Group(message, []))
        elif message.role is Role.TOOL and before is not None and (before.calls or before.role is Role.TOOL):
            groups[-1] = Group(groups[-1].reply, [*groups[-1].results, message])
        elif message.role is Role.TOOL:
            groups.append(Group(None, [message]))
        else:
            if after_group and message.role is Role.USER and others and others[-1].role is Role.USER:
                others.append(STAND_IN)
                stand_ins += 1
            others.append(message)
        after_group = bool(message.calls) or message.role is Role.TOOL
    if all(message.role is Role.SYSTEM for message in others):
        others.append(Message.user(""))
    return others, groups, stand_ins


def as_it_is(text: str) -> bool:
    """Whether a template can only write this result as it is: some cut blanks off, some write JSON."""
    return text == text.strip() != "" and json.dumps(text, ensure_ascii=False) == f'"{text}"'


def probe(replies: Sequence[Message]) -> list[Message]:
    """A request with these replies, each with a sentinel for the result of each of its calls. The first is there
    twice, so that each follows a result. Thinking is sent only while a turn goes on; so only then nothing follows.
    """
    asked, number = [Message.user("x")], 0
    for reply in (replies[0], *replies):
        asked.append(replace(reply, attachments=()))
        for use in reply.calls:
            asked.append(Message.tool(use, f"qz{number}rzq"))
            number += 1
    return asked if any(reply.thinking for reply in replies) else [*asked, STAND_IN, Message.user("x")]


def read_probe(replies: Sequence[Message], rendered: str) -> Iterator[list[str]]:
    """For each of the replies the texts that it adds to a prompt besides those of its results; none at all where
    the results are not where they are expected.
    """
    found = list(_SENTINEL.finditer(rendered))
    sizes = [len(reply.calls) for reply in (replies[0], *replies)]
    if [int(each[1]) for each in found] != list(range(sum(sizes))):
        return
    texts = [rendered[before.end() : after.start()] for before, after in pairwise(found)]
    at = sizes[0] - 1  # the text before the second group's first result
    for size in sizes[1:]:
        yield texts[at : at + size]
        at += size
