"""The arithmetic of the window: window = fixed parts + history + question + room for the reply + margin."""

from __future__ import annotations

from dataclasses import dataclass

from chatcli.conversation.usage import NOTHING, Count

# Below this many tokens a reply is not worth asking for; a large question may eat into the reserve down to here.
LEAST_REPLY = 64


@dataclass(frozen=True, slots=True)
class Budget:
    """All in tokens. `fixed`: what a request costs besides its messages. `history`: the person's own limit for
    what precedes the question, if any.
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


def reserve_for(window: int, asked: int | None = None) -> int:
    """Room kept for the reply: as asked, else a quarter of the window, between 256 and 1024 tokens; never more
    than half of the window.
    """
    usual = min(max(window // 4, 256), 1024)
    return min(usual if asked is None else asked, window // 2)


def margin_for(window: int, exact: bool) -> int:
    """Safety: servers above v0.30 use at most num_ctx - 1; estimates get 3 % and 16 tokens besides."""
    return 1 if exact else window * 3 // 100 + 16
