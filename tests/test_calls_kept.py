"""Calls of tools as messages that are kept: how a conversation goes on after a kill, on branches, in search."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from chatcli.commands.navigation import opened
from chatcli.commands.spelling import at_prompt
from chatcli.conversation.message import Message, Role, ToolUse
from chatcli.conversation.tree import Ended
from chatcli.hints import spelled
from chatcli.session.build import Wishes, build
from chatcli.session.session import Session
from chatcli.store import nodes
from chatcli.store.codec import AS_OLDER
from chatcli.tools.tool import Reach, Tool, Workplace
from tests.commanding import do, followed, say, shown, twigs_of
from tests.faults import Engine

ONE_TEXT = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
ONE = ToolUse("echo", {"text": "one"}, "c1")
TWO = ToolUse("echo", {"text": "two"}, "c2")


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    with_tools = build(Wishes({"host": engine.url, "model": "demo-tools"}))
    yield with_tools
    with_tools.close()


@pytest.fixture
def ran(session: Session) -> list[str]:
    """What the tool `echo` was given."""
    found: list[str] = []

    def run(arguments: Mapping[str, Any], _workplace: Workplace) -> str:
        found.append(arguments["text"])
        return f"heard {arguments['text']}"

    session.tools.add([Tool("echo", "Says it again.", ONE_TEXT, Reach.PURE, run)])
    return found


def killed(session: Session, *states: Ended) -> None:
    """Leave the conversation as a kill leaves it: two calls, each in its state, or without a message."""
    session.ensure_stored()
    store, conversation = session.store, session.conversation
    question = store.append(conversation, Message.user("Say it again"))
    store.begin_reply(conversation, question).finish(
        Message(Role.ASSISTANT, "", tool_uses=(ONE, TWO)), Ended.COMPLETE
    )
    if states:
        uses = (ONE, TWO)[: len(states)]
        results = store.add_calls(conversation, [Message.tool(use, "Not run: killed.") for use in uses])
        for node, ended in zip(results, states, strict=True):
            store.change_call(conversation, node, f"This one is {ended}.", ended)
    session.open(conversation.id)


def note(session: Session) -> str:
    return spelled(opened(session).note, at_prompt)


def sent(engine: Engine) -> list[tuple[str, int]]:
    """Of the last request: each role, with how many calls it has."""
    return [(each["role"], len(each.get("tool_calls", ()))) for each in engine.chats[-1]["messages"]]


def roles(session: Session) -> list[str]:
    return [node.message.role.value for node in session.conversation.path()]


def test_after_a_kill_it_is_said_what_may_have_run_and_nothing_runs_again(
    session: Session, ran: list[str], engine: Engine
) -> None:
    killed(session, Ended.RUNNING, Ended.ASKED)
    assert note(session) == "echo may have run: the result never came. /continue lets the model go on."
    followed(session, do(session, "continue"))
    assert sent(engine) == [("user", 0), ("assistant", 2), ("tool", 0), ("tool", 0)]
    assert engine.chats[-1]["messages"][2]["content"] == "This one is running."
    assert roles(session) == ["user", "assistant", "tool", "tool", "assistant"]
    assert ran == []
    assert note(session) == ""


def test_results_that_were_not_answered_are_told_of_when_a_conversation_is_opened(
    session: Session, ran: list[str]
) -> None:
    killed(session, Ended.COMPLETE, Ended.COMPLETE)
    assert note(session) == "This turn has no answer yet: /continue goes on with what the tools gave."
    assert ran == []


def test_calls_that_were_never_begun_run_once_when_the_reply_is_continued(
    session: Session, ran: list[str], engine: Engine
) -> None:
    killed(session)
    assert note(session) == "echo did not run. /continue goes on from there."
    followed(session, do(session, "continue"))
    assert ran == ["one", "two"]
    assert roles(session) == ["user", "assistant", "tool", "tool", "assistant"]
    do(session, "goto 2")
    assert note(session).startswith("The results of these calls are on the branch after this message.")
    followed(session, do(session, "continue"))
    assert ran == ["one", "two"]
    assert sent(engine) == [("user", 0), ("assistant", 2), ("tool", 0), ("tool", 0)]


def test_a_question_after_calls_without_results_is_sent_without_those_calls(
    session: Session, ran: list[str], engine: Engine
) -> None:
    killed(session)
    say(session, "And now?")
    assert sent(engine) == [("user", 0), ("assistant", 0), ("user", 0)]
    assert ran == []
    path = session.conversation.path()
    assert path[1].message.calls == (ONE, TWO)


@pytest.mark.parametrize("number", [2, 3])
def test_a_question_in_the_middle_of_calls_goes_with_the_results_above_it(
    session: Session, ran: list[str], engine: Engine, number: int
) -> None:
    killed(session, Ended.COMPLETE, Ended.COMPLETE)
    do(session, f"goto {number}")
    say(session, "And now?")
    results = [("tool", 0)] * (number - 2)
    assert sent(engine) == [("user", 0), ("assistant", number - 2), *results, ("user", 0)]
    assert ran == []


def test_retry_and_undo_go_to_the_question_and_keep_the_calls(session: Session, ran: list[str]) -> None:
    say(session, 'call echo {"text": "three"}')
    first = session.conversation.tip
    followed(session, do(session, "retry"))
    assert ran == ["three", "three"]
    assert roles(session) == ["user", "assistant", "tool", "assistant"]
    assert session.conversation.tip != first
    do(session, "undo")
    assert roles(session) == []
    do(session, "back")
    tree = shown(do(session, "tree"))
    assert tree.count("(calls echo") == 2
    do(session, "goto 2")
    assert "(calls echo" in shown(do(session, "branches"))


def test_a_result_is_found_and_shown_with_its_tool(session: Session, ran: list[str]) -> None:
    say(session, 'call echo {"text": "zebra crossing"}')
    found = do(session, "search heard")
    assert "tool echo: heard zebra crossing" in shown(found)
    say(session, "something else")
    assert ran == ["zebra crossing"]


@pytest.mark.parametrize(
    "tool_uses",
    [
        json.dumps([{"name": "echo", "arguments": {"x": float("nan")}}]),
        '[1, "x", null]',
        '{"name": "echo"}',
        '"echo"',
        "null",
        '[{"name": {"a": 1}}]',
    ],
)
def test_names_of_tools_that_cannot_be_read_are_no_names(session: Session, tool_uses: str) -> None:
    killed(session, Ended.COMPLETE)
    tip = session.conversation.tip
    assert tip is not None

    def told() -> str:
        session.store.read(nodes.has_private, session.conversation.id, tip, ["echo"])
        return twigs_of(session.store, session.conversation.id)[-1].beginning

    assert "echo" in told()
    with session.store._database.writing() as connection:
        connection.execute("UPDATE nodes SET tool_uses = ? WHERE id = ?", (tool_uses, tip))
    assert isinstance(told(), str)


def test_of_an_import_each_result_is_sent_with_its_own_call_and_calls_without_one_are_left_out(
    session: Session, ran: list[str], engine: Engine, tmp_path: Path
) -> None:
    calls = [
        {"id": name, "function": {"name": "echo", "arguments": {"text": name}}}
        for name in ("c1", "c2", "c3", "c4")
    ]
    results = [{"role": "tool", "tool_call_id": name, "content": f"heard {name}"} for name in ("c4", "c2")]
    asked = {"role": "user", "content": "Say it again"}
    file = tmp_path / "chat.json"
    file.write_text(json.dumps({"messages": [asked, {"role": "assistant", "tool_calls": calls}, *results]}))
    do(session, f"import {file}")
    assert note(session) == "This turn has no answer yet: /continue goes on with what the tools gave."
    say(session, "And now?")
    reply, *answers = engine.chats[-1]["messages"][1:4]
    assert [call["id"] for call in reply["tool_calls"]] == ["c2", "c4"]
    assert [each["tool_call_id"] for each in answers] == ["c4", "c2"]
    assert ran == []


@pytest.mark.parametrize("ended", [each for each in Ended if each is Ended.COMPLETE or each in AS_OLDER])
def test_what_a_call_has_read_counts_as_private_once_it_is_done_or_has_failed(
    session: Session, ended: Ended
) -> None:
    killed(session, ended)
    conversation, tip = session.conversation.id, session.conversation.tip
    assert tip is not None
    read = ended in {Ended.COMPLETE, Ended.FAILED}
    assert session.store.read(nodes.has_private, conversation, tip, []) is read
    assert session.store.read(nodes.has_private, conversation, tip, ["echo"]) is False
