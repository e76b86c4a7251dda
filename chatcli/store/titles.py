"""The titles of the newest conversations, read without opening the store: for the completion in the shell.

Imports nothing of the store, so that it takes a few milliseconds.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

MOST = 10_000
PATIENCE = 0.05  # seconds to wait for a chatcli that writes


def newest_titles(store: Path, demo: bool) -> list[str]:
    """The newest first; [] where there is no store, or it cannot be read now."""
    try:
        with closing(sqlite3.connect(f"{store.absolute().as_uri()}?mode=ro", PATIENCE, uri=True)) as connection:
            rows = connection.execute(
                """SELECT title FROM conversations WHERE trashed IS NULL AND latest > 0 AND demo = ?
                   ORDER BY latest DESC, updated DESC LIMIT ?""",
                (demo, MOST),
            )
            return [title.decode(errors="replace") if isinstance(title, bytes) else title for (title,) in rows]
    except (sqlite3.Error, ValueError):
        return []
