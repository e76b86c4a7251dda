"""Calls that a model writes as text are recognized, and nothing else is."""

import pytest

from chatcli.conversation.message import Message, ToolUse
from chatcli.tools.written_calls import written_call

ECHO = ToolUse("echo", {"text": "one"})
CALL = '{"name": "echo", "arguments": {"text": "one"}}'


@pytest.mark.parametrize(
    "text",
    [
        CALL,
        f"```json\n{CALL}\n```",
        f"<tool_call>\n{CALL}\n</tool_call>",
        f"[TOOL_CALLS][{CALL}]",
        '{"name": "echo", "parameters": {"text": "one"}}',
        '{"type": "function", "function": {"name": "echo", "arguments": {"text": "one"}}}',
        '{"function": "echo", "arguments": {"text": "one"}}',
        "<tool_call>\n<function=echo>\n<parameter=text>\none\n</parameter>\n</function>\n</tool_call>",
    ],
)
def test_a_call_in_the_forms_that_models_write_is_found(text: str) -> None:
    assert written_call(Message.assistant(text), {"echo"}) == ECHO
    assert written_call(Message.assistant("", f"I should call it. <tool_call>{text}"), {"echo"}) == ECHO


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Use echo.",
        f"To call it, write {CALL}",
        f"{CALL} is how it is called.",
        CALL.replace("echo", "other"),
        '{"name": "echo"}',
        '{"name": "echo", "arguments": "one"}',
        '["echo"]',
        "[" * 10_000,
        "{",
    ],
)
def test_other_text_is_no_call(text: str) -> None:
    assert written_call(Message.assistant(text), {"echo"}) is None


def test_a_reply_that_calls_is_not_searched() -> None:
    assert written_call(Message(Message.assistant("").role, CALL, tool_uses=(ECHO,)), {"echo"}) is None
