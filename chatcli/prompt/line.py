"""What the prompt returns, and its options: plain values without prompt_toolkit."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from chatcli.dataclass import dataclass

# What a command begins with: chatcli's own, or one for the shell. Doubled, it begins a message.
SIGNS = ("/", "!")


class TypedLine(NamedTuple):
    """One entry, whole, lines separated by "\\n".

    `pasted`: it began with a paste or a block, so a leading sign of a command is text.
    """

    text: str
    pasted: bool = False

    @property
    def retyped(self) -> str:
        """Returns what a person would type to get the same entry: the line history stores this."""
        sign = self.text[:1]
        return sign + self.text if self.pasted and sign in SIGNS else self.text


@dataclass(frozen=True, slots=True)
class Interrupted:
    """Ctrl+C on an empty line."""


@dataclass(frozen=True, slots=True)
class Closed:
    """Ctrl+D on an empty line, or the end of the input."""


Outcome = TypedLine | Interrupted | Closed


class ReaderOptions(NamedTuple):
    """How the line looks and behaves.

    `plain`: nothing is ever drawn twice, so no toolbar and no menu (for simple terminals and screen readers).
    `from_terminal`: read the terminal itself, because standard input is something else.
    `take_picture` attaches the picture of the clipboard to the next message. Raises ChatcliError.
    """

    prompt: str = ">>> "
    continuation: str = "... "
    placeholder: str = "Send a message (/? for help)"
    vi: bool = False
    plain: bool = False
    from_terminal: bool = False
    take_picture: Callable[[bytes], object] | None = None
