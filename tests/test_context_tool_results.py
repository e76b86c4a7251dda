"""Calls of tools and their results in a request: cut, kept together, and part of the account."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatcli.context.assemble import assemble, settle_cut
from chatcli.context.budget import Budget, reserve_for
from chatcli.context.plan_inputs import Basis, Memory
from chatcli.context.summary import due
from chatcli.context.tool_results import cut
from chatcli.conversation.context_state import State
from chatcli.conversation.message import Message, Role, ToolUse
from chatcli.conversation.plan import PartKind, Plan
from chatcli.conversation.tree import Node
from chatcli.conversation.usage import Count
from chatcli.errors import ContextTooLong
from chatcli.settings.strategies import AUTO, STRATEGIES, SUMMARY, WINDOW, Strategy
from tests.remembering import assert_accounted_for

READ = ToolUse("read_file", {"path": "notes.md"})


def count(message: Message) -> Count:
    """A token for four letters, four for the role, two for a call."""
    letters = len(message.text) + len(message.thinking)
    return Count(-(-letters // 4) + 4 + 2 * len(message.calls), exact=True)


@dataclass
class Talk:
    """A path of messages, grown one by one."""

    nodes: list[Node] = field(default_factory=list)

    def say(self, *messages: Message) -> None:
        for message in messages:
            parent = self.nodes[-1].id if self.nodes else None
            number = len(self.nodes) + 1
            self.nodes.append(Node(100 + number, parent, number, message, datetime.now(UTC)))

    def call(self, *results: str, calls: int = 0, text: str = "", thinking: str = "") -> None:
        """A reply that calls a tool once for each of the results, or more often."""
        uses = (READ,) * max(calls, len(results))
        self.say(Message(Role.ASSISTANT, text, thinking, tool_uses=uses))
        self.say(*(Message.tool(READ, result) for result in results))

    def turn(self, *results: str) -> None:
        self.say(Message.user("What do my notes say?"))
        self.call(*results)
        self.say(Message.assistant("They say this."))

    def plan(self, window: int = 1000, strategy: Strategy = AUTO, state: State = State(), keep: int = 20) -> Plan:  # noqa: B008
        return assemble(reversed(self.nodes), basis(window, strategy, state, keep))[0]


def basis(window: int, strategy: Strategy = AUTO, state: State = State(), keep: int = 20) -> Basis:  # noqa: B008
    budget = Budget(window, reserve_for(window))
    return Basis("Be kind.", budget, count, state, strategy, keep, memory=Memory(recall="off", keep_recent=keep))


def lines(number: int) -> str:
    return "".join(f"line {each} of the notes\n" for each in range(1, number + 1))


def results(plan: Plan) -> list[str]:
    return [message.text for message in plan.messages if message.role is Role.TOOL]


def assert_together(messages: Sequence[Message]) -> None:
    """Each call has its result right after it, and each result its call before it."""
    owed = 0
    for message in messages:
        assert (message.role is Role.TOOL) == (owed > 0)
        owed = owed - 1 if message.role is Role.TOOL else len(message.calls)
    assert not owed


def test_a_result_that_fits_its_share_is_sent_as_it_is() -> None:
    made = Talk()
    made.say(Message.user("Read it."))
    made.call(lines(10))
    assert results(made.plan()) == [lines(10)]


def test_a_long_result_is_cut_by_lines_in_its_middle_and_says_how_to_read_the_rest() -> None:
    text = lines(400)
    made = Talk()
    made.say(Message.user("Read it."))
    made.call(text)
    (sent,) = results(made.plan())
    head, note, tail = sent.partition("[Lines ")
    first, last = (int(word) for word in note_numbers(tail))
    assert text.splitlines()[: first - 1] == head.splitlines()
    assert text.splitlines()[last:] == tail.splitlines()[1:]
    assert "of 400 are left out" in tail
    assert f"read_result(message=3, first_line={first}, last_line={last})" in tail
    assert note
    assert 120 < count(Message.user(sent)).tokens <= 192


def note_numbers(tail: str) -> tuple[str, str]:
    words = tail.split()
    return words[0], words[2]


def test_a_line_without_end_is_cut_by_characters() -> None:
    short = cut("word " * 5000, 200, 7, count)
    assert short.startswith("word word")
    assert short.endswith("word ")
    assert "characters of line 1 of 1 are left out here" in short
    assert 150 < count(Message.user(short)).tokens <= 204


@given(st.text(alphabet="ab \n\u00e9\U0001f600", max_size=3000), st.integers(0, 200))
def test_a_cut_result_has_no_more_than_its_share(text: str, most: int) -> None:
    short = cut(text, most, 3, count)
    assert short == text or count(Message.user(short)).tokens - 4 <= max(most, 45)
    assert short == text or "left out here" in short


def test_what_cannot_fit_is_not_counted() -> None:
    counted: list[int] = []

    def noting(message: Message) -> Count:
        counted.append(len(message.text))
        return count(message)

    cut(lines(200_000), 100, 3, noting)
    assert max(counted) < 2000


def test_a_result_is_sent_the_same_way_in_the_next_turn() -> None:
    made = Talk()
    made.say(Message.user("Read it."))
    made.call(lines(400), lines(300))
    first = results(made.plan(4000))
    made.say(Message.assistant("It is long."), Message.user("Thanks. And now?"))
    assert results(made.plan(4000)) == first != [lines(400), lines(300)]


def test_many_results_in_one_turn_get_less_each_and_the_largest_least() -> None:
    made = Talk()
    made.say(Message.user("Read them all."))
    for _ in range(4):
        made.call(lines(400), "short")
    plan = made.plan()
    assert plan.planned.tokens <= plan.window - plan.reserve
    assert results(plan)[1::2] == ["short"] * 4
    assert all("left out here" in each for each in results(plan)[::2])


def test_a_follow_up_question_still_has_what_the_tools_gave() -> None:
    made = Talk()
    made.say(Message.user("Read them all."))
    for _ in range(4):
        made.call(lines(400))
    made.say(Message.assistant("They are long."), Message.user("What was in the first?"))
    assert len(results(made.plan(2000))) == 4


def test_a_turn_with_too_many_results_is_refused_with_their_size() -> None:
    made = Talk()
    made.say(Message.user("Read them all."))
    made.call(*[lines(40)] * 40)
    with pytest.raises(ContextTooLong) as caught:
        made.plan(512)
    assert caught.value.biggest[0][0] == "results of tools"


def test_thinking_goes_back_with_the_calls_of_the_turn_that_goes_on_only() -> None:
    made = Talk()
    made.say(Message.user("Read it."))
    made.call("It is short.", text="I look.", thinking="The notes may say.")
    assert [message.thinking for message in made.plan().messages if message.calls] == ["The notes may say."]
    made.say(Message.assistant("Done."), Message.user("Thanks."))
    assert [message.thinking for message in made.plan().messages if message.calls] == [""]


def test_calls_that_have_no_result_are_not_sent() -> None:
    made = Talk()
    made.say(Message.user("Read it."))
    made.call("one", calls=3, text="I look.")
    made.say(Message.user("Never mind."))
    made.call(calls=1, text="Once more.")
    made.say(Message.user("Stop."))
    plan = made.plan()
    assert [len(message.calls) for message in plan.messages if message.role is Role.ASSISTANT] == [1, 0]
    assert_together(plan.messages)


def test_the_plan_tells_calls_and_results_apart() -> None:
    made = Talk()
    made.turn(lines(3))
    made.say(Message.user("And now?"))
    made.call("nothing")
    plan = made.plan()
    kinds = [(part.kind, part.first) for part in plan.parts if part.first]
    assert kinds == [
        (PartKind.VERBATIM, 1),
        (PartKind.CALLS, 2),
        (PartKind.RESULTS, 3),
        (PartKind.VERBATIM, 4),
        (PartKind.QUESTION, 5),
        (PartKind.CALLS, 6),
        (PartKind.RESULTS, 7),
    ]
    assert plan.of(PartKind.RESULTS) == Count(
        sum(count(node.message).tokens for node in (made.nodes[2], made.nodes[6])), True
    )
    assert plan.planned.tokens == sum(count(message).tokens for message in plan.messages)


def test_what_the_server_may_drop_includes_calls_and_results() -> None:
    server = next(each for each in STRATEGIES if each.server_cuts)
    made = Talk()
    made.turn(lines(300))
    made.say(Message.user("x" * 4000))
    plan = made.plan(1000, server)
    dropped = {part.kind for part in plan.parts if plan.may_be_dropped(part)}
    assert {PartKind.CALLS, PartKind.RESULTS} <= dropped


@pytest.mark.parametrize("keep", range(1, 9))
def test_window_counts_messages_and_tears_no_call_from_its_result(keep: int) -> None:
    made = Talk()
    for _ in range(3):
        made.turn("one", "two")
    made.say(Message.user("And now?"))
    plan = made.plan(4000, WINDOW, keep=keep)
    assert_together(plan.messages)
    assert keep - 2 <= len(plan.messages[1:-1]) <= keep


@pytest.mark.parametrize("keep", range(9))
@pytest.mark.parametrize("size", [1, 60])
def test_a_summary_tears_no_call_from_its_result(keep: int, size: int) -> None:
    made = Talk()
    for _ in range(6):
        made.turn("one" * size, "two" * size)
    wanted = due(reversed(made.nodes), basis(1000, SUMMARY, keep=keep), now=True)
    assert wanted is not None
    after = [node for node in made.nodes if node.id > wanted.upto]
    assert not after or after[0].message.role is not Role.TOOL


@pytest.mark.parametrize("keep", range(1, 8))
def test_a_summary_in_a_turn_that_fills_the_room_tears_no_call_from_its_result(keep: int) -> None:
    made = Talk()
    made.turn()
    made.say(Message.user("Read them."))
    made.call("", "r" * 80)
    made.call("r" * 80, "r" * 80, "r" * 800)
    wanted = due(reversed(made.nodes), basis(600, keep=keep), now=True)
    assert wanted is not None
    after = [node for node in made.nodes if node.id > wanted.upto]
    assert not after or after[0].message.role is not Role.TOOL


def test_the_summary_is_made_of_calls_and_results_in_words() -> None:
    made = Talk()
    made.turn(lines(200))
    wanted = due(reversed(made.nodes), basis(2000, SUMMARY, keep=0), now=True)
    assert wanted is not None
    asked = [message.text for message in wanted.messages]
    (told,) = [text for text in asked if "called read_file(path=notes.md)" in text]
    assert "(read_file gave: line 1 of the notes" in told
    assert "[...]" in told
    assert not any(message.tool_uses for message in wanted.messages)
    assert wanted.last == 4


def test_a_turn_of_many_calls_is_summarized_although_it_is_longer_than_a_request() -> None:
    made = Talk()
    made.turn(*[lines(50)] * 60)
    made.turn("short")
    wanted = due(reversed(made.nodes), basis(600, SUMMARY, keep=4), now=True)
    assert wanted is not None
    assert sum(count(message).tokens for message in wanted.messages) <= 600


def test_a_summary_continues_a_request_with_calls() -> None:
    made = Talk()
    made.turn("one")
    made.say(Message.user("And now?"))
    made.call("two")
    plan = made.plan(4000, SUMMARY)
    made.say(Message.assistant("Nothing."))
    wanted = due(reversed(made.nodes), basis(4000, SUMMARY, keep=0), plan, now=True)
    assert wanted is not None
    assert wanted.cached
    assert wanted.messages[: len(plan.messages)] == plan.messages
    assert_together(wanted.messages)


sizes = st.sampled_from([0, 5, 40, 400])
rounds = st.lists(st.tuples(st.lists(sizes, max_size=3), st.integers(0, 3)), max_size=2)


@st.composite
def talks(draw: st.DrawFn) -> Talk:
    """Turns with rounds of calls; the tip may have been anywhere, so calls may be without results."""
    made = Talk()
    for turn in draw(st.lists(rounds, min_size=1, max_size=5)):
        made.say(Message.user("q" * draw(sizes)))
        for results_given, calls in turn:
            if results_given or calls:
                made.call(*("r\n" * size for size in results_given), calls=calls)
        if draw(st.booleans()):
            made.say(Message.assistant("a" * draw(sizes)))
    return made


def group_of(made: Talk, node: Node) -> Iterator[int]:
    """The node, and what belongs to it."""
    first = node.number
    while made.nodes[first - 1].message.role is Role.TOOL:
        first -= 1
    yield made.nodes[first - 1].id
    for each in made.nodes[first:]:
        if each.message.role is not Role.TOOL:
            break
        yield each.id


@pytest.mark.parametrize("strategy", STRATEGIES, ids=str)
@settings(max_examples=30)
@given(made=talks(), window=st.sampled_from([300, 600, 2000]), keep=st.integers(1, 9), data=st.data())
def test_no_strategy_tears_a_call_from_its_result(
    strategy: Strategy, made: Talk, window: int, keep: int, data: st.DataObject
) -> None:
    marked = data.draw(st.lists(st.sampled_from(made.nodes), max_size=2))
    state = State(forgotten=frozenset(each for node in marked for each in group_of(made, node)))
    for upto in sorted(data.draw(st.sets(st.integers(1, len(made.nodes)), min_size=1, max_size=3))):
        path, here = made.nodes[:upto], basis(window, strategy, state, keep)
        try:
            plan, state = assemble(reversed(path), here)
        except ContextTooLong:
            continue
        assert_together(plan.messages)
        assert_accounted_for(plan, upto, strategy)
        assert strategy.server_cuts or plan.planned.tokens <= plan.window
        state = settle_cut(reversed(path), replace(here, state=state))
        wanted = due(reversed(path), replace(here, state=state), plan, now=data.draw(st.booleans()))
        if wanted is not None:
            assert_together(wanted.messages)
            after = [node for node in path if node.id > wanted.upto and node.id not in state.forgotten]
            assert not after or after[0].message.role is not Role.TOOL
