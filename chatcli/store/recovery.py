"""Recovers a damaged store: puts all that can be read into a new one, and keeps the damaged file beside it."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from chatcli.conversation.message import Attachment, Message, Role
from chatcli.conversation.tree import Conversation, Ended
from chatcli.errors import Damaged
from chatcli.reading.json_toml import read_json
from chatcli.store.codec import renumbered, unpack_state, unpack_time, unpack_tool_uses, unpack_turn
from chatcli.store.failures import refused
from chatcli.store.import_chat import Seed, plant, seeds_of
from chatcli.store.salvage import Row, Salvaged, salvage
from chatcli.store.store import Store, utc_now
from chatcli.store.write_ahead_log import is_orphaned, put_pages


@dataclass(frozen=True, slots=True)
class Recovered:
    """`kept`: where the damaged file is now. `lost`: how many messages the store knows of that cannot be read.
    `open`: the conversation that was open, as the new store has it.
    """

    kept: Path
    conversations: int
    messages: int
    lost: int
    open: int | None = None


def recover(path: Path, open: Conversation | None = None) -> Recovered:  # noqa: A002
    """Replaces the damaged store at `path` by a new one with all that can be read of it, and with what is in
    memory of the conversation that is `open`.

    No other program should have it open: what it writes from now on goes to the file that is kept. Raises
    StoreError when nothing can be read or there is no room for a second file; then everything is as it was.
    """
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix="recovering-") as name:
            place = Path(name)
            new, damaged = place / "new.db", place / "damaged.db"
            shutil.copyfile(path, damaged)
            if is_orphaned(path):
                put_pages(_beside(path, "-wal"), damaged)
            else:
                with suppress(FileNotFoundError):
                    shutil.copyfile(_beside(path, "-wal"), _beside(damaged, "-wal"))
            Store.open(new).close()
            rebuilt = _rebuild(salvage(damaged, new), new, open)
            if not rebuilt.messages:
                raise Damaged(f"Nothing can be read of {path}.", "Move it away to start a new one.")
            return replace(rebuilt, kept=_exchange(path, new))
    except OSError as error:
        worse = refused(error, path)
        raise type(worse)(f"{path} cannot be recovered. {worse.message}", worse.hint) from error


def _rebuild(salvaged: Salvaged, new: Path, opened: Conversation | None) -> Recovered:
    tables = salvaged.tables
    heads = {row["id"]: _head(row) for row in tables["conversations"]}
    known = salvaged.known | {head.tip for head in heads.values() if head.tip}
    chats: dict[int, list[Seed]] = {}
    for conversation, seed in _seeds(tables):
        if opened is None or seed.name not in opened.nodes:
            chats.setdefault(conversation, []).append(seed)
    if opened is not None and opened.nodes:
        heads[opened.id] = opened
        own = [*chats.get(opened.id, []), *seeds_of(opened)]
        chats[opened.id] = sorted(own, key=lambda seed: int(str(seed.name)))
    now = {}
    with Store.open(new) as store:
        for number in sorted(chats):
            head = heads.get(number, Conversation(id=number, tip=_UNKNOWN))
            now[number] = _rebuild_one(store, head, chats[number])
        for number, row in ((row["id"], row) for row in tables["conversations"]):
            if row.get("trashed") is not None and number in now:
                store.delete(now[number])
    read = {seed.name for seeds in chats.values() for seed in seeds}
    return Recovered(new, len(chats), len(read), len(known - read), now.get(opened.id) if opened else None)


def _rebuild_one(store: Store, head: Conversation, seeds: list[Seed]) -> int:
    """Stores these messages with the tip and state of `head`, which has the old ids. Returns the new id."""
    conversation = Conversation(id=0, title=head.title, demo=head.demo, settings=head.settings)
    ids = plant(seeds, conversation, [])
    numbers = {name: new for name, new in ids.items() if isinstance(name, int)}
    if head.tip is None or head.tip in numbers:
        conversation.tip = numbers[head.tip] if head.tip is not None else None
    conversation.state = renumbered(head.state, numbers)
    conversation.names = {name: numbers[node] for name, node in head.names.items() if node in numbers}
    return store.take_in(conversation).id


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


def _seeds(tables: Mapping[str, list[Row]]) -> Iterator[tuple[int, Seed]]:
    """Returns (conversation, message) for every message that can be read, in the order they were created.

    A message whose parent is lost follows the nearest message above it on its branch. A message whose branch is
    lost goes to its parent's conversation; if the parent is lost, too, the branch becomes a conversation of its
    own.
    """
    homes = {row["id"]: row["conversation"] for row in tables["branches"]}
    attachments, pieces = _attachments(tables), _pieces(tables["pieces"])
    conversation_of: dict[int, int] = {}
    newest: dict[int, int] = {}
    for row in tables["nodes"]:
        with suppress(
            ValueError, TypeError, KeyError, AttributeError, OverflowError
        ):  # a row with nonsense values is skipped
            node, branch, parent = row["id"], row["branch"], row["parent"]
            text, thinking = pieces.get(node, ("", ""))
            message = Message(
                Role(row["role"].decode()),
                _text(row["text"]) + text,
                _text(row["thinking"]) + thinking,
                attachments.get(node, ()),
                unpack_tool_uses(row["tool_uses"]),
            )
            turn = unpack_turn(row["turn"])
            ended, created = Ended(row["ended"].decode()), unpack_time(row["created"])
            if parent is not None and parent not in conversation_of:
                parent = newest.get(branch)
            conversation_of[node] = homes.get(branch) or conversation_of.get(parent, -branch)
            newest[branch] = node
            yield conversation_of[node], Seed(node, parent, message, created, ended, turn)


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


def _exchange(path: Path, new: Path) -> Path:
    """Moves the new file to the damaged one's path, and returns where that is now. The path always has a file."""
    stamp = f"{utc_now():%Y%m%d-%H%M%S}"
    kept = path.with_name(f"{path.stem}.damaged-{stamp}{path.suffix}")
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


def _beside(path: Path, end: str) -> Path:
    return path.with_name(path.name + end)
