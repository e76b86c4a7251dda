"""The plan: what is sent, what is left out, and that it always fits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcli.context.assemble import assemble
from chatcli.context.budget import Budget, margin_for, reserve_for
from chatcli.context.plan_inputs import Basis
from chatcli.context.strategies import CHOOSERS
from chatcli.conversation.context_state import State
from chatcli.conversation.message import Message, Role
from chatcli.conversation.plan import Fate, PartKind, Plan
from chatcli.conversation.tree import Node
from chatcli.conversation.usage import Count
from chatcli.errors import ContextTooLong
from chatcli.settings.strategies import AUTO, FULL, STRATEGIES, TRIM, WINDOW, Strategy
from tests.remembering import REFUSE, assert_accounted_for


def count(message: Message) -> Count:
    """A token a letter, and four for the role."""
    return Count(len(message.text) + 4, exact=True)


@dataclass
class Talk:
    """A path of messages, grown one by one, and the state that the strategy keeps."""

    nodes: list[Node] = field(default_factory=list)
    state: State = State()

    def say(self, role: Role, text: str) -> None:
        number = len(self.nodes) + 1
        parent = self.nodes[-1].id if self.nodes else None
        self.nodes.append(Node(100 + number, parent, number, Message(role, text), datetime.now(UTC)))

    def exchange(self, question: str, answer: str) -> None:
        self.say(Role.USER, question)
        self.say(Role.ASSISTANT, answer)

    def back(self) -> Iterator[Node]:
        return reversed(self.nodes)

    def plan(self, budget: Budget, strategy: Strategy = AUTO, system: str = "", messages: int = 20) -> Plan:
        plan, self.state = assemble(self.back(), Basis(system, budget, count, self.state, strategy, messages))
        return plan


def talk(exchanges: int, size: int = 10) -> Talk:
    made = Talk()
    for number in range(exchanges):
        made.exchange(f"q{number}".ljust(size, "."), f"a{number}".ljust(size, "."))
    made.say(Role.USER, "now?")
    return made


@pytest.mark.parametrize(
    ("window", "asked", "reserve"),
    [
        (4096, None, 1024),
        (2048, None, 512),
        (512, None, 256),
        (256, None, 128),
        (131072, None, 1024),
        (4096, 100, 100),
    ],
)
def test_the_reserve_is_a_quarter_of_the_window_within_bounds(
    window: int, asked: int | None, reserve: int
) -> None:
    assert reserve_for(window, asked) == reserve


def test_an_exact_count_needs_hardly_any_margin() -> None:
    assert margin_for(4096, exact=True) == 1
    assert margin_for(4096, exact=False) == 138


def test_everything_is_sent_while_it_fits() -> None:
    plan = talk(3).plan(Budget(1000, 100), system="Be kind.")
    assert [message.role for message in plan.messages][:2] == [Role.SYSTEM, Role.USER]
    assert len(plan.messages) == 8
    assert plan.left_out == 0
    assert plan.planned == Count(sum(count(message).tokens for message in plan.messages), exact=True)


@pytest.mark.parametrize("strategy", [TRIM, AUTO], ids=str)
def test_the_oldest_pairs_are_left_out_and_the_system_prompt_stays(strategy: Strategy) -> None:
    plan = talk(20).plan(Budget(300, 50), strategy, system="Be kind.")
    assert plan.messages[0] == Message.system("Be kind.")
    assert plan.messages[1].role is Role.USER
    assert plan.messages[-1].text == "now?"
    assert plan.planned.tokens <= 250
    out = [part for part in plan.parts if part.fate is Fate.OUT]
    assert [(part.first, part.last) for part in out] == [(1, 40 - (len(plan.messages) - 2))]
    assert plan.left_out == out[0].messages
    assert out[0].why


def test_window_three_sends_the_three_messages_before_the_question() -> None:
    plan = talk(5).plan(Budget(10_000, 100), WINDOW, messages=3)
    assert [message.text.strip(".") for message in plan.messages] == ["a3", "q4", "a4", "now?"]


def test_window_says_of_messages_that_do_not_fit_that_they_do_not() -> None:
    few = talk(5).plan(Budget(10_000, 100), WINDOW, messages=3)
    assert [part.why for part in few.parts if part.fate is Fate.OUT] == ["window_messages is 3"]
    full = talk(20).plan(Budget(300, 50), WINDOW, messages=30)
    assert [part.why for part in full.parts if part.fate is Fate.OUT] == ["older than what fits"]


def test_full_says_when_it_no_longer_fits() -> None:
    conversation = talk(20)
    assert len(conversation.plan(Budget(1000, 50), FULL).messages) == 41
    with pytest.raises(ContextTooLong) as caught:
        conversation.plan(Budget(300, 50), FULL)
    assert f'strategy="{AUTO}"' in caught.value.hint


def test_a_history_budget_limits_what_precedes_the_question() -> None:
    plan = talk(20).plan(Budget(10_000, 100, history=100), TRIM)
    assert plan.of(PartKind.VERBATIM).tokens <= 100
    assert plan.messages[-1].text == "now?"


def test_a_message_larger_than_the_window_is_refused_with_the_sizes() -> None:
    conversation = Talk()
    conversation.say(Role.USER, "x" * 500)
    with pytest.raises(ContextTooLong) as caught:
        conversation.plan(Budget(400, 100), system="short")
    assert caught.value.biggest[0] == ("this message", 504)
    assert "504 tokens" in caught.value.message


def test_a_large_question_may_use_part_of_the_reserve() -> None:
    conversation = Talk()
    conversation.say(Role.USER, "x" * 320)
    plan = conversation.plan(Budget(400, 100))
    assert plan.free == 400 - 324


def test_between_cuts_a_request_begins_with_the_one_before() -> None:
    conversation, cuts = Talk(), 0
    before: tuple[Message, ...] = ()
    for number in range(60):
        conversation.say(Role.USER, f"question {number}")
        plan = conversation.plan(Budget(600, 100), system="Be kind.")
        if plan.messages[: len(before)] != before:
            cuts += 1
        before = plan.messages
        conversation.say(Role.ASSISTANT, f"answer {number}")
    assert 0 < cuts <= 12


def test_a_cut_on_another_branch_is_forgotten() -> None:
    conversation = talk(4)
    conversation.state = State(cut=9999)
    plan = conversation.plan(Budget(2000, 100))
    assert len(plan.messages) == 9
    assert conversation.state.cut is None


def test_a_reply_to_be_continued_is_sent_with_its_question() -> None:
    conversation = talk(2)
    conversation.say(Role.ASSISTANT, "well, ")
    plan = conversation.plan(Budget(100, 40), TRIM)
    assert [message.text for message in plan.messages[-2:]] == ["now?", "well, "]


def test_earlier_thinking_is_not_sent() -> None:
    conversation = talk(1)
    node = conversation.nodes[1]
    conversation.nodes[1] = Node(node.id, node.parent, 2, Message.assistant("a", "hmm " * 100), node.created)
    plan = conversation.plan(Budget(200, 50))
    assert all(not message.thinking for message in plan.messages)
    assert len(plan.messages) == 3


def test_each_strategy_has_a_row_and_a_function() -> None:
    rows = {strategy.name for strategy in STRATEGIES}
    assert set(CHOOSERS) - rows == set(), "no row in settings/strategies.py for this function"
    assert rows - set(CHOOSERS) == set(), "no function in context/strategies.py for this row"


sizes = st.integers(0, 120)


@pytest.mark.parametrize("strategy", STRATEGIES, ids=str)
@given(
    st.lists(st.tuples(sizes, sizes), max_size=25),
    st.integers(0, 60),
    st.integers(60, 900),
    st.integers(0, 8),
)
def test_no_plan_is_ever_over_the_window_unless_the_server_cuts(
    strategy: Strategy, exchanges: list[tuple[int, int]], system: int, window: int, messages: int
) -> None:
    conversation = Talk()
    for question, answer in exchanges:
        conversation.say(Role.USER, "q" * question)
        budget = Budget(window, reserve_for(window), margin_for(window, True), Count(3, True))
        try:
            plan = conversation.plan(budget, strategy, "s" * system, messages)
        except ContextTooLong:
            assert question + system + 8 > budget.most or strategy in REFUSE
        else:
            history = any(part.kind is PartKind.VERBATIM and part.fate is Fate.SENT for part in plan.parts)
            least = budget.reserve if history else min(64, budget.reserve)
            assert plan.planned.tokens <= window - least - 1 or strategy.server_cuts
            assert plan.messages[-1] == conversation.nodes[-1].message
            assert not system or plan.messages[0].role is Role.SYSTEM
            assert_accounted_for(plan, len(conversation.nodes), strategy)
        conversation.say(Role.ASSISTANT, "a" * answer)
