"""Turns the server's lines into events: a chat's chunks, up to the one that says it is done. Thinking that comes
as text between <think> and </think> is separated here too.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import closing, suppress
from time import monotonic
from typing import Any

from chatcli.conversation.events import Done, Event, Retry, Text, Thinking, Tick, ToolCall
from chatcli.conversation.message import ToolUse
from chatcli.conversation.usage import Usage
from chatcli.errors import BadReply, ServerError, StreamBroken
from chatcli.hints import Do, Hint
from chatcli.reading.json_toml import read_json

Chunk = Mapping[str, Any]

LONGEST = 64 * 1000**2  # characters of a reply, all kept in memory; the longest windows hold a tenth of it


def events(chunks: Generator[Chunk | Retry | None, None, None]) -> Generator[Event, None, None]:
    """The events of one reply; a Tick for every None, and every Retry as it is. Closing this generator closes
    `chunks`. Text between thinking tags becomes Thinking.

    Raises StreamBroken when the chunks end before one that is done, or when that one says that the server gave up;
    BadReply for a chunk of the wrong shape.
    """
    yield from untagged(_events(chunks))


def _events(chunks: Generator[Chunk | Retry | None, None, None]) -> Generator[Event, None, None]:
    size = 0
    with closing(chunks):
        for chunk in chunks:
            if chunk is None or isinstance(chunk, Retry):
                yield chunk or Tick()
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
                reason = _text(chunk, "done_reason")
                if _gave_up(reason, size):
                    raise StreamBroken(f'The server ended the reply early: its reason is "{reason}".', _GO_ON)
                yield Done(reason, _usage(chunk), _context(chunk))
                return
    raise StreamBroken("The reply broke off before its end.", _GO_ON)


_FAREWELL = 0.1  # seconds for a stream to end after its last chunk
_GO_ON = Hint(Do("continue"), " goes on from there", Hint(", ", Do("retry"), " asks again"), ".")
# With these reasons a reply is over; servers that are not Ollama's have other words for "stop".
_OVER = {"", "stop", "length", "tool_calls", "eos", "end_turn"}
# And with these what was asked for, if it was no reply: to load a model, or to unload it.
_DONE = {"load", "unload"}


def _gave_up(reason: str, size: int) -> bool:
    """Whether the server has given up a reply of which `size` characters have come: its model was unloaded."""
    return reason not in _OVER and (size > 0 or reason not in _DONE)


def _size(event: Event) -> int:
    if isinstance(event, Text | Thinking):
        return len(event.text)
    return len(str(event))


def _let_it_end(chunks: Iterable[object]) -> None:
    """Read on to the end of the stream, for a moment, so that the server sees no broken connection."""
    until = monotonic() + _FAREWELL
    with suppress(ServerError):
        for _ in chunks:
            if monotonic() > until:
                return


def _said(chunk: Chunk) -> Iterator[Event]:
    message = chunk.get("message")
    if message is None:  # of /api/generate, which has no messages
        message = {"content": chunk.get("response"), "thinking": chunk.get("thinking")}
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
    if not isinstance(function, Mapping):
        raise _odd("tool call", call)
    return ToolUse(_text(function, "name"), _arguments(function.get("arguments")), _text(call, "id"))


def _arguments(given: Any) -> Mapping[str, Any]:
    """Some models write them as JSON in a string. What is no object is kept, for the model to be told so."""
    if isinstance(given, str):
        with suppress(ValueError):
            given = read_json(given)
    if isinstance(given, Mapping):
        return given
    return {"arguments": given} if given else {}


def _usage(chunk: Chunk) -> Usage:
    return Usage(
        prompt_tokens=_whole(chunk.get("prompt_eval_count")),
        reply_tokens=_whole(chunk.get("eval_count")),
        total_seconds=_seconds(chunk.get("total_duration")),
        load_seconds=_seconds(chunk.get("load_duration")),
        prompt_seconds=_seconds(chunk.get("prompt_eval_duration")),
        reply_seconds=_seconds(chunk.get("eval_duration")),
    )


def _context(chunk: Chunk) -> tuple[int, ...] | None:
    tokens = _list(chunk, "context")
    are_tokens = all(isinstance(each, int) and 0 <= each < 2**31 for each in tokens)
    return tuple(tokens) if tokens and are_tokens else None


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


_PAIRS = {"<think>": "</think>", "<thinking>": "</thinking>"}


def untagged(events: Generator[Event, None, None]) -> Generator[Event, None, None]:
    """The same events, but a reply that begins with a thinking tag is Thinking up to its end tag, and Text from
    there.

    A tag anywhere else is text, and so is any tag once the server has sent thinking by itself, because it then
    knows the template. If the tag is never closed, everything is thinking: the model did not reach its answer. One
    exception: if a blank follows the opening tag, as after a word in a sentence, and the reply is over, all of it
    is also sent as Text, because it may have been about such tags. Closing this generator closes `events`.
    """
    tags = _Tags()
    with closing(events):
        try:
            for event in events:
                yield from tags.read(event)
        except ServerError:
            yield from tags.rest()
            raise


class _Tags:
    """Holds back what may be the beginning of a tag until that is known."""

    def __init__(self) -> None:
        self._held = ""
        self._end = ""  # the tag that ends the thinking which is going on
        self._behind = ""  # the character behind the tag that began it
        self._thoughts: list[str] = []
        self._read = self._first

    def read(self, event: Event) -> Iterator[Event]:
        if isinstance(event, Text):
            yield from self._read(event.text)
        elif isinstance(event, Tick | Retry):
            yield event
        else:
            is_sentence = self._end and self._behind == " "
            yield from self.rest()
            if is_sentence and isinstance(event, Done) and event.reason == "stop":
                yield Text("".join(self._thoughts))
            yield event

    def rest(self) -> Iterator[Event]:
        """What is held back, as the last of its kind; from here on no tag is looked for."""
        held, self._held = self._held, ""
        if held:
            self._thoughts.append(held)
            yield Thinking(held) if self._end else Text(held)
        self._end, self._read = "", self._pass

    def _first(self, text: str) -> Iterator[Event]:
        """At the reply's beginning, where only blanks have come so far."""
        self._held += text
        body = self._held.lstrip()
        opened = next((tag for tag in _PAIRS if body.startswith(tag)), "")
        if opened:
            self._held, self._end, self._read = "", _PAIRS[opened], self._thought
            self._thoughts.append(opened)
            yield from self._thought(body.removeprefix(opened))
        elif body and not any(tag.startswith(body) for tag in _PAIRS):
            yield from self.rest()

    def _thought(self, text: str) -> Iterator[Event]:
        self._behind = self._behind or (self._held + text)[:1]
        thought, end, after = (self._held + text).partition(self._end)
        size = 0 if end else _begun(thought, self._end)
        said, self._held = thought[: len(thought) - size], thought[len(thought) - size :]
        if said.strip():
            said = said if len(self._thoughts) > 1 else said.lstrip()
            self._thoughts.append(said)
            yield Thinking(said)
        elif not end:
            self._held = said + self._held
        if end:
            self._end, self._read = "", self._gap
            yield from self._gap(after)

    def _gap(self, text: str) -> Iterator[Event]:
        """Empty lines between the thinking and the text belong to neither."""
        if text := text.lstrip():
            self._read = self._pass
            yield Text(text)

    def _pass(self, text: str) -> Iterator[Event]:
        yield Text(text)


def _begun(text: str, tag: str) -> int:
    """How many of the last characters of `text` may be the beginning of `tag`."""
    return next((size for size in range(min(len(tag), len(text)), 0, -1) if tag.startswith(text[-size:])), 0)
