"""/diff: two replies to the same question, compared word by word."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from difflib import SequenceMatcher
from typing import Annotated

from chatcli.commands.arguments import Arg
from chatcli.commands.branches import last_question
from chatcli.commands.outcomes import Outcome, Show
from chatcli.commands.registry import command
from chatcli.conversation.message import Role
from chatcli.conversation.tree import Node
from chatcli.conversation.usage import counted
from chatcli.errors import BadArgument, UserError
from chatcli.hints import Do, Hint, Usage
from chatcli.render.views import Change, Changes, Note
from chatcli.session.session import Session
from chatcli.text import UNSPACED

# What is compared first, and then, where two of those differ: a word, a run of blanks, or another sign.
_SENTENCE = re.compile(r"[^\n]*?(?:[.!?]+ +|\n)|[^\n]+")
_WORD = re.compile(rf"{UNSPACED}|(?:(?!{UNSPACED})\w)+|\s+|[^\w\s]")
# Two passages that share less than this part of their letters have nothing to do with each other.
_ALIKE = 0.3
# Longer passages are not compared by words: the time for that grows with the product of both.
_MOST_WORDS = 3000
# Lines that are the same are shown up to this many before and after a change.
_AROUND = 2


@command("diff")
def diff(
    session: Session,
    first: Annotated[int, Arg("a reply, counted from 1")] = 0,
    second: Annotated[int, Arg("another one")] = 0,
) -> Outcome:
    """Compare two replies to the last question, word by word: the last two, or two by their numbers."""
    question = last_question(session)
    children = session.store.children(session.conversation, question.id)
    replies = [_answer(session, node) for node in children if node.message.role is Role.ASSISTANT]
    if len(replies) < 2:
        raise UserError(
            "The last question has fewer than two replies to compare.", Hint(Do("retry"), " asks it again.")
        )
    one, other = first or len(replies) - 1, second or len(replies)
    if not (1 <= one <= len(replies) and 1 <= other <= len(replies)) or one == other:
        raise BadArgument(
            f"There are replies 1 to {len(replies)}: name two of them.", Hint("Usage: ", Usage("diff"))
        )
    before, after = replies[one - 1], replies[other - 1]
    names = _named(before, one), _named(after, other)
    if before.message.source == after.message.source:
        return Show.of(Note(f"{names[0]} and {names[1]} say the same.", "quiet"))
    head = Change("gone", names[0]), Change("same", " "), Change("new", names[1]), Change("same", "\n\n")
    return Show.of(Changes((*head, *shortened(changes(before.message.source, after.message.source)))))


def _answer(session: Session, reply: Node) -> Node:
    """The reply; where it calls tools, the one that ends the turn, as far as that came."""
    at = answer = reply
    while after := session.store.children(session.conversation, at.id):
        at = after[-1]
        if at.message.role is Role.USER:
            break
        answer = at if at.message.role is Role.ASSISTANT else answer
    return answer


def _named(reply: Node, number: int) -> str:
    model = f" ({reply.turn.model})" if reply.turn else ""
    return f"reply {number}{model}" + (", only thinking" if reply.message.source != reply.message.text else "")


def changes(before: str, after: str) -> list[Change]:
    """What became of `before`: without what is new, the pieces are `before`; without what is gone, `after`."""
    return _joined(_by_sentences(_SENTENCE.findall(before), _SENTENCE.findall(after)))


def _by_sentences(before: Sequence[str], after: Sequence[str]) -> Iterator[Change]:
    for is_same, old, new in _compared(before, after):
        if is_same:
            yield Change("same", "".join(old))
        else:
            yield from _by_words("".join(old), "".join(new))


def _by_words(before: str, after: str) -> Iterator[Change]:
    old, new = _WORD.findall(before), _WORD.findall(after)
    if max(len(old), len(new)) <= _MOST_WORDS:
        found = list(_compared(old, new))
        shared = sum(len(word) for is_same, words, _ in found if is_same for word in words if not word.isspace())
        if shared >= _ALIKE * min(len(before), len(after)):
            yield from _without_lone_blanks(found)
            return
    yield Change("gone", before)
    yield Change("new", after)


Found = tuple[bool, Sequence[str], Sequence[str]]


def _compared(before: Sequence[str], after: Sequence[str]) -> Iterator[Found]:
    """Runs of what is the same and of what differs, in order, each with its part of both sides."""
    for kind, i, j, k, end in SequenceMatcher(None, before, after).get_opcodes():
        yield kind == "equal", before[i:j], after[k:end]


def _without_lone_blanks(found: Sequence[Found]) -> Iterator[Change]:
    """A blank between two changes belongs to them: several changed words read better as one change."""
    old = new = ""
    for at, (is_same, before, after) in enumerate(found):
        is_blank = is_same and "".join(before).isspace() and "\n" not in "".join(before)
        if not is_same or (is_blank and 0 < at < len(found) - 1):
            old, new = old + "".join(before), new + "".join(after)
            continue
        yield from (Change("gone", old), Change("new", new), Change("same", "".join(before)))
        old = new = ""
    yield from (Change("gone", old), Change("new", new))


def _joined(found: Iterator[Change]) -> list[Change]:
    """Without empty ones, and neighbors of one kind as one."""
    joined: list[Change] = []
    for change in found:
        if joined and joined[-1].kind == change.kind:
            joined[-1] = Change(change.kind, joined[-1].text + change.text)
        elif change.text:
            joined.append(change)
    return joined


def shortened(found: Sequence[Change]) -> Iterator[Change]:
    """Long passages that are the same are left out, but for the lines next to a change."""
    for at, change in enumerate(found):
        lines = change.text.split("\n")
        first, last = (_AROUND + 1 if at else 0), (_AROUND + 1 if at < len(found) - 1 else 0)
        left_out = len(lines) - first - last
        if change.kind != "same" or left_out < _AROUND:
            yield change
            continue
        yield from _lines(lines[:first], lambda text: text + "\n")
        yield Change("quiet", f"({counted(left_out, 'line')} the same)")
        yield from _lines(lines[len(lines) - last :], lambda text: "\n" + text)


def _lines(lines: Sequence[str], ended: Callable[[str], str]) -> Iterator[Change]:
    if lines:
        yield Change("same", ended("\n".join(lines)))
