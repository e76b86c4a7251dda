"""What the prompt hands back, and how it is set up: plain values, free of prompt_toolkit."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TypedLine:
    """One entry, whole, lines separated by "\\n".

    `pasted`: its beginning came by a paste or stood in a block, so that a leading "/" is text and no command.
    """

    text: str
    pasted: bool = False

    @property
    def retyped(self) -> str:
        """What a person would type to say the same: the line history keeps this."""
        return f"/{self.text}" if self.pasted and self.text.startswith("/") else self.text


@dataclass(frozen=True, slots=True)
class Interrupted:
    """Ctrl+C on an empty line."""


@dataclass(frozen=True, slots=True)
class Closed:
    """Ctrl+D on an empty line, or the end of the input."""


Outcome = TypedLine | Interrupted | Closed


@dataclass(frozen=True, slots=True)
class ReaderOptions:
    """How the line looks and behaves.

    `plain`: nothing is ever drawn twice, so no toolbar and no menu (for simple terminals and screen readers).
    `from_terminal`: read the terminal itself, because standard input is something else.
    """

    prompt: str = ">>> "
    continuation: str = "... "
    placeholder: str = "Send a message (/? for help)"
    vi: bool = False
    plain: bool = False
    from_terminal: bool = False
