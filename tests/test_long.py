"""Of a long conversation only the end is loaded, and otherwise only what a command needs."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from chatcli.commands.outcomes import Show
from chatcli.conversation.message import Message, Role
from chatcli.conversation.tree import Conversation, Node
from chatcli.paths import find_paths
from chatcli.render.views import WindowView
from chatcli.repl.toolbar_data import meter
from chatcli.session.build import Wishes, build
from chatcli.session.planning import memory_of
from chatcli.session.session import Session
from chatcli.store import nodes
from chatcli.store.nodes import BATCH_NODES
from chatcli.store.store import Store
from tests.bench.store import made_up_texts
from tests.commanding import do, followed, said, say
from tests.faults import Engine

LENGTH = 4000


@pytest.fixture(scope="module")
def texts() -> list[str]:
    return list(itertools.islice(made_up_texts(), LENGTH))


@pytest.fixture
def long(engine: Engine, texts: list[str]) -> Iterator[Session]:
    """At its end, as `chatcli --continue` opens it."""
    conversation = Conversation(0, "long", settings={"model": "demo"})
    now = datetime.now(UTC)
    for number, text in enumerate(texts, start=1):
        message = Message(Role.USER if number % 2 else Role.ASSISTANT, text)
        conversation.add(Node(number, number - 1 or None, number, message, now))
    with Store.open(find_paths().store) as store:
        store.take_in(conversation)
    session = build(Wishes({"host": engine.url, "model": "demo"}, resume=True))
    yield session
    session.close()


def loaded(session: Session) -> int:
    return len(session.conversation.nodes)


def test_opening_it_and_the_first_turn_load_its_end_only(long: Session) -> None:
    assert loaded(long) == BATCH_NODES
    meter(long, "and a question")
    say(long, "what was that of the weather?")
    do(long, "context")
    do(long, "recall weather")
    followed(long, do(long, "title --ask"))
    assert loaded(long) <= BATCH_NODES + 10
    last = long.conversation.last
    assert last is not None
    assert last.number == LENGTH + 2


def test_what_goes_with_a_request_is_looked_up_without_reading_every_message(long: Session) -> None:
    tip, steps = long.conversation.tip, list[int]()
    assert tip is not None

    def look_up(connection: sqlite3.Connection) -> None:
        connection.set_progress_handler(lambda: steps.append(1), 1)
        nodes.on_path(connection, long.conversation.id, tip, [tip - 17, tip])
        nodes.with_files(connection, long.conversation.id, tip)
        connection.set_progress_handler(None, 1)

    long.store.read(look_up)
    assert 0 < len(steps) < LENGTH / 2


def test_a_question_is_searched_for_once_however_often_it_is_planned(long: Session, texts: list[str]) -> None:
    search, tip = memory_of(long).search, long.conversation.tip
    assert search is not None
    words = texts[16].split()[:8]
    found = [search(words, upto, (), "", 9, None) for _ in range(2) for upto in (tip, 17)]
    assert found[0] is found[2]
    assert found[1] is found[3], "as it is where messages give way to quotes"
    assert found[0] != found[1]
    say(long, "hi")
    search = memory_of(long).search
    assert search is not None
    assert search(words, tip, (), "", 9, None) is not found[0], "another question"


@pytest.mark.parametrize(
    "line",
    [
        "undo 3",
        "title",
        "history 4",
        "goto 9",
        "edit 7",
        "raw 10",
        "stats",
        "context why 7",
        "pin 12",
        "retry",
        "context",
    ],
)
def test_a_command_loads_what_it_looks_at(long: Session, line: str) -> None:
    followed(long, do(long, line))
    assert loaded(long) <= 3 * BATCH_NODES


@pytest.mark.parametrize("line", ["tree", "branches", "goto", "context"])
def test_a_message_that_is_not_shown_is_not_read(long: Session, line: str) -> None:
    with long.store._database.writing() as connection:
        connection.execute("UPDATE nodes SET role = 'odd', turn = '{' WHERE number = 2000")
    do(long, line)


def test_a_message_far_up_is_found_by_its_number(long: Session, texts: list[str]) -> None:
    node = long.conversation.message(17)
    assert node is not None
    assert (node.number, node.message.text) == (17, texts[16])
    assert long.conversation.message(LENGTH + 1) is None
    do(long, "goto 16")
    say(long, "another way")
    beside = long.conversation.message(17)
    assert beside is not None
    assert beside.message.text == "another way"
    assert long.conversation.message(19) is None
    assert said(long)[:16] == texts[:16]


def test_the_window_estimates_what_is_left_out(long: Session, texts: list[str]) -> None:
    say(long, "hi")
    outcome = do(long, "context")
    assert isinstance(outcome, Show)
    view = outcome.views[0]
    assert isinstance(view, WindowView)
    part = max(view.plan.parts, key=lambda part: part.messages)
    counted = sum(long.counter.text(text).tokens for text in texts[part.first - 1 : part.last])
    assert part.messages > LENGTH // 2
    assert not part.count.exact
    assert counted / 2 < part.count.tokens < counted * 2
