"""Full-text search (FTS5) over all conversations or one path; passages.py says what is indexed.

The more common a word is, the more it costs and the less it says: only the rarest terms that together occur in at
most COMMON passages take part in the ranking. If even the rarest is more common, the newest hits are returned.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence

from chatcli.conversation.message import Role
from chatcli.conversation.retrieval import Hit
from chatcli.dataclass import dataclass
from chatcli.errors import Damaged
from chatcli.pattern import pattern
from chatcli.store.codec import unpack, unpack_time
from chatcli.store.failures import SAVE_THE_REST, nonsense_is_damage
from chatcli.store.nodes import TOOLS, tools_in
from chatcli.store.passages import OFF, ON, SHIFT, spaced, unspaced

COMMON = 10_000

_QUOTED_OR_WORD = pattern(r'"([^"]+)"|([\w*]+)')


def terms_of(text: str) -> list[str]:
    """Splits what a person typed into terms: words, "phrases in quotes", and prefixes that end with *."""
    return [phrase or word for phrase, word in _QUOTED_OR_WORD.findall(text)]


def search(
    connection: sqlite3.Connection,
    terms: Sequence[str],
    *,
    conversation: int | None,
    before: int | None,
    limit: int,
    per_message: bool,
) -> list[Hit]:
    """See Store.search."""
    words, ranked = _query(connection, terms)
    if not words:
        return []
    scope = scope_of(connection, conversation, before)
    found: dict[int, float] = {}
    met: set[int] = set()
    for passage, score in _matches(connection, words, ranked, scope):
        node = passage >> SHIFT
        if (per_message and node in met) or not is_wanted(connection, node, scope):
            continue
        met.add(node)
        found[passage] = score
        if len(found) == limit:
            break
    return _hits(connection, words, found)


def _query(connection: sqlite3.Connection, terms: Sequence[str]) -> tuple[str, bool]:
    """Returns the words to match ("" when none occurs), and whether they are rare enough for a ranking."""
    counted = []
    for words in dict.fromkeys(filter(None, map(quoted, terms))):
        count = "SELECT count(*) FROM (SELECT 1 FROM search WHERE search MATCH ? LIMIT ?)"
        (occurrences,) = connection.execute(count, (words, COMMON + 1)).fetchone()
        if occurrences:
            counted.append((occurrences, words))
    counted.sort()
    rare, total = [], 0
    for occurrences, words in counted:
        total += occurrences
        if total <= COMMON:
            rare.append(words)
    return " OR ".join(rare or [words for _, words in counted]), bool(rare)


def quoted(term: str) -> str:
    """Returns the term quoted for FTS5, no character in it special; "" when there is no word in it."""
    text = spaced("".join(each if each.isalnum() or each == "\u200b" else " " for each in term))
    if not any(map(str.isalnum, text)):
        return ""
    return f'"{text.strip()}"' + (" *" if term.endswith("*") else "")


@dataclass(frozen=True, slots=True)
class Scope:
    """Where to search: passages from `first` up to `end`; of a path, its branches, each up to a message number."""

    first: int
    end: int
    conversation: int | None
    path: dict[int, int] | None


def scope_of(connection: sqlite3.Connection, conversation: int | None, before: int | None) -> Scope:
    if conversation is None:
        return Scope(0, 1 << 62, None, None)
    (first,) = connection.execute(
        """SELECT min(nodes.id) FROM branches JOIN nodes ON branch = branches.id AND number = 1
           WHERE conversation = ? AND origin IS NULL""",
        (conversation,),
    ).fetchone()
    if before is None:
        return Scope((first or 0) << SHIFT, 1 << 62, conversation, None)
    path = connection.execute(
        """WITH RECURSIVE way (branch, upto) AS (
               SELECT branch, number - 1 FROM nodes WHERE id = ?
             UNION ALL
               SELECT origin, fork FROM way JOIN branches ON id = way.branch WHERE origin IS NOT NULL
           )
           SELECT branch, upto FROM way""",
        (before,),
    )
    return Scope((first or 0) << SHIFT, before << SHIFT, conversation, dict(path.fetchall()))


def _matches(
    connection: sqlite3.Connection, words: str, ranked: bool, scope: Scope
) -> Iterator[tuple[int, float]]:
    """Returns (passage, score), best first; newest first without a ranking."""
    values = (words, scope.first, scope.end)
    among = "FROM search WHERE search MATCH ? AND rowid >= ? AND rowid < ?"
    if ranked:
        return connection.execute(f"SELECT rowid, -rank {among} ORDER BY rank", values)
    return connection.execute(f"SELECT rowid, 0.0 {among} ORDER BY rowid DESC", values)


def is_wanted(connection: sqlite3.Connection, node: int, scope: Scope) -> bool:
    row = connection.execute(
        """SELECT branch, number, conversation, trashed IS NOT NULL OR latest = 0
           FROM nodes JOIN branches ON branches.id = branch JOIN conversations ON conversations.id = conversation
           WHERE nodes.id = ?""",
        (node,),
    ).fetchone()
    if row is None:
        raise Damaged(f"The store is damaged: message {node} is in the index only.", SAVE_THE_REST)
    branch, number, conversation, trashed = row
    if scope.path is not None:
        return bool(number <= scope.path.get(branch, 0))
    return bool(conversation == scope.conversation) if scope.conversation is not None else not trashed


@nonsense_is_damage()
def _hits(connection: sqlite3.Connection, words: str, found: Mapping[int, float]) -> list[Hit]:
    rows = connection.execute(
        f"""SELECT search.rowid, highlight(search, 0, ?, ?), conversation, title, nodes.id, number, role,
               nodes.created, {TOOLS}
           FROM search JOIN nodes ON nodes.id = search.rowid >> ?
               JOIN branches ON branches.id = branch JOIN conversations ON conversations.id = conversation
           WHERE search MATCH ? AND search.rowid IN (SELECT value FROM json_each(?))""",  # noqa: S608
        (ON, OFF, SHIFT, words, json.dumps(list(found))),
    )
    hits = {}
    for passage, marked, conversation, title, node, number, role, created, tools in rows:
        text, marks = _read_marks(unspaced(marked))
        when = unpack_time(created)
        tool = next(iter(tools_in(tools)), "") if role == Role.TOOL else ""
        hits[passage] = Hit(
            conversation, unpack(title), node, number, Role(role), when, text, marks, found[passage], tool
        )
    return [hits[passage] for passage in found]


def _read_marks(marked: str) -> tuple[str, tuple[tuple[int, int], ...]]:
    """Returns the passage, and the spans in it that FTS5 has put between ON and OFF."""
    text, marks = "", []
    for place, part in enumerate(re.split(f"[{ON}{OFF}]", marked)):
        if place % 2:
            marks.append((len(text), len(text) + len(part)))
        text += part
    return text, tuple(marks)
