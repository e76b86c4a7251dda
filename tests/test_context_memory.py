"""Long conversations in a real store: what stays in the context, and that the prompt's beginning never changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatcli.context.budget import Budget, reserve_like
from chatcli.context.plan_inputs import Memory
from chatcli.context.strategies import CHOOSERS, Choice, Need
from chatcli.context.summary import undone
from chatcli.conversation.message import Attachment, Message, Role, ToolUse
from chatcli.conversation.plan import LOOKED_UP, Fate, PartKind, Plan
from chatcli.errors import ContextTooLong
from chatcli.settings.strategies import AUTO, STRATEGIES, Strategy
from chatcli.store.store import Store
from tests.remembering import REFUSE, Chat, assert_accounted_for, room_for

CLOCK = [datetime(2026, 3, 1, 12, tzinfo=UTC)]
FILLER = "The weather has been quite pleasant around the lake lately, with some clouds."


@pytest.fixture
def store() -> Iterator[Store]:
    CLOCK[0] = datetime(2026, 3, 1, 12, tzinfo=UTC)
    with Store.open(None, now=lambda: CLOCK[0]) as store:
        yield store


def chat(store: Store, room: int = 600, strategy: Strategy = AUTO, memory: Memory = Memory()) -> Chat:  # noqa: B008
    return Chat(store, room_for(room), strategy, memory=memory, clock=CLOCK)


def go_on(made: Chat, turns: int) -> None:
    for turn in range(turns):
        made.ask(f"Turn {turn}. {FILLER}", FILLER)


def test_what_was_left_out_is_recalled_when_it_is_asked_for(store: Store) -> None:
    made = chat(store)
    made.ask("My sister Mathilda plays the bassoon in Antwerp.", "How lovely.")
    go_on(made, 20)
    plan = made.ask("What instrument does Mathilda play?")
    text = plan.messages[-1].text
    assert text.startswith(
        "Earlier in this conversation (may be relevant):\n1 March 2026\nuser: My sister Mathilda"
    )
    assert text.endswith("\n\nWhat instrument does Mathilda play?")
    (recalled,) = [part for part in plan.parts if part.kind is PartKind.RECALLED]
    assert recalled.count.tokens > 0
    assert [part.why for part in plan.parts if part.fate is Fate.RECALLED and part.first == 1] == [
        "quoted for mathilda, play"
    ]
    assert [node.message.text for node in made.conversation.path()][-2] == "What instrument does Mathilda play?"


def test_a_result_of_a_tool_is_quoted_with_the_name_of_the_tool(store: Store) -> None:
    made = chat(store)
    use = ToolUse("read_file", {"path": "crew.md"})
    made.say(Message.user("Read the list of the crew."))
    made.say(Message(Role.ASSISTANT, "", tool_uses=(use,)))
    made.say(Message.tool(use, "Mathilda plays the accordion."))
    made.say(Message.assistant("Done."))
    go_on(made, 20)
    plan = made.ask("What does Mathilda play?")
    assert "result of read_file: Mathilda plays the accordion." in plan.messages[-1].text


def test_a_second_hop_that_shares_no_word_with_the_question_is_quoted(store: Store) -> None:
    made = chat(store)
    made.ask("My sister Mathilda works at the Plantin museum.", "How lovely.")
    go_on(made, 10)
    made.ask("Plantin is shut on Mondays, they print nothing then.", "I see.")
    go_on(made, 20)
    plan = made.ask("Where does Mathilda work?")
    assert "shut on Mondays" in plan.messages[-1].text
    assert "quoted for plantin, beside what fits the question" in [part.why for part in plan.parts]


def test_messages_give_way_to_quotes_for_a_question_that_looks_back_and_come_again_after_it(store: Store) -> None:
    made = chat(store)
    for number in range(30):
        made.ask(f"Day {number}: the ferry left pier {number} with a cargo of hay.", FILLER)
    go_on(made, 4)
    before = made.ask("Thanks, that was all.", reply=None)
    made.say(Message.assistant("Welcome."))
    wide = made.ask("Which cargo did the ferry carry?", reply=None)
    state = made.conversation.state
    assert wide.of(PartKind.RECALLED).tokens > made.budget.room // 2
    assert wide.of(PartKind.VERBATIM).tokens < before.of(PartKind.VERBATIM).tokens // 2
    assert wide.planned.tokens <= made.budget.room
    assert_accounted_for(wide, made.conversation.node(made.conversation.tip or 0).number, AUTO)
    assert "gives way to earlier messages that fit the question" in [part.why for part in wide.parts]
    made.say(Message.assistant("Hay."))
    after = made.ask("Thanks, that was all.", reply=None)
    assert made.conversation.state.cut == state.cut
    assert begins_as_before(before, after)


def test_a_question_that_does_not_look_back_keeps_its_messages_and_quotes_no_more_than_the_share(
    store: Store,
) -> None:
    made = chat(store)
    for number in range(30):
        made.ask(f"Day {number}: the ferry left pier {number} with a cargo of hay.", FILLER)
    before = made.ask("Thanks, that was all.", reply=None)
    plan = made.ask("Can you tell of the ferry and its cargo?", reply=None)
    assert 0 < plan.of(PartKind.RECALLED).tokens <= made.budget.room * made.memory.recall_share
    assert plan.of(PartKind.VERBATIM).tokens >= before.of(PartKind.VERBATIM).tokens


@pytest.mark.parametrize("recall", ["off", "on"])
def test_ordinary_turns_recall_nothing(store: Store, recall: str) -> None:
    made = chat(store, memory=Memory(recall="off" if recall == "off" else "on"))
    made.ask("My sister Mathilda plays the bassoon.")
    go_on(made, 20)
    assert made.ask("Thanks, that will do for today.").of(PartKind.RECALLED).tokens == 0
    asked = made.ask("What does Mathilda play?").of(PartKind.RECALLED).tokens
    assert (asked == 0) == (recall == "off")


def test_a_forgotten_message_is_neither_sent_nor_recalled(store: Store) -> None:
    made = chat(store)
    made.ask("Hello.")
    made.ask("The code word is heliotrope.", "A fine word.")
    secret = made.node(3).id
    store.keep_state(made.conversation, replace(made.conversation.state, forgotten=frozenset({secret})))
    plan = made.ask("What is the code word?")
    assert not any("heliotrope" in message.text for message in plan.messages)
    assert [(part.first, part.why) for part in plan.parts if part.fate is Fate.OUT] == [(3, "forgotten")]
    go_on(made, 20)
    assert not any("heliotrope" in message.text for message in made.ask("What is the code word?").messages)


def test_the_account_says_forgotten_of_a_forgotten_message_that_the_cut_has_passed(store: Store) -> None:
    made = chat(store)
    go_on(made, 2)
    forgotten = frozenset({made.node(2).id})
    made.store.keep_state(made.conversation, replace(made.conversation.state, forgotten=forgotten))
    go_on(made, 20)
    plan = made.ask("And now?")
    assert [(part.first, part.last) for part in plan.parts if part.why == "forgotten"] == [(2, 2)]


def test_a_pinned_message_stays_word_for_word(store: Store) -> None:
    made = chat(store)
    made.ask("Always answer in verse.", "I shall.")
    store.keep_state(made.conversation, replace(made.conversation.state, pins=frozenset({made.node(1).id})))
    go_on(made, 20)
    plan = made.plans[-1]
    assert plan.messages[0].role is Role.SYSTEM
    assert "user: Always answer in verse." in plan.messages[0].text
    assert [part.fate for part in plan.parts if part.first == 1] == [Fate.SENT]
    assert plan.planned.tokens <= made.budget.room


def test_a_summary_stands_in_the_system_message(store: Store) -> None:
    made = chat(store)
    go_on(made, 20)
    plan = made.plans[-1]
    summary = made.conversation.state.summary
    assert summary is not None
    assert summary.text in plan.messages[0].text
    assert [message.role for message in plan.messages[:2]] == [Role.SYSTEM, Role.USER]
    folded = [part for part in plan.parts if part.fate is Fate.SUMMARIZED]
    assert [(part.first, part.last) for part in folded] == [(1, summary.last)]
    assert plan.of(PartKind.SUMMARY).tokens > 0


def test_the_modelfiles_system_prompt_is_kept_when_a_summary_needs_a_system_message(store: Store) -> None:
    made = chat(store, memory=Memory(preset="You are Hugo."))
    made.system = ""
    made.ask("Hello.")
    assert made.plans[0].messages[0].role is Role.USER
    go_on(made, 20)
    assert made.plans[-1].messages[0].text.startswith("You are Hugo.\n\nSummary of")


def test_the_cut_takes_effect_without_a_summary(store: Store) -> None:
    made = chat(store)
    made.summariser = None
    go_on(made, 20)
    assert made.conversation.state.cut is not None
    assert made.conversation.state.summary is None
    assert any(part.why == "older than the window keeps" for part in made.plans[-1].parts)


def test_a_summary_of_another_branch_is_not_sent(store: Store) -> None:
    made = chat(store)
    made.ask("First of all: hello.")
    begin = made.node(2).id
    go_on(made, 20)
    summary = made.conversation.state.summary
    assert summary is not None
    store.go_to(made.conversation, begin)
    plan = made.ask("Where were we?")
    assert not any(summary.text in message.text for message in plan.messages)
    assert len(plan.messages) == 4


def test_recall_looks_at_this_branch_only_unless_always(store: Store) -> None:
    other = chat(store)
    other.ask("Mathilda lives in Ghent.")
    made = chat(store)
    made.ask("Mathilda plays the bassoon.")
    begin = made.node(2).id
    made.ask("Mathilda also sings.")
    store.go_to(made.conversation, begin)
    go_on(made, 20)
    text = made.ask("What do you know of Mathilda?").messages[-1].text
    assert "bassoon" in text
    assert "sings" not in text
    assert "Ghent" not in text
    made.memory = Memory(recall="always")
    assert (
        "in another conversation, 1 March 2026\nuser: Mathilda lives in Ghent."
        in made.ask("What do you know of Mathilda?").messages[-1].text
    )


def test_always_looks_elsewhere_while_the_conversation_still_fits_whole(store: Store) -> None:
    other = chat(store)
    other.ask("Mathilda lives in Ghent.")
    made = chat(store)
    made.memory = Memory(recall="always")
    made.ask("Mathilda plays the bassoon.")
    plan = made.ask("What do you know of Mathilda?")
    text = plan.messages[-1].text
    assert "Said in other conversations" in text
    assert "Ghent" in text
    assert "bassoon" not in text  # it is sent word for word
    made.memory = Memory(recall="on")
    assert "Ghent" not in made.ask("What do you know of Mathilda?").messages[-1].text


def test_a_small_file_stays_with_its_message(store: Store) -> None:
    made = chat(store)
    note = Attachment("text", "note.md", "text/markdown", b"Buy seven turnips.")
    first = made.ask("", question=Message.user("See the list.", (note,)))
    assert first.messages[-1].text.startswith("File note.md:\nBuy seven turnips.")
    assert made.ask("And now?").messages[1] == first.messages[-1]
    (part,) = [part for part in first.parts if part.kind is PartKind.DOCUMENTS]
    assert part.why == "note.md: whole, in message 1"
    go_on(made, 20)
    assert "turnips" in made.ask("How many turnips?").messages[-1].text


def test_of_a_large_file_the_passages_that_fit_are_sent_with_their_lines(store: Store) -> None:
    made = chat(store)
    lines = [f"Line {number} speaks of nothing in particular." for number in range(1, 400)]
    lines[250] = "The harvest festival is on the ninth of October."
    file = Attachment("text", "log.txt", "text/plain", "\n".join(lines).encode())
    plan = made.ask("", question=Message.user("When is the harvest festival?", (file,)))
    assert "The harvest festival is on the ninth" in plan.messages[-1].text
    (part,) = [part for part in plan.parts if part.kind is PartKind.PASSAGES]
    assert part.why.startswith("log.txt: lines ")
    assert plan.planned.tokens <= made.budget.room
    later = made.ask("Who comes to the harvest festival?")
    assert "ninth of October" in later.messages[-1].text
    assert "399 lines: too long to be sent whole" in later.messages[1].text


def test_the_reserve_adapts_when_the_cut_moves() -> None:
    assert reserve_like([40] * 9, 4096) == 256
    assert reserve_like([900] * 9, 4096) == 1125
    assert reserve_like([5000], 4096) == 1365


def test_settling_twice_changes_nothing(store: Store) -> None:
    made = chat(store)
    go_on(made, 20)
    state = made.conversation.state
    made.settle()
    assert made.conversation.state == state


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> Strategy:
    """A strategy that leaves a gap: the first two messages and the last two are sent."""

    def choose(need: Need) -> Choice:
        history = need.whole()
        sent = history if len(history) < 5 else (*history[:2], *history[-2:])
        return Choice(sent, need.all_but(sent, "in the middle"), need.state)

    monkeypatch.setitem(CHOOSERS, "ends", choose)
    return Strategy("ends", "the first and the last messages", recalls=True)


def fates(plan: Plan) -> list[tuple[int, int, Fate, str]]:
    return [(part.first, part.last, part.fate, part.why) for part in plan.parts if part.first]


def test_the_account_of_a_gap_tells_what_was_left_out_from_what_was_forgotten(
    store: Store, ends: Strategy
) -> None:
    made = chat(store, strategy=ends)
    go_on(made, 5)
    forgotten = frozenset({made.node(5).id})
    store.keep_state(made.conversation, replace(made.conversation.state, forgotten=forgotten))
    plan = made.ask("And now?")
    assert fates(plan) == [
        (1, 1, Fate.SENT, ""),
        (2, 2, Fate.SENT, ""),
        (3, 4, Fate.OUT, "in the middle"),
        (5, 5, Fate.OUT, "forgotten"),
        (6, 8, Fate.OUT, "in the middle"),
        (9, 9, Fate.SENT, ""),
        (10, 10, Fate.SENT, ""),
        (11, 11, Fate.SENT, "always sent"),
    ]
    assert [message.text[:6] for message in plan.messages[1:3]] == ["Turn 0", FILLER[:6]]


def test_a_message_in_a_gap_is_recalled_or_pinned_like_any_other_that_is_left_out(
    store: Store, ends: Strategy
) -> None:
    made = chat(store, strategy=ends)
    go_on(made, 1)
    made.ask("My sister Mathilda plays the bassoon in Antwerp.", "How lovely.")
    lines = "".join(f"Line {number} speaks of nothing in particular.\n" for number in range(200))
    file = Attachment("text", "feast.txt", "text/plain", f"{lines}The harvest festival is in October.".encode())
    made.ask("", question=Message.user("Keep this.", (file,)))
    store.keep_state(made.conversation, replace(made.conversation.state, pins=frozenset({made.node(4).id})))
    go_on(made, 4)
    plan = made.ask("What instrument does Mathilda play?")
    assert (3, 3, Fate.RECALLED, "quoted for mathilda, play") in fates(plan)
    assert (4, 4, Fate.SENT, "pinned") in fates(plan)
    assert "assistant: How lovely." in plan.messages[0].text
    assert plan.messages[-1].text.count("Mathilda") == 2
    assert "in October" in made.ask("When is the harvest festival?").messages[-1].text


def test_a_message_that_is_sent_before_a_gap_is_not_quoted_as_well(store: Store, ends: Strategy) -> None:
    made = chat(store, strategy=ends)
    made.ask("My sister Mathilda plays the bassoon in Antwerp.", "How lovely.")
    go_on(made, 5)
    plan = made.ask("What instrument does Mathilda play?")
    assert sum(message.text.count("bassoon") for message in plan.messages) == 1


def test_a_summary_replaces_a_gap(store: Store, ends: Strategy) -> None:
    made = chat(store)
    go_on(made, 20)
    summary = made.conversation.state.summary
    assert summary is not None
    made.strategy = replace(ends, summarizes=True)
    plan = made.ask("And now?", None)
    assert summary.text in plan.messages[0].text
    assert fates(plan)[2][:3] == (3, summary.last, Fate.SUMMARIZED)


def test_of_a_forgotten_message_the_files_are_not_quoted_either(store: Store) -> None:
    made = chat(store)
    lines = "".join(f"Line {number} speaks of nothing in particular.\n" for number in range(400))
    file = Attachment("text", "log.txt", "text/plain", f"{lines}The code word is heliotrope.".encode())
    made.ask("", question=Message.user("Keep this.", (file,)))
    assert "heliotrope" in made.ask("What is the code word?").messages[-1].text
    forgotten = frozenset({made.node(1).id})
    store.keep_state(made.conversation, replace(made.conversation.state, forgotten=forgotten))
    assert not any("heliotrope" in message.text for message in made.ask("What is the code word?").messages)


words = st.sampled_from(
    (
        "what",
        "who",
        "lake",
        "Mathilda",
        "bassoon",
        "Antwerp",
        "river",
        "seven",
        "horses",
        "really",
        "?",
        "remember",
    )
)
texts = st.lists(words, min_size=0, max_size=40).map(" ".join)
turns = st.lists(st.tuples(texts, texts), min_size=1, max_size=22)


def begins_as_before(before: Plan, now: Plan) -> bool:
    """Up to the last user message of the request before; and all of it, where nothing was looked up for it."""
    plain = not any(part.kind in LOOKED_UP for part in before.parts)
    length = len(before.messages) - (0 if plain else 1)
    return before.messages[:length] == now.messages[:length]


@pytest.mark.parametrize("strategy", STRATEGIES, ids=str)
@given(turns=turns, room=st.integers(120, 700), recall=st.sampled_from(["on", "always"]), summaries=st.booleans())
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_plans_fit_keep_system_and_question_and_begin_alike(
    strategy: Strategy, turns: list[tuple[str, str]], room: int, recall: str, summaries: bool
) -> None:
    with Store.open(None) as store:
        made = Chat(store, room_for(room), strategy, memory=Memory(recall="on" if recall == "on" else "always"))
        if not summaries:
            made.summariser = None
        before: tuple[Plan, set[int]] | None = None
        for question, reply in turns:
            try:
                plan = made.ask(question, reply)
            except ContextTooLong:
                assert strategy in REFUSE
                break
            said = made.conversation.path()
            assert [(node.message.text, node.message.role) for node in said[-2:]] == [
                (question, Role.USER),
                (reply, Role.ASSISTANT),
            ]
            assert plan.planned.tokens <= made.budget.room or strategy.server_cuts
            assert plan.messages[0].text.startswith("Be kind.")
            assert plan.messages[-1].role is Role.USER
            assert plan.messages[-1].text.endswith(question)
            assert_accounted_for(plan, len(said) - 1, strategy)
            sent = {part.node for part in plan.parts if part.node is not None}
            if before is not None and before[1] <= sent and not before[0].gave_way:
                assert begins_as_before(before[0], plan)
            before = (plan, sent)
        path = made.conversation.path()
        assert [node.message.text for node in path][: 2 * len(made.plans)] == [
            text for turn in turns[: len(made.plans)] for text in turn
        ]


def unsettle(made: Chat, action: str, choice: int) -> None:
    """What a person may do between two turns."""
    state, path = made.conversation.state, made.conversation.path()
    chosen = path[choice % len(path)]
    if action == "pin":
        marked = replace(state, pins=state.pins ^ {chosen.id}, forgotten=state.forgotten - {chosen.id})
        made.store.keep_state(made.conversation, marked)
    elif action == "forget":
        marked = replace(state, pins=state.pins - {chosen.id}, forgotten=state.forgotten ^ {chosen.id})
        made.store.keep_state(made.conversation, marked)
    elif action == "uncompact":
        made.store.keep_state(made.conversation, undone(state, made.basis.at(made.conversation.tip).state.summary))
    elif action == "compact":
        made.summarise(now=True)
    elif action == "go to" and chosen.message.role is Role.ASSISTANT:
        made.store.go_to(made.conversation, chosen.id)
    elif action == "file":
        made.pending = (Attachment("text", f"{choice}.txt", "text/plain", b"A lake and seven horses.\n" * choice),)


@pytest.mark.parametrize("strategy", STRATEGIES, ids=str)
@given(
    life=st.lists(
        st.tuples(
            texts,
            texts,
            st.sampled_from(["", "pin", "forget", "uncompact", "compact", "go to", "file"]),
            st.integers(0, 40),
        ),
        min_size=4,
        max_size=20,
    ),
    room=st.integers(150, 700),
)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_is_pinned_forgotten_attached_or_taken_back_the_plan_fits(
    strategy: Strategy, life: list[tuple[str, str, str, int]], room: int
) -> None:
    with Store.open(None) as store:
        made = Chat(store, room_for(room), strategy)
        for question, reply, action, choice in life:
            try:
                plan = made.ask(question, reply, Message.user(question, made.taken()))
            except ContextTooLong:
                assert strategy in REFUSE
                break
            path = made.conversation.path()
            assert plan.planned.tokens <= made.budget.room or strategy.server_cuts
            assert plan.messages[0].text.startswith("Be kind.")
            assert plan.messages[-1].text.endswith(question)
            assert_accounted_for(plan, len(path) - 1, strategy)
            sent = {part.node for part in plan.parts if part.fate is Fate.SENT and part.node}
            assert not sent & made.conversation.state.forgotten
            unsettle(made, action, choice)


def test_a_history_budget_holds_for_all_that_precedes_the_question(store: Store) -> None:
    made = Chat(store, Budget(4000, 100, history=400), clock=CLOCK)
    made.ask("Mathilda plays the bassoon. " * 5)
    go_on(made, 20)
    plan = made.ask("What does Mathilda play?")
    kinds = (PartKind.SUMMARY, PartKind.VERBATIM, PartKind.RECALLED)
    assert plan.of(PartKind.RECALLED).tokens > 0
    assert sum(plan.of(kind).tokens for kind in kinds) <= 400
