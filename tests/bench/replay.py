"""Replays conversations through chatcli's own code: a store with its search, assembly, cut and summary.

The file is a list of {"id", "messages": [{"id", "role", "name", "text", "sitting", "time"}], "questions":
[{"question", "evidence": [message ids], "category"}]}. Tokens: a quarter of the characters, and four for each
message.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from chatcli.context.assemble import assemble, settle_cut
from chatcli.context.budget import Budget
from chatcli.context.plan_inputs import Basis, Memory
from chatcli.context.summary import Due, accepted, due
from chatcli.conversation.context_state import State, Summary
from chatcli.conversation.message import Message, Role
from chatcli.conversation.plan import Fate, PartKind, Plan
from chatcli.conversation.retrieval import Meaning
from chatcli.conversation.tree import Conversation, Node
from chatcli.conversation.usage import Count, Turn
from chatcli.session.planning import skilled
from chatcli.settings.strategies import Strategy
from chatcli.store.store import Store

SYSTEM = "You are a friendly and attentive partner in a long conversation between two people. " * 9  # 200 tokens
HISTORY = frozenset({PartKind.SUMMARY, PartKind.VERBATIM, PartKind.RECALLED})
_TIMES = ("%I:%M %p on %d %B, %Y", "%Y-%m-%dT%H:%M:%S")


@dataclass(frozen=True, slots=True)
class Question:
    text: str
    evidence: tuple[str, ...]
    category: str


@dataclass(slots=True)
class Replayed:
    """A conversation in the store, and the state that goes with it. `at`: where the replay is, by number."""

    store: Store
    conversation: Conversation
    ids: dict[int, str]
    questions: Sequence[Question]
    path: list[Node] = field(default_factory=list)
    at: int = 0
    state: State = State()
    plan: Plan | None = None
    summarised: list[int] = field(default_factory=list)
    summaries: list[tuple[Due, Summary]] = field(default_factory=list)

    def back(self) -> Iterator[Node]:
        return reversed(self.path[: self.at])


def some_words(wanted: Due) -> str:
    """A stand-in for a model: 110 words from everywhere in what it is to summarize."""
    words = " ".join(message.text for message in wanted.messages[1:-1]).split()
    return " ".join(words[:: max(1, len(words) // 110)][:110])


@dataclass(frozen=True, slots=True)
class Configuration:
    """One way of going through a conversation: a strategy, its budget for history, and the memory's wishes.
    `meaning`: what a question means, where an embedding model says so. `summarize`: stands in for a model.
    `sticks`: questions keep their quotes in later requests, until the cut moves; chatcli takes them out at once.
    """

    strategy: Strategy
    history: int
    memory: Memory = Memory()
    meaning: Callable[[str], Meaning | None] = lambda _: None
    summarize: Callable[[Due], str] = some_words
    sticks: bool = False

    @property
    def budget(self) -> Budget:
        """A window in which nothing but `history` limits what is sent before the question."""
        return Budget(window=self.history + 8192, reserve=1024, history=self.history)

    def memory_of(self, replayed: Replayed) -> Memory:
        return skilled(self.memory, replayed.store, replayed.conversation, self.meaning)

    def ask(self, replayed: Replayed, question: Node | None = None) -> tuple[Plan, State]:
        """The plan for the message the replay is at, or for `question` after it."""
        back = replayed.back() if question is None else iter([question, *replayed.back()])
        return assemble(back, self.basis(replayed, replayed.state))

    def basis(self, replayed: Replayed, state: State) -> Basis:
        return Basis(SYSTEM, self.budget, count, state, self.strategy, memory=self.memory_of(replayed))

    def settle(self, replayed: Replayed) -> None:
        """What happens after a reply: the cut, and a summary where one is due, by a stand-in for a model."""
        state = settle_cut(replayed.back(), self.basis(replayed, replayed.state))
        wanted = due(replayed.back(), self.basis(replayed, state), replayed.plan)
        if wanted is not None:
            replayed.summarised.append(sum(count(message).tokens for message in wanted.messages))
            made = accepted(wanted, self.summarize(wanted), state, count)
            if isinstance(made, State) and made.summary is not None:
                replayed.summaries.append((wanted, made.summary))
                state = made
        replayed.state = state


def count(message: Message) -> Count:
    return Count(-(-len(message.text) // 4) + 4, exact=True)


def opened(file: Path, path: Path | None = None) -> tuple[Store, list[Replayed]]:
    """A store with every conversation of the file in it, said at the times given there."""
    clock = [datetime(2020, 1, 1, tzinfo=UTC)]
    store = Store.open(path, now=lambda: clock[0])
    made = [stored(store, clock, each) for each in json.loads(file.read_text(encoding="utf-8"))]
    return store, made


def phases(replayed: Replayed, verbatim: Sequence[int], number: int) -> Iterator[Replayed]:
    """The conversation at its end, with the cut at `number` places evenly between those it had been seen at:
    `verbatim` are the tokens that were sent word for word on its turns. The end alone would be one chance place.
    """
    low, high = (min(verbatim), max(verbatim)) if verbatim else (0, 0)
    for phase in range(number):
        state = replayed.state
        cut = _cut_at(replayed, low + (high - low) * (phase + 0.5) / number)
        if state.cut is not None and cut is not None and cut.parent is not None:
            summary = state.summary
            if summary is not None:
                summary = replace(summary, upto=cut.parent, last=cut.number - 1)
            state = replace(state, cut=cut.id, summary=summary)
        yield replace(replayed, state=state)


def _cut_at(replayed: Replayed, tokens: float) -> Node | None:
    used, cut = 0, None
    for node in replayed.back():
        used += count(node.message).tokens
        if used > tokens:
            break
        cut = node if node.message.role is Role.USER else cut
    return cut


def replay(replayed: Replayed, configuration: Configuration, after: int = 0) -> Iterator[Plan]:
    """The plan of every turn, from the beginning or after so many messages. A message of the user's is asked; what
    follows is its reply.
    """
    replayed.state, replayed.plan, replayed.summarised, replayed.summaries = State(), None, [], []
    replayed.path[:] = replayed.conversation.path()
    for place, node in enumerate(replayed.path, start=1):
        if place <= after:
            continue
        replayed.at = place
        if node.message.role is Role.USER:
            replayed.plan, replayed.state = configuration.ask(replayed)
            yield replayed.plan
            _note(replayed, replayed.plan, configuration.sticks)
        following = replayed.path[place : place + 1]
        if not following or following[0].message.role is Role.USER:
            before = replayed.state.cut
            configuration.settle(replayed)
            if before != replayed.state.cut:
                replayed.path[:] = replayed.conversation.path()


def _note(replayed: Replayed, plan: Plan, sticks: bool) -> None:
    """The reply's provenance says what was quoted for it; or the question has its quotes from now on."""
    at, path = replayed.at, replayed.path
    if sticks:
        path[at - 1] = replace(path[at - 1], message=plan.messages[-1])
    elif at < len(path):
        quoted = plan.of(PartKind.RECALLED).tokens
        path[at] = replace(path[at], turn=Turn("replay", quoted=quoted, gave_way=plan.gave_way))


