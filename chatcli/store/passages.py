"""Splits messages into passages of about 100 tokens for the full-text index, so that a hit points into a long
reply. Passage k of a node has the id node * 1024 + k; ids are therefore in the order of the nodes.

The text itself is not stored twice: `passages` says which bytes of the node's text a passage is, and the view
`passage_texts` gives the index the same text again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from chatcli.pattern import pattern
from chatcli.store.codec import Column, unpack
from chatcli.text import UNSPACED

SHIFT = 10

_LENGTH = 400  # characters, about 100 tokens; longer in texts that would have more than 1000 passages
_MOST = 1000

_UNSPACED = pattern(f"({UNSPACED})")
_SEAM = "\u200b"
# The marks that highlighting puts around a word; a message that has such characters is indexed without them.
ON, OFF = "\x02", "\x03"
_NO_MARKS = str.maketrans({ON: " ", OFF: " "})
_BREAKS = ("\n\n", "\n", ". ", " ")


def index(connection: sqlite3.Connection, node: int, text: str) -> None:
    """Makes `text` searchable. It must equal the text in the node's row."""
    data = text.encode("utf-8", "surrogatepass")
    for place, (start, end) in enumerate(_spans(text)):
        values = ((node << SHIFT) + place, start + 1, end - start)
        connection.execute("INSERT INTO passages (id, start, length) VALUES (?, ?, ?)", values)
        connection.execute("INSERT INTO search (rowid, text) VALUES (?, ?)", (values[0], spaced(data[start:end])))


def reindex(connection: sqlite3.Connection) -> None:
    """Indexes every message of a store whose index is empty."""
    for node, text in connection.execute("SELECT id, text FROM nodes"):
        index(connection, node, unpack(text))


def unindex(connection: sqlite3.Connection, node: int) -> None:
    """Removes the node's passages before its text changes: FTS5 needs the text that it was given to remove it."""
    passages = (node << SHIFT, (node + 1) << SHIFT)
    connection.execute(
        """INSERT INTO search (search, rowid, text)
           SELECT 'delete', id, text FROM passage_texts WHERE id >= ? AND id < ?""",
        passages,
    )
    connection.execute("DELETE FROM passages WHERE id >= ? AND id < ?", passages)


def spaced(text: Column | None) -> str:
    """Returns text as the index takes it (also the SQL function `spaced`): in scripts without spaces, invisible
    spaces are inserted.

    Never fails, whatever a damaged store passes in.
    """
    readable = text.decode(errors="replace") if isinstance(text, bytes) else str(text or "")
    if not readable.isascii():
        readable = _UNSPACED.sub(rf"{_SEAM}\1{_SEAM}", readable)
    return readable.translate(_NO_MARKS) if ON in readable or OFF in readable else readable


def unspaced(text: str) -> str:
    return text.replace(_SEAM, "")


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """Returns (start, end) of each passage in the UTF-8 bytes of `text`."""
    at = 0
    for passage in split(text):
        end = at + (len(passage) if passage.isascii() else len(passage.encode("utf-8", "surrogatepass")))
        if not passage.isspace():
            yield at, end
        at = end


def split(text: str) -> Iterator[str]:
    """Returns pieces that join to `text` again; each ends with a paragraph, a line, a sentence or a word."""
    length = max(_LENGTH, len(text) // _MOST)
    start = 0
    while len(text) - start > length * 3 // 2:
        end = _good_end(text, start + length // 2, start + length * 3 // 2)
        yield text[start:end]
        start = end
    if start < len(text):
        yield text[start:]


def _good_end(text: str, earliest: int, latest: int) -> int:
    for mark in _BREAKS:
        found = text.rfind(mark, earliest, latest)
        if found >= 0:
            return found + len(mark)
    return latest
