"""chatcli: a terminal chat program for Ollama that knows what the model sees.

From Python: `from chatcli import Chat`. `__all__` is what programs may use; docs/library.md shows how.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chatcli.chat import Chat, Reply
    from chatcli.conversation.events import Done, Text, Thinking, ToolCall, ToolResult
    from chatcli.conversation.message import Attachment, Message, Role, ToolUse
    from chatcli.conversation.plan import Fate, Part, PartKind, Plan
    from chatcli.conversation.tree import Ended
    from chatcli.conversation.usage import Count, Turn, Usage
    from chatcli.errors import (
        Ambiguous,
        BadArgument,
        BadData,
        BadFile,
        BadReply,
        BadValue,
        Busy,
        CallsWithoutEnd,
        CannotSee,
        CannotThink,
        CannotUseTools,
        ChatcliError,
        ConfigError,
        ContextTooLong,
        Damaged,
        Gone,
        Interrupted,
        Locked,
        Missing,
        ModelError,
        NoCode,
        NoRoom,
        NoText,
        NotFound,
        ReadOnly,
        Refused,
        Replaced,
        ServerError,
        StoreError,
        StreamBroken,
        TooNew,
        Unforeseen,
        UnknownCommand,
        UnknownSetting,
        Unreachable,
        UserError,
        WrongFormat,
    )
    from chatcli.store.listing import Entry
    from chatcli.tools.leave import Answer, Asking, Leave
    from chatcli.tools.tool import Tool, ToolFailure, Workplace, tool

__all__ = [
    "Ambiguous",
    "Answer",
    "Asking",
    "Attachment",
    "BadArgument",
    "BadData",
    "BadFile",
    "BadReply",
    "BadValue",
    "Busy",
    "CallsWithoutEnd",
    "CannotSee",
    "CannotThink",
    "CannotUseTools",
    "Chat",
    "ChatcliError",
    "ConfigError",
    "ContextTooLong",
    "Count",
    "Damaged",
    "Done",
    "Ended",
    "Entry",
    "Fate",
    "Gone",
    "Interrupted",
    "Leave",
    "Locked",
    "Message",
    "Missing",
    "ModelError",
    "NoCode",
    "NoRoom",
    "NoText",
    "NotFound",
    "Part",
    "PartKind",
    "Plan",
    "ReadOnly",
    "Refused",
    "Replaced",
    "Reply",
    "Role",
    "ServerError",
    "StoreError",
    "StreamBroken",
    "Text",
    "Thinking",
    "TooNew",
    "Tool",
    "ToolCall",
    "ToolFailure",
    "ToolResult",
    "ToolUse",
    "Turn",
    "Unforeseen",
    "UnknownCommand",
    "UnknownSetting",
    "Unreachable",
    "Usage",
    "UserError",
    "Workplace",
    "WrongFormat",
    "__version__",
    "tool",
]
__version__ = "0.2.0"

# Where those names are, the lightest modules first.
_HOMES = (
    *("errors", "conversation.message", "conversation.events", "conversation.plan"),
    *("conversation.tree", "conversation.usage", "tools.tool", "tools.leave", "chat"),
)


def __getattr__(name: str) -> Any:
    """A name of `__all__` is imported when it is first asked for: the program itself starts without them."""
    if name not in __all__:
        raise AttributeError(f"module 'chatcli' has no attribute {name!r}")
    from importlib import import_module

    homes = (import_module(f"chatcli.{home}") for home in _HOMES)
    value = globals()[name] = next(getattr(home, name) for home in homes if hasattr(home, name))
    return value
