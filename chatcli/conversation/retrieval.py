"""What a search finds: hits, passages that may be worth quoting for a question, and what vectors say of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from chatcli.conversation.message import Role


@dataclass(frozen=True, slots=True)
class Candidate:
    """Passage `passage` (from 0) of message `number`, with the sought terms that occur in it: none, when it is
    here only because it stands beside one that has some.
    """

    node: int
    number: int
    passage: int
    role: Role
    created: datetime
    text: str
    terms: frozenset[str] = frozenset()
    conversation: int = 0


@dataclass(frozen=True, slots=True)
class Retrieved:
    """What a search found. `occurrences`: for each term asked for, in how many of the `passages` looked at it is.

    `conversation`: the one in which the question is asked. `near`: of candidates (node, passage) with a vector,
    how near their meaning is to that of the question, in standard deviations above the mean of all looked at.
    """

    candidates: tuple[Candidate, ...] = ()
    occurrences: Mapping[str, int] = field(default_factory=dict)
    passages: int = 0
    conversation: int = 0
    near: Mapping[tuple[int, int], float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Hit:
    """`text` is a passage of about 100 tokens from message `node`; `marks` are the spans in it that were sought.

    `score` is higher the better it fits, comparable within one search only.
    """

    conversation: int
    title: str
    node: int
    number: int
    role: Role
    created: datetime
    text: str
    marks: tuple[tuple[int, int], ...]
    score: float


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
