"""The chunks of a chat as events."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatcli.client.stream import events
from chatcli.conversation.events import Done, Event, Text, Thinking, Tick, ToolCall
from chatcli.conversation.message import ToolUse
from chatcli.conversation.usage import Usage
from chatcli.errors import BadReply, StreamBroken

LAST = {
    "message": {"role": "assistant", "content": ""},
    "done": True,
    "done_reason": "length",
    "total_duration": 387271027,
    "load_duration": 330646231,
    "prompt_eval_count": 16,
    "prompt_eval_duration": 7374900,
    "eval_count": 6,
    "eval_duration": 46297237,
}


def chunks(lines: Iterable[dict[str, Any] | None]) -> Generator[dict[str, Any] | None, None, None]:
    yield from lines


def said(**message: Any) -> dict[str, Any]:
    return {"message": {"role": "assistant", **message}, "done": False}


def all_of(*lines: dict[str, Any] | None) -> list[Event]:
    return list(events(chunks(lines)))


def test_thinking_text_and_ticks_come_as_they_arrive_and_the_end_has_its_usage_in_seconds() -> None:
    usage = Usage(16, 6, 0.387271027, 0.330646231, 0.0073749, 0.046297237)
    got = all_of(said(content="", thinking="Hm."), None, said(content="Hel"), said(content="lo"), LAST)
    assert got == [Thinking("Hm."), Tick(), Text("Hel"), Text("lo"), Done("length", usage)]


def test_a_last_chunk_that_holds_text_too_loses_none_of_it() -> None:
    whole = {**LAST, "message": {"content": "All at once.", "thinking": "Quick."}}
    assert all_of(whole)[:2] == [Thinking("Quick."), Text("All at once.")]


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ('{"zone": "UTC"}', {"zone": "UTC"}),
        ("{", {"arguments": "{"}),
        (["UTC"], {"arguments": ["UTC"]}),
        (None, {}),
        ("", {}),
    ],
)
def test_arguments_of_another_form_are_read_or_kept_for_the_model_to_be_told(
    given: Any, read: dict[str, Any]
) -> None:
    call = {"id": "call_7", "function": {"index": 0, "name": "now", "arguments": given}}
    assert all_of(said(content="", tool_calls=[call]), LAST)[0] == ToolCall(ToolUse("now", read, "call_7"))


def test_tool_calls_come_with_their_arguments() -> None:
    call = {"function": {"name": "now", "arguments": {"zone": "UTC"}}}
    assert all_of(said(content="", tool_calls=[call]), LAST)[0] == ToolCall(ToolUse("now", {"zone": "UTC"}))


def test_counts_that_the_server_does_not_give_are_unknown_not_zero() -> None:
    assert all_of({"message": {"content": ""}, "done": True, "done_reason": "load"}) == [Done("load", Usage())]
    assert all_of({"done": True, "prompt_eval_count": "many", "eval_count": True, "eval_duration": -1}) == [
        Done("")
    ]


def test_a_reply_that_ends_without_its_last_chunk_is_broken() -> None:
    got = events(chunks([said(content="Hel")]))
    assert next(got) == Text("Hel")
    with pytest.raises(StreamBroken):
        next(got)


def test_what_comes_after_the_end_is_neither_shown_nor_an_error() -> None:
    def stumbling() -> Generator[dict[str, Any] | None, None, None]:
        yield LAST
        yield said(content="more")
        raise StreamBroken("too late to matter")

    assert [type(event) for event in events(stumbling())] == [Done]


def test_closing_the_events_closes_the_chunks() -> None:
    source = chunks([said(content="a"), said(content="b")])
    got = events(source)
    next(got)
    got.close()
    assert list(source) == []


@pytest.mark.parametrize(
    "odd",
    [
        {"message": "hello"},
        {"message": {"content": 5}},
        {"message": {"thinking": ["x"]}},
        {"message": {"tool_calls": "now"}},
        {"message": {"tool_calls": ["now"]}},
        {"message": {"tool_calls": [{"function": "now"}]}},
    ],
)
def test_a_chunk_of_the_wrong_shape_is_a_bad_reply(odd: dict[str, Any]) -> None:
    with pytest.raises(BadReply):
        all_of(odd, LAST)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=5,
)
MESSAGES = st.fixed_dictionaries({}, optional=dict.fromkeys(["content", "thinking", "tool_calls", "role"], JSON))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.fixed_dictionaries({}, optional={"message": MESSAGES | JSON, "done": JSON}), max_size=4))
def test_chunks_of_any_shape_give_events_or_one_of_two_errors(lines: list[dict[str, Any]]) -> None:
    try:
        got = all_of(*lines)
    except (BadReply, StreamBroken):
        return
    assert [type(event) for event in got].count(Done) == 1
    assert isinstance(got[-1], Done)
