"""What a chat request sends, and what is refused before anything is sent."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from chatcli.client.models import Model
from chatcli.client.request import Request, check, duration
from chatcli.conversation.message import Attachment, Message, Role, ToolUse
from chatcli.errors import CannotSee, CannotThink

PICTURE = Attachment("image", "cat.png", "image/png", b"\x89PNG\x00\xff")
NOTES = Attachment("text", "notes.txt", "text/plain", b"words")
BLIND = Model("plain", capabilities=frozenset({"completion"}))
ABLE = Model("able", capabilities=frozenset({"completion", "vision", "thinking"}))
OLD_SERVER = Model("old")


def asks(*messages: Message, **more: Any) -> Request:
    return Request("plain", messages, {"num_ctx": 2048}, **more)


def test_the_server_is_told_never_to_cut_and_always_to_stream() -> None:
    assert asks(Message.system("Be brief."), Message.user("Hello")).body() == {
        "model": "plain",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}],
        "options": {"num_ctx": 2048},
        "stream": True,
        "truncate": False,
        "shift": False,
    }


def test_pictures_go_along_in_base64_and_text_files_do_not() -> None:
    (sent,) = asks(Message.user("What is it?", (PICTURE, NOTES))).body()["messages"]
    assert [base64.b64decode(image) for image in sent["images"]] == [PICTURE.data]


def test_definitions_calls_and_results_go_along_with_their_ids() -> None:
    use = ToolUse("now", {"zone": "UTC"}, "call_7")
    definition = {"type": "function", "function": {"name": "now", "parameters": {"enum": ["UTC"]}}}
    said = (Message(Role.ASSISTANT, "", tool_uses=(use,)), Message.tool(use, "12:30"))
    body = Request("tiny", said, tools=(definition,)).body()
    assert body["tools"] == [definition]
    assert body["messages"][0]["tool_calls"][0]["id"] == "call_7"
    assert body["messages"][1] == {
        "role": "tool",
        "content": "12:30",
        "tool_name": "now",
        "tool_call_id": "call_7",
    }


def test_thinking_and_tool_calls_of_earlier_replies_go_along() -> None:
    reply = Message(Role.ASSISTANT, "", "Hm.", tool_uses=(ToolUse("now", {"zone": "UTC"}),))
    assert asks(reply).body()["messages"] == [
        {
            "role": "assistant",
            "content": "",
            "thinking": "Hm.",
            "tool_calls": [{"function": {"name": "now", "arguments": {"zone": "UTC"}}}],
        }
    ]


@pytest.mark.parametrize("think", [True, False, "high"])
def test_thinking_is_mentioned_only_when_it_was_decided(think: bool | str) -> None:
    assert asks(think=think).body()["think"] == think
    assert "think" not in asks().body()


def test_format_and_keep_alive_are_passed_on() -> None:
    schema = {"type": "object"}
    body = asks(format=schema, keep_alive="10m").body()
    assert (body["format"], body["keep_alive"]) == (schema, "10m")
    assert json.dumps(body)


@pytest.mark.parametrize(
    ("written", "sent"), [("5m", "5m"), (" 1h30m ", "1h30m"), ("-1", -1), ("0", 0), ("90", 90), ("1.5", 1.5)]
)
def test_a_bare_number_as_keep_alive_is_seconds(written: str, sent: object) -> None:
    assert duration(written) == sent
    assert type(duration(written)) is type(sent)


def test_a_picture_for_a_model_without_vision_is_refused() -> None:
    with pytest.raises(CannotSee) as caught:
        check(asks(Message.user("What is it?", (PICTURE,))), BLIND, ("llava", "able"))
    assert "plain" in caught.value.message
    assert "llava, able" in caught.value.hint


def test_a_model_without_thinking_is_not_asked_to_think() -> None:
    for think in (True, "low"):
        with pytest.raises(CannotThink):
            check(asks(Message.user("Why?"), think=think), BLIND)
    check(asks(Message.user("Why?"), think=False), BLIND)
    check(asks(Message.user("Why?")), BLIND)


def test_an_able_model_and_one_of_unknown_abilities_pass() -> None:
    for model in (ABLE, OLD_SERVER):
        check(asks(Message.user("What is it?", (PICTURE,)), think=True), model)


def test_a_picture_earlier_in_the_conversation_does_not_stop_the_next_question() -> None:
    earlier = (Message.user("What is it?", (PICTURE,)), Message.assistant("A cat."))
    check(asks(*earlier, Message.user("And its name?")), BLIND)


def test_a_text_file_is_no_picture() -> None:
    check(asks(Message.user("Read this.", (NOTES,))), BLIND)
