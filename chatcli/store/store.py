"""Store: the conversations on disk, with methods in a conversation's own words and one transaction for each call.

A method that fails raises a StoreError (or NotFound) and leaves the conversation object unchanged. database.py
opens, shares and protects the file; nodes.py has the tree in SQL.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from sqlite3 import Connection
from typing import TYPE_CHECKING, Concatenate, ParamSpec, Self, TypeVar

from chatcli.conversation.context_state import State
from chatcli.conversation.events import finished
from chatcli.conversation.message import Message, Role
from chatcli.conversation.retrieval import Asked, Hit, Meaning, Retrieved
from chatcli.conversation.tree import Conversation, Ended, Node
from chatcli.errors import NotFound, StoreError
from chatcli.hints import Do, Hint
from chatcli.store import conversations, listing, nodes, outline
from chatcli.store.codec import pack, pack_time
from chatcli.store.conversations import clean_title, title_of
from chatcli.store.database import Database, copied_to_memory, open_database
from chatcli.store.draft import Draft, fold_cut_off
from chatcli.store.listing import Entry
from chatcli.store.locations import at_number
from chatcli.store.outline import Outline, Spot, Twig
from chatcli.store.search import search
from chatcli.store.trash import purge
from chatcli.store.vectors import Vectors

if TYPE_CHECKING:
    from chatcli.store.backups import Backups
    from chatcli.store.postings import Known

P = ParamSpec("P")
T = TypeVar("T")


def utc_now() -> datetime:
    return datetime.now(UTC)


class Store:
    """May be used from any thread; calls take turns. Several programs may have the same file open."""

    def __init__(self, database: Database, now: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._now = now
        self._created: list[int] = []
        self._backups: Backups | None = None
        self._known: Known | None = None  # what searches for recall have found out
        self.vectors = Vectors(database)

    @classmethod
    def open(cls, path: Path | None, now: Callable[[], datetime] = utc_now) -> Self:
        """None keeps everything in memory. Check `read_only` before you rely on writing."""
        store = cls(open_database(path), now)
        if store.read_only is None:
            fold_cut_off(store._database)
        return store

    @property
    def read_only(self) -> StoreError | None:
        """Why nothing can be written (a newer version's store, a read-only disk); every write raises it."""
        return self._database.read_only

    def in_memory(self) -> Self:
        """Returns a copy in memory, to continue in when this store cannot be written."""
        return type(self)(copied_to_memory(self._database), self._now)

    def close(self) -> None:
        """Safe to call twice. Conversations that were created here and never used are deleted."""
        if self._backups is not None:
            self._backups.stop()
        self._forget_unused()
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def create(
        self, *, title: str = "", demo: bool = False, settings: Mapping[str, str] | None = None
    ) -> Conversation:
        """Creates a conversation. It appears in lists once it has a message."""
        title, kept = clean_title(title), dict(settings or {})
        created = pack_time(self._now())
        with self._database.writing() as connection:
            conversation = conversations.create(connection, title=title, demo=demo, settings=kept, created=created)
        self._created.append(conversation)
        load, find = self._fetching(conversation)
        return Conversation(conversation, title, demo, settings=kept, load=load, find=find)

    def conversation(self, conversation_id: int) -> Conversation:
        """Opens a conversation at its tip: the end of its path is loaded, the rest is loaded when it is needed."""
        return self.read(conversations.read, conversation_id, *self._fetching(conversation_id))

    def whole(self, conversation_id: int) -> Conversation:
        """Returns a conversation with all its branches loaded, for exports."""
        conversation = self.conversation(conversation_id)
        everything = self.read(nodes.everything, conversation_id)
        conversation.nodes = {node.id: node for node in everything}
        return conversation

    def take_in(self, conversation: Conversation) -> Conversation:
        """Store a copy of a conversation from elsewhere, with all its loaded nodes; returns the copy."""
        return finished(self.taking_in(conversation))

    def taking_in(self, conversation: Conversation) -> Generator[int, None, Conversation]:
        """The same in portions, so that others can write between them; yields how many messages each has. Until it
        is complete, the copy is in no list.
        """
        from chatcli.store.import_chat import copying

        copy = self.create(title=conversation.title, demo=conversation.demo, settings=conversation.settings)
        yield from copying(self._database, conversation, copy.id)
        return self.conversation(copy.id)

    def add_imported(
        self, conversation: Conversation, source: Conversation, same: dict[int, int], *, keep_times: bool
    ) -> Conversation:
        """Adds the messages of `source` that are not in `same`, which has the ids here of the others. The tip
        moves along unless the conversation was continued here. Without `keep_times` they get their parents' times.
        """
        from chatcli.store.import_chat import add_into

        with self._database.writing() as connection:
            add_into(connection, source, conversation, same, keep_times=keep_times)
        return self.conversation(conversation.id)

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

    def add_calls(self, conversation: Conversation, results: Sequence[Message]) -> list[Node]:
        """Stores a message for each call of the reply at the tip, one below the other, as asked for."""
        created, added = pack_time(self._now()), list[Node]()
        with self._database.writing() as connection:
            for message in results:
                parent = added[-1].id if added else conversation.tip
                node = nodes.insert(
                    connection, conversation.id, parent, message, created=created, ended=Ended.ASKED
                )
                added.append(node)
            nodes.move_tip(connection, conversation.id, added[-1])
        for node in added:
            conversation.add(node)
        return added

    def change_call(
        self, conversation: Conversation, node: Node, text: str, ended: Ended, *, lasting: bool = False
    ) -> Node:
        """Stores how far the call of that message has come, and its result. `lasting`: it waits for the disk."""
        changed = replace(node, message=replace(node.message, text=text), ended=ended)
        with self._database.writing(lasting=lasting) as connection:
            nodes.rewrite(connection, node.id, changed.message, ended, None)
        conversation.nodes[node.id] = changed
        return changed

    def copy(self, conversation: Conversation, node: Node) -> Node:
        """Adds a copy of `node` at the tip: its message, ending, turn and time (not before its parent's).

        It follows other messages, so that the turn's context is not its own.
        """
        turn = replace(node.turn, context="") if node.turn is not None else None
        node = replace(node, turn=turn)
        with self._database.writing() as connection:
            copied = nodes.insert_copy(connection, conversation.id, conversation.tip, node)
            nodes.move_tip(connection, conversation.id, copied)
        conversation.add(copied)
        return copied

    def begin_reply(self, conversation: Conversation, question: Node) -> Draft:
        """Returns the draft of the reply to `question`. Nothing is stored before its first save."""
        return Draft(self._database, conversation, question, self._now)

    def go_to(self, conversation: Conversation, node_id: int | None) -> None:
        """Moves the tip: the next message follows that one (None: it becomes a new root). Nothing is lost."""
        if node_id is not None:
            self._look_up(conversation, node_id)
        with self._database.writing() as connection:
            values = (node_id, conversation.id)
            if not connection.execute("UPDATE conversations SET tip = ? WHERE id = ?", values).rowcount:
                raise nodes.gone()
        conversation.go_to(node_id)

    def children(self, conversation: Conversation, node_id: int | None) -> list[Node]:
        """Returns the children of that message (None: the roots), oldest first: the branches that part there."""
        found = self.read(nodes.children, conversation.id, node_id)
        conversation.nodes.update((node.id, node) for node in found)
        return found

    def outline(self, conversation_id: int, marked: Iterable[int] = ()) -> Outline:
        """Returns the shape of the whole tree, with the spots of the messages that have these ids."""
        return self.read(outline.outline, conversation_id, marked)

    def twigs(self, spots: Iterable[Spot]) -> dict[Spot, Twig]:
        """Returns the messages at these spots in brief, those that exist."""
        return self.read(outline.twigs, spots)

    def name(self, conversation: Conversation, name: str, node_id: int | None) -> None:
        """Names a place in the conversation, to come back to (None removes the name)."""
        if node_id is not None:
            self._look_up(conversation, node_id)
        with self._database.writing() as connection:
            names = conversations.name(connection, conversation.id, conversation.names, name, node_id)
        conversation.names = names

    def keep_state(self, conversation: Conversation, state: State) -> None:
        """Stores the difference between this state and the one the conversation had here; see conversations.py."""
        with self._database.writing() as connection:
            state = conversations.keep_state(connection, conversation.id, conversation.state, state)
        conversation.state = state

    def keep_settings(self, conversation: Conversation, settings: Mapping[str, str]) -> None:
        """Stores the difference between these settings and those the conversation had here."""
        with self._database.writing() as connection:
            conversations.keep_settings(connection, conversation.id, conversation.settings, settings)
        conversation.settings = dict(settings)

    def rename(self, conversation_id: int, title: str) -> str:
        """Returns the title as it was stored: one line, without control characters."""
        title = clean_title(title)
        self._set(conversation_id, "title", pack(title))
        return title

    def delete(self, conversation_id: int) -> None:
        """Moves the conversation to the trash: it is in no list, and exists until the trash is emptied."""
        self._set(conversation_id, "trashed", pack_time(self._now()))

    def restore(self, conversation_id: int) -> None:
        """Moves the conversation out of the trash."""
        self._set(conversation_id, "trashed", None)

    def trash(self) -> list[Entry]:
        return self.read(listing.entries, trashed=True)

    def purge(self) -> int:
        """Empties the trash permanently; returns how many conversations it deleted."""
        return finished(self.purging())

    def purging(self) -> Generator[int, None, int]:
        """The same in portions, between which others may write; yields how many messages were deleted in each."""
        return purge(self._database, pack_time(self._now()))

    def last(self, demo: bool = False) -> int | None:
        """Returns the conversation with the newest message of those whose tip is at a message."""
        return self.read(listing.last, demo)

    def entries(
        self, limit: int | None = None, demo: bool | None = None, *, unanswered: bool = False
    ) -> list[Entry]:
        """Returns the conversations, last used first. `demo`: only the demo engine's, or only the others.
        `unanswered`: also those in which no reply ever came, and whose questions are off the path.
        """
        return self.read(listing.entries, limit=limit, demo=demo, unanswered=unanswered)

    def titles(self, demo: bool) -> list[tuple[str, int]]:
        """Returns title and number of messages of each conversation, last used first: quick, for completion."""
        return self.read(listing.titles, demo=demo)

    def find(self, name: str) -> list[Entry]:
        """Returns the conversations that `name` may mean: by exact title, else by id, else by the start of the
        title, else by what the title contains (case does not matter); last used first. One in which no reply ever
        came is found where no other is meant.
        """
        return listing.find(self.entries(), name) or listing.find(self.entries(unanswered=True), name)

    def search(
        self,
        terms: Sequence[str],
        *,
        conversation: int | None = None,
        before: int | None = None,
        limit: int = 20,
        per_message: bool = True,
    ) -> list[Hit]:
        """Returns passages in which any of `terms` occurs, best first. A term is a word, a phrase, or a prefix*.

        Searches all conversations outside the trash; or one; or, with `before`, the path to that node of the
        conversation. `per_message` returns only the best passage of each message.
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
        asked: Asked | None = None,
    ) -> Retrieved:
        """Returns the passages that recall chooses from: those with the rarest of `terms`, of up to `limit`
        messages on the path to node `upto`, inclusive (None: none of this conversation), and with `all_chats` of
        other conversations; and their neighbors. Messages on the path created in one of `spans` rank higher and
        are found without any of the terms; so are those nearest to `meaning`. `asked` says whether the
        few best are enough, of which alone nothing more is looked up; if not, it gives words for a second round,
        of which the rarest are searched for as well.
        """
        from chatcli.store.postings import Known
        from chatcli.store.recall_search import Wish, candidates

        self._known = self._known or Known()
        wish = Wish(terms, conversation, upto, spans, limit, all_chats, meaning, asked, self._known)
        return self.read(candidates, self.vectors, wish)

    def on_path(self, conversation: Conversation, upto: int, ids: Iterable[int]) -> list[Node]:
        """Returns those of the nodes that are on the path to node `upto`, inclusive, in path order."""
        return self.read(nodes.on_path, conversation.id, upto, ids)

    def with_files(self, conversation: Conversation, upto: int) -> list[Node]:
        """Returns the nodes with text files attached on the path to node `upto`, inclusive, in path order."""
        return self.read(nodes.with_files, conversation.id, upto)

    def read(self, query: Callable[Concatenate[Connection, P], T], *args: P.args, **named: P.kwargs) -> T:
        """Runs one of this package's reading functions, which take a connection first, and returns its result."""
        with self._database.reading() as connection:
            return query(connection, *args, **named)

    def check(self) -> list[str]:
        """Reads everything; returns what is wrong with the store. For chatcli doctor."""
        return self._database.check()

    def back_up(self) -> None:
        """Begins a backup in the background if one is due (see backups.py). Closing the store gives it up."""
        if self._backups is None:
            from chatcli.store.backups import Backups  # not before the first prompt

            self._backups = Backups(self._database, self._now)
        self._backups.start()

    def _set(self, conversation_id: int, column: str, value: str | bytes | int | None) -> None:
        with self._database.writing() as connection:
            conversations.change(connection, conversation_id, column, value)

    def _look_up(self, conversation: Conversation, node_id: int) -> Node:
        try:
            return conversation.node(node_id)
        except (KeyError, NotFound):
            raise NotFound(
                f"There is no message {node_id} in this conversation.", Hint(Do("tree"), " shows them all.")
            ) from None

    def _fetching(self, conversation: int) -> tuple[nodes.Load, nodes.Find]:
        """Returns the functions that a conversation loads its missing nodes with."""
        return (
            lambda node: self.read(nodes.fetched, conversation, node),
            lambda tip, number: self.read(at_number, conversation, tip, number),
        )

    def _forget_unused(self) -> None:
        if not self._created:
            return
        unused, self._created = self._created, []
        with suppress(StoreError), self._database.writing() as connection:  # otherwise the next purge deletes them
            conversations.remove_unused(connection, unused)
