"""Reads the SQLite databases of other programs: the Ollama app's, oterm's, and llm's logs, old and new.

The file is a stranger's: it is read from a copy, its views, triggers and functions are not used, and steps and
bytes have a limit. What comes out is what those programs could have exported as JSON; import_forms.py reads that.
"""

from __future__ import annotations

import base64
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from chatcli.errors import BadData, BadFile
from chatcli.reading.json_toml import read_json
from chatcli.reading.signatures import media_type_of
from chatcli.store.import_message import listed, mapped

_MAGIC = b"SQLite format 3\0"
_STEPS, _MOST_STEPS = 100_000, 50_000  # instructions between two looks at Ctrl-C, and looks until it is given up
_MOST_BYTES = 1_000_000_000  # of all values, since a default of the schema may be in every row

Row = dict[str, Any]


def is_database(data: bytes) -> bool:
    return data.startswith(_MAGIC)


def conversations_in(data: bytes, log: bytes = b"") -> list[Row]:
    """Returns the conversations as JSON values, none if the tables are not known. `log`: the file's write-ahead
    log. Raises BadFile when SQLite cannot read it.
    """
    looks = 0

    def go_on() -> bool:
        nonlocal looks
        looks += 1
        return looks > _MOST_STEPS

    with TemporaryDirectory(prefix="chatcli-") as folder:
        file = Path(folder, "copy")
        file.write_bytes(data)
        if log:
            Path(folder, "copy-wal").write_bytes(log)
        with closing(sqlite3.connect(file, isolation_level=None)) as connection:
            connection.set_progress_handler(go_on, _STEPS)
            connection.text_factory = lambda text: text.decode("utf-8", "replace")
            try:
                connection.execute("PRAGMA trusted_schema=OFF")
                connection.execute("PRAGMA query_only=ON")
                return list(_conversations(_Tables(connection)))
            except sqlite3.Error as error:
                if looks <= _MOST_STEPS and getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_INTERRUPT:
                    raise KeyboardInterrupt from error
                why = "it takes too long" if looks > _MOST_STEPS else str(error)
                raise BadFile(f"The database cannot be read: {why}.", "Check the file.") from error


