"""Memo: results kept by text. A line grows by key press after key press, so what is kept is bounded by size."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

V = TypeVar("V")
MOST = 4_000_000  # characters of all the keys


class Memo(Generic[V]):
    """Begins afresh when it is full: what is in use comes back with the next question."""

    def __init__(self) -> None:
        self._kept: dict[Hashable, V] = {}
        self._held = 0

    def get(self, key: Hashable, size: int, make: Callable[[], V]) -> V:
        """The value kept for `key`, whose text has `size` characters; made when there is none."""
        if key in self._kept:
            return self._kept[key]
        value = make()
        self._held += size
        if self._held > MOST:
            self._kept, self._held = {}, size
        self._kept[key] = value
        return value
