"""Moving inside a conversation (branches, retries, going back), against a real store and the demo engine."""

from __future__ import annotations

import pytest

from chatcli.commands import everything
from chatcli.commands.navigation import grown_elsewhere
from chatcli.commands.outcomes import AskAgain, Choose, Opened, Prefill, Show
from chatcli.commands.spelling import at_prompt
from chatcli.conversation.message import Attachment, Message
from chatcli.errors import BadArgument, CannotSee, Missing, NotFound, StreamBroken, UserError
from chatcli.hints import spelled
from chatcli.render.notices import draw as draw_view
from chatcli.render.theme import Palette
from chatcli.session.build import Wishes, build
from chatcli.session.session import Session
from chatcli.settings import table
from tests.commanding import do, drawn, followed, said, say, shown
from tests.faults import Cut, Engine


@pytest.fixture
def forked(session: Session, engine: Engine) -> Session:
    """a number? one | two, why? because."""
    engine.say("one", "two", "because")
    say(session, "a number")
    followed(session, do(session, "retry"))
    say(session, "why")
    return session


def test_another_model_answers_once_and_the_setting_stays(session: Session, engine: Engine) -> None:
    engine.say("one", "another one")
    say(session, "a number")
    followed(session, do(session, "retry --model demo-brief"))
    reply = session.conversation.last
    assert reply is not None
    assert reply.turn is not None
    assert (reply.message.text, reply.turn.model) == ("another one", "demo-brief")
    assert session.settings[table.MODEL] == "demo"
    assert session.store.conversation(session.conversation.id).settings["model"] == "demo"
    say(session, "and now")
    assert engine.chats[-1]["model"] == "demo"


def test_a_model_that_cannot_answer_moves_nothing(session: Session) -> None:
    picture = Attachment("image", "dot.png", "image/png", b"\x89PNG")
    session.begin()
    session.ensure_stored()
    session.store.append(session.conversation, Message.user("what is this", (picture,)))
    tip = session.store.append(session.conversation, Message.assistant("a dot")).id
    with pytest.raises(CannotSee):
        do(session, "retry --model demo")
    with pytest.raises(Missing):
        do(session, "retry --model nope")
    assert session.conversation.tip == tip


def test_an_edited_question_stands_beside_the_old_one(session: Session, engine: Engine) -> None:
    engine.say("one", "two", "three")
    say(session, "first")
    say(session, "second")
    assert do(session, "edit") == Prefill("second")
    assert said(session) == ["first", "one"]
    do(session, "back")
    assert do(session, "edit 1") == Prefill("first")
    assert said(session) == []
    say(session, "first, better")
    assert said(session) == ["first, better", "three"]
    assert isinstance(do(session, "back"), Opened)
    assert said(session) == ["first", "one", "second", "two"]


def test_editing_takes_the_attachments_along_and_a_slash_stays_text(session: Session) -> None:
    picture = Attachment("image", "dot.png", "image/png", b"\x89PNG")
    session.begin()
    session.ensure_stored()
    session.store.append(session.conversation, Message.user("/etc what is it", (picture,)))
    session.store.append(session.conversation, Message.assistant("a dot"))
    assert do(session, "edit") == Prefill("//etc what is it")
    assert session.pending == (picture,)


def test_only_questions_can_be_edited(forked: Session) -> None:
    with pytest.raises(BadArgument, match="not a question"):
        do(forked, "edit 2")
    with pytest.raises(NotFound, match="no message 9"):
        do(forked, "edit 9")


def test_after_an_error_edit_takes_the_question_that_got_no_reply(session: Session, engine: Engine) -> None:
    say(session, "first")
    engine.script(*[Cut(after=0)] * 5)  # retries included
    with pytest.raises(StreamBroken):
        say(session, "second")
    assert do(session, "edit") == Prefill("second")


def test_back_goes_to_and_fro(forked: Session) -> None:
    assert do(forked, "undo") == Prefill("why")
    assert said(forked) == ["a number", "two"]
    do(forked, "back")
    assert said(forked) == ["a number", "two", "why", "because"]
    do(forked, "back")
    assert said(forked) == ["a number", "two"]


def test_back_is_remembered_with_the_conversation(forked: Session) -> None:
    do(forked, "goto 1")
    do(forked, "clear")
    do(forked, f"load {forked.store.last()}")
    do(forked, "back")
    assert said(forked)[-1] == "because"


def test_back_without_a_jump_says_so(session: Session) -> None:
    with pytest.raises(UserError, match="nowhere"):
        do(session, "back")
    say(session, "hi")
    with pytest.raises(UserError, match="nowhere"):
        do(session, "back")


