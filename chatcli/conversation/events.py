"""The events of a reply as it arrives: any number of Thinking, Text, ToolCall, Tick, Retry and Repeats, then one
Done. Where the reply asks for tools, each call is a ToolRuns (if it runs), Ticks while it does, and a ToolResult;
then the events of the next reply follow.

Progress is the event of any other long job: a download, an import, a page being fetched.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

from chatcli.conversation.message import Message, ToolUse
from chatcli.conversation.tree import Ended
from chatcli.conversation.usage import Usage
from chatcli.dataclass import dataclass

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Thinking:
    text: str


@dataclass(frozen=True, slots=True)
class Text:
    text: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    use: ToolUse


@dataclass(frozen=True, slots=True)
class ToolRuns:
    """The call begins to run."""

    use: ToolUse


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What came of the call. `ended`: COMPLETE, REFUSED or FAILED, or RUNNING when it was stopped meanwhile.
    `text`: the whole result, or why there is none, as the model is told.
    """

    use: ToolUse
    ended: Ended
    text: str
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Tick:
    """Nothing arrived for a moment: time to redraw and to save what is there."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Nothing has come, because of `why`, a sentence: the request is sent again in so many seconds, for the
    `number`th of at most `most` times.
    """

    why: str
    seconds: float
    number: int
    most: int

    def __str__(self) -> str:
        return f"{self.why.rstrip('.')}. {self.when[0].upper()}{self.when[1:]}."

    @property
    def when(self) -> str:
        return f"asked again in {self.seconds:.3g} s ({self.number} of {self.most})"


@dataclass(frozen=True, slots=True)
class Repeats:
    """What comes is the same again and again. `what`: the reply, or its thinking."""

    what: str = "reply"

    def __str__(self) -> str:
        return f"The {self.what} repeats itself"


# The reason of a Done that is not the server's: the reply repeated itself, and was stopped.
LOOP = "loop"


@dataclass(frozen=True, slots=True)
class Done:
    """The end. `reason` as the server gives it: stop, length, load, unload; "" when it gave none. Or LOOP.
    `context`: the tokens of the conversation, where the server returns them. `unread`: what of the request's
    messages was not in the server's cache, the first perhaps without its beginning; None where that is not known.
    """

    reason: str
    usage: Usage = Usage()
    context: tuple[int, ...] | None = None
    unread: tuple[Message, ...] | None = None


@dataclass(frozen=True, slots=True)
class Awaited:
    """What a model does before its reply comes, as a predicate ("is being loaded"), with a detail that may change
    from moment to moment. It is false when nothing is known.
    """

    what: str = ""
    detail: str = ""

    def __bool__(self) -> bool:
        return bool(self.what)

    def __str__(self) -> str:
        return f"{self.what} ({self.detail})" if self.detail else self.what


Event = Thinking | Text | ToolCall | ToolRuns | ToolResult | Tick | Retry | Repeats | Done


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a long job is: its status, and how much of how much is done, in bytes or in another `unit`."""

    status: str
    done: int | None = None
    total: int | None = None
    unit: str = ""


def finished(steps: Generator[object, None, T]) -> T:
    """Does the whole job without showing how far it is; returns its result."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result


def measured(job: Generator[int, None, T], status: str, total: int | None) -> Generator[Progress, None, T]:
    """The job, shown by how many messages it has done; it yields how many were done since."""
    done = 0
    while True:
        try:
            done += next(job)
        except StopIteration as end:
            result: T = end.value
            return result
        yield Progress(status, done, total, "messages")
