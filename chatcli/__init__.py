"""chatcli: a terminal chat program for Ollama that knows what the model sees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chatcli.chat import Chat

__all__ = ["Chat", "__version__"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """`from chatcli import Chat` imports nothing heavy before it is used."""
    if name == "Chat":
        from chatcli.chat import Chat

        return Chat
    raise AttributeError(f"module 'chatcli' has no attribute {name!r}")
