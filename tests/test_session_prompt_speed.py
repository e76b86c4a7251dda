"""How fast the server reads prompts is learnt from its replies, and recall adds no more than it reads in time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatcli.commands.outcomes import Show
from chatcli.context.assemble import assemble
from chatcli.context.plan_inputs import Memory
from chatcli.conversation.events import Done
from chatcli.conversation.message import Message
from chatcli.conversation.plan import Fate, PartKind, Plan
from chatcli.conversation.reading_speed import CAUTIOUS, FEW, RELOAD, Patience, measured, speed_of
from chatcli.conversation.tree import Ended
from chatcli.conversation.usage import Turn, Usage
from chatcli.errors import BadValue
from chatcli.render.views import Listing, Note
from chatcli.session.build import Wishes, build
from chatcli.session.planning import request_for
from chatcli.session.prompt_speed import reading_speed
from chatcli.session.session import Session
from chatcli.settings import table
from chatcli.settings.layers import Layer
from chatcli.settings.setting import Setting
from chatcli.settings.values import seconds
from chatcli.store.store import Store
from tests.commanding import do, say
from tests.faults import Engine
from tests.remembering import Chat, count, room_for

LONG = "The harbor of Antwerp has cranes, ships, and a great many pigeons on its roofs. " * 8


@pytest.fixture
def slow() -> Iterator[Engine]:
    with Engine(reading=100) as running:
        yield running


def opened(engine: Engine, **wishes: str) -> Session:
    return build(Wishes({"host": engine.url, "model": "demo", **wishes}))


def turns(session: Session) -> list[Turn]:
    return [node.turn for node in session.conversation.path() if node.turn is not None]


def test_the_tokens_that_the_server_had_to_read_are_told_as_it_counts_them(slow: Engine) -> None:
    session = opened(slow)
    for text in ("hi", LONG, "thanks", LONG):
        slow.say("Noted, all of it.")
        say(session, text)
    first, *others = turns(session)
    assert first.read is None  # another program may have asked before
    for turn in others:
        assert turn.read is not None
        assert turn.usage.prompt_seconds is not None
        assert abs(turn.read - turn.usage.prompt_seconds * 100) <= 10
    assert reading_speed(session) == pytest.approx(100, rel=0.1)
    session.close()


def test_a_new_process_knows_the_speed_and_what_the_server_read_last(slow: Engine) -> None:
    session = opened(slow)
    for text in ("hi", LONG):
        say(session, text)
    before = reading_speed(session)
    number = session.conversation.id
    session.close()
    again = opened(slow)
    again.open(number)
    again.next_request.plan()  # the model is known from here on
    assert reading_speed(again) == before
    say(again, LONG + "And on.")
    turn = turns(again)[-1]
    assert turn.read is not None
    assert turn.usage.prompt_seconds is not None
    assert abs(turn.read - turn.usage.prompt_seconds * 100) <= 10
    again.close()


@pytest.mark.parametrize("what", ["model", "window", "host"])
def test_what_was_measured_elsewhere_does_not_count(slow: Engine, what: str) -> None:
    session = opened(slow)
    for text in ("hi", LONG):
        say(session, text)
    assert reading_speed(session) is not None
    with Engine() as other:
        changed: dict[str, tuple[Setting[Any], Any]] = {
            "model": (table.MODEL, "demo-thinking"),
            "window": (table.NUM_CTX, 2048),
            "host": (table.HOST, other.url),
        }
        setting, value = changed[what]
        session.settings.put_value(setting, value, Layer.SET)
        session.setting_changed(setting)
        assert reading_speed(session) is None
        session.close()


def test_a_stopped_reply_leaves_unknown_what_the_server_has_read(slow: Engine) -> None:
    session = opened(slow)
    say(session, "hi")
    client, plan = session.client.get(), session.plan
    assert plan is not None
    request = request_for(session, plan)
    events = client.chat(request)
    next(events)
    events.close()
    for unread in (None, ()):
        assert [event.unread for event in client.chat(request) if isinstance(event, Done)] == [unread]
    session.close()


def turn(read: int | None = 1000, took: float | None = 10.0, loading: float = 0.01, **values: object) -> Turn:
    given = Turn(
        "demo", options={"num_ctx": 4096}, usage=Usage(load_seconds=loading, prompt_seconds=took), read=read
    )
    return replace(given, **values)  # type: ignore[arg-type]


def test_the_speed_is_the_median_of_the_newest_turns_that_tell_one() -> None:
    assert speed_of([], turn()) is None
    assert speed_of([turn(), turn(took=1.0), turn(took=5.0)], turn()) == 200
    assert speed_of([turn()] * 5 + [turn(took=1.0)] * 20, turn()) == 100
    for tells_nothing in (turn(None), turn(FEW - 1), turn(took=None), turn(took=0.0), turn(loading=RELOAD)):
        assert measured(tells_nothing) is None
        assert speed_of([tells_nothing] * 7 + [turn()], turn()) == 100


@pytest.fixture
def store() -> Iterator[Store]:
    with Store.open(None) as made:
        yield made


def about_ships(store: Store, patience: Patience) -> Chat:
    """A conversation whose beginning is not sent any more."""
    made = Chat(store, room_for(2000), memory=Memory(patience=patience))
    for number in range(40):
        made.ask(f"Ship {number} carries {number} barrels of oil to the harbor of Antwerp. {'It sails. ' * 12}")
    return made


QUESTION = "Which ship carries barrels of oil to Antwerp?"


def quoted(plan: Plan) -> int:
    return plan.of(PartKind.RECALLED).tokens


def test_a_slow_server_gets_fewer_quotes_and_a_fast_one_all(store: Store) -> None:
    costs = {}
    for patience in (Patience(3, 50), Patience(3, 200), Patience(3, 2000), Patience()):
        made = about_ships(store, patience)
        costs[patience] = quoted(made.ask(QUESTION, reply=None))
    assert 0 < costs[Patience(3, 50)] < costs[Patience(3, 200)] < costs[Patience(3, 2000)]
    assert costs[Patience(3, 2000)] == costs[Patience()]


def test_where_the_speed_is_not_known_the_server_is_taken_for_a_slow_one(store: Store) -> None:
    unknown = quoted(about_ships(store, Patience(2)).ask(QUESTION, reply=None))
    assert unknown == quoted(about_ships(store, Patience(2, CAUTIOUS)).ask(QUESTION, reply=None)) > 0


def test_with_less_time_the_best_quotes_stay_and_the_others_say_why(store: Store) -> None:
    all_of_them = about_ships(store, Patience()).ask(QUESTION, reply=None)
    few = about_ships(store, Patience(3, 50)).ask(QUESTION, reply=None)

    def for_words(plan: Plan) -> set[int]:
        return {part.first for part in plan.parts if part.why.startswith("quoted for")}

    assert 0 < len(for_words(few)) < len(for_words(all_of_them))
    assert for_words(few) < for_words(all_of_them)
    late = [part for part in few.parts if part.kind is PartKind.RECALLED and part.fate is not Fate.SENT]
    assert {part.first for part in late} & for_words(all_of_them)
    assert all(part.why.endswith("recall_patience: no room in 3 s at 50 tokens a second") for part in late)


@pytest.fixture(scope="module", params=[False, True], ids=["no quotes before", "quotes before"])
def old(request: pytest.FixtureRequest) -> Iterator[Chat]:
    """A conversation whose last question had no quotes in its copy, or some."""
    with Store.open(None) as store:
        made = about_ships(store, Patience())
        if request.param:
            plan = made.ask(QUESTION, reply=None)
            asked = made.conversation.last
            assert asked is not None
            reply = store.begin_reply(made.conversation, asked)
            reply.finish(Message.assistant("All of them."), Ended.COMPLETE, Turn("demo", quoted=quoted(plan)))
        yield made


def next_again(made: Chat) -> int:
    """What the next request reads again, if this one had messages give way."""
    cost = {node.id: count(node.message).tokens for node in made.conversation.back()}
    plan, _ = assemble(made.conversation.back(made.conversation.coming(Message.user("Fine."))), made.basis)
    return sum(cost[part.node] for part in plan.parts if part.kind is PartKind.VERBATIM and part.node)


@given(speed=st.floats(1, 3000), patience=st.floats(0, 12))
@settings(max_examples=30, deadline=None)
def test_recall_never_takes_longer_than_the_patience(old: Chat, speed: float, patience: float) -> None:
    old.memory = Memory(patience=Patience(patience, speed))
    coming = old.conversation.coming(Message.user(QUESTION))
    plan, _ = assemble(old.conversation.back(coming), old.basis)
    last = old.conversation.last
    assert last is not None
    assert (plan.again > 0) == (last.turn is not None or plan.gave_way)
    assert quoted(plan) <= max(0.0, patience * speed - plan.again)
    assert not plan.gave_way or next_again(old) <= patience * speed


@pytest.mark.parametrize(
    ("typed", "value"), [("3s", 3.0), ("1.5", 1.5), ("500ms", 0.5), ("2m", 120.0), ("0", 0.0), ("off", math.inf)]
)
def test_a_patience_is_read_as_a_time(typed: str, value: float) -> None:
    kind = seconds()
    assert kind.read(typed) == kind.read(kind.write(value)) == kind.take(typed) == value
    assert kind.take(value if value != math.inf else False) == value


@pytest.mark.parametrize("typed", ["", "-1", "soon", "3 h", "inf", "nan", "1e9", "s"])
def test_what_is_no_time_is_refused(typed: str) -> None:
    with pytest.raises(BadValue):
        seconds().read(typed)


def shown(session: Session, line: str) -> str:
    outcome = do(session, line)
    assert isinstance(outcome, Show)
    notes = [str(view.text) for view in outcome.views if isinstance(view, Note)]
    lines = [str(line) for view in outcome.views for line in getattr(view, "lines", ())]
    assert all(isinstance(view, Note | Listing) or hasattr(view, "plan") for view in outcome.views)
    return "\n".join(notes + lines)


def test_what_recall_cost_is_told(slow: Engine) -> None:
    session = opened(slow, num_ctx="2k")
    slow.say("How lovely.", *["Noted."] * 8, "The bassoon.", "In Antwerp.", "I do not know.")
    say(session, "My sister Mathilda plays the bassoon in Antwerp.")
    for number in range(8):
        say(session, f"{number}. {LONG}")
    assert "Recall" not in shown(session, "stats")
    say(session, "What does Mathilda play?")
    assert session.plan is not None
    tokens = quoted(session.plan)
    assert 0 < tokens <= 500
    assert turns(session)[-1].quoted == tokens
    assert "s to read)" in shown(session, "context")
    assert "The question before had quotes: from it on" in shown(session, "context")
    say(session, "Where does Mathilda play?")
    again = turns(session)[-1].again
    assert again > 0
    assert f"{again} of them" in shown(session, "stats")
    session.settings.put("recall_patience", "1ms", Layer.SET)
    say(session, "What does Mathilda play?")
    assert turns(session)[-1].quoted == 0
    assert "not recalled, although it fits" in shown(session, "context why 1")
    assert "recall_patience: no room in 0.001 s at" in shown(session, "context why 1")
    session.close()


def test_statistics_need_no_server(slow: Engine) -> None:
    session = opened(slow)
    say(session, "hi")
    number = session.conversation.id
    session.close()
    with Engine() as gone:
        again = opened(gone)
    again.open(number)
    assert "Rates: tokens per second" in str(do(again, "stats"))
    again.close()
