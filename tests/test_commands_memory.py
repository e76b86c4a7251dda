"""What is kept in the context, by hand and automatically: summaries, recall, pins, files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from chatcli.commands.outcomes import Copy, Opened, Outcome, Prefill
from chatcli.commands.spelling import at_prompt
from chatcli.conversation.context_state import Summary
from chatcli.conversation.message import Message, Role
from chatcli.conversation.plan import Fate, PartKind
from chatcli.errors import BadFile, Missing, NotFound, UserError
from chatcli.hints import spelled
from chatcli.session.background_summary import Stage
from chatcli.session.build import Wishes, build
from chatcli.session.planning import plan_next
from chatcli.session.session import Session
from chatcli.settings.layers import Layer
from chatcli.settings.strategies import STRATEGIES, Strategy
from chatcli.turn import answer, ask
from tests import commanding
from tests.commanding import followed, say, shown
from tests.faults import Cut, Engine, Fault, Status


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    opened = build(Wishes({"host": engine.url, "model": "demo", "num_ctx": "1k"}))
    yield opened
    opened.close()


def do(session: Session, line: str) -> Outcome:
    return followed(session, commanding.do(session, line))


def talk(session: Session, engine: Engine, exchanges: int) -> None:
    for number in range(exchanges):
        engine.say(f"The answer to question {number} is a matter of taste, of time and of the weather. " * 3)
        say(session, f"Question {number}: what of thing number {number}?")
        assert session.background.wait("summary", 10)


def asked(engine: Engine) -> str:
    """The last message of the last request that was not for a summary."""
    sent = [chat["messages"][-1]["content"] for chat in engine.chats]
    return str([text for text in sent if not text.startswith("Write a summary")][-1])


def test_compact_puts_a_summary_in_the_place_of_older_messages_and_uncompact_takes_it_back(
    session: Session, engine: Engine
) -> None:
    with pytest.raises(UserError, match="nothing to summarize") as caught:
        do(session, "compact")
    assert spelled(caught.value.advice, at_prompt) == "/context shows what is sent."
    do(session, "set strategy trim")  # nothing is summarised behind the test's back
    talk(session, engine, 8)
    engine.say("We spoke of eight things; tastes differ.")
    assert "eight things" in shown(do(session, "compact --dry"))
    assert session.conversation.state.summary is None
    asked = len(engine.chats)
    assert "eight things" in shown(do(session, "compact"))
    assert len(engine.chats) == asked  # the one that was shown is used
    assert "eight things" in shown(do(session, "summary"))
    do(session, "set strategy auto")
    engine.say("Yes.")
    say(session, "And now?")
    sent = engine.chats[-1]["messages"]
    assert any("eight things" in message["content"] for message in sent[:-1])
    assert len(session.conversation.path()) == 18
    edited = do(session, "summary edit")
    assert isinstance(edited, Prefill)
    assert edited.text.startswith("/summary We spoke of eight things; tastes differ.")
    do(session, "summary Nothing much.")
    assert "Nothing much." in shown(do(session, "summary"))
    do(session, "uncompact")
    assert "eight things" in shown(do(session, "summary"))
    do(session, "uncompact")
    with pytest.raises(UserError):
        do(session, "summary")


def test_numbers_that_a_summary_has_lost_stand_below_it_and_are_edited_with_it(
    session: Session, engine: Engine
) -> None:
    do(session, "set strategy trim")
    engine.say("Noted: gate B12.")
    say(session, "The train is at 18:42 from platform 7, for 2 people.")
    talk(session, engine, 6)
    engine.say("They spoke of a train for two people, and of questions 0, 1 and 2.")
    do(session, "compact")
    below = "Also said: train is at 18:42 from platform 7; gate B12"
    assert below in shown(do(session, "summary"))
    do(session, "set strategy auto")
    engine.say("Yes.")
    say(session, "And now?")
    assert below in engine.chats[-1]["messages"][0]["content"]
    edited = do(session, "summary edit")
    assert isinstance(edited, Prefill)
    assert edited.text.endswith(below)
    why = shown(do(session, "context why"))
    assert "made of messages 1 to 8" in why
    assert "3 listed below it: 18:42, 7, B12" in why
    assert "in its text: 2, " in why
    assert "Of the numbers" in shown(do(session, "context why 1"))
    assert "1 in its text: 2; 2 listed below it: 18:42, 7." in shown(do(session, "context why 1"))
    assert "listed below it" not in shown(do(session, "context why 14"))
    do(session, "summary A train.")
    assert "lost: 18:42, 7, 2, B12" in shown(do(session, "context why"))


def compacted_twice(session: Session, engine: Engine) -> Summary:
    """The first of the two summaries; the second stands."""
    do(session, "set strategy trim")
    for said in ("The first things are a matter of taste.", "All the things are a matter of taste."):
        talk(session, engine, 5)
        engine.say(said)
        do(session, "compact")
    second = session.conversation.state.summary
    assert second is not None
    assert second.replaces is not None
    return second.replaces


def test_uncompact_brings_the_summary_before_back(session: Session, engine: Engine) -> None:
    first = compacted_twice(session, engine)
    assert "since message 4" in shown(do(session, "uncompact"))
    assert session.conversation.state.summary == first


def test_a_summary_is_not_used_for_a_path_without_what_it_was_made_of(session: Session, engine: Engine) -> None:
    first = compacted_twice(session, engine)
    do(session, f"drop {first.last + 1}")
    assert first.text in shown(do(session, "summary"))
    do(session, "drop 1")
    with pytest.raises(UserError, match="no summary"):
        do(session, "summary")
    do(session, "back")
    assert first.text in shown(do(session, "summary"))


def with_a_summary_in_the_making(session: Session, engine: Engine) -> None:
    """Until the cut has moved, and the summary that was then asked for is there, but not yet taken."""
    while session.summarizer.stage is not Stage.ASKED:
        talk(session, engine, 1)
    assert session.background.wait("summary", 10)
    assert session.conversation.state.summary is None


def test_a_summary_made_in_the_background_is_there_as_soon_as_it_is_looked_for(
    session: Session, engine: Engine
) -> None:
    with_a_summary_in_the_making(session, engine)
    session.summarizer.collect()
    assert session.conversation.state.summary is not None


def test_a_summary_of_what_has_been_forgotten_since_is_not_used_and_asked_for_again(
    session: Session, engine: Engine
) -> None:
    with_a_summary_in_the_making(session, engine)
    do(session, "forget 1")
    session.summarizer.collect()
    assert session.conversation.state.summary is None
    talk(session, engine, 1)
    assert session.background.wait("summary", 10)
    session.summarizer.collect()
    assert session.conversation.state.summary is not None


def test_forgetting_what_is_in_the_summary_says_so(session: Session, engine: Engine) -> None:
    do(session, "set strategy trim")
    talk(session, engine, 5)
    engine.say("The first things are a matter of taste.")
    do(session, "compact")
    assert "summary was made with it" in shown(do(session, "forget 2"))


def test_another_model_may_make_the_summary(session: Session, engine: Engine) -> None:
    do(session, "set strategy trim")
    talk(session, engine, 5)
    do(session, "set summary_model demo-brief")
    engine.say("Five things are a matter of taste.")
    do(session, "compact")
    asked = engine.chats[-1]
    assert asked["model"] == "demo-brief"
    assert asked["options"]["num_ctx"] <= 1024
    assert asked["messages"][-1]["content"].startswith("Write a summary of our conversation")
    assert session.conversation.state.summary is not None


def test_a_summary_model_that_is_not_there_is_replaced_with_a_word(session: Session, engine: Engine) -> None:
    do(session, "set strategy trim")
    talk(session, engine, 5)
    with pytest.raises(Missing):
        do(session, "set summary_model nobody")
    session.settings.put("summary_model", "nobody", Layer.CONVERSATION)
    engine.say("Five things are a matter of taste.")
    do(session, "compact")
    assert engine.chats[-1]["model"] == "demo"
    (warning,) = session.warnings
    assert "nobody" in str(warning)
    assert "demo writes the summary" in str(warning)


@pytest.mark.parametrize(
    "fault", [Status(500, "out of memory"), Cut(), None], ids=["refused", "broken off", "empty"]
)
def test_strategy_summary_goes_on_when_its_summary_fails(
    session: Session, engine: Engine, fault: Fault | None
) -> None:
    do(session, "set strategy trim")
    talk(session, engine, 8)
    do(session, "set strategy summary")
    if fault is None:
        engine.say(" ")
    else:
        engine.script(fault)
    engine.say("Tastes differ.")
    say(session, "And now?")
    assert engine.chats[-2]["messages"][-1]["content"].startswith("Write a summary of our conversation")
    assert session.conversation.state.summary is None
    assert len(session.conversation.path()) == 18
    (warning,) = session.warnings
    assert ("is not used: it is empty" if fault is None else "No summary could be made") in str(warning)


def test_a_summary_that_is_empty_changes_nothing(session: Session, engine: Engine) -> None:
    do(session, "set strategy trim")
    talk(session, engine, 8)
    engine.say(" ")
    with pytest.raises(UserError, match="is not used: it is empty"):
        do(session, "compact")
    engine.say("taste " * 500)
    with pytest.raises(UserError, match="is not used: it repeats itself") as refused:
        do(session, "compact")
    assert "/set summary_model NAME" in spelled(refused.value.advice, at_prompt)
    assert session.conversation.state.summary is None


def test_three_exchanges_that_nearly_fill_the_window_are_compacted(session: Session, engine: Engine) -> None:
    do(session, "set strategy trim")
    for number in range(3):
        engine.say(f"Reply {number} goes on about the weather and the tides. " * 10)
        say(session, f"Question {number}?")
    engine.say("The weather and the tides.")
    assert "It replaces messages 1 to 4." in shown(do(session, "compact"))


def test_compact_summarizes_what_the_window_has_left_out_in_as_many_requests_as_that_takes(
    session: Session, engine: Engine
) -> None:
    do(session, "set strategy trim")
    talk(session, engine, 30)
    engine.say(*[f"In part {part} tastes differ." for part in range(9)])
    before = len(engine.chats)
    assert "It replaces messages 1 to" in shown(do(session, "compact"))
    parts = engine.chats[before:]
    assert len(parts) > 2
    assert "In part 0" in parts[1]["messages"][0]["content"]
    assert session.conversation.state.summary is not None
    assert session.conversation.state.summary.replaces is None  # one /uncompact undoes it
    assert parts[0]["messages"][0]["content"].startswith("Question 0:")


def test_compact_names_the_message_of_which_a_summary_saw_only_a_part(session: Session, engine: Engine) -> None:
    do(session, "set strategy trim")
    engine.say("Noted.")
    say(session, "So it begins.")
    words = " ".join(f"word{number}" for number in range(600))
    session.store.append(session.conversation, Message.user(words))
    session.store.append(session.conversation, Message.assistant("Noted, too."))
    talk(session, engine, 2)
    engine.say(*["They counted words."] * 9)
    assert "Of message 3, too long for one request, the middle was left out." in shown(do(session, "compact"))


def test_compact_says_why_there_is_nothing_to_summarize(session: Session, engine: Engine) -> None:
    talk(session, engine, 1)
    with pytest.raises(UserError, match=r"the last 6 messages \(keep_recent\) stay word for word"):
        do(session, "compact")


def test_what_was_said_long_ago_is_quoted_when_the_question_calls_for_it(session: Session, engine: Engine) -> None:
    engine.say("I will remember that.")
    say(session, "The password of the harbour master is turbot-seventeen.")
    talk(session, engine, 12)
    engine.say("It is turbot-seventeen.")
    say(session, "What was the password of the harbour master?")
    last = asked(engine)
    assert "turbot-seventeen" in last
    assert last.endswith("What was the password of the harbour master?")
    assert session.conversation.path()[-2].message.text == "What was the password of the harbour master?"
    assert session.plan is not None
    assert session.plan.of(PartKind.RECALLED).tokens > 0
    assert any(part.fate is Fate.RECALLED and part.first == 1 for part in session.plan.parts)
    do(session, "set recall off")
    engine.say("I do not know.")
    say(session, "What was the password of the harbour master again?")
    assert "turbot-seventeen" not in asked(engine)


def test_recall_by_hand_finds_messages(session: Session, engine: Engine) -> None:
    engine.say("Noted.")
    say(session, "The password is turbot-seventeen.")
    assert "turbot" in shown(do(session, "recall turbot"))
    with pytest.raises(NotFound):
        do(session, "recall halibut")
    do(session, "clear")
    engine.say("Hello.")
    say(session, "Hello.")
    with pytest.raises(NotFound):
        do(session, "recall turbot")
    assert "turbot" in shown(do(session, "recall turbot --all"))


def test_a_pinned_message_is_always_sent_and_a_forgotten_one_never(session: Session, engine: Engine) -> None:
    engine.say("Noted.", "Noted.")
    say(session, "The ship is called Wanderer.")
    say(session, "The harbour is called Bristol.")
    do(session, "pin 1")
    do(session, "forget 3")
    talk(session, engine, 12)
    plan, _ = plan_next(session)
    sent = " ".join(message.text for message in plan.messages)
    assert "Wanderer" in sent
    assert "Bristol" not in sent
    assert "Wanderer" in shown(do(session, "pin"))
    do(session, "pin 1")
    assert session.conversation.state.pins == frozenset()


def test_a_pinned_message_that_is_too_large_is_said_so_and_the_small_ones_are_kept(
    session: Session, engine: Engine
) -> None:
    engine.say("Noted.")
    say(session, "The ship is called Wanderer. " + "It sails and sails. " * 70)
    engine.say("Noted.")
    say(session, "The harbour is called Bristol.")
    text = shown(do(session, "pin 1 3"))
    assert "Message 1 will not be sent: pinned messages may take half" in text
    talk(session, engine, 12)
    plan, _ = plan_next(session)
    assert "Bristol" in plan.messages[0].text
    assert "may take half" in shown(do(session, "context why 1"))


def test_what_went_with_the_last_question_can_be_looked_at_afterwards(session: Session, engine: Engine) -> None:
    engine.say("I will remember that.")
    say(session, "The password of the harbour master is turbot-seventeen.")
    talk(session, engine, 12)
    session.open(session.conversation.id)
    with pytest.raises(UserError, match="Nothing has been sent"):
        do(session, "context last")
    engine.say("It is turbot-seventeen.")
    say(session, "What was the password of the harbour master?")
    text = shown(do(session, "context"))
    assert "The last question was sent with" in text
    assert "recalled" in shown(do(session, "context last"))
    assert "With the last question it was recalled: quoted for" in shown(do(session, "context why 1"))


def test_drop_takes_a_message_off_the_path_and_keeps_it_in_the_tree(session: Session, engine: Engine) -> None:
    engine.say("one", "two")
    say(session, "first")
    say(session, "second")
    number = session.conversation.id
    do(session, "drop 1 2")
    assert [node.message.text for node in session.conversation.path()] == ["second", "two"]
    assert len(session.store.whole(number).nodes) == 6


def test_a_pinned_message_stays_pinned_when_one_before_it_is_dropped_and_when_that_is_undone(
    session: Session, engine: Engine
) -> None:
    talk(session, engine, 2)
    do(session, "pin 3")
    do(session, "drop 1 2")
    assert "thing number 1" in shown(do(session, "pin"))
    do(session, "back")
    assert "thing number 1" in shown(do(session, "pin"))


def test_a_text_file_goes_whole_while_it_fits_and_in_passages_when_it_does_not(
    session: Session, engine: Engine, tmp_path: Path
) -> None:
    small, large = tmp_path / "small.txt", tmp_path / "large.txt"
    small.write_text("The cat sleeps on the mat.\n")
    large.write_text(
        "".join(f"Line {n} speaks of nothing in particular.\n" for n in range(300)) + "The fox is green.\n"
    )
    do(session, f"file {small}")
    engine.say("Asleep.")
    say_with_pending(session, "What does the cat do?")
    assert "The cat sleeps on the mat." in engine.chats[-1]["messages"][-1]["content"]
    do(session, f"file {large}")
    engine.say("Green.")
    say_with_pending(session, "What colour has the fox?")
    content = engine.chats[-1]["messages"][-1]["content"]
    assert "The fox is green." in content
    assert "Line 3 speaks" not in content
    with pytest.raises(BadFile):
        do(session, f"file {tmp_path}/none.txt")
    with pytest.raises(BadFile, match="fits"):
        do(session, f"file {tmp_path}/*.rs")


def say_with_pending(session: Session, text: str) -> None:
    question = ask(session, text, session.pending)
    session.detach()
    answer(session, question, lambda event: None)


def test_copy_and_raw_give_what_the_model_wrote(session: Session, engine: Engine) -> None:
    with pytest.raises(UserError):
        do(session, "copy")
    engine.say("# Two\n\n```python\na = 1\n```\n\n```sh\nls\n```\n")
    say(session, "code please")
    copied = do(session, "copy")
    assert isinstance(copied, Copy)
    assert copied.text.startswith("# Two")
    first, last = do(session, "copy 1 --code"), do(session, "copy --code")
    assert isinstance(first, Copy)
    assert isinstance(last, Copy)
    assert (first.text.strip(), last.text.strip()) == ("a = 1", "ls")
    for beyond in ("3", "-1", "-5"):
        with pytest.raises(UserError, match=r"2 code blocks|below 0"):
            do(session, f"copy --code {beyond}")
    assert shown(do(session, "raw")).startswith("# Two")


@pytest.mark.parametrize("strategy", [each for each in STRATEGIES if each.summarizes], ids=str)
def test_strategies_that_summarise_never_overflow_and_lose_no_message(
    session: Session, engine: Engine, strategy: Strategy
) -> None:
    do(session, f"set strategy {strategy}")
    for number in range(30):
        say(session, f"Question {number}: what do you say to that?")
    assert len(session.conversation.path()) == 60
    assert all(
        node.turn.usage.prompt_tokens <= 1024
        for node in session.conversation.path()
        if node.turn is not None and node.turn.usage.prompt_tokens is not None
    )
    if not strategy.moves_cut:  # the summary is waited for
        assert session.conversation.state.summary is not None


@pytest.fixture
def tooled(engine: Engine) -> Iterator[Session]:
    """A conversation of a question, a call, its result and the answer."""
    opened = build(Wishes({"host": engine.url, "model": "demo-tools", "tools": "calculate", "num_ctx": "2k"}))
    say(opened, 'call calculate {"expression": "6*7"}')
    assert roles(opened) == ["user", "assistant", "tool", "assistant"]
    yield opened
    opened.close()


def roles(session: Session) -> list[str]:
    return [node.message.role.value for node in session.conversation.path()]


@pytest.mark.parametrize("number", [2, 3])
def test_a_call_and_its_result_are_forgotten_and_let_in_again_together(tooled: Session, number: int) -> None:
    text = shown(do(tooled, f"forget {number}"))
    assert "messages 2, 3: forgotten. A call and its results go together." in text
    say(tooled, "And now?")
    assert tooled.plan is not None
    assert [message.role.value for message in tooled.plan.messages] == ["user", "assistant", "user"]
    do(tooled, f"forget {5 - number}")
    assert not tooled.conversation.state.forgotten


def test_a_pinned_call_is_quoted_with_its_result(tooled: Session) -> None:
    do(tooled, "set strategy window")
    do(tooled, "set window_messages 1")
    do(tooled, "pin 3")
    say(tooled, "And now?")
    assert tooled.plan is not None
    front = tooled.plan.messages[0].text
    assert "(called calculate(expression=6*7))" in front
    assert "(calculate gave: 42" in front


@pytest.mark.parametrize("number", [2, 3])
def test_a_call_and_its_result_are_dropped_together(tooled: Session, number: int) -> None:
    do(tooled, f"drop {number}")
    assert roles(tooled) == ["user", "assistant"]


def talk_with_tools(session: Session, turns: int) -> None:
    for number in range(turns):
        say(session, f'Of thing {number}. {"It matters. " * 20}\ncall calculate {{"expression": "{number}+1"}}')
        assert session.background.wait("summary", 10)


def test_a_summary_before_a_request_is_made_of_what_was_said_before_its_turn(engine: Engine) -> None:
    wishes = {"model": "demo-tools", "tools": "calculate", "num_ctx": "1k", "strategy": "summary"}
    session = build(Wishes({"host": engine.url, "keep_recent": "0", **wishes}))
    try:
        talk_with_tools(session, 6)
        made = session.conversation.state.summary
        assert made is not None
        assert session.conversation.node(made.upto).message.role is Role.ASSISTANT
        assert session.plan is not None
        assert session.plan.of(PartKind.SUMMARY).tokens > 0
    finally:
        session.close()


def test_what_a_question_with_its_calls_pushes_out_is_summarized_after_its_turn(engine: Engine) -> None:
    session = build(Wishes({"host": engine.url, "model": "demo-tools", "tools": "calculate", "num_ctx": "1k"}))
    try:
        talk_with_tools(session, 4)
        session.summarizer.collect()
        made, cut = session.conversation.state.summary, session.conversation.state.cut
        assert made is not None
        assert cut is not None
        assert session.conversation.node(cut).number == made.last + 1
    finally:
        session.close()


def test_a_summary_that_continues_the_last_request_sends_its_definitions_again(
    tooled: Session, engine: Engine
) -> None:
    do(tooled, "set keep_recent 0")
    before = engine.chats[-1]
    do(tooled, "compact")
    asked = engine.chats[-1]
    assert asked["messages"][: len(before["messages"])] == before["messages"]
    assert asked["tools"] == before["tools"]
    assert tooled.conversation.state.summary is not None


def test_a_turn_that_ended_with_results_is_continued_with_them(tooled: Session, engine: Engine) -> None:
    outcome = do(tooled, "goto 3")
    assert isinstance(outcome, Opened)
    assert "/continue goes on with what the tools gave" in spelled(outcome.note, at_prompt)
    do(tooled, "continue")
    assert roles(tooled) == ["user", "assistant", "tool", "assistant"]
    assert engine.chats[-1]["messages"][-1]["content"] == "42"


def test_copy_and_diff_take_the_answer_of_a_turn_and_not_its_calls(tooled: Session) -> None:
    answer = tooled.conversation.path()[-1].message.text
    copied = do(tooled, "copy")
    assert isinstance(copied, Copy)
    assert copied.text == answer
    do(tooled, "retry")
    assert roles(tooled) == ["user", "assistant", "tool", "assistant"]
    assert "say the same" in shown(do(tooled, "diff"))
    do(tooled, "goto 3")
    assert isinstance(last := do(tooled, "undo"), Prefill), last
    assert roles(tooled) == []