def verbatim_tokens(plans: Iterable[Plan]) -> list[int]:
    """What was sent word for word of the history, in the plans that left something out."""
    cut = (plan for plan in plans if plan.left_out)
    return [plan.of(PartKind.VERBATIM).tokens for plan in cut]


def history_tokens(plan: Plan) -> int:
    """What the plan sends before the question: the summary, messages word for word, and what was recalled."""
    return sum(plan.of(kind).tokens for kind in HISTORY)


def shown(plan: Plan, replayed: Replayed) -> set[str]:
    """The ids of the messages that are in the plan, whole: word for word, or quoted."""
    question = plan.messages[-1].text
    numbers = {part.first for part in plan.parts if part.node and part.fate is Fate.SENT}
    numbers |= {part.first for part in plan.parts if part.fate is Fate.RECALLED}
    texts = {node.number: node for node in replayed.path}
    return {
        replayed.ids[texts[number].id]
        for number in numbers
        if number in texts and (texts[number].message.text.strip() in question or _is_sent(plan, number))
    }


def _is_sent(plan: Plan, number: int) -> bool:
    return any(part.first == number and part.fate is Fate.SENT for part in plan.parts)


def stored(store: Store, clock: list[datetime], about: dict[str, Any]) -> Replayed:
    """One conversation of the file, put into the store. `clock`: what the store takes for the time."""
    conversation = store.create(title=str(about["id"]))
    ids: dict[int, str] = {}
    sitting, moment = None, datetime(1970, 1, 2, tzinfo=UTC)
    for message in about["messages"]:
        if message["sitting"] != sitting:
            sitting, moment = message["sitting"], max(_time(message["time"]), moment + timedelta(hours=1))
        moment += timedelta(seconds=20)
        clock[0] = moment
        said = Message(Role(message["role"]), f"{message['name']}: {message['text']}")
        ids[store.append(conversation, said).id] = message["id"]
    questions = [
        Question(each["question"], tuple(each["evidence"]), str(each["category"])) for each in about["questions"]
    ]
    return Replayed(store, conversation, ids, questions, conversation.path())


def _time(text: str) -> datetime:
    for form in _TIMES:
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    raise ValueError(f"no time that is understood: {text!r}")
