"""Thinking that comes as text, between <think> and </think>: by a server that does not know the template."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing

from chatcli.conversation.events import Done, Event, Text, Thinking, Tick
from chatcli.errors import ServerError

_PAIRS = {"<think>": "</think>", "<thinking>": "</thinking>"}


def untagged(events: Generator[Event, None, None]) -> Generator[Event, None, None]:
    """The same events, but a reply that begins with such a tag is Thinking up to its end, and Text from there.

    A tag anywhere else is text, and so is any tag once the server has sent thinking by itself: it knows the
    template then. A tag that is never ended is thinking to the end: the model did not come to its answer. Only
    where the tag has a blank behind it, as a word in a sentence has, and the reply is over, all of it comes as
    Text too: it may have been about such tags. Closing this closes `events`.
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
    """Holds back what may be the beginning of a tag, until it is known whether it is one."""

    def __init__(self) -> None:
        self._held = ""
        self._end = ""  # the tag that ends the thinking which is going on
        self._behind = ""  # the character behind the tag that began it
        self._thoughts: list[str] = []
        self._read = self._first

    def read(self, event: Event) -> Iterator[Event]:
        if isinstance(event, Text):
            yield from self._read(event.text)
        elif isinstance(event, Tick):
            yield event
        else:
            is_sentence = self._end and self._behind == " "
            yield from self.rest()
            if is_sentence and isinstance(event, Done) and event.reason == "stop":
                yield Text("".join(self._thoughts))
            yield event

    def rest(self) -> Iterator[Event]:
        """What is held, as the last of its kind; from here on nothing is looked for."""
        held, self._held = self._held, ""
        if held:
            self._thoughts.append(held)
            yield Thinking(held) if self._end else Text(held)
        self._end, self._read = "", self._pass

    def _first(self, text: str) -> Iterator[Event]:
        """At the reply's beginning, where only space has come so far."""
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
