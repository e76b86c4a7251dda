"""Memory: what assembly may draw on besides the path and the state, and the wishes that shape it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from chatcli.conversation.retrieval import Found
from chatcli.conversation.tree import Node

Spans = Sequence[tuple[datetime, datetime]]
Search = Callable[[Sequence[str], int | None, Spans, str], Found]
LookUp = Callable[[Iterable[int], int], Sequence[Node]]
Files = Callable[[int], Sequence[Node]]


@dataclass(frozen=True, slots=True)
class Memory:
    """The three functions are the store's, and each takes the node up to which to look on the path to it:
    `search(terms, upto, spans, text)` finds passages with the terms, or said in the spans of time, or near in
    meaning to the text, where that is known (upto None: in other conversations only), `look_up(ids, upto)` gives
    those nodes that are there, `files(upto)` those with text files. None: there is no such thing.

    `recall`: on (when the question calls for it), off, or always (and in other conversations, if the search looks
    there). The shares are of the history's room; `preset` is the Modelfile's system prompt, which a request's own
    would replace.
    """

    search: Search | None = None
    look_up: LookUp | None = None
    files: Files | None = None
    recall: Literal["on", "off", "always"] = "on"
    recall_share: float = 0.2
    document_share: float = 0.5
    keep_recent: int = 6
    preset: str = ""

    @property
    def recalls(self) -> bool:
        return self.recall != "off" and self.search is not None
