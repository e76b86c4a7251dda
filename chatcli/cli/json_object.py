"""What --json and --jsonl print: of a question one object (what came of it, why it failed, or both), with --jsonl
after a line for each event; of a subcommand its data.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Set
from datetime import datetime
from typing import Any

from chatcli.commands.spelling import in_shell
from chatcli.conversation.events import Event, Text, Thinking, ToolCall, ToolResult
from chatcli.conversation.message import ToolUse
from chatcli.conversation.tree import Node
from chatcli.errors import ChatcliError
from chatcli.hints import Hint, spelled
from chatcli.session.session import Session
from chatcli.text import escaped


def account(session: Session, reply: Node) -> dict[str, Any]:
    """What came of a question. Durations are in seconds; null means that the server did not report it."""
    turn = reply.turn
    if turn is None:
        raise TypeError("a reply has its turn")
    usage = turn.usage
    calls = list(map(_call, reply.message.tool_uses))
    return {
        "model": turn.model,
        "content": reply.message.text,
        "thinking": reply.message.thinking,
        **({"tool_calls": calls} if calls else {}),
        "done_reason": turn.done_reason or str(reply.ended),
        "planned_tokens": turn.planned.tokens,
        "planned_exact": turn.planned.exact,
        "prompt_eval_count": usage.prompt_tokens,
        "eval_count": usage.reply_tokens,
        "total_duration": usage.total_seconds,
        "load_duration": usage.load_seconds,
        "prompt_eval_duration": usage.prompt_seconds,
        "eval_duration": usage.reply_seconds,
        "left_out": turn.left_out,
        "not_read": turn.unread,
        "conversation": session.conversation.id,
    }


def failure(error: ChatcliError) -> dict[str, Any]:
    """Why it failed. `kind` is the error's class in errors.py; `hint` is "" where nothing can be done."""
    return {
        "error": error.message,
        "kind": type(error).__name__,
        "hint": spelled(error.advice, in_shell),
        "exit_code": error.exit_code,
    }


def event_line(event: Event) -> dict[str, Any]:
    """The line of --jsonl for what comes of a reply; {} where it is none of the reply."""
    match event:
        case Thinking(text):
            return {"type": "thinking", "text": text}
        case Text(text):
            return {"type": "text", "text": text}
        case ToolCall(use):
            return {"type": "tool_call", **_call(use)}
        case ToolResult():
            return {"type": "tool_result", **result(event), "text": event.text}
    return {}


def last_line(found: Mapping[str, Any]) -> dict[str, Any]:
    """The last line of --jsonl: what --json would print."""
    return {"type": "error" if "error" in found else "done", **found}


def _call(use: ToolUse) -> dict[str, Any]:
    return {"function": {"name": use.name, "arguments": dict(use.arguments)}}


def result(came: ToolResult) -> dict[str, Any]:
    """What came of a call. `state`: complete, refused or failed; `characters`: the size of the whole result."""
    size = {"characters": len(came.text), "seconds": round(came.seconds, 3)}
    return {**_call(came.use), "state": str(came.ended), **size}


def write(found: Any) -> None:
    """Write it to standard output on one line, with control characters escaped in case a terminal shows it."""
    text = json.dumps(found, ensure_ascii=False, default=_plain)
    sys.stdout.write(escaped(text) + "\n")
    sys.stdout.flush()


def _plain(value: object) -> Any:
    """What JSON has no form for: a moment, a set, or a hint as it is typed in a shell."""
    match value:
        case datetime():
            return value.isoformat()
        case Set():
            return sorted(value)
        case Hint():
            return spelled(value, in_shell)
    raise TypeError(f"{type(value).__name__} has no form in JSON")
