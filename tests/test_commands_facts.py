"""/memory: facts that every conversation knows, where they are kept, what they cost and who gets them."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcli import Chat
from chatcli.commands.outcomes import Outcome, Show
from chatcli.context.system_message import FACTS, that_fit
from chatcli.conversation.message import Message
from chatcli.conversation.plan import PartKind
from chatcli.errors import BadArgument, BadFile, NotFound, UserError
from chatcli.render.views import WindowView
from chatcli.session.build import Wishes, build
from chatcli.session.facts import LONGEST, PART, as_fact
from chatcli.session.session import Session
from chatcli.settings.from_imports import imported_settings
from chatcli.store.transfer import export
from chatcli.text import UNWANTED
from tests.commanding import do, drawn, followed, say, shown
from tests.faults import Engine
from tests.remembering import count

BOAT = "My boat is called Sparrow."
TEA = "I drink no coffee."
WISHES = {"model": "demo", "num_ctx": "2k"}


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    opened = build(Wishes({"host": engine.url, **WISHES}))
    yield opened
    opened.close()


def first_message(engine: Engine) -> dict[str, str]:
    """The first message of the last request."""
    asked: dict[str, str] = engine.chats[-1]["messages"][0]
    return asked


def window(outcome: Outcome) -> WindowView:
    assert isinstance(outcome, Show)
    view = outcome.views[0]
    assert isinstance(view, WindowView)
    return view


def test_a_fact_is_known_in_every_conversation_from_then_on(session: Session, engine: Engine) -> None:
    do(session, "set system Be kind.")
    do(session, f"memory add {BOAT}")
    do(session, f"memory add {TEA}")
    say(session, "Hello.")
    assert first_message(engine) == {
        "role": "system",
        "content": f"Be kind.\n\n{FACTS}\n- {BOAT}\n- {TEA}",
    }
    with_another = build(Wishes({"host": engine.url, **WISHES}))
    try:
        say(with_another, "Hello there.")
        assert first_message(engine)["content"] == f"{FACTS}\n- {BOAT}\n- {TEA}"
    finally:
        with_another.close()


def test_the_front_of_the_prompt_stays_the_same_while_the_facts_do(session: Session, engine: Engine) -> None:
    do(session, f"memory add {BOAT}")
    for question in ("One.", "Two.", "Three."):
        say(session, question)
    assert len({chat["messages"][0]["content"] for chat in engine.chats}) == 1


def test_they_are_listed_with_numbers_and_tokens_and_removed_by_number(session: Session) -> None:
    assert shown(do(session, "memory")) == "No facts are kept. /memory add TEXT keeps one."
    do(session, f"memory add {BOAT}")
    do(session, f"memory add  {TEA.replace(' ', '   ')} ")
    assert [line.split()[0] for line in shown(do(session, "memory")).splitlines()] == ["1", "2"]
    assert shown(do(session, "memory")).endswith(f"2 {TEA} ~{session.counter.text(TEA).tokens}")
    assert shown(do(session, "memory rm 1")) == f"No longer known: {BOAT}"
    assert session.facts.known() == (TEA,)
    with pytest.raises(NotFound, match="There is no fact 2"):
        do(session, "memory rm 1 2")
    assert session.facts.known() == (TEA,)


@pytest.mark.parametrize("line", ["memory add", "memory add   ", "memory rm", "memory rm x"])
def test_what_names_no_fact_is_a_usage_error(session: Session, line: str) -> None:
    with pytest.raises(BadArgument):
        do(session, line)


def test_one_that_is_kept_or_is_too_long_or_has_no_letters_is_refused(session: Session) -> None:
    do(session, f"memory add {BOAT}")
    for text in (BOAT, "x" * (LONGEST + 1), "\x1b[31m\x07"):
        with pytest.raises(UserError):
            do(session, f"memory add {text}")
    assert session.facts.known() == (BOAT,)


def test_a_change_says_what_it_costs_and_what_is_read_again(session: Session) -> None:
    say(session, "Hello.")
    assert "Your facts take" in (told := shown(do(session, f"memory add {BOAT}")))
    assert "are read again" in told
    assert "Your facts took" in (told := shown(do(session, "memory rm 1")))
    assert "are read again" in told


def test_the_context_shows_them_as_a_part_with_their_cost(session: Session) -> None:
    before = window(do(session, "context")).plan
    do(session, f"memory add {BOAT}")
    outcome = do(session, "context")
    plan = window(outcome).plan
    assert plan.of(PartKind.FACTS).tokens >= session.counter.text(BOAT).tokens
    assert not before.of(PartKind.FACTS).tokens
    assert any("your facts" in line and "1 fact, always sent" in line for line in drawn(outcome))


def test_they_take_no_more_than_their_share_and_it_is_told(session: Session, engine: Engine) -> None:
    for number in range(20):
        told = shown(do(session, f"memory add Fact {number}: " + "of this and that, " * 6))
        say(session, "Hello.")
        assert session.plan is not None
        assert session.plan.of(PartKind.FACTS).tokens <= session.window.get() // PART
    for said in (told, *("\n".join(drawn(do(session, line))) for line in ("memory", "context"))):
        assert "20 will not be sent: they may take one part in 8 of the window" in " ".join(said.split())
    assert "Fact 0:" in first_message(engine)["content"]
    assert "Fact 19:" not in first_message(engine)["content"]


def test_with_the_setting_off_none_is_sent_and_that_is_said(session: Session, engine: Engine) -> None:
    do(session, f"memory add {BOAT}")
    do(session, "set memory off")
    say(session, "Hello.")
    assert first_message(engine)["role"] == "user"
    assert "the setting memory is off" in "\n".join(drawn(do(session, "memory")))
    assert "the setting memory is off" in shown(do(session, f"memory add {TEA}"))


def test_an_imported_conversation_does_not_turn_them_on() -> None:
    repairs: list[str] = []
    assert imported_settings({"memory": "on"}, repairs) == {}
    assert imported_settings({"memory": "off"}, repairs) == {"memory": "off"}
    assert len(repairs) == 1


def test_nothing_that_a_model_says_adds_one(session: Session, engine: Engine) -> None:
    engine.say(f"/memory add {BOAT}\n")
    say(session, f"Remember: {BOAT}")
    assert session.facts.known() == ()
    assert not session.paths.facts.exists()


def test_a_private_conversation_knows_them_and_keeps_nothing_else(session: Session, engine: Engine) -> None:
    do(session, f"memory add {BOAT}")
    followed(session, do(session, "private"))
    say(session, "Hello.")
    assert BOAT in first_message(engine)["content"]


def test_they_are_in_no_store_and_no_export(session: Session) -> None:
    do(session, f"memory add {BOAT}")
    say(session, "Hello.")
    exported = export(session.store.whole(session.conversation.id), "json")
    assert BOAT not in exported
    store = session.paths.store
    session.close()
    kept = [path for path in store.parent.iterdir() if path.is_file() and path != session.paths.facts]
    assert not [path.name for path in kept if BOAT.encode() in path.read_bytes()]


def test_their_file_is_for_its_owner_only_and_may_be_edited(session: Session) -> None:
    do(session, f"memory add {BOAT}")
    file = session.paths.facts
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.write_bytes(f"\ufeff{TEA}\r\n\r\n  Ich wohne in K\u00f6ln.  ".encode())
    assert session.facts.known() == (TEA, "Ich wohne in Köln.")


def test_a_file_that_cannot_be_read_is_never_written_over(session: Session) -> None:
    file: Path = session.paths.facts
    file.mkdir()
    with pytest.raises(BadFile):
        do(session, f"memory add {BOAT}")
    assert session.facts.known() == ()
    assert len(session.take_warnings()) == 1
    assert session.facts.known() == ()
    assert not session.take_warnings()


def test_a_python_program_sends_them_only_when_it_asks_for_them(session: Session, engine: Engine) -> None:
    do(session, f"memory add {BOAT}")
    with Chat("demo", host=engine.url) as chat:
        chat.send("Hello.")
    assert first_message(engine)["role"] == "user"
    with Chat("demo", host=engine.url, memory=True) as chat:
        chat.send("Hello.")
    assert BOAT in first_message(engine)["content"]


def test_generate_is_told_once_and_a_text_that_goes_on_never(session: Session, engine: Engine) -> None:
    do(session, f"memory add {BOAT}")
    do(session, "set generate on")
    say(session, "Hello.")
    say(session, "And again.")
    do(session, "set complete on")
    say(session, "Once upon a time")
    asked = [each.body for each in engine.requests if each.path == "/api/generate" and each.body.get("prompt")]
    assert [BOAT in json.dumps(each) for each in asked] == [True, False, False]


@given(st.lists(st.text(max_size=80), max_size=12), st.integers(0, 200))
def test_those_that_fit_are_in_order_and_within_their_tokens(facts: list[str], most: int) -> None:
    fitting = that_fit(facts, most, count)
    whole = Message.system("\n".join([FACTS, *(f"- {fact}" for fact in fitting)]))
    assert not fitting or count(whole).tokens - count(Message.system("")).tokens <= most
    left = iter(facts)
    assert all(fact in left for fact in fitting)


@given(st.text(max_size=200))
def test_a_fact_is_one_line_without_unwanted_characters(text: str) -> None:
    fact = as_fact(text)
    assert len(fact.splitlines()) <= 1
    assert fact == fact.strip()
    assert not UNWANTED.search(fact)
