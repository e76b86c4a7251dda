"""State: what the context strategies remember between requests. Stored with the conversation."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Summary:
    """The rolling summary. It stands for every message up to and including node `upto`."""

    text: str
    upto: int


@dataclass(frozen=True, slots=True)
class State:
    """`cut`: the first node sent verbatim (None: from the beginning). Node ids not on the path are ignored."""

    cut: int | None = None
    summary: Summary | None = None
    pins: frozenset[int] = frozenset()
    forgotten: frozenset[int] = frozenset()
