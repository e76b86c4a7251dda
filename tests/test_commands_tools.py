"""/tools lists, chooses and opens: what each costs, which rule holds, and the whole of a call."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chatcli.commands.outcomes import Show
from chatcli.conversation.message import Message, Role, ToolUse
from chatcli.conversation.tree import Ended
from chatcli.errors import BadArgument, NotFound
from chatcli.render.views import Listing, WholeCall
from chatcli.session.build import Wishes, build
from chatcli.session.session import Session
from chatcli.settings import table
from chatcli.text import UNWANTED
from tests.commanding import do, shown
from tests.faults import Engine


@pytest.fixture
def chat(engine: Engine) -> Iterator[Session]:
    opened = build(
        Wishes({"host": engine.url, "model": "demo-tools", "tools_deny": ["run(rm *)"], "allow": ["now"]})
    )
    yield opened
    opened.close()


def listing(session: Session) -> dict[str, tuple[object, ...]]:
    outcome = do(session, "tools")
    assert isinstance(outcome, Show)
    view = outcome.views[0]
    assert isinstance(view, Listing)
    return {str(row[1]): row for row in view.rows}


def test_every_tool_is_listed_with_cost_and_rule_and_those_offered_are_marked(chat: Session) -> None:
    assert set(listing(chat)) == set(chat.tools.known())
    assert all(row[0] == "" for row in listing(chat).values())
    do(chat, "tools now calculate")
    rows = listing(chat)
    assert [name for name, row in rows.items() if row[0]] == ["calculate", "now"]
    assert rows["run"][4] == "never for rm *, else asks each time"
    assert rows["now"][4] == "runs"
    assert int(str(rows["now"][3]).removeprefix("~")) > 20


def test_tools_are_chosen_by_on_off_or_names(chat: Session) -> None:
    for typed, value in (("on", ("on",)), ("now, calculate", ("now", "calculate")), ("off", ())):
        do(chat, f"tools {typed}")
        assert chat.settings[table.TOOLS] == value


def test_a_tool_that_there_is_not_is_refused_with_the_nearest_and_nothing_changes(chat: Session) -> None:
    with pytest.raises(BadArgument, match="There is no tool calcualte") as raised:
        do(chat, "tools calcualte")
    assert "calculate" in raised.value.hint
    assert chat.settings[table.TOOLS] == ()


def test_a_call_is_opened_whole(chat: Session) -> None:
    with pytest.raises(NotFound):
        do(chat, "tools show")
    use = ToolUse("read_file", {"path": "a.txt"})
    chat.ensure_stored()
    chat.store.append(chat.conversation, Message.user("read it"))
    chat.store.append(chat.conversation, Message(Role.ASSISTANT, "", tool_uses=(use,)))
    chat.store.add_calls(chat.conversation, [Message.tool(use, "one\ntwo")])
    for typed in ("tools show", "tools show 3"):
        outcome = do(chat, typed)
        assert isinstance(outcome, Show)
        view = outcome.views[0]
        assert isinstance(view, WholeCall)
        assert view.node.message.text == "one\ntwo"
        assert view.node.ended is Ended.ASKED
    with pytest.raises(NotFound, match="Message 1 is no call"):
        do(chat, "tools show 1")


CALLED = ToolUse("read_file", {"path": "a\u202e.txt", "part": "<b>"})
RESULT = "one\n```\n<script>two</script>"


@pytest.fixture
def with_call(chat: Session) -> Session:
    """A question, a reply that only calls, and a call that was running when chatcli was killed."""
    chat.ensure_stored()
    store, conversation = chat.store, chat.conversation
    store.append(conversation, Message.user("read it"))
    store.append(conversation, Message(Role.ASSISTANT, "", tool_uses=(CALLED,)))
    store.add_calls(conversation, [Message.tool(CALLED, RESULT)])
    last = conversation.last
    assert last is not None
    store.change_call(conversation, last, RESULT, Ended.RUNNING)
    return chat


def test_lists_of_messages_show_a_call_in_one_line_with_what_came_of_it(with_call: Session) -> None:
    drawn = shown(do(with_call, "tree")).split("\n")
    assert "tool (may have run): read_file" in drawn[2]
    assert "(calls read_file" in drawn[1]
    assert not any(UNWANTED.search(line) for line in drawn)
