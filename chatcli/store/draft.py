"""Draft: a reply while it is generated, stored as interrupted from its first save until it is finished. So the
store is right whenever the program is killed.

A save appends the new text (a piece) and does not store the whole text again: each second of a long reply costs
only what that second brought.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from chatcli.conversation.context_state import State
from chatcli.conversation.message import Message, Role
from chatcli.conversation.tree import Conversation, Ended, Node
from chatcli.conversation.usage import Turn
from chatcli.errors import Locked, NoRoom
from chatcli.store import nodes
from chatcli.store.codec import pack, pack_time
from chatcli.store.conversations import keep_state
from chatcli.store.database import Database


def fold_cut_off(database: Database) -> None:
    """Moves the saved pieces of replies whose program was killed into their rows. See nodes.fold_pieces."""
    with database.reading() as connection:
        if not connection.execute("SELECT 1 FROM pieces LIMIT 1").fetchone():
            return
    with suppress(Locked, NoRoom), database.writing() as connection:  # else the next program does it
        nodes.fold_pieces(connection)


class Draft:
    """The reply to `question`: at most one node in the store, however often it is saved or finished."""

    def __init__(
        self,
        database: Database,
        conversation: Conversation,
        question: Node,
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._conversation = conversation
        self._question = question
        self._now = now
        self._node: Node | None = None
        self._saved = Message.assistant("")
        self._finished: Node | None = None

    def save(self, text: str, thinking: str = "") -> None:
        """Stores all text that has come so far. Does nothing once the reply is finished."""
        message = Message.assistant(text, thinking)
        if self._finished is not None or message == self._saved:
            return
        with self._database.writing() as connection:
            node = self._add_piece(connection, message) or self._put(connection, message, Ended.INTERRUPTED, None)
        self._node, self._saved = node, message
        self._conversation.add(node)

    def finish(self, message: Message, ended: Ended, turn: Turn | None = None, state: State | None = None) -> Node:
        """Stores the reply as it ended, with the state after it, in one transaction that waits for the disk.

        A second call returns the same node and stores nothing.
        """
        if self._finished is not None:
            return self._finished
        with self._database.writing(lasting=True) as connection:
            node = self._put(connection, message, ended, turn)
            if state is not None:
                state = keep_state(connection, self._conversation.id, self._conversation.state, state)
        self._conversation.add(node)
        if state is not None:
            self._conversation.state = state
        self._node = self._finished = (
            node  # last: after an interrupt before this line, the next call does all of it again
        )
        return node

    def drop(self) -> None:
        """Ends a draft without a reply: the tip returns to the question. Text that came stays, as interrupted."""
        if self._node is None or self._finished is not None or self._saved.text:
            return
        node = self._node.id
        with self._database.writing() as connection:
            nodes.remove(connection, node)
            values = (self._question.id, self._conversation.id, node)
            connection.execute("UPDATE conversations SET tip = ? WHERE id = ? AND tip = ?", values)
        self._conversation.nodes.pop(node, None)
        self._conversation.tip = self._question.id
        self._node, self._saved = None, Message.assistant("")

    def _add_piece(self, connection: sqlite3.Connection, message: Message) -> Node | None:
        """Appends what `message` has beyond the last save. Returns None for the first save, and when `message`
        does not continue the last one.
        """
        saved = self._saved
        grows = message.text.startswith(saved.text) and message.thinking.startswith(saved.thinking)
        if self._node is None or not grows or not self._is_there(connection, self._node):
            return None
        connection.execute(
            "INSERT INTO pieces (node, text, thinking) VALUES (?, ?, ?)",
            (
                self._node.id,
                pack(message.text[len(saved.text) :]),
                pack(message.thinking[len(saved.thinking) :]),
            ),
        )
        return replace(self._node, message=message)

    def _put(self, connection: sqlite3.Connection, message: Message, ended: Ended, turn: Turn | None) -> Node:
        """Writes the whole node: updates its row when it has one, else inserts one. The tip moves to it."""
        conversation = self._conversation.id
        if self._node is not None and self._is_there(connection, self._node):
            nodes.rewrite(connection, self._node.id, message, ended, turn)
            node = replace(self._node, message=message, ended=ended, turn=turn)
        else:
            created = pack_time(self._now())
            node = nodes.insert(
                connection, conversation, self._question.id, message, created=created, ended=ended, turn=turn
            )
            # Set before the commit: a Ctrl-C right after the commit must not lead to a second row.
            self._node = node
        nodes.move_tip(connection, conversation, node)
        return node

    def _is_there(self, connection: sqlite3.Connection, node: Node) -> bool:
        """Whether that row is this draft's: the id of a rolled back transaction may belong to another node now."""
        found = connection.execute(
            "SELECT 1 FROM nodes WHERE id = ? AND parent = ? AND role = ? AND created = ?",
            (node.id, self._question.id, Role.ASSISTANT.value, pack_time(node.created)),
        )
        return found.fetchone() is not None
