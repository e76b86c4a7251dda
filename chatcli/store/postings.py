"""Reads which passages have a term: its newest postings in the full-text index. What one question has had read is
kept, since a question is searched for several times.
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_right
from collections.abc import Collection, Iterable
from dataclasses import field, replace
from operator import neg

from chatcli.dataclass import dataclass
from chatcli.store.search import Scope, quoted

MOST = 2000  # postings that are read of one term
PLENTY = 300  # a word that occurs this often needs no search for words that begin with it
RARE = 100  # a word that occurs this often, or in a tenth of the passages, is no clue

Postings = dict[str, set[int]]  # for each term the passages that have it


@dataclass(slots=True)
class Known:
    """What searches before have found out.

    `common`: terms with RARE or MOST postings, each with the first passage of the scope and that number, and the
    end before which they are. Most words of a second round are among them, and looking these up is most of its
    cost. What is deleted since then may make a word rare again: until chatcli starts anew it counts as common.

    `newest`: the postings that were read last, by term, the newest first. They hold for one scope, and until
    anybody writes to the store: `scope`, `written`.
    """

    common: dict[tuple[int, str, int], int] = field(default_factory=dict)
    newest: dict[str, list[int]] = field(default_factory=dict)
    scope: tuple[int, int] = (0, 0)
    written: tuple[int, int] = (0, 0)

    def have(self, term: str, scope: Scope, number: int) -> bool:
        """Whether the term is known to have so many postings in that scope."""
        return scope.end >= self.common.get((scope.first, term, number), scope.end + 1)

    def hold_for(self, connection: sqlite3.Connection, scope: Scope) -> None:
        """Forgets the postings that were read if they do not hold for `scope`, or no longer."""
        (others,) = connection.execute("PRAGMA data_version").fetchone()
        written = (others, connection.total_changes)
        if (self.scope, self.written) != ((scope.first, scope.end), written):
            self.scope, self.written, self.newest = (scope.first, scope.end), written, {}


def all_postings(
    connection: sqlite3.Connection,
    terms: Iterable[str],
    scope: Scope,
    before: int,
    known: Known,
    spared: Collection[str] = (),
) -> Postings:
    """Returns the postings by term; none of those in `spared`, which are known to have MOST. They are read up to
    the passage `before` where that is beyond the end of the scope, and kept, so that they hold for the next search
    of the same question, too. A prefix, which costs most, is not searched if a word it begins is common.
    """
    wide = replace(scope, end=max(scope.end, before))
    known.hold_for(connection, wide)
    found: Postings = {}
    for term in dict.fromkeys(terms):
        word = term.rstrip("*")
        plenty = word != term and any(
            each.startswith(word) and (each in spared or len(passages) >= PLENTY)
            for each, passages in found.items()
        )
        if plenty or term in spared:
            found[term] = set()
            continue
        if term not in known.newest:
            known.newest[term] = newest(connection, term, wide, MOST)
        read = known.newest[term]
        if len(read) == MOST:
            known.common[wide.first, term, MOST] = wide.end
        found[term] = set(read[bisect_right(read, -scope.end, key=neg) :])
    return found


def rare_postings(connection: sqlite3.Connection, words: Iterable[str], scope: Scope, known: Known) -> Postings:
    """Returns the postings of the words that have less than RARE; notes the others."""
    found: Postings = {}
    for word in words:
        if not known.have(word, scope, RARE):
            postings = newest(connection, word, scope, RARE)
            if len(postings) < RARE:
                found[word] = set(postings)
            else:
                known.common[scope.first, word, RARE] = scope.end
    return found


def newest(connection: sqlite3.Connection, term: str, scope: Scope, most: int) -> list[int]:
    words = quoted(term)
    if not words:
        return []
    # Thousands of rows take less time as one text.
    query = """SELECT group_concat(rowid) FROM (SELECT rowid FROM search
        WHERE search MATCH ? AND rowid >= ? AND rowid < ? ORDER BY rowid DESC LIMIT ?)"""
    (found,) = connection.execute(query, (words, scope.first, scope.end, most)).fetchone()
    return list(map(int, found.split(","))) if found else []
