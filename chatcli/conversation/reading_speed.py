"""How fast a server reads prompts, as its replies have told, and so how much it can read in a time."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import islice

from chatcli.conversation.usage import Turn
from chatcli.dataclass import dataclass

FEW = 64  # tokens: fewer are read too fast to tell a speed
RECENT = 5  # measured turns
RELOAD = 0.25  # seconds of load_duration; with a model that is loaded already it is a few hundredths
# Tokens a second until a speed is known: what a small model reads on two busy CPU cores. At the usual patience
# that gives 500 tokens to quotes, which hold most of the evidence (docs/explanation.md).
CAUTIOUS = 100.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How long recall may make a request: so many seconds, at that speed in tokens a second (None: not known)."""

    seconds: float = math.inf
    speed: float | None = None

    @property
    def tokens(self) -> float:
        """What can be read in that time."""
        return self.seconds * (self.speed or CAUTIOUS)

    def price(self, tokens: int) -> str:
        """How long the server reads so many tokens, in parentheses; "" where its speed is not known."""
        return f" ({in_seconds(tokens / self.speed)} to read)" if self.speed else ""

    @property
    def limit(self) -> str:
        """Why there is no room for more, in words."""
        known = f"{self.speed:.0f}" if self.speed else f"an assumed {CAUTIOUS:.0f}"
        return f"no room in {in_seconds(self.seconds)} at {known} tokens a second"


def in_seconds(seconds: float) -> str:
    return f"{seconds:.3g} s"


def speed_of(turns: Iterable[Turn], like: Turn) -> float | None:
    """The median speed of the newest turns (they come newest first) in which the same model, with the same window
    and on the same server, has read enough to tell; None where there is none.
    """
    speeds = (speed for turn in turns if turn.is_like(like) and (speed := measured(turn)) is not None)
    found = sorted(islice(speeds, RECENT))
    return found[(len(found) - 1) // 2] if found else None


def measured(turn: Turn) -> float | None:
    """Tokens a second in that turn; None where it cannot be told, or the model was loaded for it."""
    seconds, loading = turn.usage.prompt_seconds, turn.usage.load_seconds or 0.0
    if turn.read is None or turn.read < FEW or not seconds or loading >= RELOAD:
        return None
    return turn.read / seconds
