"""Vectors: the embeddings of passages, by model, and which passages are nearest to the meaning of a question.

A vector is stored as small integers, and its signs as bits. After the first search all signs of a conversation are
in memory; they select some hundred passages, whose vectors are then compared.
"""

from __future__ import annotations

import json
import sqlite3
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from math import cos, hypot, pi, sqrt
from operator import mul
from struct import pack, unpack_from

from chatcli.conversation.retrieval import Embedder, Meaning, Passage
from chatcli.dataclass import dataclass
from chatcli.store import nodes
from chatcli.store.codec import unpack
from chatcli.store.database import Database
from chatcli.store.passages import SHIFT

CHOSEN = 300  # passages that are compared by their vectors
MOST = 100_000  # the newest signs, which are compared: 15 ms
AT_ONCE = 500  # messages searched at once for missing vectors, so that others can use the store between


@dataclass(slots=True)
class Signs:
    """The signs of one model's vectors of one conversation (0: of all): passages and signs in parallel, in the
    order they were made. A deleted one stays here, and is dropped when its vector is not found. `last`: the last
    one read.
    """

    passages: list[int] = field(default_factory=list)
    signs: list[int] = field(default_factory=list)
    last: int = 0


@dataclass(frozen=True, slots=True)
class Near:
    """`passages`: the nearest. `usual`, `spread`: mean and standard deviation of the likeness of all, -1 to 1.
    `compared`: how many they are.
    """

    passages: Sequence[int]
    usual: float
    spread: float
    compared: int = 0


class Vectors:
    """The vectors in a store. The signs that were read stay in memory; only new ones are read.

    `whole`: by model and conversation, a node up to which the whole path is known to have vectors.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._read: dict[tuple[int, int], Signs] = {}
        self.whole: dict[tuple[Embedder, int], int] = {}

    def missing(
        self, conversation: int, upto: int, embedder: Embedder, before: int | None = None, limit: int = 256
    ) -> tuple[list[Passage], int]:
        """Returns the newest passages on the path to node `upto` without a vector by that model, of messages with
        a number below `before`; and the number to continue before: 1 when the whole path was searched.
        """
        with self._database.reading() as connection:
            way = nodes.way(connection, conversation, upto)
            begin = before or max(way.values(), default=0) + 1
            ids, least = _messages(connection, way, begin)
            found = _without(connection, ids, number_of(connection, embedder))
            taken: list[Passage] = []
            for number, passages in found:
                if taken and len(taken) + len(passages) > limit:
                    return taken, number + 1
                taken += passages
        return taken, least

    def keep(self, embedder: Embedder, made: Sequence[tuple[Passage, tuple[bytes, bytes]]]) -> None:
        """Stores each passage's vector, made by packed(). Skips passages whose text has changed or was deleted."""
        with self._database.writing() as connection:
            number, before = _counted(connection, embedder, len(made))
            still = texts(connection, [passage.id for passage, _ in made])
            connection.executemany(
                """INSERT OR REPLACE INTO vectors (passage, embedder, conversation, made, signs, vector)
                   SELECT ?1, ?2, conversation, ?3, ?4, ?5 FROM nodes JOIN branches ON branches.id = branch
                   WHERE nodes.id = ?1 >> 10""",
                [
                    (passage.id, number, before + place, signs, vector)
                    for place, (passage, (signs, vector)) in enumerate(made, start=1)
                    if still.get(passage.id) == passage.text
                ],
            )

    def nearest(
        self, connection: sqlite3.Connection, meaning: Meaning, conversation: int, first: int, end: int
    ) -> Near:
        """Returns passages of that conversation (0: of any) from `first` up to `end`, by their signs alone."""
        number = number_of(connection, meaning.embedder)
        read = self._read.get((number, conversation)) or Signs()
        _go_on(connection, read, number, conversation)
        self._read = {key: value for key, value in self._read.items() if (key[1] == 0) != (conversation == 0)}
        self._read[number, conversation] = read  # only one conversation's and everything's stay in memory
        return _chosen(read, meaning, first, end)


def compared(connection: sqlite3.Connection, meaning: Meaning, passages: Iterable[int]) -> dict[int, float]:
    """Returns how near each passage is to the meaning, -1 to 1; those without a vector are left out."""
    rows = connection.execute(  # the + keeps SQLite from going through all of the model's vectors
        "SELECT passage, vector FROM vectors WHERE passage IN (SELECT value FROM json_each(?)) AND +embedder = ?",
        (json.dumps(list(passages)), number_of(connection, meaning.embedder)),
    )
    length = hypot(*meaning.vector) or 1.0
    sought = [value / length for value in meaning.vector]
    found: dict[int, float] = {}
    for passage, data in rows:
        if len(data) == 4 + len(sought):
            (scale,) = unpack_from("<f", data)
            found[passage] = scale * sum(map(mul, sought, array("b", data[4:])))
    return found


