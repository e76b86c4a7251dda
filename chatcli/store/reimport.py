"""Takes in imported conversations, each once: one that is here already is recognized, and what is new is added.

A conversation is recognized by its messages, from the beginning on: their words, files and, where the export tells
them, times. So it does not matter which program exported it, or when; what was deleted here is taken in anew.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Hashable

from chatcli.conversation.events import finished
from chatcli.conversation.message import Message
from chatcli.conversation.tree import Conversation, Node
from chatcli.dataclass import dataclass
from chatcli.store.codec import pack_time, pack_tool_uses, unpack
from chatcli.store.import_chat import ImportedChat
from chatcli.store.store import Store


@dataclass(frozen=True, slots=True)
class Taken:
    """The conversation as the store has it now. `added`: how many messages are new; `was_here`: others are not."""

    conversation: Conversation
    added: int
    was_here: bool = False


# How a conversation begins: whether it is the demo engine's, the role, and a hash of the words.
Beginning = tuple[bool, str, int]


class Importer:
    """Knows how the conversations in the store begin."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._begin = store.read(_beginnings)

    def take(self, chat: ImportedChat) -> Taken:
        """Stores the conversation, or what is new in it. Raises StoreError; then nothing of it can be seen."""
        return finished(self.taking(chat))

    def taking(self, chat: ImportedChat) -> Generator[int, None, Taken]:
        """The same; yields how many messages of it were stored since. When it is closed before its end, nothing of
        the conversation can be seen.
        """
        source = chat.conversation
        best: tuple[Conversation, dict[int, int]] | None = None
        for number in self._like(source):
            stored = self._store.whole(number)
            same = _same(source, stored, chat.dated)
            if same and (best is None or len(same) > len(best[1])):
                best = stored, same
        if best is not None:
            stored, same = best
            added = [node for node in source.nodes.values() if node.id not in same]
            if added:
                stored = self._store.add_imported(stored, source, same, keep_times=chat.dated)
            yield len(source.nodes)
            return Taken(stored, len(added), was_here=True)
        taken = yield from self._store.taking_in(source)
        for beginning in _begin(source):
            self._begin.setdefault(beginning, []).append(taken.id)
        return Taken(taken, len(source.nodes))

    def _like(self, source: Conversation) -> list[int]:
        """Returns the conversations that begin with one of its first messages."""
        found = [self._begin.get(beginning, []) for beginning in _begin(source)]
        return list(dict.fromkeys(each for numbers in found for each in numbers))


def _beginnings(connection: sqlite3.Connection) -> dict[Beginning, list[int]]:
    query = """SELECT conversations.id, demo, role, text FROM conversations
            JOIN branches ON conversation = conversations.id JOIN nodes ON branch = branches.id
        WHERE number = 1 AND trashed IS NULL AND conversations.latest > 0"""
    found: dict[Beginning, list[int]] = {}
    for conversation, demo, role, text in connection.execute(query):
        found.setdefault((bool(demo), role, hash(unpack(text))), []).append(conversation)
    return found


def _begin(source: Conversation) -> list[Beginning]:
    first = [node.message for node in source.nodes.values() if node.parent is None]
    return [(source.demo, message.role.value, hash(message.text)) for message in first]


def _same(source: Conversation, stored: Conversation, dated: bool) -> dict[int, int]:
    """Returns the ids in the store of the messages of `source`, if it is this conversation; else nothing.

    With the file's own times, messages with the same words at the same time are the same. Without them, the one in
    the store was imported without times as well, which gives all its messages one time; since then it has grown
    here, or in the file, or neither.
    """
    here: dict[tuple[int | None, Hashable], list[Node]] = {}
    for node in sorted(stored.nodes.values(), key=lambda each: each.id):
        time = pack_time(node.created) if dated else None
        here.setdefault((node.parent, _content(node.message, time)), []).append(node)
    same: dict[int, int] = {}
    times: dict[int | None, int] = {}
    found: list[Node] = []
    for node in sorted(source.nodes.values(), key=lambda each: each.id):
        times[node.id] = max(pack_time(node.created), times.get(node.parent, pack_time(node.created)))
        if node.parent is not None and node.parent not in same:
            continue
        above = same[node.parent] if node.parent is not None else None
        alike = here.get((above, _content(node.message, times[node.id] if dated else None)))
        if alike:
            found.append(alike.pop(0))
            same[node.id] = found[-1].id
    if dated:
        return same
    one_time = len({node.created for node in found}) == 1
    is_part = len(same) in {len(source.nodes), len(stored.nodes)}
    return same if one_time and is_part else {}


def _content(message: Message, time: int | None) -> Hashable:
    """By what a message is recognized. A tool's message is that of its call: its text changes until it is done."""
    if message.answers is not None and time is not None:
        return message.role, pack_tool_uses(message.tool_uses), time
    files = tuple((each.kind, each.name, each.digest) for each in message.attachments)
    return message.role, message.text, message.thinking, files, pack_tool_uses(message.tool_uses), time
