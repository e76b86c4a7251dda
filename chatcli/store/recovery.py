"""Recovers a damaged store: puts all that can be read of it and of its newest backup into a new one, and keeps the
damaged file.

Messages and conversations keep their ids. So what a backup has of them is recognized, and nothing is doubled.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from datetime import datetime
from itertools import chain, count
from pathlib import Path
from typing import Any, Literal

from chatcli.conversation.events import Progress, finished, measured
from chatcli.conversation.message import Attachment, Message, Role
from chatcli.conversation.tree import Conversation, Node
from chatcli.dataclass import dataclass
from chatcli.errors import Damaged
from chatcli.reading.json_toml import read_json
from chatcli.store import conversations
from chatcli.store.backups import Backup, backups
from chatcli.store.codec import (
    pack_time,
    renumbered,
    unpack_calls,
    unpack_ended,
    unpack_state,
    unpack_time,
    unpack_turn,
)
from chatcli.store.database import Database, open_database
from chatcli.store.failures import refused
from chatcli.store.import_chat import Seed, copying, seeds_of
from chatcli.store.salvage import TABLES, Row, Salvaged, read, salvage
from chatcli.store.store import Store, utc_now
from chatcli.store.write_ahead_log import is_orphaned, put_pages

Tables = Mapping[str, list[Row]]


@dataclass(frozen=True, slots=True)
class Recovered:
    """`kept`: where the damaged file is now. `lost`: how many messages the store knows of that cannot be read.
    `open`: the conversation that was open, as the new store has it. `from_backup`: how many messages only the
    backup made at `backup` had.
    """

    kept: Path
    conversations: int
    messages: int
    lost: int
    open: int | None = None
    from_backup: int = 0
    backup: datetime | None = None


# What a person reads meanwhile.
DOING = "Recovering what can be read of the store"


def recover(path: Path, open: Conversation | None = None, backup: Backup | None = None) -> Recovered:  # noqa: A002
    """Does what recovering() does, all at once."""
    return finished(recovering(path, open, backup))


def recovering(
    path: Path,
    open: Conversation | None = None,  # noqa: A002
    backup: Backup | None = None,
) -> Generator[Progress, None, Recovered]:
    """Replaces the damaged store at `path` by a new one with all that can be read of it, with what is in memory of
    the conversation that is `open`, and with what only the newest backup has.

    With `backup`, that one is restored: the store need not be damaged, and what it has besides comes along.

    No other program should have it open: what it writes from now on goes to the file that is kept. Raises
    StoreError when nothing can be read or there is no room for a second file; then everything is as it was. So it
    is when the generator is closed before its end.
    """
    yield Progress(DOING)
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix="recovering-") as name:
            place = Path(name)
            new, damaged = place / "new.db", place / "damaged.db"
            Store.open(new).close()
            there = [backup] if backup is not None else backups(path)
            sound = there[0].path if there else new
            orphaned = is_orphaned(path)  # then pages that are not in the log come from the sound file
            shutil.copyfile(sound if orphaned else path, damaged)
            with suppress(FileNotFoundError):
                put_pages(_beside(path, "-wal"), damaged, path.stat().st_size)
            salvaged = salvage(damaged, sound, TABLES if orphaned else ())
            yield Progress(DOING)
            rebuilt = yield from _rebuild(salvaged, there, new, open, backup is not None)
            if not rebuilt.messages:
                raise Damaged(f"Nothing can be read of {path}.", "Move it away to start a new one.")
            return replace(rebuilt, kept=_exchange(path, new, "replaced" if backup is not None else "damaged"))
    except OSError as error:
        worse = refused(error, path)
        raise type(worse)(f"{path} cannot be recovered. {worse.message}", worse.advice) from error


def _rebuild(
    salvaged: Salvaged, there: list[Backup], new: Path, opened: Conversation | None, restoring: bool
) -> Generator[Progress, None, Recovered]:
    """Fills the new store. Where the backup of another store is restored (it has other messages under the same
    ids), the conversations of this store come along as new ones.
    """
    sources = _sources(salvaged, there, restoring)
    found = Collected()
    for _, tables in sources:
        found.add(tables)
    is_another = restoring and any(_are_of_another(tables, salvaged.tables) for _, tables in sources)
    own = Collected() if is_another else found
    here = own.add(salvaged.tables)
    if opened is not None:
        here |= own.add_loaded(opened)
    with closing(open_database(new)) as database:
        chats = now = yield from measured(_put_back(database, found, same_ids=True), DOING, len(found.seeds))
        if is_another:
            now = yield from measured(_put_back(database, own, same_ids=False), DOING, len(own.seeds))
        else:
            _use_no_id_again(database, max(salvaged.known, default=0))
    earlier = found.seeds.keys() if is_another else found.seeds.keys() - here
    return Recovered(
        kept=new,
        conversations=len(chats) + is_another * len(now),
        messages=len(found.seeds) + is_another * len(own.seeds),
        lost=len((salvaged.known | own.tips) - own.seeds.keys()),
        open=now.get(opened.id) if opened is not None else None,
        from_backup=len(earlier),
        backup=sources[-1][0].made if earlier else None,
    )


def _sources(salvaged: Salvaged, there: list[Backup], restoring: bool) -> list[tuple[Backup, Tables]]:
    """Returns the backups to use, earliest first: the newest, and others only where that one has damage itself.
    Another store's backup is only restored when asked for.
    """
    found: list[tuple[Backup, Tables]] = []
    for backup in there:
        earlier = read(backup.path, "mode=ro")
        if earlier is None or (not restoring and _are_of_another(earlier.tables, salvaged.tables)):
            continue
        found.insert(0, (backup, earlier.tables))
        if not earlier.unsure:
            break
    return found


def _are_of_another(earlier: Tables, later: Tables) -> bool:
    """Whether most of the messages with the same id were created at different times. Ids are never used again."""
    times = {row["id"]: row["created"] for row in earlier["nodes"]}
    same: list[bool] = [times[row["id"]] == row["created"] for row in later["nodes"] if row["id"] in times]
    return sum(same) * 2 < len(same)


def _put_back(database: Database, found: Collected, *, same_ids: bool) -> Generator[int, None, dict[int, int]]:
    """Stores the conversations; yields how many messages were stored since, and returns the new ids by those they
    had.
    """
    chats: dict[int, list[int]] = {}
    for node in sorted(found.seeds):
        chats.setdefault(found.homes[node], []).append(node)
    now = {}
    for number in sorted(chats, key=lambda each: (each < 0, each)):  # those without an id take what is left
        conversation = found.conversation(number, chats[number])
        own = number if same_ids and number > 0 else None
        first = pack_time(min(node.created for node in conversation.nodes.values()))
        with database.writing() as connection:
            now[number] = conversations.create(
                connection,
                title=conversation.title,
                demo=conversation.demo,
                settings=conversation.settings,
                created=first,
                id=own,
            )
        yield from copying(database, conversation, now[number], same_ids=same_ids)
        if number in found.trashed:
            with database.writing() as connection:
                conversations.change(connection, now[number], "trashed", pack_time(utc_now()))
    return now


def _use_no_id_again(database: Database, highest: int) -> None:
    """Ids of lost messages may be remembered elsewhere."""
    with database.writing() as connection:
        connection.execute("UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = 'nodes'", (highest,))


class Collected:
    """What is known of all conversations, by their ids and those of their messages, from one file or several, the
    earliest first: the last one to know something decides.
    """

    def __init__(self) -> None:
        self.heads: dict[int, Conversation] = {}
        self.trashed: set[int] = set()
        self.seeds: dict[int, Seed] = {}
        self.homes: dict[int, int] = {}
        # Conversations whose row is older than their newest message.
        self._outdated: set[int] = set()
        self._branches: dict[int, int] = {}
        self._newest: dict[int, int] = {}

    @property
    def tips(self) -> set[int]:
        return {head.tip for head in self.heads.values() if head.tip is not None and head.tip != _UNKNOWN}

    def add(self, tables: Tables) -> set[int]:
        """Adds what these rows say; returns the ids of their messages."""
        branches = {row["id"]: row["conversation"] for row in tables["branches"]}
        if any(self._branches.get(each, chat) != chat for each, chat in branches.items()):
            self._newest.clear()  # a recovery in between has numbered the branches anew
        self._branches |= branches
        read = set()
        for node, seed in self._seeds(tables, branches):
            if node not in self.seeds:
                self._outdated.add(self.homes[node])
            self.seeds[node] = _fuller(seed, self.seeds.get(node, seed))
            read.add(node)
        for row in tables["conversations"]:
            self.heads[row["id"]] = _head(row)
            self._outdated.discard(row["id"])
            (self.trashed.add if row.get("trashed") is not None else self.trashed.discard)(row["id"])
        return read

    def add_loaded(self, opened: Conversation) -> set[int]:
        """Adds what is in memory of a conversation."""
        if opened.nodes:
            self.heads[opened.id] = opened
            self._outdated.discard(opened.id)
            self.seeds |= dict(zip(sorted(opened.nodes), seeds_of(opened), strict=True))
            self.homes |= dict.fromkeys(opened.nodes, opened.id)
        return set(opened.nodes)

    def conversation(self, number: int, ids: Sequence[int]) -> Conversation:
        """Returns the conversation that has messages with these ids, in ascending order."""
        head = self.heads.get(number, Conversation(id=number, tip=_UNKNOWN))
        made = Conversation(id=number, title=head.title, demo=head.demo, settings=head.settings)
        for node in ids:
            seed = self.seeds[node]
            parent = seed.parent if seed.parent in made.nodes else None
            depth = made.nodes[parent].number + 1 if parent is not None else 1
            created = seed.created or utc_now()
            made.add(Node(node, parent, depth, seed.message, created, seed.ended, seed.turn))
        if head.tip is None or (head.tip in made.nodes and number not in self._outdated):
            made.tip = head.tip
        made.state = renumbered(head.state, dict(zip(ids, ids, strict=True)))
        made.names = {name: node for name, node in head.names.items() if node in made.nodes}
        return made

    def _seeds(self, tables: Tables, branches: Mapping[int, int]) -> Iterator[tuple[int, Seed]]:
        """Yields every message that can be read, in the order of ids, and notes its conversation.

        A message whose parent is lost follows the nearest message above it on its branch. A message whose branch
        is lost goes to its parent's conversation; if the parent is lost, too, the branch becomes a conversation of
        its own.
        """
        attachments, pieces = _attachments(tables), _pieces(tables["pieces"])
        for row in tables["nodes"]:
            with suppress(
                ValueError, TypeError, KeyError, AttributeError, OverflowError
            ):  # a row with nonsense values is skipped
                node, branch, parent = row["id"], row["branch"], row["parent"]
                seed = _seed(row, attachments.get(node, ()), *pieces.get(node, ("", "")))
                above = parent if parent is None or parent in self.homes else self._newest.get(branch)
                known = self.homes.get(node) or (self.homes.get(above) if above is not None else None)
                self.homes[node] = branches.get(branch) or known or -branch
                self._newest[branch] = max(node, self._newest.get(branch, 0))
                yield node, replace(seed, parent=above)


def _fuller(seed: Seed, earlier: Seed) -> Seed:
    """Returns `seed`, with the earlier attachments if some of them were lost since."""
    attachments = max(seed.message.attachments, earlier.message.attachments, key=len)
    return replace(seed, message=replace(seed.message, attachments=attachments))


def _seed(row: Row, attachments: tuple[Attachment, ...], text: str, thinking: str) -> Seed:
    """`text` and `thinking`: what a reply in progress has gained since its row was written."""
    uses, called = unpack_calls(row["tool_uses"])
    role = Role(row["role"].decode())
    message = Message(role, _text(row["text"]) + text, _text(row["thinking"]) + thinking, attachments, uses)
    ended, created = unpack_ended(row["ended"].decode(), called), unpack_time(row["created"])
    return Seed(row["id"], row["parent"], message, created, ended, unpack_turn(row["turn"]))


# The tip of a conversation that has only its messages left: the newest one.
_UNKNOWN = -1


def _head(row: Row) -> Conversation:
    """Reads the rest of the row. It matters less than messages: what cannot be read is left out."""
    tip = row.get("tip", _UNKNOWN)
    head = Conversation(id=row["id"], title=_text(row.get("title", b"")), demo=bool(row.get("demo")), tip=tip)
    with suppress(ValueError, TypeError, KeyError, AttributeError):
        head.settings = dict(read_json(row["settings"]))
        head.state = unpack_state(row["state"])
        head.names = dict(read_json(row["names"]))
    return head


def _attachments(tables: Mapping[str, list[Row]]) -> dict[int, tuple[Attachment, ...]]:
    """Returns the files that are complete, by node."""
    blobs = {
        row["id"]: row["data"]
        for row in tables["blobs"]
        if isinstance(row["data"], bytes) and hashlib.sha256(row["data"]).hexdigest().encode() == row["digest"]
    }
    found: dict[int, tuple[Attachment, ...]] = {}
    for row in tables["attachments"]:
        if row["blob"] in blobs:
            kind: Literal["image", "text"] = "text" if row["kind"] == b"text" else "image"
            each = Attachment(kind, _text(row["name"]), _text(row["media_type"]), blobs[row["blob"]])
            found[row["node"]] = (*found.get(row["node"], ()), each)
    return found


def _pieces(rows: list[Row]) -> dict[int, tuple[str, str]]:
    found: dict[int, tuple[str, str]] = {}
    for row in rows:
        text, thinking = found.get(row["node"], ("", ""))
        found[row["node"]] = (text + _text(row["text"]), thinking + _text(row["thinking"]))
    return found


def _text(column: Any) -> str:
    """A value that is not text becomes ""; bytes that are not UTF-8 are shown as such."""
    if not isinstance(column, bytes):
        return ""
    try:
        return column.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return column.decode(errors="replace")


def _exchange(path: Path, new: Path, why: str) -> Path:
    """Moves the new file to the path of the old one, and returns where that is now. The path always has a file."""
    stamp = f"{utc_now():%Y%m%d-%H%M%S}"
    names = chain([stamp], (f"{stamp}-{number}" for number in count(2)))
    kept = next(file for each in names if not (file := path.with_name(_kept(path, why, each))).exists())
    try:
        os.link(path, kept)
    except OSError:  # a file system without hard links
        shutil.copyfile(path, kept)
    # Its log must be moved first: SQLite would take it for the new file's.
    for end in ("-wal", "-shm"):
        with suppress(FileNotFoundError):
            _beside(path, end).replace(_beside(kept, end))
    new.replace(path)
    return kept


def set_aside(store: Path) -> list[Path]:
    """Returns the files that recoveries of that store have kept, oldest first of each kind."""
    return [file for why in ("damaged", "replaced") for file in sorted(store.parent.glob(_kept(store, why, "*")))]


def _kept(store: Path, why: str, stamp: str) -> str:
    return f"{store.stem}.{why}-{stamp}{store.suffix}"


def _beside(path: Path, end: str) -> Path:
    return path.with_name(path.name + end)
