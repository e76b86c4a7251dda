"""Calls of tools inside a turn: each is stored before it runs, the rounds end, and what is stopped stays known."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chatcli.commands.memory import forget
from chatcli.conversation.events import Event, Text, Tick, ToolResult, ToolRuns
from chatcli.conversation.message import MOST_CALLS, Role
from chatcli.conversation.tree import Ended, Node
from chatcli.errors import CallsWithoutEnd
from chatcli.session.build import build
from chatcli.session.session import Session
from chatcli.session.tool_calls import MOST_ROUNDS
from chatcli.session.toolbox import Toolbox
from chatcli.session.wishes import Wishes
from chatcli.store.store import Store
from chatcli.tools.leave import Allow, Answer, Asking, Leave, nobody
from chatcli.tools.tool import Reach, Scope, Tool, ToolFailure, Workplace
from chatcli.turn import answer, answered, ask, stream
from tests.faults import Engine

ONE_TEXT = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
Run = Callable[[Mapping[str, Any], Workplace], Any]


def a_tool(name: str, run: Run, reach: Reach = Reach.PURE) -> Tool:
    return Tool(name, f"The tool {name}.", ONE_TEXT, reach, run)


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    opened = build(Wishes({"host": engine.url, "model": "demo-tools"}))
    yield opened
    opened.close()


def echo(session: Session, reach: Reach = Reach.PURE) -> list[str]:
    """A tool that says what it is given; returns the list of what it was given."""
    ran: list[str] = []

    def run(arguments: Mapping[str, Any], _workplace: Workplace) -> str:
        ran.append(arguments["text"])
        return f"heard {arguments['text']}"

    session.tools.add([a_tool("echo", run, reach)])
    return ran


def said(session: Session, text: str, allow: Allow = nobody) -> list[Event]:
    events: list[Event] = []
    answer(session, ask(session, text), events.append, allow=allow)
    return events


def path(session: Session) -> list[tuple[Role, Ended, str]]:
    return [(node.message.role, node.ended, node.message.text) for node in session.conversation.path()]


def on_disk(session: Session) -> list[Node]:
    with Store.open(session.paths.store) as store:
        return store.conversation(session.conversation.id).path()


def test_a_call_runs_and_its_result_goes_to_the_model_in_the_next_request(
    session: Session, engine: Engine
) -> None:
    ran = echo(session)
    events = said(session, 'call echo {"text": "one"}')
    assert ran == ["one"]
    assert [type(each) for each in events if isinstance(each, ToolRuns | ToolResult)] == [ToolRuns, ToolResult]
    assert [role for role, _, _ in path(session)] == ["user", "assistant", "tool", "assistant"]
    sent = engine.chats[-1]["messages"]
    assert [each["role"] for each in sent] == ["user", "assistant", "tool"]
    assert (sent[2]["content"], sent[2]["tool_name"]) == ("heard one", "echo")
    assert sent[2]["tool_call_id"] == sent[1]["tool_calls"][0]["id"]
    assert engine.chats[0]["tools"] == engine.chats[1]["tools"]


def test_whoever_waits_for_a_plan_that_may_ask_the_server_is_told_first(session: Session) -> None:
    echo(session)
    session.counting.get()
    with closing(stream(session, ask(session, "hello"))) as events:
        assert isinstance(next(events), Tick)
        assert session.plan is None


def test_several_calls_at_once_are_answered_in_their_order(session: Session) -> None:
    ran = echo(session)
    said(session, 'call echo {"text": "one"}\ncall echo {"text": "two"}')
    assert ran == ["one", "two"]
    assert [text for role, _, text in path(session) if role is Role.TOOL] == ["heard one", "heard two"]


def test_every_call_is_stored_before_the_first_one_runs(session: Session) -> None:
    seen: list[list[tuple[str, Ended]]] = []

    def look(_arguments: Mapping[str, Any], _workplace: Workplace) -> str:
        results = [node for node in on_disk(session) if node.message.role is Role.TOOL]
        seen.append([(node.message.text.split(":")[0], node.ended) for node in results])
        return "done"

    session.tools.add([a_tool("look", look)])
    said(session, 'call look {"text": "1"}\ncall look {"text": "2"}')
    assert seen[0] == [("It may have run", Ended.RUNNING), ("Not run", Ended.ASKED)]
    assert seen[1] == [("done", Ended.COMPLETE), ("It may have run", Ended.RUNNING)]


@pytest.mark.parametrize(
    ("question", "told"),
    [
        ('call nothing {"text": "1"}', 'no tool "nothing"'),
        ('call echo {"word": "1"}', "text is missing"),
        ("call echo {}", "text"),
        ('call echo {"text": [1]}', "text"),
    ],
)
def test_a_call_that_cannot_be_is_told_to_the_model_and_not_run(
    session: Session, engine: Engine, question: str, told: str
) -> None:
    ran = echo(session)
    said(session, question)
    assert not ran
    result = engine.chats[-1]["messages"][2]["content"]
    assert told in result
    assert path(session)[2][1] is Ended.REFUSED


def test_what_a_tool_raises_is_told_to_the_model(session: Session) -> None:
    def fail(arguments: Mapping[str, Any], _workplace: Workplace) -> str:
        raise ToolFailure("no such place") if arguments["text"] == "known" else ValueError("odd")

    session.tools.add([a_tool("fail", fail)])
    said(session, 'call fail {"text": "known"}\ncall fail {"text": "unknown"}')
    assert path(session)[2][1:] == (Ended.FAILED, "Failed: no such place")
    assert path(session)[3][1:] == (Ended.FAILED, "Failed: ValueError: odd")


def test_leave_is_asked_and_an_answer_always_lasts_for_the_conversation(session: Session) -> None:
    ran = echo(session, Reach.ACTS)
    asked: list[Asking] = []

    def allow(asking: Asking) -> Answer:
        asked.append(asking)
        return Answer(Leave.ALWAYS)

    said(session, 'call echo {"text": "one"}', allow)
    said(session, 'call echo {"text": "one"}', allow)
    assert (ran, len(asked)) == (["one", "one"], 1)
    session.begin()
    said(session, 'call echo {"text": "one"}', allow)
    assert len(asked) == 2


def test_a_refusal_and_its_reason_go_to_the_model(session: Session, engine: Engine) -> None:
    ran = echo(session, Reach.ACTS)
    said(session, 'call echo {"text": "one"}', lambda _: Answer(Leave.NO, "not today"))
    assert not ran
    assert "not today" in engine.chats[-1]["messages"][2]["content"]
    assert path(session)[2][1] is Ended.REFUSED


def test_an_answer_that_ends_the_turn_leaves_the_rest_undone(session: Session, engine: Engine) -> None:
    ran = echo(session, Reach.ACTS)
    question = 'call echo {"text": "one"}\ncall echo {"text": "two"}'
    said(session, question, lambda _: Answer(Leave.QUIT))
    assert not ran
    assert len(engine.chats) == 1
    assert [ended for _, ended, _ in path(session)][2:] == [Ended.REFUSED, Ended.REFUSED]


def test_the_same_call_for_the_third_time_ends_the_turn(session: Session, engine: Engine) -> None:
    ran = echo(session)
    with pytest.raises(CallsWithoutEnd, match="3 times"):
        said(session, 'call again echo {"text": "one"}')
    assert ran == ["one", "one"]
    results = [text for role, _, text in path(session) if role is Role.TOOL]
    assert "same call as before" in results[1]
    assert results[2].startswith("Not run: ")
    assert len(engine.chats) == 3


def test_the_rounds_of_a_turn_are_bounded(session: Session, engine: Engine) -> None:
    ran = echo(session)
    calls = [
        {"message": {"tool_calls": [{"function": {"name": "echo", "arguments": {"text": f"{at}"}}}]}}
        for at in range(30)
    ]
    from tests.faults import Lines

    engine.script(*(Lines([call, {"message": {"content": ""}, "done": True}]) for call in calls))
    with pytest.raises(CallsWithoutEnd, match=f"{MOST_ROUNDS + 1} times"):
        said(session, "go on")
    assert len(ran) == MOST_ROUNDS
    assert path(session)[-1][1] is Ended.REFUSED
    engine.forget()
    last = session.conversation.last
    assert last is not None
    assert answer(session, last, lambda _: None) is not None  # it can go on from there
    assert path(session)[-1][0] is Role.ASSISTANT


def test_of_a_thousand_calls_in_one_reply_a_few_are_answered(session: Session) -> None:
    echo(session)
    said(session, "call odd many")
    results = [text for role, _, text in path(session) if role is Role.TOOL]
    assert len(results) == MOST_CALLS
    assert f"{MOST_CALLS} calls" in results[-1]
    assert path(session)[-1][0] is Role.ASSISTANT


def test_a_call_written_as_text_is_told_to_the_model_once(session: Session, engine: Engine) -> None:
    ran = echo(session)
    written = '```json\n{"name": "echo", "arguments": {"text": "one"}}\n```'
    engine.say(written, written)
    said(session, "go on")
    assert not ran
    assert len(engine.chats) == 2
    assert "written as text" in engine.chats[1]["messages"][2]["content"]
    assert path(session)[-1][2] == written


def test_stopping_a_tool_keeps_what_came_and_says_that_it_may_have_run(session: Session, engine: Engine) -> None:
    begun, go = threading.Event(), threading.Event()

    def wait(_arguments: Mapping[str, Any], _workplace: Workplace) -> str:
        begun.set()
        go.wait(60)
        return "late"

    session.tools.add([a_tool("wait", wait)])
    question = ask(session, 'call wait {"text": "1"}\ncall wait {"text": "2"}')
    events = stream(session, question)
    for event in events:
        if isinstance(event, Tick) and begun.is_set():
            break
    import chatcli.session.tool_calls as running

    patience, running.PATIENCE = running.PATIENCE, 0.1
    try:
        events.close()
    finally:
        running.PATIENCE = patience
        go.set()
    stored = [(node.ended, node.message.text) for node in on_disk(session) if node.message.role is Role.TOOL]
    assert stored[0][0] is Ended.RUNNING
    assert "may have run" in stored[0][1]
    assert stored[1] == (Ended.REFUSED, "Not run: the person stopped the turn.")
    reply = answered(session, question)
    assert reply is not None
    assert reply.message.calls
    said(session, "and now?")
    roles = [each["role"] for each in engine.chats[-1]["messages"]]
    assert roles == ["user", "assistant", "tool", "tool", "user"]


def test_a_tool_that_stops_when_it_is_told_to_has_failed(session: Session) -> None:
    begun = threading.Event()

    def wait(_arguments: Mapping[str, Any], workplace: Workplace) -> str:
        begun.set()
        while not workplace.stopped():
            threading.Event().wait(0.01)
        return "half of it"

    session.tools.add([a_tool("wait", wait)])
    events = stream(session, ask(session, 'call wait {"text": "1"}'))
    for event in events:
        if isinstance(event, Tick) and begun.is_set():
            break
    events.close()
    assert path(session)[2][1:] == (Ended.FAILED, "Stopped by the person. half of it")


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), BaseException("odd")])
def test_whatever_a_tool_raises_the_turn_goes_on(session: Session, error: BaseException) -> None:
    def fail(_arguments: Mapping[str, Any], _workplace: Workplace) -> str:
        raise error

    session.tools.add([a_tool("fail", fail)])
    said(session, 'call fail {"text": "1"}')
    assert path(session)[2][1] is Ended.FAILED
    assert path(session)[2][2].startswith(f"Failed: {type(error).__name__}")
    assert path(session)[3][0] is Role.ASSISTANT


def test_a_tool_that_cannot_say_what_a_call_is_about_does_not_run(session: Session) -> None:
    def unsure(_arguments: Mapping[str, Any], _workplace: Workplace) -> Scope:
        raise ValueError("odd")

    ran = echo(session, Reach.ACTS)
    session.tools.add([replace(session.tools.known()["echo"], scope=unsure)])
    said(session, 'call echo {"text": "one"}', lambda _: Answer(Leave.ONCE))
    assert not ran
    assert path(session)[2][1:] == (Ended.REFUSED, "Not run: ValueError: odd")


@pytest.mark.parametrize(
    ("result", "text"), [(b"ab", "\"b'ab'\""), (None, "Done."), ([1, 2], "[1, 2]"), ("a\x1b[2Jb", "ab")]
)
def test_whoever_made_a_tool_its_result_is_text_that_no_terminal_obeys(
    session: Session, result: Any, text: str
) -> None:
    session.tools.add([a_tool("odd", lambda _arguments, _workplace: result)])
    said(session, 'call odd {"text": "1"}')
    assert path(session)[2][1:] == (Ended.COMPLETE, text)


def test_what_a_tool_prints_is_no_part_of_the_output(session: Session, capsys: pytest.CaptureFixture[str]) -> None:
    def chatter(_arguments: Mapping[str, Any], _workplace: Workplace) -> str:
        print("well,\x1b[2J\nwell")
        return "done"

    session.tools.add([a_tool("chatter", chatter)])
    said(session, 'call chatter {"text": "1"}')
    print("the reply")
    assert capsys.readouterr().out == "the reply\n"
    assert path(session)[2][2] == "done"
    assert session.take_warnings() == ("The tool chatter printed: well, well",)


@pytest.mark.parametrize("gone", [False, True])
@pytest.mark.parametrize("fails", [False, True])
def test_what_a_tool_has_read_is_asked_about_before_the_net_also_when_that_tool_is_no_longer_offered(
    session: Session, gone: bool, fails: bool
) -> None:
    def look(_arguments: Mapping[str, Any], _workplace: Workplace) -> str:
        if fails:
            raise ToolFailure("Stopped behind: my diary")
        return "my diary"

    asked: list[Asking] = []

    def allow(asking: Asking) -> Answer:
        asked.append(asking)
        return Answer(Leave.ALWAYS)

    echo(session, Reach.NET)
    with_net = session.tools.known()["echo"]
    session.tools.add([a_tool("look", look, Reach.PRIVATE)])
    said(session, 'call echo {"text": "one"}', allow)
    said(session, 'call look {"text": "1"}', allow)
    if gone:
        session.tools = Toolbox(session)
        session.tools.add([with_net])
    said(session, 'call echo {"text": "one"}', allow)
    assert "private" not in asked[0].why
    assert [asking.tool.name for asking in asked] == ["echo", "look", "echo"]
    assert "private" in asked[-1].why
    assert not asked[-1].lasting


def test_a_result_that_was_forgotten_cannot_be_read_on(session: Session) -> None:
    echo(session, Reach.PRIVATE)
    said(session, 'call echo {"text": "diary"}', lambda _: Answer(Leave.ONCE))
    said(session, 'call read_result {"message": 3}')
    assert "heard diary" in path(session)[6][2]
    forget.run(session, 3)
    said(session, 'call read_result {"message": 3, "first_line": 1}')
    assert path(session)[-2][1:] == (Ended.FAILED, "Failed: Message 3 is no result of a tool call.")


def test_a_conversation_that_is_deleted_elsewhere_in_the_middle_of_a_call_goes_on_as_a_copy(
    session: Session,
) -> None:
    def delete(arguments: Mapping[str, Any], _workplace: Workplace) -> str:
        if arguments["text"] == "1":
            with Store.open(session.paths.store) as other:
                other.delete(session.conversation.id)
                other.purge()
        return "done"

    session.tools.add([a_tool("delete", delete)])
    said(session, 'call delete {"text": "1"}\ncall delete {"text": "2"}')
    assert [text for role, _, text in path(session) if role is Role.TOOL] == ["done", "done"]
    assert {ended for _, ended, _ in path(session)} == {Ended.COMPLETE}
    assert [node.message for node in on_disk(session)] == [node.message for node in session.conversation.path()]
    assert "deleted this conversation" in str(session.take_warnings())


def test_without_tools_nothing_is_offered_and_a_call_is_only_named(session: Session, engine: Engine) -> None:
    said(session, "hello")
    assert "tools" not in engine.chats[0]


def test_a_reply_in_words_after_the_results_is_the_answer(session: Session) -> None:
    echo(session)
    events = said(session, 'call echo {"text": "one"}')
    text = "".join(each.text for each in events if isinstance(each, Text))
    assert text
    assert path(session)[-1][2].endswith(text)


def test_a_full_disk_in_the_middle_of_a_call_keeps_the_turn(session: Session, tmp_path: Path) -> None:
    del tmp_path

    def fill(_arguments: Mapping[str, Any], _workplace: Workplace) -> str:
        from chatcli.errors import NoRoom
        from chatcli.session.fallback import go_on

        go_on(session, NoRoom("The disk is full."))
        return "done"

    session.tools.add([a_tool("fill", fill)])
    said(session, 'call fill {"text": "1"}\ncall fill {"text": "2"}')
    assert [ended for _, ended, _ in path(session)] == [Ended.COMPLETE] * 5
