"""The message tree in SQL: inserts nodes and reads them back. The callers own the transactions."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from chatcli.conversation.message import Attachment, Message
from chatcli.conversation.tree import Ended, Node
from chatcli.conversation.usage import Turn
from chatcli.errors import Damaged, Gone
from chatcli.hints import Do, Hint
from chatcli.reading.json_toml import read_json
from chatcli.store import passages
from chatcli.store.codec import (
    pack,
    pack_ended,
    pack_json,
    pack_time,
    pack_tool_uses,
    size_of,
    turn_to_plain,
    unpack,
    unpack_calls,
    unpack_ended,
    unpack_role,
    unpack_time,
    unpack_turn,
)
from chatcli.store.failures import SAVE_THE_REST, nonsense_is_damage

# One batch of ancestors: about a model's window of messages, fewer when large texts and pictures make it slow.
BATCH_NODES = 200
BATCH_BYTES = 4_000_000

Load = Callable[[int], Iterable[Node]]
Find = Callable[[int, int], int | None]

_COLUMNS = "id, parent, number, created, role, ended, text, thinking, tool_uses, turn"


_BY_IDS = f"SELECT {_COLUMNS} FROM nodes WHERE id IN (SELECT value FROM json_each(?))"  # noqa: S608


def insert(
    connection: sqlite3.Connection,
    conversation: int,
    parent: int | None,
    message: Message,
    *,
    created: int,
    ended: Ended,
    turn: Turn | None = None,
    id: int | None = None,  # noqa: A002
) -> Node:
    """Inserts `message` below `parent` (None: as a new root) as its newest child, no earlier than its parent, with
    the next id, or with `id` when it had that before.
    """
    branch, number, created = _place(connection, conversation, parent, created)
    node_id = connection.execute(
        """INSERT INTO nodes
               (id, branch, number, parent, created, size, role, ended, text, thinking, tool_uses, turn)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        (
            *(id, branch, number, parent, created, size_of(message), message.role.value, pack_ended(ended)),
            *(pack(message.text), pack(message.thinking)),
            *(pack_tool_uses(message.tool_uses, ended), _pack_turn(turn)),
        ),
    ).lastrowid
    assert node_id is not None
    attach(connection, node_id, message.attachments)
    passages.index(connection, node_id, message.text)
    return Node(node_id, parent, number, message, unpack_time(created), ended, turn)


def insert_copy(
    connection: sqlite3.Connection,
    conversation: int,
    parent: int | None,
    node: Node,
    id: int | None = None,  # noqa: A002
) -> Node:
    """Inserts a copy of `node` below `parent`: its message, turn and time. `id` is that of insert()."""
    created, ended = pack_time(node.created), node.ended
    return insert(
        connection, conversation, parent, node.message, created=created, ended=ended, turn=node.turn, id=id
    )


def rewrite(connection: sqlite3.Connection, node: int, message: Message, ended: Ended, turn: Turn | None) -> None:
    """Writes the final form of a reply or a call that was in progress. Raises Gone."""
    passages.unindex(connection, node)
    connection.execute("DELETE FROM pieces WHERE node = ?", (node,))
    updated = connection.execute(
        "UPDATE nodes SET size = ?, ended = ?, text = ?, thinking = ?, tool_uses = ?, turn = ? WHERE id = ?",
        (
            *(size_of(message), pack_ended(ended), pack(message.text), pack(message.thinking)),
            *(pack_tool_uses(message.tool_uses, ended), _pack_turn(turn), node),
        ),
    )
    if not updated.rowcount:
        raise gone()
    connection.execute("DELETE FROM attachments WHERE node = ?", (node,))
    attach(connection, node, message.attachments)
    passages.index(connection, node, message.text)


def remove(connection: sqlite3.Connection, node: int) -> None:
    """Deletes a node that has no children, and every trace of it."""
    passages.unindex(connection, node)
    connection.execute("DELETE FROM nodes WHERE id = ?", (node,))


def fold_pieces(connection: sqlite3.Connection) -> None:
    """Moves the pieces of interrupted replies into their rows, where search finds the text.

    Safe at any time: if another program is still writing that reply, its next pieces follow this text.
    """
    cut_off = [node for (node,) in connection.execute("SELECT DISTINCT node FROM pieces")]
    for node in _nodes(connection, _BY_IDS, (json.dumps(cut_off),)) if cut_off else ():
        rewrite(connection, node.id, node.message, node.ended, node.turn)


def attach(connection: sqlite3.Connection, node: int, attachments: Iterable[Attachment]) -> None:
    """Links files to a node; bytes that are in the store already are not stored again."""
    for place, each in enumerate(attachments):
        row = connection.execute("SELECT id FROM blobs WHERE digest = ?", (each.digest,)).fetchone()
        blob = row[0] if row else None
        if blob is None:
            insertion = "INSERT INTO blobs (digest, data) VALUES (?, ?)"
            blob = connection.execute(insertion, (each.digest, each.data)).lastrowid
        connection.execute(
            "INSERT INTO attachments (node, place, blob, kind, name, media_type) VALUES (?, ?, ?, ?, ?, ?)",
            (node, place, blob, each.kind, pack(each.name), pack(each.media_type)),
        )


