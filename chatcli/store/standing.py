"""Where messages that were found stand, and what stands beside them: on the path, or on a branch elsewhere."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chatcli.conversation.message import Role
from chatcli.store.passages import SHIFT
from chatcli.store.search import Scope

BESIDE = 2  # messages, and passages, on either side of a find


@dataclass(frozen=True, slots=True)
class Standing:
    """A message among the candidates: where it stands."""

    node: int
    branch: int
    number: int
    role: Role
    created: int
    conversation: int
    demo: bool


def beside(connection: sqlite3.Connection, messages: Mapping[int, Standing], path: Scope) -> dict[int, Standing]:
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


def with_neighbours(
    connection: sqlite3.Connection,
    messages: Mapping[int, Standing],
    everything: Mapping[int, Standing],
    found: set[int],
    said: set[int],
) -> list[int]:
    """The passages to show: the found ones of `messages`, and those up to BESIDE passages before and after; and
    all of what was `said` at the time in question.
    """
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


def standings(connection: sqlite3.Connection, ids: Sequence[int]) -> list[Standing]:
    return _read(connection, "nodes.id IN (SELECT value FROM json_each(?))", json.dumps(ids))


def is_on(path: Scope, message: Standing) -> bool:
    return path.path is not None and message.number <= path.path.get(message.branch, 0)


def is_elsewhere(path: Scope, message: Standing) -> bool:
    return message.conversation != path.conversation


def _read(connection: sqlite3.Connection, condition: str, *values: int | str) -> list[Standing]:
    rows = connection.execute(
        f"""SELECT nodes.id, branch, number, role, nodes.created, conversation, demo FROM nodes
            JOIN branches ON branches.id = branch JOIN conversations ON conversations.id = conversation
            WHERE {condition} AND trashed IS NULL AND latest > 0""",  # noqa: S608 - conditions of this module only
        values,
    )
    return [
        Standing(node, branch, number, Role(role), created, chat, bool(demo))
        for node, branch, number, role, created, chat, demo in rows
    ]


def _branch(path: Mapping[int, int], number: int) -> int:
    """The branch that the path takes at that number: of those that reach it, the one that is left first."""
    reaching = [(upto, branch) for branch, upto in path.items() if upto >= number]
    return min(reaching)[1] if reaching else 0


def _passage_ids(connection: sqlite3.Connection, nodes: Sequence[int]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    query = """SELECT passages.id FROM json_each(?) AS node
               JOIN passages ON passages.id >= node.value << 10 AND passages.id < (node.value + 1) << 10
               ORDER BY passages.id"""
    for (passage,) in connection.execute(query, (json.dumps(nodes),)):
        found.setdefault(passage >> SHIFT, []).append(passage)
    return found
