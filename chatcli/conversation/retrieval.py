"""The results of a search: hits, passages that may be quoted for a question, and the values used with
embeddings.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import field
from datetime import datetime
from math import log
from typing import NamedTuple, Protocol

from chatcli.conversation.message import Role
from chatcli.dataclass import dataclass


class Candidate(NamedTuple):
    """Passage `passage` (from 0) of message `number`, with the terms that occur in it, those of the second round
    included; none, when it is included only because a neighboring passage has some. `tool`: the name of the tool
    whose result the message is. (A search makes a thousand of these: a named tuple is made sooner.)
    """

    node: int
    number: int
    passage: int
    role: Role
    created: datetime
    text: str
    terms: frozenset[str] = frozenset()
    conversation: int = 0
    tool: str = ""

    @property
    def said_by(self) -> str:
        """What a quote of it begins with."""
        return f"result of {self.tool}" if self.tool else str(self.role)


@dataclass(frozen=True, slots=True)
class Retrieved:
    """What a search found. `occurrences`: for each term asked for, in how many of the `passages` searched it
    occurs.

    `conversation`: the one in which the question is asked. `near`: for candidates (node, passage) with a vector,
    how near their meaning is to the question's, in standard deviations above the mean of all that were compared.
    `clues`: the terms of the second round. `compared`: how many passages, the newest, had their vectors compared.
    """

    candidates: tuple[Candidate, ...] = ()
    occurrences: Mapping[str, int] = field(default_factory=dict)
    passages: int = 0
    conversation: int = 0
    near: Mapping[tuple[int, int], float] = field(default_factory=dict)
    clues: frozenset[str] = frozenset()
    compared: int = 0

    def weight(self, term: str) -> float:
        """The weight of that term in a ranking."""
        return rarity(self.occurrences.get(term, 0), self.passages)


class Asked(Protocol):
    """What a search asks its caller on the way."""

    def may_fire(self, found: Retrieved, sets: Collection[frozenset[str]]) -> bool:
        """Whether anything may be quoted, where no passage has more of the terms than one of `sets`. If not, no
        message is read. `found` has no candidates yet.
        """

    @property
    def few_may_do(self) -> bool:
        """Whether `enough` is to be asked first."""

    def enough(self, few: Retrieved) -> bool:
        """Whether the few best passages are all that is wanted."""

    def clues(self, first: Retrieved) -> Mapping[str, int]:
        """Words for a second round, from what a first one found: each with the number of good passages that have
        it.
        """


def rarity(occurrences: int, passages: int) -> float:
    """How much a term weighs that occurs in so many of the passages (the IDF of BM25): the rarer, the more. Never
    negative, also where a term has more occurrences than there are passages (their number may be an estimate).
    """
    return log(1 + (max(passages - occurrences, 0) + 0.5) / (occurrences + 0.5))


@dataclass(frozen=True, slots=True)
class Hit:
    """`text` is a passage of about 100 tokens from message `node`; `marks` are the spans in it that match.

    A higher `score` is a better match; scores are comparable within one search only. `tool`: the tool whose result
    it is, or "".
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
    tool: str = ""


@dataclass(frozen=True, slots=True)
class Embedder:
    """The embedding model. Vectors of another model, or of another version of it, cannot be compared
    with its own.
    """

    name: str
    digest: str


@dataclass(frozen=True, slots=True)
class Meaning:
    """A text's meaning: its vector (embedding) by `embedder`."""

    embedder: Embedder
    vector: Sequence[float]


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage of a stored message, with its id in the store."""

    id: int
    text: str