def ancestors(connection: sqlite3.Connection, conversation: int, node: int) -> list[Node]:
    """Returns `node` and a batch of its ancestors, nearest first. Empty if it is not in this conversation."""
    return _nodes(
        connection,
        f"""WITH RECURSIVE up (node, above, place, bytes) AS (
                SELECT nodes.id, nodes.parent, 1, size FROM nodes JOIN branches ON branches.id = branch
                WHERE nodes.id = ? AND conversation = ?
              UNION ALL
                SELECT id, parent, place + 1, bytes + size FROM up JOIN nodes ON id = above
                WHERE place < ? AND bytes < ?
            )
            SELECT {_COLUMNS} FROM up JOIN nodes ON id = node ORDER BY place""",  # noqa: S608
        (node, conversation, BATCH_NODES, BATCH_BYTES),
    )


def fetched(connection: sqlite3.Connection, conversation: int, node: int) -> list[Node]:
    """Same as ancestors(), for a node that must exist."""
    found = ancestors(connection, conversation, node)
    if not found and connection.execute("SELECT 1 FROM nodes WHERE parent = ?", (node,)).fetchone():
        raise Damaged(f"The store is damaged: message {node} is missing.", SAVE_THE_REST)
    if not found:
        raise gone()
    return found


def children(connection: sqlite3.Connection, conversation: int, parent: int | None) -> list[Node]:
    """Returns the children of `parent`, oldest first: alternatives to each other. None: the roots."""
    if parent is not None:
        return _nodes(connection, f"SELECT {_COLUMNS} FROM nodes WHERE parent = ? ORDER BY id", (parent,))  # noqa: S608
    return _nodes(
        connection,
        f"""SELECT {_COLUMNS} FROM nodes
            WHERE number = 1 AND branch IN (SELECT id FROM branches WHERE conversation = ? AND origin IS NULL)
            ORDER BY id""",  # noqa: S608
        (conversation,),
    )


def everything(connection: sqlite3.Connection, conversation: int) -> list[Node]:
    """Returns all nodes of all branches, in the order they were created."""
    return _nodes(
        connection,
        f"""SELECT {_COLUMNS} FROM nodes
            WHERE branch IN (SELECT id FROM branches WHERE conversation = ?) ORDER BY id""",  # noqa: S608
        (conversation,),
    )


def on_path(connection: sqlite3.Connection, conversation: int, upto: int, ids: Iterable[int]) -> list[Node]:
    """Returns those of the nodes that are `upto` or its ancestors, in path order."""
    some = json.dumps(sorted(set(ids)))
    return _on_path(connection, conversation, upto, "SELECT value FROM json_each(?)", some)


def with_files(connection: sqlite3.Connection, conversation: int, upto: int) -> list[Node]:
    """Returns `upto` and its ancestors that have text files attached, in path order."""
    query = """SELECT DISTINCT node FROM attachments WHERE kind = 'text' AND node <= ?
        AND node >= (SELECT id FROM way JOIN nodes USING (branch) WHERE number = 1)"""
    return _on_path(connection, conversation, upto, query, upto)


def _on_path(
    connection: sqlite3.Connection, conversation: int, upto: int, wanted: str, value: int | str
) -> list[Node]:
    """`wanted`: SQL that gives ids, with one `value`. The search begins with these: left to itself, SQLite begins
    with the branch, and reads every message of a long conversation, which a turn would do several times.
    """
    query = f"""{WAY}, wanted (node) AS ({wanted})
        SELECT {_COLUMNS} FROM wanted CROSS JOIN nodes ON id = node JOIN way USING (branch)
        WHERE number <= upto ORDER BY number"""  # noqa: S608 - SQL of this module only
    return _nodes(connection, query, (upto, conversation, value))


# The names of the tools in `tool_uses`, as JSON; "[]" where there is none, or where SQLite cannot read them.
TOOLS = """CASE WHEN json_valid(tool_uses) THEN (
    SELECT json_group_array(json_extract(value, '$.name')) FROM json_each(tool_uses) WHERE type = 'object'
) ELSE '[]' END"""


def tools_in(names: str) -> list[str]:
    """What TOOLS has found."""
    return list(map(str, read_json(names)))


def has_private(connection: sqlite3.Connection, conversation: int, upto: int, harmless: Sequence[str]) -> bool:
    """Whether `upto` or an ancestor has a file attached, or is what came of a tool that is none of these."""
    query = f"""{WAY} SELECT EXISTS (
        SELECT 1 FROM way JOIN nodes USING (branch) WHERE number <= upto AND (
            (role = 'tool' AND ended IN (?, ?)
                AND coalesce(json_extract({TOOLS}, '$[0]'), '') NOT IN (SELECT value FROM json_each(?)))
            OR id IN (SELECT node FROM attachments)))"""  # noqa: S608
    read = pack_ended(Ended.COMPLETE), pack_ended(Ended.FAILED)
    values = (upto, conversation, *read, json.dumps(list(harmless)))
    return bool(connection.execute(query, values).fetchone()[0])


