"""The merge loop of byte-pair encoding, the same for all vocabularies."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from heapq import heappop, heappush

Rank = Callable[[str, str], float | None]


def merge(symbols: Iterable[str], rank: Rank) -> list[str]:
    """Join two neighbours, those of lowest rank first and the leftmost of equals, until no two have a rank.

    Just that, with a heap in place of looking at every pair again after each step, so that a piece of 100,000
    symbols is no trap; the tests hold it equal to the plain loop.
    """
    parts = list(symbols)  # a part that was joined to its left neighbour is empty from then on
    before = list(range(-1, len(parts) - 1))
    after = list(range(1, len(parts) + 1))
    pairs: list[tuple[float, int, str, str]] = []

    def consider(at: int) -> None:
        if at >= 0 and after[at] < len(parts):
            left, right = parts[at], parts[after[at]]
            found = rank(left, right)
            if found is not None:
                heappush(pairs, (found, at, left, right))

    for at in range(len(parts)):
        consider(at)
    while pairs:
        _, at, left, right = heappop(pairs)
        other = after[at]
        if parts[at] != left or other >= len(parts) or parts[other] != right:
            continue  # one of the two was joined to something else meanwhile
        parts[at], parts[other] = left + right, ""
        after[at] = after[other]
        if after[at] < len(parts):
            before[after[at]] = at
        consider(before[at])
        consider(at)
    return [part for part in parts if part]
