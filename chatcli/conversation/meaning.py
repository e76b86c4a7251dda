"""Embedder, Meaning, Passage: what crosses between the model that makes vectors, the store and the recall."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Embedder:
    """The model that makes vectors. Those of another, or of another version of it, cannot be compared to its."""

    name: str
    digest: str


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a text means, as `embedder` puts it."""

    embedder: Embedder
    vector: Sequence[float]


@dataclass(frozen=True, slots=True)
class Passage:
    """Some of a stored message's text, by its id in the store."""

    id: int
    text: str