def way(connection: sqlite3.Connection, conversation: int, upto: int) -> dict[int, int]:
    """Returns the branches on the path to that node, each with the number of its last message on the path."""
    query = f"{WAY} SELECT branch, upto FROM way"  # noqa: S608
    return dict(connection.execute(query, (upto, conversation)).fetchall())


WAY = """WITH RECURSIVE way (branch, upto) AS (
        SELECT branch, number FROM nodes JOIN branches ON branches.id = branch
        WHERE nodes.id = ? AND conversation = ?
      UNION ALL
        SELECT origin, min(fork, upto) FROM way JOIN branches ON id = way.branch WHERE origin IS NOT NULL
    )"""


def _place(
    connection: sqlite3.Connection, conversation: int, parent: int | None, created: int
) -> tuple[int, int, int]:
    """Returns branch, number and time of a child of `parent`: on the same branch if `parent` ends it, else a new
    one.
    """
    if parent is None:
        if not connection.execute("SELECT 1 FROM conversations WHERE id = ?", (conversation,)).fetchone():
            raise gone()
        return _new_branch(connection, conversation, None, 0), 1, created
    row = connection.execute(
        """SELECT branch, number, nodes.created FROM nodes JOIN branches ON branches.id = branch
           WHERE nodes.id = ? AND conversation = ?""",
        (parent, conversation),
    ).fetchone()
    if row is None:
        raise gone()
    branch, number, earliest = row
    place = (branch, number + 1)
    if connection.execute("SELECT 1 FROM nodes WHERE branch = ? AND number = ?", place).fetchone():
        branch = _new_branch(connection, conversation, branch, number)
    return branch, number + 1, max(created, earliest)


def _new_branch(connection: sqlite3.Connection, conversation: int, origin: int | None, fork: int) -> int:
    insertion = "INSERT INTO branches (conversation, origin, fork) VALUES (?, ?, ?)"
    branch = connection.execute(insertion, (conversation, origin, fork)).lastrowid
    assert branch is not None
    return branch


def move_tip(connection: sqlite3.Connection, conversation: int, node: Node) -> None:
    """Moves the tip to `node`, which is new; takes the conversation out of the trash if it is there."""
    connection.execute(
        """UPDATE conversations SET tip = ?, latest = max(latest, ?), updated = max(updated, ?), trashed = NULL,
               model = coalesce(?, model)
           WHERE id = ?""",
        (node.id, node.id, pack_time(node.created), node.turn.model if node.turn else None, conversation),
    )


def gone() -> Gone:
    return Gone(
        "That message or conversation is no longer in the store.",
        Hint(
            "Another chatcli may have deleted it",
            Hint("; ", Do("save", "FILE.md"), " keeps what you see here"),
            ".",
        ),
    )


@nonsense_is_damage()
def _nodes(connection: sqlite3.Connection, query: str, values: Sequence[Any]) -> list[Node]:
    rows = connection.execute(query, values).fetchall()
    ids = json.dumps([row[0] for row in rows])
    grown = _pieces(connection, ids)
    attached = _attachments(connection, ids)
    return [_node(row, grown.get(row[0], ("", "")), attached.get(row[0], ())) for row in rows]


def _node(row: Sequence[Any], grown: tuple[str, str], attachments: tuple[Attachment, ...]) -> Node:
    node_id, parent, number, created, role, ended, text, thinking, tool_uses, turn = row
    if parent is not None and parent >= node_id:
        raise ValueError("its parent is younger than itself")  # following it might never end
    uses, called = unpack_calls(tool_uses)
    message = Message(unpack_role(role), unpack(text) + grown[0], unpack(thinking) + grown[1], attachments, uses)
    how = unpack_ended(ended, called)
    return Node(node_id, parent, number, message, unpack_time(created), how, unpack_turn(turn))


def _pieces(connection: sqlite3.Connection, ids: str) -> dict[int, tuple[str, str]]:
    """Returns the text that replies in progress gained since their row was written. Nearly always empty."""
    found: dict[int, tuple[str, str]] = {}
    query = "SELECT node, text, thinking FROM pieces WHERE node IN (SELECT value FROM json_each(?)) ORDER BY id"
    for node, text, thinking in connection.execute(query, (ids,)):
        before = found.get(node, ("", ""))
        found[node] = (before[0] + unpack(text), before[1] + unpack(thinking))
    return found


def _attachments(connection: sqlite3.Connection, ids: str) -> dict[int, tuple[Attachment, ...]]:
    found: dict[int, tuple[Attachment, ...]] = {}
    query = """SELECT node, kind, name, media_type, data FROM attachments JOIN blobs ON id = blob
               WHERE node IN (SELECT value FROM json_each(?)) ORDER BY node, place"""
    for node, kind, name, media_type, data in connection.execute(query, (ids,)):
        found[node] = (*found.get(node, ()), Attachment(kind, unpack(name), unpack(media_type), data))
    return found


def _pack_turn(turn: Turn | None) -> str | None:
    return pack_json(turn_to_plain(turn)) if turn is not None else None
