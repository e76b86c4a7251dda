"""The budget of the window: window = fixed parts + history + question + reserve for the reply + margin."""

from __future__ import annotations

from collections.abc import Sequence

from chatcli.conversation.usage import NOTHING, Count
from chatcli.dataclass import dataclass

# Below this many tokens a reply is not worth asking for; a large question may eat into the reserve down to here.
LEAST_REPLY = 64


@dataclass(frozen=True, slots=True)
class Budget:
    """All values in tokens. `fixed`: what a request costs besides its messages. `history`: the user's own limit
    for what precedes the question, if any.
    """

    window: int
    reserve: int
    margin: int = 0
    fixed: Count = NOTHING
    history: int | None = None

    @property
    def room(self) -> int:
        """What messages may use while the whole reserve stays free."""
        return self.window - self.reserve - self.margin - self.fixed.tokens

    @property
    def most(self) -> int:
        """What the system prompt and the question may use together when there is no history at all."""
        least = min(self.reserve, LEAST_REPLY)
        return self.window - least - self.margin - self.fixed.tokens


@dataclass(frozen=True, slots=True)
class Rooms:
    """How the tokens for messages are divided. `history`: what is left before the question, without the summary
    and the pinned messages; `share`: the part of it for messages sent word for word once some are left out and
    recall needs its part; `whole`: the same while nothing is left out.
    """

    history: int
    share: int
    whole: int


def rooms(budget: Budget, system: int, extras: int, recall_share: float) -> Rooms:
    """`system`: tokens of the system prompt; `extras`: tokens of the summary and the pinned messages."""
    space = max(0, budget.room - system)
    limit = space if budget.history is None else min(space, budget.history)
    # Unless the user's own limit leaves room for the next question, keep some for it; it may use recall's part.
    asked = space // 8 if limit == space else 0
    recall = int(limit * recall_share)
    return Rooms(
        history=max(0, limit - extras),
        share=max(0, limit - extras - max(recall, asked)),
        whole=max(0, limit - extras - asked),
    )


def reserve_for(window: int, asked: int | None = None) -> int:
    """Tokens reserved for the reply: the number asked for, else a quarter of the window, between 256 and 1024.
    Never more than half of the window.
    """
    usual = min(max(window // 4, 256), 1024)
    return min(usual if asked is None else asked, window // 2)


def margin_for(window: int, exact: bool) -> int:
    """The safety margin: servers above v0.30 use at most num_ctx - 1; estimates add 3 % and 16 tokens."""
    return 1 if exact else window * 3 // 100 + 16


def reserve_like(replies: Sequence[int], window: int) -> int:
    """The reserve for a reply like `replies` (their tokens, at least one): a quarter more than the longest, where
    the longest tenth is ignored; between 256 tokens and a third of the window.
    """
    usual = sorted(replies)[(len(replies) - 1) * 9 // 10]
    return min(max(usual * 5 // 4, 256), max(window // 3, reserve_for(window)))