def packed(vector: Sequence[float]) -> tuple[bytes, bytes]:
    """Returns signs and vector as stored: a bit for each number; the reciprocal of the length, a byte for each."""
    largest = max(map(abs, vector)) or 1.0
    values = array("b", [round(127 * value / largest) for value in vector])
    length = sqrt(sum(map(mul, values, values))) or 1.0
    return _signs(vector).to_bytes((len(vector) + 7) // 8, "big"), pack("<f", 1 / length) + values.tobytes()


def number_of(connection: sqlite3.Connection, embedder: Embedder) -> int:
    """Returns the model's number; 0 when there is no vector by that model."""
    known = (embedder.name, embedder.digest)
    row = connection.execute("SELECT id FROM embedders WHERE name = ? AND digest = ?", known).fetchone()
    return int(row[0]) if row else 0


def texts(connection: sqlite3.Connection, passages: Sequence[int]) -> dict[int, str]:
    """Returns the texts of the passages that exist."""
    query = """SELECT passages.id, coalesce(substr(CAST(text AS BLOB), start, length), x'')
               FROM passages JOIN nodes ON nodes.id = passages.id >> 10
               WHERE passages.id IN (SELECT value FROM json_each(?))"""
    rows = connection.execute(query, (json.dumps(passages),))
    return {passage: unpack(bytes(text)) for passage, text in rows}


def _counted(connection: sqlite3.Connection, embedder: Embedder, more: int) -> tuple[int, int]:
    """Returns the model's number, and how many vectors it had made before these."""
    number = number_of(connection, embedder)
    if not number:
        naming = "INSERT INTO embedders (name, digest) VALUES (?, ?)"
        number = connection.execute(naming, (embedder.name, embedder.digest)).lastrowid or 0
    (made,) = connection.execute("SELECT made FROM embedders WHERE id = ?", (number,)).fetchone()
    connection.execute("UPDATE embedders SET made = ? WHERE id = ?", (made + more, number))
    return number, made


def _signs(vector: Sequence[float]) -> int:
    return int("".join("1" if value > 0 else "0" for value in vector), 2)


def _messages(connection: sqlite3.Connection, way: Mapping[int, int], before: int) -> tuple[dict[int, int], int]:
    """Returns the path's newest messages with a number below `before`, node by number; the lowest one searched."""
    least = max(1, before - AT_ONCE)
    query = "SELECT number, id FROM nodes WHERE branch = ? AND number BETWEEN ? AND ? ORDER BY number DESC"
    found: dict[int, int] = {}
    for branch, upto in way.items():
        found.update(connection.execute(query, (branch, least, min(upto, before - 1))).fetchall())
    return found, least


def _without(
    connection: sqlite3.Connection, ids: Mapping[int, int], embedder: int
) -> list[tuple[int, list[Passage]]]:
    """Returns number and passages without a vector for each message that has such passages, newest first."""
    query = """SELECT passages.id FROM json_each(?) AS node
               JOIN passages ON passages.id >= node.value << 10 AND passages.id < (node.value + 1) << 10
               WHERE NOT EXISTS (SELECT 1 FROM vectors WHERE passage = passages.id AND +embedder = ?)"""
    found = [row[0] for row in connection.execute(query, (json.dumps(list(ids.values())), embedder))]
    said = texts(connection, found)
    lists: dict[int, list[Passage]] = {}
    for passage in sorted(said):
        lists.setdefault(passage >> SHIFT, []).append(Passage(passage, said[passage]))
    return [(number, lists[node]) for number, node in sorted(ids.items(), reverse=True) if node in lists]


def _go_on(connection: sqlite3.Connection, read: Signs, embedder: int, conversation: int) -> None:
    """Reads what was added since the last read; if it is very much, the newest."""
    which, values = "embedder = ? AND made > ?", [embedder, read.last]
    if conversation:
        which, values = f"conversation = ? AND {which}", [conversation, *values]
    rows = connection.execute(
        f"SELECT made, passage, signs FROM vectors WHERE {which} ORDER BY made DESC LIMIT ?",  # noqa: S608
        (*values, MOST),
    ).fetchall()
    if not rows:
        return
    read.last = rows[0][0]
    read.passages = [*read.passages, *(row[1] for row in reversed(rows))][-MOST:]
    read.signs = [*read.signs, *(int.from_bytes(row[2], "big") for row in reversed(rows))][-MOST:]


def _chosen(read: Signs, meaning: Meaning, first: int, end: int) -> Near:
    """Returns the nearest by how many signs differ: that share of half a turn is about the vectors' angle."""
    sought, size = _signs(meaning.vector), len(meaning.vector)
    apart = [(signs ^ sought).bit_count() for signs in read.signs]
    times = Counter(apart)
    total, upto, enough = len(apart), 0, 0
    for upto in sorted(times):
        enough += times[upto]
        if enough >= 2 * CHOSEN:  # some are outside of `first` and `end`
            break
    if not total:
        return Near((), 0.0, 0.0)
    likeness = {differ: cos(pi * differ / size) for differ in times}
    usual = sum(likeness[differ] * number for differ, number in times.items()) / total
    spread = sqrt(sum((likeness[differ] - usual) ** 2 * number for differ, number in times.items()) / total)
    near = [(differ, passage) for differ, passage in zip(apart, read.passages, strict=True) if differ <= upto]
    chosen = [passage for _, passage in sorted(near) if first <= passage < end][:CHOSEN]
    return Near(chosen, usual, spread, total)
