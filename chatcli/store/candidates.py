"""What the recall chooses from: the passages that hold the rarest of the question's terms, and what stands beside
them. How they are ranked is the recall's business (chatcli/context).

Each term's postings are read from FTS5 as they are, the newest MOST of them; terms that are more common than that
say little and only mark what the others have found.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from heapq import nlargest
from math import log

from chatcli.conversation.candidate import Candidate, Found
from chatcli.conversation.message import Role
from chatcli.store import nodes
from chatcli.store.passages import SHIFT
from chatcli.store.rows import pack_time, unpack, unpack_time
from chatcli.store.search import Scope, quoted

MOST = 2000  # postings that are read of one term
PLENTY = 300  # a word that occurs so often needs no akin ones
IN_ALL = 8_000  # postings that are weighed together, the rarest terms' first
SPARE = 8  # finds are looked at for each message wanted: some are on other branches, some have several
BESIDE = 2  # messages on either side of a find

_PLACE = (1 << SHIFT) - 1


@dataclass(frozen=True, slots=True)
class _Message:
    """A message among the candidates: where it stands."""

    node: int
    branch: int
    number: int
    role: Role
    created: int
    conversation: int


@dataclass(frozen=True, slots=True)
class Wish:
    """See Store.candidates."""

    terms: Sequence[str]
    conversation: int
    upto: int
    spans: Sequence[tuple[datetime, datetime]]
    limit: int
    all_chats: bool


def candidates(connection: sqlite3.Connection, wish: Wish) -> Found:
    path = _path(connection, wish.conversation, wish.upto)
    scope = Scope(0, 1 << 62, None, None) if wish.all_chats else path
    postings = _all_postings(connection, wish.terms, scope)
    passages = _passages(connection) if wish.all_chats else max(1, wish.upto + 1 - (path.first >> SHIFT))
    said = [node for span in wish.spans for node in _said_in(connection, path, span)]
    best = _best(postings, set(said), passages, most=SPARE * wish.limit)
    messages = _wanted(connection, best, path, wish)
    messages |= {each.node: each for each in _messages(connection, said[: wish.limit])}
    beside = _beside(connection, messages, path)
    found = {passage for passage, _ in best}
    shown = _with_neighbours(connection, messages, beside, found, set(said[: wish.limit]))
    marks = {term: set(held) for term, held in postings.items()}
    texts = _texts(connection, shown)
    everything = messages | beside
    return Found(
        tuple(
            _candidate(everything[passage >> SHIFT], passage, texts[passage], marks)
            for passage in shown
            if passage in texts
        ),
        {term: len(held) for term, held in postings.items()},
        passages,
        wish.conversation,
    )


def _said_in(connection: sqlite3.Connection, path: Scope, span: tuple[datetime, datetime]) -> list[int]:
    """The nodes of the path that were made in that time, up to MOST of them: times grow along a path."""
    branches = path.path or {}
    found: list[int] = []
    for branch, upto in branches.items():
        least = _first_since(connection, branch, upto, pack_time(span[0]))
        end = _first_since(connection, branch, upto, pack_time(span[1]))
        query = "SELECT id FROM nodes WHERE branch = ? AND number >= ? AND number < ? ORDER BY number LIMIT ?"
        found += [row[0] for row in connection.execute(query, (branch, least, end, MOST))]
    return found


def _first_since(connection: sqlite3.Connection, branch: int, upto: int, moment: int) -> int:
    """The number of the branch's first message at or after that time; `upto` + 1 when there is none."""
    low, high = _begins(connection, branch), upto + 1
    while low < high:
        middle = (low + high) // 2
        place = "SELECT created FROM nodes WHERE branch = ? AND number = ?"
        (created,) = connection.execute(place, (branch, middle)).fetchone()
        low, high = (low, middle) if created >= moment else (middle + 1, high)
    return low


def _begins(connection: sqlite3.Connection, branch: int) -> int:
    (number,) = connection.execute("SELECT min(number) FROM nodes WHERE branch = ?", (branch,)).fetchone()
    return int(number or 1)


def _path(connection: sqlite3.Connection, conversation: int, upto: int) -> Scope:
    branches = nodes.way(connection, conversation, upto)
    (first,) = connection.execute(
        "SELECT coalesce(min(id), 0) FROM nodes WHERE number = 1 AND branch IN (SELECT value FROM json_each(?))",
        (json.dumps(list(branches)),),
    ).fetchone()
    return Scope(first << SHIFT, (upto + 1) << SHIFT, conversation, branches)


def _all_postings(connection: sqlite3.Connection, terms: Iterable[str], scope: Scope) -> dict[str, list[int]]:
    """By term. The beginning of a word that is found often enough itself is not looked for: it costs most."""
    found: dict[str, list[int]] = {}
    for term in dict.fromkeys(terms):
        word = term.rstrip("*")
        plenty = word != term and any(
            each.startswith(word) and len(passages) >= PLENTY for each, passages in found.items()
        )
        found[term] = [] if plenty else _postings(connection, term, scope)
    return found


def _postings(connection: sqlite3.Connection, term: str, scope: Scope) -> list[int]:
    words = quoted(term)
    if not words:
        return []
    query = (
        "SELECT rowid FROM search WHERE search MATCH ? AND rowid >= ? AND rowid < ? ORDER BY rowid DESC LIMIT ?"
    )
    return [row[0] for row in connection.execute(query, (words, scope.first, scope.end, MOST))]


def _passages(connection: sqlite3.Connection) -> int:
    (most,) = connection.execute("SELECT coalesce(max(id), 1) FROM nodes").fetchone()
    return int(most)