class _Tables:
    """The plain tables of a database; no view, virtual table or generated column."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._size = 0
        query = "SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'"
        names = [name for (name,) in connection.execute(query)]
        columns = "SELECT name FROM pragma_table_info(?)"
        self._columns = {table: {name for (name,) in connection.execute(columns, (table,))} for table in names}

    def has(self, table: str, *columns: str) -> bool:
        return set(columns) <= self._columns.get(table, set())

    def rows(self, table: str, names: str, order: str = "rowid") -> Iterator[Row]:
        """Yields these columns, None for one that is not there. Only files have bytes."""
        found = [name for name in names.split() if self.has(table, name)]
        if not found or (order != "rowid" and not self.has(table, order)):
            return
        columns = ", ".join(f'"{name}"' for name in found)
        query = f'SELECT {columns} FROM "{table}" NOT INDEXED ORDER BY "{order}"'  # noqa: S608
        for row in self._connection.execute(query):
            self._size += sum(len(value) for value in row if isinstance(value, str | bytes))
            if self._size > _MOST_BYTES:
                raise BadFile(f"The database has more than {_MOST_BYTES / 1e6:g} MB.", "Check the file.")
            values = row if table == "attachments" else map(_text, row)
            yield {**dict.fromkeys(names.split()), **dict(zip(found, values, strict=True))}

    def by(self, key: str, table: str, names: str, order: str = "rowid") -> dict[Any, list[Row]]:
        found = defaultdict(list)
        for row in self.rows(table, f"{key} {names}", order):
            found[row[key]].append(row)
        return found


def _conversations(tables: _Tables) -> Iterator[Row]:
    if tables.has("chats", "id") and tables.has("messages", "chat_id", "role", "content"):
        yield from _from_ollama(tables)
    if tables.has("chat", "id", "model") and tables.has("message", "chat_id", "author", "text"):
        yield from _from_oterm(tables)
    if tables.has("responses", "id", "prompt", "response"):
        yield from _from_llm(tables)
    if tables.has("threads", "id", "tip_message_hash") and tables.has("messages", "hash", "parent_hash", "role"):
        yield from _from_llm_threads(tables)


def _from_ollama(tables: _Tables) -> Iterator[Row]:
    files = tables.by("message_id", "attachments", "filename data")
    calls = tables.by("message_id", "tool_calls", "function_name function_arguments")
    said = tables.by("chat_id", "messages", "id role content thinking model_name created_at tool_result", "id")
    for chat in tables.rows("chats", "id title created_at"):
        messages = [
            {
                "role": row["role"],
                "content": row["content"] or row["tool_result"] or "",
                "thinking": row["thinking"],
                "model": row["model_name"],
                "created_at": row["created_at"],
                "attachments": [_file(each["filename"], each["data"]) for each in files[row["id"]]],
                "tool_calls": [
                    {"function": {"name": each["function_name"], "arguments": each["function_arguments"]}}
                    for each in calls[row["id"]]
                ],
            }
            for row in said[chat["id"]]
        ]
        yield {"title": chat["title"], "created_at": chat["created_at"], "messages": messages}


def _from_oterm(tables: _Tables) -> Iterator[Row]:
    said = tables.by("chat_id", "message", "author text images", "id")
    for chat in tables.rows("chat", "id name model system parameters"):
        messages = [
            {"role": row["author"], "content": row["text"], "images": listed(_json(row["images"]))}
            for row in said[chat["id"]]
        ]
        settings = mapped(_json(chat["parameters"]))
        about = {"title": chat["name"], "model": chat["model"], "system": chat["system"]}
        yield {**about, "settings": settings, "messages": messages}


def _from_llm(tables: _Tables) -> Iterator[Row]:
    """Yields the lines of the log, as llm writes them in JSON."""
    names = {row["id"]: row["name"] for row in tables.rows("conversations", "id name")}
    fragments = {row["id"]: str(row["content"] or "") for row in tables.rows("fragments", "id content")}
    quoted = tables.by("response_id", "prompt_fragments", "fragment_id", "order")
    files = {row["id"]: row for row in tables.rows("attachments", "id path url content")}
    attached = tables.by("response_id", "prompt_attachments", "attachment_id", "order")
    calls = tables.by("response_id", "tool_calls", "name arguments tool_call_id")
    results = tables.by("response_id", "tool_results", "name output tool_call_id")
    columns = "id model prompt system response reasoning conversation_id datetime_utc"
    for row in tables.rows("responses", columns):
        before = [fragments.get(each["fragment_id"], "") for each in quoted[row["id"]]]
        here = [files[each["attachment_id"]] for each in attached[row["id"]] if each["attachment_id"] in files]
        yield {
            **row,
            "prompt": "\n".join([*before, str(row["prompt"] or "")]),
            "response": str(row["response"] or ""),
            "title": names.get(row["conversation_id"]),
            "attachments": list(map(_llm_file, here)),
            "tool_calls": calls[row["id"]],
            "tool_results": results[row["id"]],
        }


def _from_llm_threads(tables: _Tables) -> Iterator[Row]:
    messages = {row["hash"]: row for row in tables.rows("messages", "hash parent_hash role")}
    parts = tables.by("message_hash", "parts", "position type tool_name text payload", "position")
    fragments = {row["id"]: str(row["content"] or "") for row in tables.rows("fragments", "id content")}
    files = {row["id"]: row for row in tables.rows("attachments", "id path url content")}
    turns = {row["tip_message_hash"]: row for row in tables.rows("turns", "tip_message_hash model datetime_utc")}
    for thread in tables.rows("threads", "id name tip_message_hash datetime_utc"):
        path: dict[Any, Row] = {}
        at = thread["tip_message_hash"]
        while at in messages and at not in path:
            turn = turns.get(at, {})
            about = {
                "role": messages[at]["role"],
                "model": turn.get("model"),
                "created_at": turn.get("datetime_utc"),
            }
            path[at] = {**about, **_llm_message(parts[at], fragments, files)}
            at = messages[at]["parent_hash"]
        yield {
            "title": thread["name"],
            "created_at": thread["datetime_utc"],
            "messages": list(reversed(path.values())),
        }


def _llm_message(parts: Iterable[Row], fragments: Mapping[Any, str], files: Mapping[Any, Row]) -> Row:
    said: dict[str, list[Any]] = {
        "text": [],
        "reasoning": [],
        "tool_call": [],
        "tool_result": [],
        "attachment": [],
    }
    for part in parts:
        about = mapped(_json(part["payload"]))
        pieces = map(mapped, listed(about.get("text_ref")))
        text = part["text"] or "".join(
            str(each["literal"]) if "literal" in each else _at(fragments, each.get("fragment")) or ""
            for each in pieces
        )
        match part["type"]:
            case "text" | "reasoning" as kind:
                said[kind].append(text)
            case "tool_call":
                called = {"name": part["tool_name"], "arguments": about.get("arguments")}
                said["tool_call"].append({**called, "tool_call_id": about.get("tool_call_id")})
            case "tool_result":
                result = {"name": part["tool_name"], "tool_call_id": about.get("tool_call_id")}
                said["tool_result"].append(
                    {"type": "tool_result", **result, "content": str(about.get("output") or "")}
                )
            case "attachment" if (file := _at(files, mapped(about.get("attachment")).get("id"))) is not None:
                said["attachment"].append(_llm_file(file))
    return {
        "content": [*said["tool_result"], *({"text": text} for text in said["text"])]
        if said["tool_result"]
        else "\n".join(said["text"]),
        "thinking": "\n".join(said["reasoning"]),
        "tool_calls": said["tool_call"],
        "attachments": [each for each in said["attachment"] if "data" in each],
        "files": [each for each in said["attachment"] if "data" not in each],
    }


def _llm_file(row: Row) -> Row:
    name = str(row["path"] or row["url"] or "file")
    return _file(name.rpartition("/")[2], row["content"]) if row["content"] else {"name": name}


def _at(values: Mapping[Any, Any], key: Any) -> Any:
    return values.get(key) if isinstance(key, str | int) else None


def _text(value: Any) -> Any:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _file(name: Any, data: Any) -> Row:
    """Returns the file as an attachment of our own export, a picture or a text."""
    data = data if isinstance(data, bytes) else str(data or "").encode()
    kind = "image" if media_type_of(data) or b"\0" in data else "text"
    return {"name": str(name), "kind": kind, "data": base64.b64encode(data).decode()}


def _json(text: Any) -> Any:
    try:
        return read_json(text) if isinstance(text, str) else None
    except BadData:
        return None
