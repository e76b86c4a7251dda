"""The tree of a conversation in brief: where its branches part and end, and what single messages begin with. No
other messages are read, so that the cost does not depend on how many there are.
"""

from __future__ import annotations

import json
import sqlite3
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from chatcli.conversation.message import Role
from chatcli.conversation.tree import Ended
from chatcli.dataclass import dataclass
from chatcli.store.codec import unpack_ended, unpack_role, unpack_time
from chatcli.store.conversations import clean_title
from chatcli.store.failures import nonsense_is_damage


class Spot(NamedTuple):
    """Where a message is in the tree: its branch in the store, and its number on the path from the root."""

    branch: int
    number: int


class Run(NamedTuple):
    """The messages with the numbers `first` to `last` of a branch: nothing parts from it between them."""

    branch: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Outline:
    """`below`: the runs that follow a run, the oldest first; None has those that begin with a root. `runs`: those
    of a branch, in order. `spots`: of the messages that were asked for, by their ids, those that are there.
    """

    below: Mapping[Run | None, Sequence[Run]]
    above: Mapping[Run, Run | None]
    runs: Mapping[int, Sequence[Run]]
    spots: Mapping[int | None, Spot]

    @property
    def messages(self) -> int:
        """How many there are, on all branches."""
        return sum(run.last - run.first + 1 for run in self.above)

    def at(self, spot: Spot) -> Run:
        """The run that a message is in."""
        runs = self.runs[spot.branch]
        return runs[bisect_left(runs, spot.number, key=lambda run: run.last)]


class Twig(NamedTuple):
    """A node of the tree in brief. `beginning`: the first line or so of its text, or of its thinking when it has
    no text (`is_thought`), else its calls; of a tool's message, its call. `model`: the model of a reply, or "".
    """

    id: int
    parent: int | None
    number: int
    role: Role
    ended: Ended
    created: datetime
    beginning: str
    model: str
    is_thought: bool = False


@nonsense_is_damage()
def outline(connection: sqlite3.Connection, conversation: int, marked: Iterable[int]) -> Outline:
    """`marked`: the ids of messages whose spots are wanted."""
    rows = connection.execute(_BRANCHES, (conversation,)).fetchall()
    forks: dict[int, dict[int, Any]] = {}
    for branch, origin, fork, _, _, beside in rows:
        if origin is not None and origin >= branch:
            raise ValueError("a branch is older than its origin")  # following it might never end
        forks.setdefault(origin, {})[fork] = beside
    runs: dict[int, list[Run]] = {}
    begins: dict[Run, Any] = {}  # the id of its first message
    for branch, _, fork, last, begin, _ in rows:
        inside = {end: beside for end, beside in forks.get(branch, {}).items() if end < last}
        ends = sorted(inside)
        starts = [fork, *ends]
        runs[branch] = [Run(branch, start + 1, end) for start, end in zip(starts, [*ends, last], strict=True)]
        begins |= zip(runs[branch], [begin, *(inside[end] for end in ends)], strict=True)
    by_end = {(run.branch, run.last): run for run in begins}
    above: dict[Run, Run | None] = {}
    for branch, origin, fork, *_ in rows:
        parted = by_end[origin, fork] if origin is not None else None
        above |= zip(runs[branch], [parted, *runs[branch]], strict=False)
    below: dict[Run | None, list[Run]] = {}
    for run in sorted(begins, key=begins.__getitem__):
        below.setdefault(above[run], []).append(run)
    found = connection.execute(_SPOTS, (json.dumps(list(marked)), conversation))
    spots: dict[int | None, Spot] = {node: Spot(branch, number) for node, branch, number in found}
    return Outline(below, above, runs, spots)


# Of each branch that has a message: where it parted, its last number, the id of its first message, and the id of
# the one that is beside that on the branch's origin.
_BRANCHES = """SELECT * FROM (
        SELECT id, origin, fork,
            (SELECT max(number) FROM nodes WHERE branch = branches.id) AS last,
            (SELECT id FROM nodes WHERE branch = branches.id AND number = fork + 1),
            (SELECT id FROM nodes WHERE branch = origin AND number = fork + 1)
        FROM branches WHERE conversation = ?
    ) WHERE last IS NOT NULL"""
# (A CROSS JOIN goes from left to right: the other way it would read all messages.)
_SPOTS = """SELECT nodes.id, branch, number FROM json_each(?) CROSS JOIN nodes ON nodes.id = value
    CROSS JOIN branches ON branches.id = branch WHERE conversation = ?"""


@nonsense_is_damage()
def twigs(connection: sqlite3.Connection, spots: Iterable[Spot]) -> dict[Spot, Twig]:
    """Returns the messages there, in brief."""
    # Numbers are read from JSON in half the time of pairs.
    query = f"""SELECT branch, {TWIG} FROM nodes WHERE (branch, number) IN (
        SELECT value >> 32, value & 0xffffffff FROM json_each(?))"""  # noqa: S608
    found = connection.execute(query, (json.dumps([branch << 32 | number for branch, number in spots]),))
    read = [(branch, twig_of(row)) for branch, *row in found]
    return {Spot(branch, twig.number): twig for branch, twig in read}


# The columns of a Twig. (In SQLite a part of an empty BLOB is NULL.)
TWIG = """nodes.id, parent, number, role, ended, CASE WHEN json_valid(tool_uses)
    THEN json_extract(tool_uses, '$[0].ended') END, created,
    coalesce(substr(CAST(text AS BLOB), 1, 400), x''),
    coalesce(substr(CAST(thinking AS BLOB), 1, 400), x''),
    coalesce(CASE WHEN json_valid(tool_uses) THEN (
        SELECT group_concat(
            json_extract(value, '$.name') || ' ' || substr(json_extract(value, '$.arguments'), 1, 200), '; ')
        FROM json_each(tool_uses) WHERE type = 'object') END, ''),
    coalesce(json_extract(turn, '$.model'), '')"""


def twig_of(row: Sequence[Any]) -> Twig:
    node, parent, number, role, ended, called_ended, created, text, thinking, calls, model = row
    begins = clean_title(text.decode(errors="replace"))
    thought = "" if begins else clean_title(thinking.decode(errors="replace"))
    called = clean_title(str(calls)[:400]) if calls else ""
    if called and (role == Role.TOOL or not (begins or thought)):
        begins = called if role == Role.TOOL else f"(calls {called})"
    how = unpack_ended(ended, called_ended)
    return Twig(
        *(node, parent, number, unpack_role(role), how, unpack_time(created)),
        begins or thought,
        model,
        is_thought=bool(thought and not begins),
    )
