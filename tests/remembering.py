"""A conversation in a real store, planned and replied to turn by turn as turn.py does it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from chatcli.context.assemble import assemble, settle_cut
from chatcli.context.budget import Budget
from chatcli.context.plan_inputs import Basis, Memory
from chatcli.context.summary import Due, accepted, due
from chatcli.conversation.context_state import State
from chatcli.conversation.message import Attachment, Message
from chatcli.conversation.plan import Fate, Plan
from chatcli.conversation.retrieval import Meaning
from chatcli.conversation.tree import Conversation, Node
from chatcli.conversation.usage import Count
from chatcli.session.planning import skilled
from chatcli.settings.strategies import AUTO, FULL, STRATEGIES, Strategy
from chatcli.store.store import Store


def count(message: Message) -> Count:
    """A token for four letters, and four for the role."""
    return Count(-(-len(message.text) // 4) + 4, exact=True)


def summarise(wanted: Due) -> str:
    return f"They spoke of messages {wanted.first} to {wanted.last}."


@dataclass
class Chat:
    """`summariser` answers requests for summaries; None: no summary ever comes."""

    store: Store
    budget: Budget
    strategy: Strategy = AUTO
    system: str = "Be kind."
    memory: Memory = Memory()
    summariser: Callable[[Due], str] | None = summarise
    meaning: Callable[[str], Meaning | None] = lambda _: None
    clock: list[datetime] = field(default_factory=lambda: [datetime(2026, 3, 1, 12, tzinfo=UTC)])
    conversation: Conversation = field(init=False)
    plans: list[Plan] = field(default_factory=list)
    pending: tuple[Attachment, ...] = ()

    def __post_init__(self) -> None:
        self.conversation = self.store.create()

    def ask(self, text: str, reply: str | None = "Noted.", question: Message | None = None) -> Plan:
        """The plan for that question; then its reply, and what happens after a reply."""
        if self.strategy.summarizes and not self.strategy.moves_cut:
            self.summarise()
        self.say(question or Message.user(text))
        plan = self.plan()
        self.plans.append(plan)
        if reply is not None:
            self.say(Message.assistant(reply))
            self.settle()
        return plan

    def taken(self) -> tuple[Attachment, ...]:
        """What is attached to the next message."""
        taken, self.pending = self.pending, ()
        return taken

    def say(self, message: Message) -> Node:
        self.clock[0] += timedelta(minutes=1)
        return self.store.append(self.conversation, message)

    def plan(self) -> Plan:
        plan, state = assemble(self.conversation.back(), self.basis)
        self.store.keep_state(self.conversation, state)
        return plan

    def settle(self) -> None:
        before = self.conversation.state
        state = settle_cut(self.conversation.back(), self.basis)
        self.store.keep_state(self.conversation, state)
        if state.cut != before.cut:
            self.summarise()

    def due(self, *, now: bool = False) -> Due | None:
        return due(self.conversation.back(), self.basis, self.plans[-1] if self.plans else None, now)

    @property
    def basis(self) -> Basis:
        state = self.conversation.state
        return Basis(self.system, self.budget, count, state, self.strategy, memory=self.skilled)

    def summarise(self, *, now: bool = False) -> Due | None:
        wanted = self.due(now=now)
        if wanted is not None and self.summariser is not None:
            state = accepted(wanted, self.summariser(wanted), self.conversation.state, count)
            if isinstance(state, State):
                self.store.keep_state(self.conversation, state)
        return wanted

    @property
    def skilled(self) -> Memory:
        return skilled(self.memory, self.store, self.conversation, self.meaning)

    def node(self, number: int) -> Node:
        node = self.conversation.message(number)
        assert node is not None
        return node


# The strategies that raise ContextTooLong where the history does not fit.
REFUSE = frozenset({FULL})
# Those that make every request fit, however long the conversation is.
ALWAYS_FIT = [each for each in STRATEGIES if not each.server_cuts and each not in REFUSE]


def assert_accounted_for(plan: Plan, messages: int, strategy: Strategy) -> None:
    """The plan says of each of the messages, up to its question, what becomes of it, and why it is left out."""
    numbers = [number for part in plan.parts if part.first for number in range(part.first, part.last + 1)]
    assert numbers == list(range(1, messages + 1))
    assert all(part.first <= part.last for part in plan.parts)
    for part in plan.parts:
        assert part.why or part.fate is Fate.SENT, (
            f"strategy {strategy}: its Choice leaves out messages {part.first} to {part.last} without a reason"
        )


def room_for(tokens: int) -> Budget:
    """A budget in which messages may use so many tokens."""
    return Budget(window=tokens + 100, reserve=100)
