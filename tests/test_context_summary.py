"""The rolling summary: when it is made, of what, and what becomes of the answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from chatcli.context.budget import Budget
from chatcli.context.plan_inputs import Memory
from chatcli.context.summary import Due, Refusal, accepted, instruction, rewritten, undone
from chatcli.conversation.context_state import State, Summary
from chatcli.conversation.message import Message, Role
from chatcli.conversation.plan import PartKind
from chatcli.settings.strategies import SUMMARY, TRIM
from chatcli.store.store import Store
from tests.remembering import Chat, count, room_for


@pytest.fixture
def store() -> Iterator[Store]:
    with Store.open(None) as store:
        yield store


def test_with_a_budget_of_3000_and_six_to_keep(store: Store) -> None:
    """History grows to 3,000 tokens; then all but the last six messages are summarised, which stay as they are."""
    made = Chat(store, Budget(16_000, 1000, history=3000), SUMMARY, memory=Memory(keep_recent=6))
    size = 400 * 4 - 16  # with its role, each message has 400 tokens
    for turn in range(3):
        made.ask(f"q{turn}".ljust(size, "."), f"a{turn}".ljust(size, "."))
    assert made.due() is None
    plan = made.ask("q3".ljust(size, "."), "a3".ljust(size, "."))
    assert plan.of(PartKind.VERBATIM).tokens == 2400
    wanted = made.due()
    assert wanted is not None
    assert (wanted.first, wanted.last) == (1, 2)
    plan = made.ask("and now?")
    assert [message.text.strip(".") for message in plan.messages[1:]] == [
        *("q1", "a1", "q2", "a2", "q3", "a3"),
        "and now?",
    ]
    assert plan.messages[0].text == (
        "Be kind.\n\nSummary of this conversation up to the messages below:\nThey spoke of messages 1 to 2.\n"
        "Also said: q0; a0"
    )


def test_it_continues_the_last_request_while_that_is_cached(store: Store) -> None:
    made = Chat(store, room_for(600))
    wanted: list[Due] = []

    def remember(due: Due) -> str:
        wanted.append(due)
        return "They spoke of this and that."

    made.summariser = remember
    for turn in range(20):
        made.ask(f"Turn {turn}: so it goes, " + "on and on " * 5, "Well, well.")
        if wanted:
            break
    (one,) = wanted
    last = made.plans[-1]
    assert one.cached
    assert one.messages[: len(last.messages)] == last.messages
    assert one.messages[len(last.messages)] == Message.assistant("Well, well.")
    assert one.messages[-1].role is Role.USER
    begin = made.node(one.last + 1)
    assert " ".join(begin.message.text.split()[:8])[:60] in one.messages[-1].text
    assert sum(count(message).tokens for message in one.messages) + one.limit <= made.budget.window


def test_a_second_summary_is_made_of_the_first_and_what_came_since(store: Store) -> None:
    made = Chat(store, room_for(600))
    for turn in range(40):
        made.ask(f"Turn {turn}: so it goes, " + "on and on " * 5, "Well, well.")
    summary = made.conversation.state.summary
    assert summary is not None
    assert summary.first == 1
    assert made.node(summary.last).id == summary.upto
    assert made.conversation.state.cut == made.node(summary.last + 1).id


def test_compacting_summarises_all_but_the_newest_at_once(store: Store) -> None:
    made = Chat(store, room_for(4000), memory=Memory(keep_recent=2))
    for turn in range(6):
        made.ask(f"Turn {turn}: " + "so it goes " * 10, "Well, well.")
    assert made.due() is None
    wanted = made.summarise(now=True)
    assert wanted is not None
    assert (wanted.first, wanted.last) == (1, 10)
    plan = made.ask("And?")
    assert len(plan.messages) == 4
    assert made.due(now=True) is not None
    store.keep_state(made.conversation, undone(made.conversation.state, made.conversation.state.summary))
    assert len(made.ask("And again?").messages) == 16


def test_a_summary_of_another_branch_is_not_carried_over(store: Store) -> None:
    made = Chat(store, room_for(4000), memory=Memory(keep_recent=2))
    for turn in range(6):
        made.ask(f"Turn {turn}: " + "so it goes " * 10, "Well, well.")
    there = made.node(4)
    assert made.summarise(now=True) is not None
    end, first = made.conversation.tip, made.conversation.state.summary
    store.go_to(made.conversation, there.id)
    for turn in range(6):
        made.ask(f"Other turn {turn}: " + "so it goes " * 10, "Well, well.")
    wanted = made.summarise(now=True)
    assert wanted is not None
    assert wanted.first == 1
    assert not any("They spoke of messages 1 to 10" in message.text for message in wanted.messages)
    assert "summary above" not in wanted.messages[-1].text
    store.go_to(made.conversation, end)
    assert made.basis.at(end).state.summary == first


def test_there_is_nothing_to_compact_in_a_short_conversation(store: Store) -> None:
    made = Chat(store, room_for(4000))
    assert made.due(now=True) is None
    made.ask("Hello.")
    assert made.due(now=True) is None


def test_a_backlog_is_summarised_as_far_as_it_fits(store: Store) -> None:
    made = Chat(store, room_for(900), TRIM)
    for turn in range(60):
        made.ask(f"Turn {turn}: " + "so it goes " * 10, "Well, well.")
    made.strategy = SUMMARY
    wanted = made.summarise()
    assert wanted is not None
    assert wanted.first > 1
    assert sum(count(message).tokens for message in wanted.messages) + wanted.limit <= made.budget.window
    plan = made.ask("And?")
    assert [part.fate.value for part in plan.parts if part.last <= wanted.last and part.first] == [
        "not sent",
        "summarized",
    ]


DUE = Due(messages=(), limit=15, first=1, last=4, upto=4, cut=5, replaces=60, cached=False)


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ("Anna moves to Oslo in May.", "Anna moves to Oslo in May."),
        ("<think>Hm.</think>\n\nAnna moves.", "Anna moves."),
        ("Hm, let me see.</think> Anna moves.", "Anna moves."),
        ("**Summary:**\n\nAnna moves.", "Anna moves."),
        ("Summary: Anna moves.", "Anna moves."),
        ("Anna moves to Oslo in May. " * 3, "Anna moves to Oslo in May. Anna moves to Oslo in May."),
    ],
)
def test_an_answer_is_cleaned_and_kept_to_its_length(answer: str, text: str) -> None:
    state = accepted(DUE, answer, State(), count)
    assert isinstance(state, State)
    assert state.summary == Summary(text, upto=4, first=1, last=4)
    assert state.cut == 5


TRAIN = replace(
    DUE, limit=40, replaces=100, said=("The train is at 18:42 from platform 7.", "Then 3 days in Oslo.")
)


def test_what_an_answer_has_lost_of_the_numbers_is_listed_below_it() -> None:
    state = accepted(TRAIN, "They talked about a train.", State(), count)
    assert isinstance(state, State)
    assert state.summary is not None
    assert state.summary.text == "They talked about a train."
    assert state.summary.specifics == ("train is at 18:42 from platform 7", "Then 3 days")
    assert state.summary.whole == (
        "They talked about a train.\nAlso said: train is at 18:42 from platform 7; Then 3 days"
    )


def test_the_list_keeps_to_the_budget_and_to_what_is_replaced() -> None:
    answer = "They talked about a train."
    for limit, replaces in ((7, 100), (20, 100), (40, 18), (40, 8), (40, 100)):
        state = accepted(replace(TRAIN, limit=limit, replaces=replaces), answer, State(), count)
        assert isinstance(state, State)
        assert state.summary is not None
        cost = count(Message.user(state.summary.whole)).tokens - count(Message.user("")).tokens
        assert cost <= limit
        assert cost < replaces
        assert state.summary.text == answer


def test_the_next_summary_is_made_of_the_list_too_and_a_list_is_made_anew(store: Store) -> None:
    made = Chat(store, room_for(600))
    made.ask("The train is at 18:42 from platform 7.", "Noted.")
    for _ in range(40):
        made.ask("So it goes, " + "on and on " * 5, "Well, well.")
    summary = made.conversation.state.summary
    assert summary is not None
    assert summary.replaces is not None
    for each in (summary, summary.replaces):
        assert "train is at 18:42 from platform 7" in each.specifics
    assert summary.whole in made.ask("And?").messages[0].text


def test_a_text_by_hand_is_the_whole_summary() -> None:
    state = accepted(TRAIN, "They talked about a train.", State(), count)
    assert isinstance(state, State)
    assert state.summary is not None
    changed = rewritten(state, state.summary, "A train, at 18:42.")
    assert changed.summary is not None
    assert changed.summary.whole == "A train, at 18:42."
    assert changed.summary.replaces == state.summary


@pytest.mark.parametrize("answer", ["", "  \n", "<think>only this</think>"])
def test_an_empty_answer_leaves_the_old_summary(answer: str) -> None:
    assert accepted(DUE, answer, State(), count) is Refusal.EMPTY


def test_an_answer_longer_than_what_it_replaces_is_refused() -> None:
    short = Due(messages=(), limit=600, first=1, last=4, upto=4, cut=5, replaces=10, cached=False)
    longer = "They spoke of the weather, of taste, and of the tides at the harbor. In the end they agreed."
    assert accepted(short, longer, State(), count) is Refusal.LONG


@pytest.mark.parametrize("again", ["taste ", "They spoke of taste.\n", "\n", "- ", "1. They spoke of taste.\n"])
def test_an_answer_that_repeats_itself_is_refused(again: str) -> None:
    long = replace(DUE, limit=600, replaces=4000)
    assert accepted(long, f"They spoke of taste. {again * 150}end", State(), count) is Refusal.LOOPS


def test_half_a_sentence_at_the_end_of_an_answer_that_was_cut_off_is_left_out() -> None:
    state = accepted(DUE, "Anna moves to Oslo. Ben is not yet", State(), count, cut_off=True)
    assert isinstance(state, State)
    assert state.summary is not None
    assert state.summary.text == "Anna moves to Oslo."


def test_the_instruction_is_short_and_says_what_to_keep() -> None:
    text = instruction(300, None, again=True)
    assert "Under 120 words" in text
    assert "names, decisions, numbers, dates and open questions" in text
    assert "summary above" in text
    assert len(text) < 600
    assert "Under 28 words" in instruction(48, None, again=False)