def test_a_place_gets_a_name_and_is_found_again(forked: Session) -> None:
    do(forked, "branch the two")
    assert isinstance(do(forked, "goto 2"), Opened)
    assert said(forked) == ["a number", "two"]
    do(forked, "goto the two")
    assert said(forked)[-1] == "because"
    assert "the two" in shown(do(forked, "branch"))
    assert [word.text for word, _ in everything().suggest(forked, "/goto the t")] == ["the two"]
    do(forked, "branch the two --remove")
    assert "There are no names yet" in shown(do(forked, "branch"))
    with pytest.raises(NotFound):
        do(forked, "goto the two")
    for number in ("7", "#7", "-"):
        with pytest.raises(BadArgument):
            do(forked, f"branch {number}")


def test_a_place_or_a_step_too_far_is_said_in_numbers(forked: Session) -> None:
    for number in ("9" * 24, "9" * 5000):
        with pytest.raises(BadArgument, match="too large"):
            do(forked, f"goto {number}")
    with pytest.raises(UserError, match="There are 2 exchanges"):
        do(forked, "undo 3")
    do(forked, "goto 2")
    with pytest.raises(UserError, match="There is 1 exchange to"):
        do(forked, "undo 2")
    do(forked, "clear")
    with pytest.raises(UserError, match="Nothing has been asked"):
        do(forked, "undo")


def test_branches_lists_every_end_and_goto_offers_them(forked: Session) -> None:
    do(forked, "branch main")
    rows = shown(do(forked, "branches")).splitlines()
    assert rows[0].startswith("* 4")
    assert "[main] demo: because" in rows[0]
    assert rows[1].endswith("demo: one")
    outcome = do(forked, "goto")
    assert isinstance(outcome, Choose)
    outcome.then(1)
    assert said(forked) == ["a number", "one"]


def test_a_question_one_goes_to_says_that_it_waits(forked: Session) -> None:
    outcome = do(forked, "goto 3")
    assert isinstance(outcome, Opened)
    assert "/retry" in spelled(outcome.note, at_prompt)
    again = do(forked, "retry")
    assert isinstance(again, AskAgain)
    assert again.question.message.text == "why"


def test_the_tree_is_drawn_with_the_branch_one_is_on_straight(forked: Session) -> None:
    assert shown(do(forked, "tree")).splitlines() == [
        " 1 you: a number",
        "├─  2 demo: one",
        " 2 demo: two",
        " 3 you: why",
        " 4 demo: because ● here",
    ]


def test_a_plain_screen_draws_the_tree_without_box_characters(forked: Session) -> None:
    outcome = do(forked, "tree")
    assert isinstance(outcome, Show)
    lines = [line.text for view in outcome.views for line in draw_view(view, Palette("mono"), 80, False)]
    assert any("+-" in line for line in lines)
    assert all(line.isascii() for line in lines)


def test_the_difference_of_two_replies_is_told_by_words(session: Session, engine: Engine) -> None:
    same = "This sentence stands in both of them and is long enough to make the line a long one."
    engine.say(f"{same} Two.", f"{same} Three. ```x```")
    say(session, "go")
    with pytest.raises(UserError, match="fewer than two replies"):
        do(session, "diff")
    followed(session, do(session, "retry"))
    assert drawn(do(session, "diff")) == [
        "[-reply 1 (demo)-] {+reply 2 (demo)+}",
        "",
        same,
        "[-Two.-]{+Three. ```x```+}",
    ]
    with pytest.raises(BadArgument):
        do(session, "diff 1 3")


def test_without_a_conversation_every_way_says_what_is_missing(session: Session) -> None:
    for line in ("retry", "continue", "undo", "edit", "branch here", "branches", "tree", "goto 3", "goto", "diff"):
        with pytest.raises(UserError):
            do(session, line)


def test_after_going_up_the_last_question_is_the_one_on_the_path(forked: Session) -> None:
    """Not one that was asked further down, and answered there."""
    do(forked, "goto 2")
    assert "reply 1 (demo)" in shown(do(forked, "diff"))
    again = do(forked, "retry")
    assert isinstance(again, AskAgain)
    assert again.question.message.text == "a number"


def test_a_conversation_that_grows_elsewhere_says_so_once(forked: Session, engine: Engine) -> None:
    """Two programs on one conversation: the second to speak adds a branch, and both are told."""
    other = build(Wishes({"host": engine.url, "model": "demo"}, resume=True))
    assert grown_elsewhere(forked) == grown_elsewhere(other) == ""
    engine.say("Said there.", "Said here.")
    say(other, "from there")
    assert grown_elsewhere(other) == ""
    told = spelled(grown_elsewhere(forked), at_prompt)
    assert 'message 6 there is "demo: Said there."' in told
    assert grown_elsewhere(forked) == ""
    say(forked, "from here")
    assert said(forked)[-2:] == ["from here", "Said here."]
    assert said(forked)[:4] == said(other)[:4]
    assert "Said here." in str(grown_elsewhere(other))
    do(forked, told.rpartition("/")[2])
    assert said(forked) == said(other)
    other.close()


def test_what_was_said_before_on_other_branches_is_not_growth(forked: Session, engine: Engine) -> None:
    do(forked, "goto 1")
    again = build(Wishes({"host": engine.url, "model": "demo"}, resume=True))
    assert grown_elsewhere(again) == ""
    again.close()
