"""Web search as Ollama has it: where it is asked for, and what is found. ollama.py does the asking."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

HOSTED = "https://ollama.com:443"  # wants OLLAMA_API_KEY
MOST_TEXT = 1_500  # characters of what is said of a page: some are given whole


class Found(NamedTuple):
    """A page, and the part of it that fits."""

    title: str
    address: str
    text: str


def path_at(url: str) -> str:
    """A server of one's own passes the question on, signed by who is signed in on it."""
    return "/api/web_search" if url == HOSTED else "/api/experimental/web_search"


def read_found(answer: Mapping[str, Any], most: int) -> list[Found]:
    rows = answer.get("results")
    named = [row for row in rows if isinstance(row, dict) and _text(row, "url")] if isinstance(rows, list) else []
    return [
        Found(_text(row, "title"), _text(row, "url"), _text(row, "content")[:MOST_TEXT]) for row in named[:most]
    ]


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    return value.strip() if isinstance(value, str) else ""
