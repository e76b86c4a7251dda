"""What a command may ask the loop to do. Commands never print, read keys or start a turn themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from chatcli.conversation.events import Progress
from chatcli.conversation.tree import Node
from chatcli.render.views import View

# How many choices are named where nobody can be asked.
NAMED = 9


@dataclass(frozen=True, slots=True)
class Show:
    """Draw these, in order. `exit_code` is what the shell gets where the command is a subcommand."""

    views: tuple[View, ...]
    exit_code: int = 0

    @classmethod
    def of(cls, *views: View) -> Show:
        return cls(views)


@dataclass(frozen=True, slots=True)
class Print:
    """Put this on standard output exactly as it is; a terminal gets it cleaned, as all foreign text."""

    text: str


@dataclass(frozen=True, slots=True)
class Confirm:
    """Ask yes or no; on yes go on with `then`."""

    question: str
    then: Callable[[], Outcome]


@dataclass(frozen=True, slots=True)
class Choose:
    """Ask which; go on with `then(index)`. `detail` gives the lines to show of a choice when it is looked at,
    `find` the choices that some words fit, where these are not just looked for in the names.
    """

    question: str
    choices: tuple[str, ...]
    then: Callable[[int], Outcome]
    detail: Callable[[int], Sequence[str]] | None = None
    find: Callable[[str], Sequence[int]] | None = None

    @property
    def brief(self) -> str:
        """The question and the first choices, for where nobody can be asked."""
        left = len(self.choices) - NAMED
        return f"{self.question} {'; '.join(self.choices[:NAMED])}{f'; and {left} more' if left > 0 else ''}."


@dataclass(frozen=True, slots=True)
class Watch:
    """Draw the progress until it ends, then go on with `then`. Ctrl-C closes the iterator, which ends the work."""

    progress: Iterator[Progress]
    then: Callable[[], Outcome]


@dataclass(frozen=True, slots=True)
class Copy:
    """Put text on the clipboard; `what` it is, for the note that says so."""

    text: str
    what: str


@dataclass(frozen=True, slots=True)
class Prefill:
    """Put text into the next line, to be edited."""

    text: str


@dataclass(frozen=True, slots=True)
class Send:
    """Send text as if it had been typed."""

    text: str


@dataclass(frozen=True, slots=True)
class AskAgain:
    """Get a reply to this question, which is the tip of the conversation, or go `onward` from a reply to it.

    `model`: the one to ask this once; "" is the one that the settings name. `home`: where the tip goes back to
    when no reply comes (None: before the question).
    """

    question: Node
    onward: Node | None = None
    home: int | None = None
    model: str = ""


@dataclass(frozen=True, slots=True)
class Opened:
    """Another conversation, or another place in it, is on the table: show where it stands."""

    note: str = ""


@dataclass(frozen=True, slots=True)
class Quit:
    """Leave."""


Outcome = Show | Print | Confirm | Choose | Watch | Copy | Prefill | Send | AskAgain | Opened | Quit
