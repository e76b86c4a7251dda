"""What the server's lines mean: a chat's chunks become events, up to the one that says it is done."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import closing, suppress
from time import monotonic
from typing import Any

from chatcli.client.reader_thread import TICK
from chatcli.client.thinking import untagged
from chatcli.conversation.events import Done, Event, Text, Thinking, Tick, ToolCall
from chatcli.conversation.message import ToolUse
from chatcli.conversation.usage import Usage
from chatcli.errors import BadReply, ServerError, StreamBroken

Chunk = Mapping[str, Any]

LONGEST = 64 * 1000**2  # characters of a reply: all of them are kept; the longest windows hold a tenth of it


def events(chunks: Generator[Chunk | None, None, None]) -> Generator[Event, None, None]:
    """Events of one reply; a Tick for every None. Closing this closes `chunks`. Thinking between tags is Thinking.

    Raises StreamBroken when the chunks end before one that is done, BadReply for a chunk of the wrong shape.
    """
    yield from untagged(_events(chunks))


def _events(chunks: Generator[Chunk | None, None, None]) -> Generator[Event, None, None]:
    size = 0
    with closing(chunks):
        for chunk in chunks:
            if chunk is None:
                yield Tick()
                continue
            for event in _said(chunk):
                size += _size(event)
                if size > LONGEST:
                    raise StreamBroken(
                        f"The reply is longer than {LONGEST / 1e6:.0f} MB.", "What had come is kept."
                    )
                yield event
            if chunk.get("done") is True:
                _let_it_end(chunks)
                chunks.close()
                yield Done(_text(chunk, "done_reason"), _usage(chunk))
                return
    raise StreamBroken("The reply broke off before its end.", "/continue goes on from there, /retry asks again.")


def _size(event: Event) -> int:
    if isinstance(event, Text | Thinking):
        return len(event.text)
    return len(str(event))


def _let_it_end(chunks: Iterable[object]) -> None:
    """Read on to the end of the stream, for a tick at most, so that the server sees no broken connection."""
    until = monotonic() + TICK
    with suppress(ServerError):
        for more in chunks:
            if more is None or monotonic() > until:
                return


def _said(chunk: Chunk) -> Iterator[Event]:
    message = chunk.get("message") or {}
    if not isinstance(message, Mapping):
        raise _odd("message", message)
    if thinking := _text(message, "thinking"):
        yield Thinking(thinking)
    if text := _text(message, "content"):
        yield Text(text)
    for call in _list(message, "tool_calls"):
        yield ToolCall(_tool_use(call))


def _tool_use(call: Any) -> ToolUse:
    function = call.get("function") if isinstance(call, Mapping) else None
    if not isinstance(function, Mapping) or not isinstance(arguments := function.get("arguments") or {}, Mapping):
        raise _odd("tool call", call)
    return ToolUse(_text(function, "name"), arguments)


def _usage(chunk: Chunk) -> Usage:
    return Usage(
        prompt_tokens=_whole(chunk.get("prompt_eval_count")),
        reply_tokens=_whole(chunk.get("eval_count")),
        total_seconds=_seconds(chunk.get("total_duration")),
        load_seconds=_seconds(chunk.get("load_duration")),
        prompt_seconds=_seconds(chunk.get("prompt_eval_duration")),
        reply_seconds=_seconds(chunk.get("eval_duration")),
    )


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _seconds(nanoseconds: Any) -> float | None:
    whole = _whole(nanoseconds)
    return None if whole is None else whole / 1e9


def _text(source: Chunk, key: str) -> str:
    value = source.get(key)
    if value is None or isinstance(value, str):
        return value or ""
    raise _odd(key, value)


def _list(source: Chunk, key: str) -> list[Any]:
    value = source.get(key)
    if value is None or isinstance(value, list):
        return value or []
    raise _odd(key, value)


def _odd(what: str, value: object) -> BadReply:
    return BadReply(
        f"The server sent a {what} that is not Ollama's: {str(value)[:80]!r}.",
        "What had come is kept. Is it an Ollama server, and is something between it and us that changes replies?",
    )
