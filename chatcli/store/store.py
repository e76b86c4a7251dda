"""Store: the conversations on disk, in the words of a conversation. One transaction for each thing that happens.

A method that fails raises a StoreError (or NotFound) and leaves the conversation object as it was. How the file is
opened, shared and made safe is database.py's; the tree in SQL is nodes.py's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from sqlite3 import Connection
from typing import Concatenate, ParamSpec, Self, TypeVar

from chatcli.conversation.context_state import State
from chatcli.conversation.message import Message, Role
from chatcli.conversation.retrieval import Hit, Meaning, Retrieved
from chatcli.conversation.tree import Conversation, Ended, Node
from chatcli.errors import NotFound, StoreError
from chatcli.store import conversations, listing, nodes
from chatcli.store.candidates import Wish, candidates
from chatcli.store.codec import pack, pack_time
from chatcli.store.conversations import clean_title, title_of
from chatcli.store.database import Database, copied_to_memory, open_database
from chatcli.store.draft import Draft, fold_cut_off
from chatcli.store.import_chat import copy_into
from chatcli.store.listing import Entry, Twig
from chatcli.store.locations import at_number
from chatcli.store.search import search
from chatcli.store.trash import purge
from chatcli.store.vectors import Vectors

P = ParamSpec("P")
T = TypeVar("T")


def utc_now() -> datetime:
    return datetime.now(UTC)


class Store:
    """May be used from any thread; calls take turns. Several programs may have the same file open."""

    def __init__(self, database: Database, now: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._now = now
        self.warning = database.warning  # what there is to say of how the file was found, or ""
        self._created: list[int] = []
        self.vectors = Vectors(database)

    @classmethod
    def open(cls, path: Path | None, now: Callable[[], datetime] = utc_now) -> Self:
        """None keeps everything in memory. Check `read_only` before relying on being able to write."""
        store = cls(open_database(path), now)
        if store.read_only is None:
            fold_cut_off(store._database)
        return store

    @property
    def read_only(self) -> StoreError | None:
        """Why nothing can be written (a newer version's store, a read-only disk); every writing raises it."""
        return self._database.read_only

    def in_memory(self) -> Self:
        """A copy in memory, to go on in where this one cannot be written."""
        return type(self)(copied_to_memory(self._database), self._now)

    def close(self) -> None:
        """Safe to call twice. Conversations that were created here and never used leave no trace."""
        self._forget_unused()
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def create(
        self, *, title: str = "", demo: bool = False, settings: Mapping[str, str] | None = None
    ) -> Conversation:
        """A new conversation. It is in no list before something is said in it."""
        title, kept = clean_title(title), dict(settings or {})
        created = pack_time(self._now())
        with self._database.writing() as connection:
            conversation = conversations.create(connection, title=title, demo=demo, settings=kept, created=created)
        self._created.append(conversation)
        load, find = self._fetching(conversation)
        return Conversation(conversation, title, demo, settings=kept, load=load, find=find)

    def conversation(self, conversation_id: int) -> Conversation:
        """Open a conversation at its tip: the end of its path is loaded, the rest comes when it is looked at."""
        return self.read(conversations.read, conversation_id, *self._fetching(conversation_id))

    def whole(self, conversation_id: int) -> Conversation:
        """A conversation with all its branches loaded: for exports."""
        conversation = self.conversation(conversation_id)
        everything = self.read(nodes.everything, conversation_id)
        conversation.nodes = {node.id: node for node in everything}
        return conversation

    def take_in(self, conversation: Conversation) -> Conversation:
        """Store a copy of a conversation from elsewhere, with all its loaded nodes; returns the copy.

        Done in portions, so that others can write between them; until it is complete it is in no list.
        """
        copy = self.create(title=conversation.title, demo=conversation.demo, settings=conversation.settings)
        copy_into(self._database, conversation, copy.id)
        return self.conversation(copy.id)

    def append(self, conversation: Conversation, message: Message, *, ended: Ended = Ended.COMPLETE) -> Node:
        """Store `message` as a child of the tip, and move the tip there. The first question gives the title."""
        title = conversation.title or (title_of(message) if message.role is Role.USER else "")
        with self._database.writing() as connection:
            node = nodes.insert(
                connection,
                conversation.id,
                conversation.tip,
                message,
                created=pack_time(self._now()),
                ended=ended,
            )
            nodes.move_tip(connection, conversation.id, node)
            if title != conversation.title:
                naming = "UPDATE conversations SET title = ? WHERE id = ? AND title = ''"
                connection.execute(naming, (pack(title), conversation.id))
        conversation.add(node)
        conversation.title = title
        return node

    def copy(self, conversation: Conversation, node: Node) -> Node:
        """Say again at the tip what `node` says: a new node with its message, ending, turn, and time (but none
        earlier than its parent's)."""
        with self._database.writing() as connection:
            copied = nodes.insert_copy(connection, conversation.id, conversation.tip, node)
            nodes.move_tip(connection, conversation.id, copied)
        conversation.add(copied)
        return copied

    def begin_reply(self, conversation: Conversation, question: Node) -> Draft:
        """A reply to `question` is coming. Nothing is stored before its first save."""
        return Draft(self._database, conversation, question, self._now)

    def go_to(self, conversation: Conversation, node_id: int | None) -> None:
        """Move the tip: what is said next follows that message (None: a new beginning). Nothing is lost."""
        if node_id is not None:
            self._look_up(conversation, node_id)
        with self._database.writing() as connection:
            values = (node_id, conversation.id)
            if not connection.execute("UPDATE conversations SET tip = ? WHERE id = ?", values).rowcount:
                raise nodes.gone()
        conversation.go_to(node_id)

    def children(self, conversation: Conversation, node_id: int | None) -> list[Node]:
        """What was said after that message (None: the beginnings), oldest first: the branches that part there."""
        found = self.read(nodes.children, conversation.id, node_id)
        conversation.nodes.update((node.id, node) for node in found)
        return found

    def outline(self, conversation_id: int) -> list[Twig]:
        """The whole tree in brief, in the order it grew."""
        return self.read(listing.outline, conversation_id)

    def name(self, conversation: Conversation, name: str, node_id: int | None) -> None:
        """Give a place in the conversation a name, to come back to (None: take the name away)."""
        if node_id is not None:
            self._look_up(conversation, node_id)
        with self._database.writing() as connection:
            names = conversations.name(connection, conversation.id, conversation.names, name, node_id)
        conversation.names = names

    def keep_state(self, conversation: Conversation, state: State) -> None:
        """Keep what this changes in the state that the conversation had here; see tokenizer.py."""
        with self._database.writing() as connection:
            state = conversations.keep_state(connection, conversation.id, conversation.state, state)
        conversation.state = state

    def keep_settings(self, conversation: Conversation, settings: Mapping[str, str]) -> None:
        """Keep with the conversation what these settings change in those it had here."""
        with self._database.writing() as connection:
            conversations.keep_settings(connection, conversation.id, conversation.settings, settings)
        conversation.settings = dict(settings)

    def rename(self, conversation_id: int, title: str) -> str:
        """Returns the title as it was stored: one line, without control characters."""
        title = clean_title(title)
        self._set(conversation_id, "title", pack(title))
        return title

    def delete(self, conversation_id: int) -> None:
        """Into the trash: in no list any more, still there until the trash is emptied."""
        self._set(conversation_id, "trashed", pack_time(self._now()))

    def restore(self, conversation_id: int) -> None:
        """Out of the trash."""
        self._set(conversation_id, "trashed", None)

    def trash(self) -> list[Entry]:
        return self.read(listing.entries, trashed=True)

    def purge(self) -> int:
        """Empty the trash for good; returns how many conversations went. Others may write between its steps."""
        return purge(self._database, pack_time(self._now()))

    def last(self, demo: bool = False) -> int | None:
        """The conversation in which something was said last, and which is at some message now."""
        return self.read(listing.last, demo)

    def entries(self, limit: int | None = None, demo: bool | None = None) -> list[Entry]:
        """The conversations, the last used first. `demo`: only those of the demo engine, or only the others."""
        return self.read(listing.entries, limit=limit, demo=demo)

    def find(self, name: str) -> list[Entry]:
        """The conversations that `name` may mean: by exact title, else by id, else by how titles begin, else by
        what they contain (upper and lower case alike); the last used first."""
        return listing.find(self.entries(), name)

    def search(
        self,
        terms: Sequence[str],
        *,
        conversation: int | None = None,
        before: int | None = None,
        limit: int = 20,
        per_message: bool = True,
    ) -> list[Hit]:
        """Passages in which any of `terms` occurs, the best first. A term is a word, a phrase, or a beginning*.

        In all conversations, but for the trash; or in one; or, with `before`, on the path that leads to that node
        of the conversation. `per_message` gives of each message only its best passage.
        """
        return self.read(
            search, terms, conversation=conversation, before=before, limit=limit, per_message=per_message
        )

    def candidates(
        self,
        terms: Sequence[str],
        *,
        conversation: int,
        upto: int | None,
        spans: Sequence[tuple[datetime, datetime]] = (),
        limit: int = 150,
        all_chats: bool = False,
        meaning: Meaning | None = None,
    ) -> Retrieved:
        """For the recall: the passages with the rarest of `terms`, of up to `limit` messages on the path that
        leads to node `upto`, it included (None: nothing of this conversation; `all_chats`: or in other ones), and
        those beside them. What was said on the path in one of `spans` is preferred, and found without any of the
        terms, too; so is what is nearest in `meaning`.
        """
        wish = Wish(terms, conversation, upto, spans, limit, all_chats, meaning)
        return self.read(candidates, self.vectors, wish)

    def on_path(self, conversation: Conversation, upto: int, ids: Iterable[int]) -> list[Node]:
        """Those of the nodes that are on the path that leads to node `upto`, it included, in its order."""
        return self.read(nodes.on_path, conversation.id, upto, ids)

    def with_files(self, conversation: Conversation, upto: int) -> list[Node]:
        """The nodes with text files attached on the path that leads to node `upto`, it included, in its order."""
        return self.read(nodes.with_files, conversation.id, upto)

    def read(self, query: Callable[Concatenate[Connection, P], T], *args: P.args, **named: P.kwargs) -> T:
        """What one of this package's reading functions finds; they take a connection first."""
        with self._database.reading() as connection:
            return query(connection, *args, **named)

    def check(self) -> list[str]:
        """Read everything and see whether it fits together; what does not. For chatcli doctor."""
        return self._database.check()

    def _set(self, conversation_id: int, column: str, value: str | bytes | int | None) -> None:
        with self._database.writing() as connection:
            conversations.change(connection, conversation_id, column, value)

    def _look_up(self, conversation: Conversation, node_id: int) -> Node:
        try:
            return conversation.node(node_id)
        except (KeyError, NotFound):
            raise NotFound(
                f"There is no message {node_id} in this conversation.", "/tree shows them all."
            ) from None

    def _fetching(self, conversation: int) -> tuple[nodes.Load, nodes.Find]:
        """What a conversation fetches with what is not loaded yet."""
        return (
            lambda node: self.read(nodes.fetched, conversation, node),
            lambda tip, number: self.read(at_number, conversation, tip, number),
        )

    def _forget_unused(self) -> None:
        if not self._created:
            return
        unused, self._created = self._created, []
        with suppress(StoreError), self._database.writing() as connection:  # else the next purge takes them
            conversations.remove_unused(connection, unused)
