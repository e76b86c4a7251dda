"""State: what the context strategies remember between requests: cut, summary, pins, forgotten messages and
reserve. Stored with the conversation.
"""

from __future__ import annotations

from chatcli.dataclass import dataclass

ALSO = "Also said: "


@dataclass(frozen=True, slots=True)
class Summary:
    """The rolling summary. It replaces the messages up to and including node `upto`.

    `first` and `last` are the numbers, on the path, of the messages it was made of; 0 where that is not known.
    `replaces`: the summary before it, which it was also made of. `specifics`: numbers, dates, quoted strings and
    the like of these messages that the text has lost, each with the words around it.
    """

    text: str
    upto: int
    first: int = 0
    last: int = 0
    replaces: Summary | None = None
    specifics: tuple[str, ...] = ()

    @property
    def whole(self) -> str:
        """The text as it is sent, with what it has lost in a line below."""
        return "\n".join(filter(None, [self.text, ALSO + "; ".join(self.specifics) if self.specifics else ""]))


@dataclass(frozen=True, slots=True)
class State:
    """`cut`: the first node sent verbatim (None: from the beginning). Node ids not on the path are ignored.

    `reserve`: tokens to keep free for the reply, learnt from the replies so far; it changes only when the cut
    moves.
    """

    cut: int | None = None
    summary: Summary | None = None
    pins: frozenset[int] = frozenset()
    forgotten: frozenset[int] = frozenset()
    reserve: int | None = None
