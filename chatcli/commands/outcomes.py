"""Outcomes: what a command may ask the loop to do. Commands never print, read keys or start a turn themselves."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import field
from time import monotonic
from typing import Any, TypeVar

from chatcli.conversation.events import Progress
from chatcli.conversation.tree import Node
from chatcli.dataclass import dataclass
from chatcli.hints import Hint, Words
from chatcli.render.views import View

# What an outcome says, as values of JSON (also moments, sets and hints), made when a program asks for it: --json.
Data = Callable[[], Any]
# How long a job may take before it is shown how far it is, in seconds.
SOON = 0.5
# How many choices an error names when nobody can be asked.
NAMED = 9

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Show:
    """Draw these views, in order. `exit_code` is for a command that runs as a subcommand of the shell. `data`: see
    Data.
    """

    views: tuple[View, ...]
    exit_code: int = 0
    data: Data | None = None

    @classmethod
    def of(cls, *views: View, data: Data | None = None) -> Show:
        return cls(views, data=data)


@dataclass(frozen=True, slots=True)
class Print:
    """Write this text to standard output unchanged; for a terminal it is cleaned, as all foreign text. `data`: see
    Data.
    """

    text: str
    data: Data | None = None


@dataclass(frozen=True, slots=True)
class Confirm:
    """Ask yes or no; after yes call `then`."""

    question: Words
    then: Callable[[], Outcome]


@dataclass(frozen=True, slots=True)
class Choose:
    """Ask which one, then call `then(index)`. `detail` returns the lines to show for a choice; `find` returns the
    choices that match some words (None: the words are searched in the names).
    """

    question: str
    choices: tuple[str, ...]
    then: Callable[[int], Outcome]
    detail: Callable[[int], Sequence[str]] | None = None
    find: Callable[[str], Sequence[int]] | None = None

    @property
    def brief(self) -> str:
        """The question and the first choices, for an error when nobody can be asked."""
        left = len(self.choices) - NAMED
        return f"{self.question} {'; '.join(self.choices[:NAMED])}{f'; and {left} more' if left > 0 else ''}."


@dataclass(frozen=True, slots=True)
class Edit:
    """Open the person's editor on the text, then call `then` with what it left. `ending`: that of the file's name,
    which tells the editor what kind of text it is.
    """

    text: str
    then: Callable[[str], Outcome]
    ending: str = ".md"


@dataclass(frozen=True, slots=True)
class Watch:
    """Draw the progress until it ends, then call `then`. Ctrl-C closes the iterator, which ends the work;
    `unfinished` is shown then.
    """

    progress: Generator[Progress, None, None]
    then: Callable[[], Outcome]
    unfinished: Words = ""


@dataclass(frozen=True, slots=True)
class Copy:
    """Put text on the clipboard; `what` names it in the note."""

    text: str
    what: str


@dataclass(frozen=True, slots=True)
class Prefill:
    """Put text into the next line, to be edited."""

    text: str


@dataclass(frozen=True, slots=True)
class Send:
    """Send text as if it had been typed. `values`: settings that hold for this message only, by name."""

    text: str
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AskAgain:
    """Get a reply to this question, which is the tip of the conversation, or continue `onward`, a reply to it.

    `model`: the model to ask this time; "" is the one that the settings name. `home`: where the tip returns to
    when no reply comes (None: before the question).
    """

    question: Node
    onward: Node | None = None
    home: int | None = None
    model: str = ""


@dataclass(frozen=True, slots=True)
class Opened:
    """Another conversation, or another message of it, is now open: show its last messages."""

    note: Hint = Hint()


@dataclass(frozen=True, slots=True)
class Quit:
    """Leave."""


Outcome = Show | Print | Confirm | Choose | Edit | Watch | Copy | Prefill | Send | AskAgain | Opened | Quit


def watched(
    job: Generator[Progress, None, T],
    then: Callable[[T], Outcome],
    unfinished: Words = "",
    *,
    soon: float | None = None,
) -> Outcome:
    """Do the job, and then what follows from its result: at once if it takes no longer than `soon` (None: SOON),
    else the rest of it is watched. `unfinished` is what Watch shows after Ctrl-C.
    """
    end = monotonic() + (SOON if soon is None else soon)
    try:
        step = next(job)
        while monotonic() < end:
            step = next(job)
    except StopIteration as done:
        return then(done.value)
    results: list[T] = []

    def rest() -> Generator[Progress, None, None]:
        yield step
        results.append((yield from job))

    return Watch(rest(), lambda: then(results[0]), unfinished)
