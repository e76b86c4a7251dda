"""Calls of tools and their results in what is sent: long results are cut in their middle, and no call goes without
its result.

A copy depends on its turn alone (the messages from one question to the next), so that it is the same in every
request and the server's cache stays valid.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import takewhile

from chatcli.context.outgoing import Counting
from chatcli.conversation.message import Message, Role, ToolUse
from chatcli.conversation.tree import Node
from chatcli.dataclass import dataclass

# A result is cut to no fewer tokens than this.
LEAST = 32
# Characters that a token has at the most, nearly always, and those from which a cut begins.
_DENSE, _USUAL = 16, 6
# A turn with more messages than this (an imported one) is cut in parts.
_MOST = 1000


@dataclass(frozen=True, slots=True)
class Shares:
    """In tokens: the most that one result may have, and that all results of one turn may have together."""

    one: int
    turn: int

    @property
    def halves(self) -> Iterator[int]:
        """The shares of one result to try, until what it is for fits."""
        share = self.one
        while share > LEAST:
            yield share
            share //= 2
        yield min(share, self.one)


def as_sent(back: Iterable[Node], count: Counting, shares: Shares) -> Iterator[Node]:
    """The nodes, newest first, as they are sent: see `of_turn`. Nodes after the last result or call are passed on
    as they come.
    """
    turn: list[Node] = []
    for node in back:
        if not turn and not node.message.tool_uses and node.message.role is not Role.TOOL:
            yield node
            continue
        turn.append(node)
        if node.message.role is Role.USER or (len(turn) >= _MOST and node.message.calls):
            yield from reversed(of_turn(turn[::-1], count, shares))
            turn = []
    yield from reversed(of_turn(turn[::-1], count, shares))


def of_turn(nodes: Sequence[Node], count: Counting, shares: Shares) -> list[Node]:
    """The nodes of one turn, oldest first: calls without a result are left out, and each result has its share.
    Where all results together are more than the turn may have, the largest get less.
    """
    share = shares.one
    costs = [up_to(node.message.text, share, count) for node in nodes if node.message.role is Role.TOOL]
    if sum(costs) > shares.turn:
        share = next(
            (half for half in shares.halves if sum(min(cost, half) for cost in costs) <= shares.turn), LEAST
        )
    made: list[Node] = []
    for at, node in enumerate(nodes):
        message = node.message
        if message.calls:
            results = takewhile(lambda each: each.message.role is Role.TOOL, nodes[at + 1 :])
            message = replace(message, tool_uses=_answered(message.calls, [each.message for each in results]))
        made.append(with_share(node if message is node.message else replace(node, message=message), count, share))
    return made


def _answered(calls: Sequence[ToolUse], results: Sequence[Message]) -> tuple[ToolUse, ...]:
    """The calls that these results answer. Of an import some may be missing, or not say which call they answer:
    those answer the first ones that are left.
    """
    known = [each.answers for each in results if each.answers in calls]
    unknown, found = len(results) - len(known), list[ToolUse]()
    for use in calls:
        if use in known:
            known.remove(use)
        elif unknown:
            unknown -= 1
        else:
            continue
        found.append(use)
    return tuple(found)


def with_share(node: Node, count: Counting, share: int) -> Node:
    """The node, with the result that it is cut to that many tokens; any other node as it is."""
    if node.message.role is not Role.TOOL:
        return node
    text = cut(node.message.text, share, node.number, count)
    return node if text is node.message.text else replace(node, message=replace(node.message, text=text))


def up_to(text: str, most: int, count: Counting) -> int:
    """The tokens of the text, or `most` where it has more. What cannot have so few is not counted."""
    return most if len(text) > most * _DENSE else min(most, _tokens(text, count))


def cut(text: str, most: int, number: int, count: Counting) -> str:
    """The text if it has no more than `most` tokens; else without lines in its middle, and with a line that says
    which, and how to read them. `number`: of the message.
    """
    few = len(text) <= most * _DENSE
    # No token is less than a byte, so what has few bytes need not be counted.
    if few and (len(text.encode(errors="replace")) <= most or _tokens(text, count) <= most):
        return text
    return _cut(text, most, number, count)


@lru_cache(maxsize=128)
def _cut(text: str, most: int, number: int, count: Counting) -> str:
    size, newlines = min(len(text), most * _USUAL), text.count("\n")
    while True:
        short = _without_middle(text, size // 2, number, newlines)
        tokens = _tokens(short, count)
        if tokens <= most or size < 2:
            return short
        size = min(size * 9 // 10, size * most // tokens)


def _without_middle(text: str, half: int, number: int, newlines: int) -> str:
    """The first and the last `half` characters; fewer, to end and begin with a line, where a line is not long.
    `newlines`: how many the text has.
    """
    end, begin = half, len(text) - half
    newline = text.rfind("\n", half // 2, half) + 1
    end = newline or end
    newline = text.find("\n", begin, len(text) - half // 2) + 1
    begin = newline or begin
    lines = newlines + (not text.endswith("\n"))
    by_line = text[end - 1 : end] in {"", "\n"} and text[begin - 1 : begin] == "\n"
    first, last = text.count("\n", 0, end) + 1, newlines - text.count("\n", max(0, begin - 1)) + 1
    which = f"line {first}" if first == last else f"lines {first} to {last}"
    what = which.capitalize() if by_line else f"{begin - end} characters of {which}"
    are = "is" if by_line and first == last else "are"
    note = (
        f"[{what} of {lines} {are} left out here. read_result(message={number}, first_line={first}, "
        f"last_line={last}) gives more.]"
    )
    head = text[:end] if not end or by_line or text[end - 1] == "\n" else f"{text[:end]}\n"
    return f"{head}{note}\n{text[begin:]}"


def _tokens(text: str, count: Counting) -> int:
    return count(Message.user(text)).tokens - count(Message.user("")).tokens


Group = tuple[Node, ...]


def groups(back: Iterable[Node]) -> Iterator[Group]:
    """The nodes, newest first, in groups that stay together, each oldest first: a reply with calls (a call may be
    written in its text) and the results that follow it; any other node by itself.
    """
    results: list[Node] = []
    for node in back:
        if node.message.role is Role.TOOL:
            results.append(node)
        elif results and node.message.role is Role.ASSISTANT:
            yield (node, *results[::-1])
            results = []
        else:
            yield from ((each,) for each in results)
            yield (node,)
            results = []
    yield from ((each,) for each in results)


def untorn(nodes: Sequence[Node]) -> int:
    """The index of the first node that is no result of a call before all of them."""
    return next((at for at, node in enumerate(nodes) if node.message.role is not Role.TOOL), len(nodes))


def in_words(message: Message, shorten: Callable[[str], str] = str) -> str:
    """What was said, as one reads it: calls by name and arguments, results with the name of their tool. `shorten`:
    for the text of a result.
    """
    if message.role is Role.TOOL:
        name = message.answers.name if message.answers else "a tool"
        return f"({name} gave: {shorten(message.text)})"
    called = [f"(called {use.brief})" for use in message.calls]
    return "\n".join([*([message.text] if message.text else []), *called])
