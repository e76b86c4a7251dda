"""The schema, as the steps that build it. Append-only: a released step is never changed.

Each step runs in one transaction with its record in the table `migrations`. A store that records a step unknown
here was written by a newer chatcli.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

from chatcli.errors import Damaged, TooNew
from chatcli.pattern import pattern
from chatcli.store import passages


def m001_conversations(connection: sqlite3.Connection) -> None:
    """The tree. Times are microseconds since 1970 in UTC and only for display: the ids tell the order.

    AUTOINCREMENT, because pins, cuts and other programs remember ids: an id is never used again. Small columns
    come before large ones, so that walking the tree never reads the pages of a long text. Text is TEXT, or BLOB
    when it has lone surrogates (see codec.py).
    """
    for statement in _CONVERSATIONS:
        connection.execute(statement)


_CONVERSATIONS = (
    # tip: where the conversation continues; latest: its newest node, which decides "the last conversation".
    """CREATE TABLE conversations (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        created INTEGER NOT NULL,
        updated INTEGER NOT NULL,
        trashed INTEGER,
        demo INTEGER NOT NULL DEFAULT 0,
        tip INTEGER,
        latest INTEGER NOT NULL DEFAULT 0,
        model TEXT NOT NULL DEFAULT '',
        title TEXT NOT NULL DEFAULT '',
        settings TEXT NOT NULL DEFAULT '{}',
        state TEXT NOT NULL DEFAULT '{}'
    )""",
    "CREATE INDEX conversations_latest ON conversations (latest, updated)",
    # A branch leaves its origin after message number `fork`. This row is all a branch costs beyond its messages.
    """CREATE TABLE branches (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        conversation INTEGER NOT NULL REFERENCES conversations ON DELETE CASCADE,
        origin INTEGER REFERENCES branches ON DELETE CASCADE,
        fork INTEGER NOT NULL DEFAULT 0
    )""",
    "CREATE INDEX branches_conversation ON branches (conversation)",
    "CREATE INDEX branches_origin ON branches (origin)",
    # number: the place on the path from the root, 1-based; size: bytes of text, thinking and attachments.
    """CREATE TABLE nodes (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        branch INTEGER NOT NULL REFERENCES branches ON DELETE CASCADE,
        number INTEGER NOT NULL,
        parent INTEGER REFERENCES nodes ON DELETE CASCADE,
        created INTEGER NOT NULL,
        size INTEGER NOT NULL,
        role TEXT NOT NULL,
        ended TEXT NOT NULL,
        text TEXT NOT NULL,
        thinking TEXT NOT NULL DEFAULT '',
        tool_uses TEXT,
        turn TEXT
    )""",
    "CREATE UNIQUE INDEX nodes_place ON nodes (branch, number)",
    "CREATE INDEX nodes_parent ON nodes (parent)",
    # Text that a growing reply gained since its row was written; moved into the row when the reply ends.
    """CREATE TABLE pieces (
        id INTEGER PRIMARY KEY,
        node INTEGER NOT NULL REFERENCES nodes ON DELETE CASCADE,
        text TEXT NOT NULL,
        thinking TEXT NOT NULL
    )""",
    "CREATE INDEX pieces_node ON pieces (node)",
    """CREATE TABLE blobs (
        id INTEGER PRIMARY KEY,
        digest TEXT NOT NULL UNIQUE,
        data BLOB NOT NULL
    )""",
    """CREATE TABLE attachments (
        node INTEGER NOT NULL REFERENCES nodes ON DELETE CASCADE,
        place INTEGER NOT NULL,
        blob INTEGER NOT NULL REFERENCES blobs,
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        media_type TEXT NOT NULL,
        PRIMARY KEY (node, place)
    ) WITHOUT ROWID""",
    "CREATE INDEX attachments_blob ON attachments (blob)",
)


def m002_search(connection: sqlite3.Connection) -> None:
    """Full-text search. passages.py says what is indexed; the index keeps no copy of the text."""
    for statement in _SEARCH:
        connection.execute(statement)
    passages.reindex(connection)


_SEARCH = (
    # id: the node's id * 1024 and the place in it; start and length: bytes of the node's text, from 1.
    "CREATE TABLE passages (id INTEGER PRIMARY KEY, start INTEGER NOT NULL, length INTEGER NOT NULL)",
    """CREATE VIEW passage_texts AS
        SELECT passages.id AS id, spaced(substr(CAST(text AS BLOB), start, length)) AS text
        FROM passages JOIN nodes ON nodes.id = passages.id >> 10""",
    """CREATE VIRTUAL TABLE search USING fts5(
        text, content='passage_texts', content_rowid='id', tokenize='porter unicode61 remove_diacritics 2'
    )""",
)


def m003_names(connection: sqlite3.Connection) -> None:
    """Named places in a conversation: JSON, name to node id."""
    connection.execute("ALTER TABLE conversations ADD COLUMN names TEXT NOT NULL DEFAULT '{}'")


def m004_vectors(connection: sqlite3.Connection) -> None:
    """Embeddings of passages. When a passage is deleted or changes, its vector is deleted with it."""
    for statement in _VECTORS:
        connection.execute(statement)


_VECTORS = (
    # made: how many vectors were ever made by that model.
    """CREATE TABLE embedders (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        digest TEXT NOT NULL,
        made INTEGER NOT NULL DEFAULT 0
    )""",
    # made: its number among the model's vectors; vectors made after a search have higher ones. See vectors.py.
    """CREATE TABLE vectors (
        passage INTEGER PRIMARY KEY REFERENCES passages ON DELETE CASCADE,
        embedder INTEGER NOT NULL REFERENCES embedders,
        conversation INTEGER NOT NULL REFERENCES conversations ON DELETE CASCADE,
        made INTEGER NOT NULL,
        signs BLOB NOT NULL,
        vector BLOB NOT NULL
    )""",
    # All that a search reads of every passage, side by side.
    "CREATE INDEX vectors_signs ON vectors (embedder, made, conversation, signs)",
)


def m005_tool_calls(_connection: sqlite3.Connection) -> None:
    """A tool's message has the call in `tool_uses`, and there how far it has come. Nothing changes here, but a
    version that does not know calls can read the store, and must not write to it.
    """


MIGRATIONS: tuple[Callable[[sqlite3.Connection], None], ...] = (
    m001_conversations,
    m002_search,
    m003_names,
    m004_vectors,
    m005_tool_calls,
)


_RECORDS = "CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY, applied TEXT NOT NULL) WITHOUT ROWID"


def migrate(
    connection: sqlite3.Connection, steps: tuple[Callable[[sqlite3.Connection], None], ...] = MIGRATIONS
) -> None:
    """Runs the steps that have not run. Safe when another program does the same at the same time."""
    if not _missing(connection, steps):
        return
    for step in steps:
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(_RECORDS)
            if step in _missing(connection, steps):
                step(connection)
                connection.execute("INSERT INTO migrations VALUES (?, datetime('now'))", (step.__name__,))
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


# Tables that SQLite and its full-text search make for themselves: their text depends on SQLite's version.
_OF_SQLITE = pattern("sqlite_(sequence|stat[1-4])|search_(data|idx|content|docsize|config)")


def check_schema(connection: sqlite3.Connection, path: Path | None) -> None:
    """Raises Damaged, before any table is read, when the schema is not what the migrations make: a view in the
    place of a table may never end, and a trigger may do anything. Tables of other names are left alone. A newer
    chatcli's tables may have more columns.
    """
    query = "SELECT type, name, coalesce(sql, '') FROM sqlite_master"
    connection.execute("BEGIN")  # another program may be making the tables meanwhile
    try:
        there = {(kind, name): sql for kind, name, sql in connection.execute(query)}
        if not there:
            return
        ours = _expected(connection, there)
        is_newer = there.get(("table", "migrations")) == ours["table", "migrations"] and from_newer(connection)
    finally:
        if connection.in_transaction:  # SQLite itself may have rolled back
            connection.execute("COMMIT")
    for (kind, name), sql in there.items():
        if _OF_SQLITE.fullmatch(name):
            strange = kind != "table" or not sql.startswith("CREATE TABLE")
        elif (kind, name) in ours:
            may_differ = is_newer and kind == "table" and sql.startswith("CREATE TABLE")
            strange = sql != ours[kind, name] and not may_differ
        else:
            is_own = (kind == "table" and sql.startswith("CREATE TABLE")) or name.startswith("sqlite_autoindex_")
            strange = not is_own or name in {each for _, each in ours}
        if strange:
            raise Damaged(f"The store {path} is not as chatcli makes it: its {kind} {name!r} is foreign.", _MOVE)


_MOVE = "Move it away to start a new one, or restore a backup."


def _expected(connection: sqlite3.Connection, there: Mapping[tuple[str, str], str]) -> dict[tuple[str, str], str]:
    """Returns the schema after the steps that have run, as the store says; none when its list is foreign, too."""
    with closing(sqlite3.connect(":memory:")) as made:
        made.create_function("spaced", 1, passages.spaced, deterministic=True)
        made.execute(_RECORDS)
        applied = (
            _applied(connection) if there.get(("table", "migrations")) == _sql_of(made, "migrations") else set()
        )
        for step in MIGRATIONS:
            if step.__name__ in applied:
                step(made)
        rows = made.execute("SELECT type, name, coalesce(sql, '') FROM sqlite_master").fetchall()
    return {(kind, name): sql for kind, name, sql in rows}


def _sql_of(connection: sqlite3.Connection, table: str) -> str:
    (sql,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = ?", (table,)).fetchone()
    return str(sql)


def is_empty(connection: sqlite3.Connection) -> bool:
    """Whether no step has been applied: there are no tables of ours."""
    return not _applied(connection)


def from_newer(connection: sqlite3.Connection) -> bool:
    return bool(_applied(connection) - {step.__name__ for step in MIGRATIONS})


def too_new(path: Path | None) -> TooNew:
    return TooNew(
        f"The store {path} was written by a newer chatcli: it can be read here, but not written.",
        "Update chatcli, or set CHATCLI_HOME to keep new conversations elsewhere.",
    )


def _missing(
    connection: sqlite3.Connection, steps: tuple[Callable[[sqlite3.Connection], None], ...]
) -> list[Callable[[sqlite3.Connection], None]]:
    applied = _applied(connection)
    return [step for step in steps if step.__name__ not in applied]


def _applied(connection: sqlite3.Connection) -> set[str]:
    if not connection.execute(
        "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'migrations'"
    ).fetchone():
        return set()
    return {name for (name,) in connection.execute("SELECT name FROM migrations")}
