"""Finds the passages that recall chooses from: those with the question's rarest terms, and their neighbors; in a
second round those with rare words of what the first one found. The ranking is in chatcli/context.

For each term only its newest postings are read (postings.py). A more common term says little: it only adds weight
to what the other terms find.
"""

from __future__ import annotations

import json
import sqlite3
from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from heapq import nlargest
from operator import attrgetter, itemgetter
from typing import NamedTuple

from chatcli.conversation.retrieval import Asked, Candidate, Meaning, Retrieved, rarity
from chatcli.dataclass import dataclass
from chatcli.store import nodes
from chatcli.store.codec import pack_time, unpack_role, unpack_state, unpack_time, unpack_tool_uses
from chatcli.store.passages import SHIFT
from chatcli.store.postings import MOST, RARE, Known, Postings, all_postings, rare_postings
from chatcli.store.search import Scope
from chatcli.store.vectors import Near, Vectors, compared, texts

MOST_IN_SPAN = 2000  # messages of one span


def said_in(connection: sqlite3.Connection, path: Scope, span: tuple[datetime, datetime]) -> list[int]:
    """Returns the nodes of the path created in `span`, up to MOST_IN_SPAN: times only grow along a path."""
    branches = path.path or {}
    found: list[int] = []
    for branch, upto in branches.items():
        least = _first_since(connection, branch, upto, pack_time(span[0]))
        end = _first_since(connection, branch, upto, pack_time(span[1]))
        query = "SELECT id FROM nodes WHERE branch = ? AND number >= ? AND number < ? ORDER BY number LIMIT ?"
        found += [row[0] for row in connection.execute(query, (branch, least, end, MOST_IN_SPAN))]
    return found


def _first_since(connection: sqlite3.Connection, branch: int, upto: int, moment: int) -> int:
    """Returns the number of the branch's first message at or after `moment`; `upto` + 1 when there is none."""
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


BESIDE = 2  # messages, and passages, on either side of a find


class Standing(NamedTuple):
    """A message among the candidates, as its row has it, and its place: branch, number and conversation. `uses`:
    of the message of a tool, its call. (A search makes a thousand of these: a named tuple is made sooner.)
    """

    node: int
    branch: int
    number: int
    role: str
    created: int
    conversation: int
    demo: int
    uses: str | None


def beside(connection: sqlite3.Connection, messages: Mapping[int, Standing], path: Scope) -> dict[int, Standing]:
    """Returns the messages up to BESIDE places before and after `messages`, on the path or on their own branch."""
    places: dict[int, set[int]] = {}
    own: set[int] = set()  # numbers on the path
    for message in messages.values():
        is_own = path.path is not None and message.conversation == path.conversation
        around = own if is_own else places.setdefault(message.branch, set())
        around.update(range(message.number - BESIDE, message.number + BESIDE + 1))
    places |= _by_branch(path, sorted(own))
    for message in messages.values():
        places.get(message.branch, set()).discard(message.number)
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


def with_neighbours(
    connection: sqlite3.Connection,
    messages: Mapping[int, Standing],
    everything: Mapping[int, Standing],
    found: set[int],
    said: set[int],
) -> list[int]:
    """Returns the passages to show: the `found` ones of `messages`, up to BESIDE passages before and after each,
    and every passage of the messages in `said` (created at the time that the question names).
    """
    nodes = sorted(everything.values(), key=attrgetter("conversation", "number"))
    ids = _passage_ids(connection, list(everything))
    line = [passage for message in nodes for passage in ids.get(message.node, ())]
    shown: set[int] = set()
    for place, passage in enumerate(line):
        if passage in found and passage >> SHIFT in messages:
            shown.update(line[max(0, place - BESIDE) : place + BESIDE + 1])
        elif passage >> SHIFT in said:
            shown.add(passage)
    return [passage for passage in line if passage in shown]


def standings(connection: sqlite3.Connection, ids: Sequence[int]) -> list[Standing]:
    return _read(connection, "nodes.id IN (SELECT value FROM json_each(?))", json.dumps(ids))


def is_on(path: Scope, message: Standing) -> bool:
    return path.path is not None and message.number <= path.path.get(message.branch, 0)


def is_elsewhere(path: Scope, message: Standing) -> bool:
    return message.conversation != path.conversation


def _read(connection: sqlite3.Connection, condition: str, *values: int | str) -> list[Standing]:
    rows = connection.execute(
        f"""SELECT nodes.id, branch, number, role, nodes.created, conversation, demo,
                   CASE role WHEN 'tool' THEN tool_uses END FROM nodes
            JOIN branches ON branches.id = branch JOIN conversations ON conversations.id = conversation
            WHERE {condition} AND trashed IS NULL AND latest > 0""",  # noqa: S608 - conditions of this module only
        values,
    )
    return list(map(Standing._make, rows))


