"""A copy of a store in memory: for one on disk that can only be read. It can be searched and talked on in."""

from __future__ import annotations

from chatcli.conversation.message import Message
from chatcli.conversation.tree import Ended
from chatcli.errors import StoreError
from chatcli.store import conversations, nodes
from chatcli.store.database import Database, open_database
from chatcli.store.migrations import from_newer, migrate

# Bytes of a store that are not worth their room in memory.
MOST = 1_000_000_000


def copied_to_memory(database: Database) -> Database:
    """An empty one where the store is too large, or where the newer chatcli's takes no messages of ours."""
    copy = open_database(None)
    if database.path is None or database.path.stat().st_size > MOST:
        return copy
    with database.reading() as source, copy.reading() as target:
        source.backup(target)
        if not from_newer(target):
            migrate(target)  # one of an earlier chatcli, on a disk that does not let itself be written
    if _takes_messages(copy):
        return copy
    copy.close()
    return open_database(None)


def _takes_messages(database: Database) -> bool:
    """Try it, and undo it."""
    try:
        with database.writing() as connection:
            conversation = conversations.create(connection, title="", demo=False, settings={}, created=0)
            message = Message.user("?")
            node = nodes.insert(connection, conversation, None, message, created=0, ended=Ended.COMPLETE)
            nodes.move_tip(connection, conversation, node)
            raise _Tried
    except _Tried:
        return True
    except StoreError:
        return False


class _Tried(Exception):
    """Undoes the trial."""
