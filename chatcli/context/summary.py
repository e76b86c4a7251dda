"""The rolling summary: when one is due, of which messages, with which instruction, and whether the answer is
usable.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from enum import StrEnum
from itertools import chain, takewhile

from chatcli.context.outgoing import Copies, Counting
from chatcli.context.plan_inputs import Basis
from chatcli.context.specifics import listed, lost
from chatcli.context.strategies import LOW_WATER, Stretch, since_cut, stable_cut
from chatcli.context.system_message import Front
from chatcli.context.tool_results import Group, groups, in_words, untorn
from chatcli.conversation.context_state import ALSO, State, Summary
from chatcli.conversation.message import Message, Role
from chatcli.conversation.plan import Fate, PartKind, Plan
from chatcli.conversation.repetition import repeats
from chatcli.conversation.tree import Node
from chatcli.dataclass import dataclass

WORDS = 120
SHARE = 0.12  # of the room for history, and no more than MOST tokens
MOST = 600
LEAST = 48
LISTED = 0.5  # of the tokens of a summary, the most that the specifics it has lost may take
EARLIER = 4  # earlier summaries that are kept, for /uncompact
RESULT = 96  # tokens of a tool's result that the model reads for a summary
REQUESTS = 8  # the most requests for one /compact, each with as many messages as fit
LOOP = 120  # characters of a summary that are too many of the same


@dataclass(frozen=True, slots=True)
class Due:
    """A summary to ask for: send `messages` as they are, with num_predict `limit` for a model that does not think,
    and pass the answer to `accepted`.

    It will cover messages `first` to `last` (numbers), the last of which is node `upto`; what it replaces has
    `replaces` tokens. `cut`: the node at which the verbatim part then begins. `cached`: the messages begin with
    the last request, which the server still has in its cache. `more`: there is more to summarize than the request
    has room for. `shortened`: of the messages with these numbers it has the beginning and the end only. `said`:
    the texts that it is made of, the summary before it and the messages.
    """

    messages: tuple[Message, ...]
    limit: int
    first: int
    last: int
    upto: int
    cut: int | None
    replaces: int
    cached: bool
    more: bool = False
    shortened: tuple[int, ...] = ()
    said: tuple[str, ...] = ()


class Refusal(StrEnum):
    """Why an answer is no summary."""

    EMPTY = "it is empty"
    LOOPS = "it repeats itself"
    LONG = "it is no shorter than what it replaces"


def due(back: Iterable[Node], basis: Basis, plan: Plan | None = None, now: bool = False) -> Due | None:
    """The summary due after a reply; None when none is due.

    Where the strategy moves a cut: of what that has left out since the last summary. Where it does not: of all but
    the last keep_recent messages, once the history has passed its budget. With `now` (/compact), in any strategy:
    of all but the last keep_recent messages, fewer where those leave little room; the oldest come first, and the
    rest is due once this summary is in the state of the basis. `plan`: that of the last request, which the
    summary's request continues while the server has it cached; None where another model makes the summary.
    """
    nodes = basis.sent(back)
    tip = next(nodes, None)
    if tip is None or not (basis.strategy.summarizes or now):
        return None
    basis = replace(basis.at(tip.id), strategy=replace(basis.strategy, summarizes=True, server_cuts=False))
    pinned, old = basis.standing(tip.id)
    begin = basis.front(pinned, old)
    room = basis.rooms(begin)
    copies, state = basis.copies, basis.state
    recent = since_cut(chain([tip], nodes), copies.tokens, state, room.whole)
    limit = max(LEAST, min(int(room.history * SHARE), MOST))
    space = room.history - limit
    low = min(space, int(room.share * LOW_WATER)) if now else space
    kept = _kept(recent, basis, low, space, None if now else room.whole)
    if kept is None:
        return None
    ask = _Asking(basis, copies, begin, limit, kept[0] if kept else None)
    more = () if _reaches_summary(recent, state) else nodes
    gone = recent.nodes[: len(recent.nodes) - len(kept)]
    missing = _older(chain(reversed(gone), more), state, ask, REQUESTS if now else 1)
    said = _first_that_fit(missing, ask)
    if not said:
        return None
    left = len(missing) > len(said)
    older = [node for group in said for node in group]
    continued = ask.continuing(plan, older, recent.nodes) if plan is not None and not left else None
    return Due(
        messages=continued or ask.alone(said),
        limit=limit,
        first=_first(older[0], old),
        last=older[-1].number,
        upto=older[-1].id,
        cut=kept[0].id if kept else None,
        replaces=sum(map(copies.tokens, older)) + sum(part.count.tokens for part in begin.summary),
        cached=continued is not None,
        more=left,
        said=(*([old.whole] if old is not None else ()), *map(ask.words, said)),
        shortened=() if continued else tuple(group[0].number for group in said if ask.cost(group) > ask.space),
    )


def _kept(recent: Stretch, basis: Basis, low: int, room: int, most: int | None) -> tuple[Node, ...] | None:
    """What stays word for word after the summary; None when none is due, as all of it is no more than `most`, and
    nothing before it was left out.
    """
    if basis.strategy.moves_cut and most is not None:
        return _from_cut(recent, basis.state)
    whole = not recent.nodes or recent.nodes[0].parent is None or _reaches_summary(recent, basis.state)
    if most is not None and recent.tokens <= most and whole:
        return None
    return _newest(recent, basis.memory.keep_recent, low, room)


def _first(oldest: Node, old: Summary | None) -> int:
    """The number of the first message that the new summary covers; it is made of the old one, `oldest` and what
    follows.
    """
    whole = oldest.parent is None or (old is not None and oldest.parent == old.upto)
    if not whole:
        return oldest.number
    return old.first if old is not None and old.first else 1


def accepted(due: Due, answer: str, state: State, count: Counting, cut_off: bool = False) -> State | Refusal:
    """The state with the new summary, or why the answer is none. Thinking, a heading, what exceeds the allowed
    length, and half a sentence at the end of an answer that was `cut_off` are removed. In the room that the text
    leaves, the specifics are listed that it has lost.
    """
    text = _cleaned(answer)
    if repeats(text, LOOP):
        return Refusal.LOOPS
    if cut_off and not text.endswith(_ENDS):
        text = _shorter(text)
    empty = count(Message.user("")).tokens

    def cost(said: str) -> int:
        return count(Message.user(said)).tokens - empty

    while text and cost(text) > due.limit:
        text = _shorter(text)
    if not text:
        return Refusal.EMPTY
    if cost(text) >= due.replaces:
        return Refusal.LONG
    room = min(int(due.limit * LISTED), min(due.limit, due.replaces - 1) - cost(f"{text}\n{ALSO}"))
    gone = listed(lost(due.said, text), room, cost)
    summary = Summary(text, due.upto, due.first, due.last, _short_of(state.summary, EARLIER), gone)
    return replace(state, summary=summary, cut=due.cut if due.cut is not None else state.cut)


def undone(state: State, standing: Summary | None) -> State:
    """The state without the summary in use on this path and without the cut: the summary before it is used again,
    and the rest is sent word for word.
    """
    return replace(state, summary=_without(state.summary, standing), cut=None)


def rewritten(state: State, standing: Summary, text: str) -> State:
    """The state with another text for that summary, which replaces the old one."""
    rest = _without(state.summary, standing)
    return replace(
        state,
        summary=replace(
            standing, text=text, specifics=(), replaces=_short_of(replace(standing, replaces=rest), EARLIER)
        ),
    )


def _without(summary: Summary | None, one: Summary | None) -> Summary | None:
    if summary is None or one is None:
        return summary
    if (summary.text, summary.upto) == (one.text, one.upto):
        return summary.replaces
    return replace(summary, replaces=_without(summary.replaces, one))


def _short_of(summary: Summary | None, depth: int) -> Summary | None:
    """The summary with at most `depth` - 1 of those that it replaced."""
    if summary is None or not depth:
        return None
    return replace(summary, replaces=_short_of(summary.replaces, depth - 1))


def words_for(limit: int) -> int:
    """How many words a summary of `limit` tokens is asked for: some room is left for the list below it."""
    return max(25, min(WORDS, limit * 3 // 5))


def instruction(limit: int, kept: Node | None, again: bool) -> str:
    """The instruction for the model. `kept`: the first message that stays as it is; `again`: there is a summary
    already.
    """
    parts = [
        "Write a summary of our conversation so far, as your own memory of it: it will take the place of the "
        "messages themselves.",
        f'Leave out what was said from "{_opening(kept)}" on; that stays.' if kept else "",
        "Carry over what still matters of the summary above." if again else "",
        "Keep names, decisions, numbers, dates and open questions; leave out courtesies.",
        f"Under {words_for(limit)} words, plain text, no heading, in the language of the conversation. "
        "Answer with the summary only.",
    ]
    return " ".join(filter(None, parts))


@dataclass(frozen=True, slots=True)
class _Asking:
    """How the request for a summary is made; `space`: tokens that the messages to summarize may take in it."""

    basis: Basis
    copies: Copies
    begin: Front
    limit: int
    kept: Node | None

    @property
    def space(self) -> int:
        ask = self.copies.count(self._ask(None, True)).tokens
        return self._most - self.begin.tokens - ask

    @property
    def _most(self) -> int:
        return self._window - self.basis.budget.fixed.tokens

    @property
    def _window(self) -> int:
        """The window without the margin and the room for the summary."""
        return self.basis.budget.window - self.basis.budget.margin - self.limit

    def continuing(self, plan: Plan, older: Sequence[Node], recent: Sequence[Node]) -> tuple[Message, ...] | None:
        """The last request, what came after it, and the instruction. If that is too long: the last request up to
        its question, with the instruction in place of question and reply, because the server has that in its cache
        too. None when neither contains the messages to summarize, or its question is no longer on the path.
        """
        first = min((part.first for part in plan.parts if part.kind is PartKind.QUESTION), default=0)
        turn = [part for part in plan.parts if part.fate is Fate.SENT and part.first >= first > 0]
        if not {part.node for part in turn} <= {node.id for node in recent}:
            return None
        asked = max((part.last for part in turn), default=0)
        since = [node for node in recent if node.number > asked]
        sent = {part.node for part in plan.parts if part.fate is Fate.SENT}
        ask = self._ask(self.kept, any(part.kind is PartKind.SUMMARY for part in plan.parts))
        after = (*(self.copies.of(node.message) for node in since), ask)
        needed = plan.planned.tokens + sum(self.copies.count(message).tokens for message in after)
        wanted = {node.id for node in older}
        if wanted <= sent | {node.id for node in since} and needed <= self._window:
            return (*plan.messages, *after)
        before = plan.messages[: len(plan.messages) - len(turn)]
        needed = sum(self.copies.count(message).tokens for message in (*before, ask))
        held = wanted <= sent - {part.node for part in turn}
        return (*before, ask) if held and needed <= self._most else None

    def alone(self, older: Iterable[Group]) -> tuple[Message, ...]:
        front_message = (self.begin.message,) if self.begin.message else ()
        said = (_within(self.told(group), self.space, self.copies.count) for group in older)
        return (*front_message, *said, self._ask(None, bool(self.begin.summary)))

    def told(self, group: Group) -> Message:
        """The message, as it is sent; calls and their results as one message in words, with short results."""
        first = group[0].message
        if len(group) == 1 and first.role is not Role.TOOL:
            return self.copies.of(first)
        return Message.assistant("\n".join(in_words(node.message, self._short) for node in group))

    def words(self, group: Group) -> str:
        """What the message says, without its files; of calls and their results what `told` has."""
        return self.told(group).text if len(group) > 1 else in_words(group[0].message, self._short)

    def cost(self, group: Group) -> int:
        return self.copies.count(self.told(group)).tokens

    def _short(self, result: str) -> str:
        return _within(Message.assistant(result), RESULT, self.copies.count).text

    def _ask(self, kept: Node | None, again: bool) -> Message:
        return Message.user(instruction(self.limit, kept, again))


def _from_cut(recent: Stretch, state: State) -> tuple[Node, ...] | None:
    """The node from which messages are sent word for word; None when the cut is somewhere else."""
    begins = recent.nodes[0].id if recent.nodes else None
    return recent.nodes if begins is not None and begins == state.cut else None


def _newest(recent: Stretch, number: int, low: int, room: int) -> tuple[Node, ...]:
    """The newest `number` messages. Where they exceed `low` tokens, fewer, from a question on; and where no
    exchange fits into `room`, those that do. They do not begin with the result of a call.
    """
    index = max(0, len(recent.nodes) - number)
    first = stable_cut(recent, low, room) if sum(recent.costs[index:]) > low else 0
    if first < len(recent.nodes):
        index = max(index, first)
    while index < len(recent.nodes) and sum(recent.costs[index:]) > room:
        index += 1
    return recent.nodes[index + untorn(recent.nodes[index:]) :]


def _reaches_summary(recent: Stretch, state: State) -> bool:
    """Whether there is nothing between the summary and `recent`."""
    return not recent.nodes or (state.summary is not None and recent.nodes[0].parent == state.summary.upto)


def _older(nodes: Iterable[Node], state: State, ask: _Asking, requests: int) -> list[Group]:
    """Of `nodes`, newest first, those to summarize, oldest first: back to the old summary, as far as they fit into
    so many requests. What is too long for one is shortened in it.
    """
    older: list[Group] = []
    used = 0
    upto = state.summary.upto if state.summary is not None else None
    since = takewhile(lambda node: node.id != upto, nodes)
    for group in groups(node for node in since if node.id not in state.forgotten):
        used += min(ask.cost(group), ask.space)
        if used > ask.space * requests:
            break
        older.append(group)
    return older[::-1]


def _first_that_fit(older: Sequence[Group], ask: _Asking) -> Sequence[Group]:
    """Those, oldest first, that fit into one request."""
    used = 0
    for index, group in enumerate(older):
        used += min(ask.cost(group), ask.space)
        if used > ask.space:
            return older[:index]
    return older


def _within(message: Message, space: int, count: Counting) -> Message:
    """The message, without its middle where it has more than `space` tokens."""
    size = len(message.text)
    while size and (cost := count(message).tokens) > space:
        size = min(size * 9 // 10, size * space // cost)
        half = size // 2
        short = f"{message.text[:half]}\n{_GAP}\n{message.text[len(message.text) - half :]}"
        message = replace(message, text=short, attachments=())
    return message


_GAP = "[...]"
_ENDS = (".", "!", "?", "。", "！", "？", '"', ")", "*", "`")


def _cleaned(answer: str) -> str:
    text = re.sub(r"<think(?:ing)?>.*?</think(?:ing)?>", "", answer, flags=re.DOTALL)
    text = re.sub(r"^.*</think(?:ing)?>", "", text, flags=re.DOTALL).strip()
    text = re.sub(
        r"^(?:#+\s*|\*\*)?(?:conversation )?summary[^\n:]*:?(?:\*\*)?:?[ \t]*\n+", "", text, flags=re.IGNORECASE
    )
    text = re.sub(r"^summary:\s*", "", text, flags=re.IGNORECASE)
    return text.strip().strip("`").strip()


def _shorter(text: str) -> str:
    """The text without its last sentence or line; without its last words where it has only one."""
    ends = [found.end() for found in re.finditer(r"[.!?。！？]\s+|\n+", text.rstrip())]
    if ends:
        return text[: ends[-1]].rstrip()
    words = text.split()
    return " ".join(words[: len(words) * 9 // 10])


def _opening(node: Node) -> str:
    words = node.message.text.split()
    return " ".join(words[:8])[:60]