def _by_branch(path: Scope, numbers: Sequence[int]) -> dict[int, set[int]]:
    """Returns by branch those of the numbers, which are sorted, that are on the path: of the branches that reach a
    number, the path takes the one that ends first.
    """
    places: dict[int, set[int]] = {}
    start = 0
    for upto, branch in sorted((upto, branch) for branch, upto in (path.path or {}).items()):
        stop = bisect_right(numbers, upto, start)
        if stop > start:
            places[branch] = set(numbers[start:stop])
        start = stop
    return places


def _passage_ids(connection: sqlite3.Connection, nodes: Sequence[int]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    query = """SELECT passages.id FROM json_each(?) AS node
               JOIN passages ON passages.id >= node.value << 10 AND passages.id < (node.value + 1) << 10
               ORDER BY passages.id"""
    for (passage,) in connection.execute(query, (json.dumps(nodes),)):
        found.setdefault(passage >> SHIFT, []).append(passage)
    return found


IN_ALL = 8_000  # postings that are scored together, the rarest terms first
SPARE = 8  # passages per wanted message: some are on other branches, some share a message
FEW = 10  # the best messages, by which is told whether these are enough
TRIED = 80  # words that are looked up for the second round
CLUES = 50  # the words that are: the rarer, and the more good passages have them, the better

_PLACE = (1 << SHIFT) - 1
NO_TERMS = frozenset[str]()


@dataclass(frozen=True, slots=True)
class Wish:
    """The arguments of Store.candidates, and what searches before have found out."""

    terms: Sequence[str]
    conversation: int
    upto: int | None
    spans: Sequence[tuple[datetime, datetime]]
    limit: int
    all_chats: bool
    meaning: Meaning | None
    asked: Asked | None
    known: Known

    @property
    def alone(self) -> int:
        """How many messages are chosen by their meaning alone, and by the clues of the second round alone."""
        return self.limit * 6 // 10


def candidates(connection: sqlite3.Connection, vectors: Vectors, wish: Wish) -> Retrieved:
    path = _path(connection, wish.conversation, wish.upto)
    scope = Scope(0, 1 << 62, None, None) if wish.all_chats else path
    read = partial(
        all_postings, connection, wish.terms, scope, _asked_at(connection, wish.conversation), wish.known
    )
    passages = _passages(connection) if wish.all_chats else max(1, (path.end - path.first) >> SHIFT)
    said = [node for span in wish.spans for node in said_in(connection, path, span)]
    near, likeness = _nearest(connection, vectors, path, wish)
    if wish.asked is not None and not likeness and not wish.asked.may_fire(Retrieved(passages=passages), ()):
        # A common term weighs little. Mostly no passage has enough of the others, even if it has all of these.
        common = frozenset(term for term in wish.terms if wish.known.have(term, scope, MOST))
        for spared in (common, NO_TERMS) if common else (NO_TERMS,):
            if nothing := _nothing(wish, wish.asked, read(spared), spared, set(said), passages):
                return nothing
    postings = read()
    occurrences = {term: len(held) for term, held in postings.items()}
    combined = _combined(postings, set(said))
    best = _best(combined, postings, set(said), passages, most=SPARE * wish.limit)
    nearest = nlargest(SPARE * wish.alone, likeness.items(), key=itemgetter(1, 0))
    found = {passage for passage, _ in (*best, *nearest)}

    def retrieved(limit: int) -> Retrieved:
        messages = _wanted(connection, best, path, wish, limit)
        messages |= _wanted(connection, nearest, path, wish, min(limit, wish.alone))
        messages |= {each.node: each for each in standings(connection, said[:limit])}
        shown = _candidates(connection, messages, path, wish, found, postings, set(said[:limit]))
        return Retrieved(
            tuple(shown.values()),
            occurrences,
            passages,
            wish.conversation,
            _nearness(connection, near, likeness, wish, shown.keys()),
            compared=near.compared,
        )

    if wish.asked is not None and wish.asked.few_may_do and wish.asked.enough(few := retrieved(FEW)):
        return few
    results = retrieved(wish.limit)
    words = wish.asked.clues(results) if wish.asked is not None else {}
    if not words:
        return results
    return _second_round(connection, path, wish, scope, results, words, postings, near)


def _nothing(
    wish: Wish, asked: Asked, postings: Postings, spared: frozenset[str], said: set[int], passages: int
) -> Retrieved | None:
    """Returns what was found where nothing may be quoted, even if every passage has the terms in `spared`, of
    which only the number of postings is known; else None.
    """
    occurrences = {term: len(held) for term, held in postings.items()} | dict.fromkeys(spared, MOST)
    nothing = Retrieved((), occurrences, passages, wish.conversation)
    sets = [held | spared for held in _combined(postings, said).sets()]
    return None if asked.may_fire(nothing, sets) else nothing


def _second_round(
    connection: sqlite3.Connection,
    path: Scope,
    wish: Wish,
    scope: Scope,
    first: Retrieved,
    words: Mapping[str, int],
    postings: Postings,
    near: Near,
) -> Retrieved:
    """Returns what the first round found, marked with the clues among `words` that it has, and what only they
    find.
    """
    held = rare_postings(connection, list(words)[:TRIED], scope, wish.known)
    most = min(RARE, 1 + first.passages // 10)
    clues = nlargest(
        CLUES,
        (word for word, found in held.items() if 1 < len(found) < most),
        key=lambda word: words[word] * rarity(len(held[word]), first.passages),
    )
    further = {word: held[word] for word in clues}
    best = _best(_combined(further, set()), further, set(), first.passages, most=SPARE * wish.alone)
    messages = _wanted(connection, best, path, wish, wish.alone)
    everything = postings | further
    shown = _candidates(connection, messages, path, wish, {passage for passage, _ in best}, everything, set())
    known = {(each.node << SHIFT) + each.passage: each for each in first.candidates}
    for passage, terms in _marks(further, known).items():
        known[passage] = known[passage]._replace(terms=known[passage].terms | terms)
    new = {passage: each for passage, each in shown.items() if passage not in known}
    return replace(
        first,
        candidates=(*known.values(), *new.values()),
        occurrences=dict(first.occurrences) | {word: len(found) for word, found in further.items()},
        near=dict(first.near) | _nearness(connection, near, {}, wish, new.keys()),
        clues=frozenset(clues),
    )


def _candidates(
    connection: sqlite3.Connection,
    messages: Mapping[int, Standing],
    path: Scope,
    wish: Wish,
    found: set[int],
    postings: Postings,
    said: set[int],
) -> dict[int, Candidate]:
    """Returns by passage those of `messages` that were found, their neighbors, and those of `said`."""
    everything = {**messages, **beside(connection, messages, path)}
    if wish.all_chats:
        everything = _without_forgotten(connection, everything, path)
    shown = with_neighbours(connection, messages, everything, found, said)
    said_there, marks = texts(connection, shown), _marks(postings, shown)
    return {
        passage: _candidate(everything[passage >> SHIFT], passage, text, frozenset(marks.get(passage, NO_TERMS)))
        for passage in shown
        if (text := said_there.get(passage)) is not None
    }


def _marks(postings: Postings, passages: Collection[int]) -> dict[int, set[str]]:
    """Returns the terms of each of `passages` that has any."""
    marks: dict[int, set[str]] = {}
    wanted = set(passages)
    for term, found in postings.items():
        for passage in wanted & found:
            marks.setdefault(passage, set()).add(term)
    return marks


def _nearest(
    connection: sqlite3.Connection, vectors: Vectors, path: Scope, wish: Wish
) -> tuple[Near, dict[int, float]]:
    """Returns the nearest passages with their statistics, and the likeness of each of them."""
    if wish.meaning is None:
        return Near((), 0.0, 0.0), {}
    near = vectors.nearest(connection, wish.meaning, wish.conversation, path.first, path.end)
    chosen = set(near.passages)
    if wish.all_chats:
        everywhere = vectors.nearest(connection, wish.meaning, 0, 0, 1 << 62)
        chosen.update(everywhere.passages)
        near = near if near.passages else everywhere
    return near, compared(connection, wish.meaning, chosen)


def _nearness(
    connection: sqlite3.Connection, near: Near, likeness: Mapping[int, float], wish: Wish, shown: Collection[int]
) -> dict[tuple[int, int], float]:
    """Returns how near the passages are to the meaning, in standard deviations above the mean."""
    if wish.meaning is None or not near.spread:
        return {}
    others = compared(connection, wish.meaning, [passage for passage in shown if passage not in likeness])
    return {
        (passage >> SHIFT, passage & _PLACE): (value - near.usual) / near.spread
        for passage, value in {**likeness, **others}.items()
    }


def _path(connection: sqlite3.Connection, conversation: int, upto: int | None) -> Scope:
    if upto is None:
        return Scope(0, 0, conversation, {})
    branches = nodes.way(connection, conversation, upto)
    (first,) = connection.execute(
        "SELECT coalesce(min(id), 0) FROM nodes WHERE number = 1 AND branch IN (SELECT value FROM json_each(?))",
        (json.dumps(list(branches)),),
    ).fetchone()
    return Scope(first << SHIFT, (upto + 1) << SHIFT, conversation, branches)


def _asked_at(connection: sqlite3.Connection, conversation: int) -> int:
    """Returns the first passage of the conversation's tip: the question, or the last message before it."""
    row = connection.execute("SELECT tip FROM conversations WHERE id = ?", (conversation,)).fetchone()
    return int(row[0] or 0) << SHIFT if row else 0


def _passages(connection: sqlite3.Connection) -> int:
    (most,) = connection.execute("SELECT coalesce(max(id), 1) FROM nodes").fetchone()
    return int(most)


class _Combined(NamedTuple):
    """The passages, each with the set of terms that it has, as a number: bit n stands for the nth of `terms`,
    which come rarest first. The bit after these: the passage was said at the time that the question names.
    `common`: the terms that find nothing by themselves, as they are so common.
    """

    passages: Mapping[int, int]
    terms: Sequence[str]
    common: int

    def sets(self) -> list[frozenset[str]]:
        """The sets of terms that passages have, and that of the common ones."""
        return [
            frozenset(term for place, term in enumerate(self.terms) if held >> place & 1)
            for held in {*self.passages.values(), self.common}
        ]


def _combined(postings: Postings, said: set[int]) -> _Combined:
    terms = sorted((term for term in postings if postings[term]), key=lambda term: len(postings[term]))
    sets: dict[int, int] = {}
    total = common = 0
    for place, term in enumerate(terms):
        found, bit = postings[term], 1 << place
        total += len(found)
        if total > IN_ALL and sets:
            common |= bit
        for passage in sets.keys() & found if common else found:
            sets[passage] = sets.get(passage, 0) | bit
    for passage in sets if said else ():
        if passage >> SHIFT in said:
            sets[passage] |= 1 << len(terms)
    return _Combined(sets, terms, common)


def _best(
    combined: _Combined, postings: Postings, said: set[int], passages: int, most: int
) -> list[tuple[int, float]]:
    """Returns the `most` best as (passage, weight), heaviest first, of equals the newest first. Each term weighs
    by how rare it is, and so does membership in `said`.
    """
    weights = [rarity(len(found), passages) for found in (*map(postings.__getitem__, combined.terms), said)]
    times = Counter(combined.passages.values())
    weigh = {held: sum(weight for place, weight in enumerate(weights) if held >> place & 1) for held in times}
    least, left = 0.0, most
    for held in sorted(times, key=weigh.__getitem__, reverse=True):
        if left <= 0:
            break
        least, left = weigh[held], left - times[held]
    alike: dict[float, list[int]] = {
        weight: [] for weight in sorted(weigh.values(), reverse=True) if weight >= least
    }
    among = {held: alike[weight] for held, weight in weigh.items() if weight >= least}
    for passage, held in combined.passages.items():
        if held in among:
            among[held].append(passage)
    best = [(passage, weight) for weight in alike for passage in sorted(alike[weight], reverse=True)]
    return best[:most]


def _wanted(
    connection: sqlite3.Connection, best: Iterable[tuple[int, float]], path: Scope, wish: Wish, limit: int
) -> dict[int, Standing]:
    """Returns the messages of the best passages, up to `limit`, that are on the path or in other conversations of
    the same kind: replies of the demo engine are not quoted to a model, nor a model's to the demo engine.
    """
    ids = list(dict.fromkeys(passage >> SHIFT for passage, _ in best))
    demo = wish.all_chats and _is_demo(connection, wish.conversation)
    found: dict[int, Standing] = {}
    for start in range(0, len(ids), limit):
        portion = ids[start : start + limit]
        known = {message.node: message for message in standings(connection, portion)}
        for node in portion:
            message = known.get(node)
            if message is not None and (
                is_on(path, message) or (wish.all_chats and is_elsewhere(path, message) and message.demo == demo)
            ):
                found[node] = message
            if len(found) == limit:
                return found
    return found


def _is_demo(connection: sqlite3.Connection, conversation: int) -> bool:
    row = connection.execute("SELECT demo FROM conversations WHERE id = ?", (conversation,)).fetchone()
    return bool(row and row[0])


def _without_forgotten(
    connection: sqlite3.Connection, messages: Mapping[int, Standing], path: Scope
) -> dict[int, Standing]:
    """Drops what another conversation was told to forget. The caller handles this conversation."""
    others = sorted({each.conversation for each in messages.values() if is_elsewhere(path, each)})
    states = connection.execute(
        "SELECT state FROM conversations WHERE id IN (SELECT value FROM json_each(?))", (json.dumps(others),)
    )
    forgotten = {node for (state,) in states for node in unpack_state(state).forgotten}
    return {node: each for node, each in messages.items() if node not in forgotten}


def _candidate(message: Standing, passage: int, text: str, terms: frozenset[str]) -> Candidate:
    node, _, number, role, created, conversation, _, uses = message
    tool = next((use.name for use in unpack_tool_uses(uses)), "") if uses else ""
    place, when = passage & _PLACE, unpack_time(created)
    return Candidate(node, number, place, unpack_role(role), when, text, terms, conversation, tool)