def _best(postings: Mapping[str, list[int]], said: set[int], passages: int, most: int) -> list[tuple[int, float]]:
    """The `most` best as (passage, weight), the heaviest first: each term weighs by how rare it is, and so
    does having been `said` at the time in question.
    """
    weights: dict[int, float] = {}
    total = 0
    for found in sorted(filter(None, postings.values()), key=len):
        weight = log(1 + passages / len(found))
        total += len(found)
        if total <= IN_ALL or not weights:
            for passage in found:
                weights[passage] = weights.get(passage, 0.0) + weight
        else:
            for passage in weights.keys() & set(found):
                weights[passage] += weight
    if said:
        weight = log(1 + passages / len(said))
        for passage in weights:
            weights[passage] += weight if passage >> SHIFT in said else 0.0
    return nlargest(most, weights.items(), key=lambda item: (item[1], item[0]))


def _wanted(
    connection: sqlite3.Connection, best: Iterable[tuple[int, float]], path: Scope, wish: Wish
) -> dict[int, _Message]:
    """The messages of the best passages, up to the limit, that are on the path or in other conversations."""
    ids = list(dict.fromkeys(passage >> SHIFT for passage, _ in best))
    found: dict[int, _Message] = {}
    for start in range(0, len(ids), 2 * wish.limit):
        portion = ids[start : start + 2 * wish.limit]
        known = {message.node: message for message in _messages(connection, portion)}
        for node in portion:
            message = known.get(node)
            if message is not None and (
                _is_on(path, message) or (wish.all_chats and _is_elsewhere(path, message))
            ):
                found[node] = message
            if len(found) == wish.limit:
                return found
    return found


def _messages(connection: sqlite3.Connection, ids: Sequence[int]) -> list[_Message]:
    return _read(connection, "nodes.id IN (SELECT value FROM json_each(?))", json.dumps(ids))


def _beside(connection: sqlite3.Connection, messages: Mapping[int, _Message], path: Scope) -> dict[int, _Message]:
    """The messages that stand up to BESIDE places from those, on the path or on the branch they are on."""
    known = {(each.branch, each.number) for each in messages.values()}
    places: dict[int, set[int]] = {}
    for message in messages.values():
        for number in range(message.number - BESIDE, message.number + BESIDE + 1):
            branch = message.branch
            if path.path is not None and message.conversation == path.conversation:
                branch = _branch(path.path, number)
            if (branch, number) not in known:
                places.setdefault(branch, set()).add(number)
    return {
        each.node: each
        for branch, numbers in places.items()
        for each in _read(
            connection,
            "branch = ? AND number IN (SELECT value FROM json_each(?))",
            branch,
            json.dumps(sorted(numbers)),
        )
    }


def _read(connection: sqlite3.Connection, condition: str, *values: int | str) -> list[_Message]:
    rows = connection.execute(
        f"""SELECT nodes.id, branch, number, role, nodes.created, conversation FROM nodes
            JOIN branches ON branches.id = branch JOIN conversations ON conversations.id = conversation
            WHERE {condition} AND trashed IS NULL""",  # noqa: S608 - conditions of this module only
        values,
    )
    return [
        _Message(node, branch, number, Role(role), created, chat)
        for node, branch, number, role, created, chat in rows
    ]


def _is_on(path: Scope, message: _Message) -> bool:
    return path.path is not None and message.number <= path.path.get(message.branch, 0)


def _is_elsewhere(path: Scope, message: _Message) -> bool:
    return message.conversation != path.conversation


def _branch(path: Mapping[int, int], number: int) -> int:
    """The branch that the path takes at that number: of those that reach it, the one that is left first."""
    reaching = [(upto, branch) for branch, upto in path.items() if upto >= number]
    return min(reaching)[1] if reaching else 0


def _with_neighbours(
    connection: sqlite3.Connection,
    messages: Mapping[int, _Message],
    beside: Mapping[int, _Message],
    found: set[int],
    said: set[int],
) -> list[int]:
    """The passages to show: the found ones of `messages`, and those up to BESIDE passages before and after; and
    all of what was `said` at the time in question.
    """
    everything = {**messages, **beside}
    nodes = sorted(everything.values(), key=lambda each: (each.conversation, each.number))
    ids = _passage_ids(connection, list(everything))
    line = [passage for message in nodes for passage in ids.get(message.node, ())]
    shown: set[int] = set()
    for place, passage in enumerate(line):
        if passage in found and passage >> SHIFT in messages:
            shown.update(line[max(0, place - BESIDE) : place + BESIDE + 1])
        elif passage >> SHIFT in said:
            shown.add(passage)
    return [passage for passage in line if passage in shown]


def _passage_ids(connection: sqlite3.Connection, nodes: Sequence[int]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    query = """SELECT passages.id FROM json_each(?) AS node
               JOIN passages ON passages.id >= node.value << 10 AND passages.id < (node.value + 1) << 10
               ORDER BY passages.id"""
    for (passage,) in connection.execute(query, (json.dumps(nodes),)):
        found.setdefault(passage >> SHIFT, []).append(passage)
    return found


def _texts(connection: sqlite3.Connection, passages: Sequence[int]) -> dict[int, str]:
    query = """SELECT passages.id, substr(CAST(text AS BLOB), start, length)
               FROM passages JOIN nodes ON nodes.id = passages.id >> 10
               WHERE passages.id IN (SELECT value FROM json_each(?))"""
    rows = connection.execute(query, (json.dumps(passages),))
    return {passage: unpack(bytes(text)) for passage, text in rows}


def _candidate(message: _Message, passage: int, text: str, marks: Mapping[str, set[int]]) -> Candidate:
    terms = frozenset(term for term, found in marks.items() if passage in found)
    created = unpack_time(message.created)
    return Candidate(
        message.node, message.number, passage & _PLACE, message.role, created, text, terms, message.conversation
    )
