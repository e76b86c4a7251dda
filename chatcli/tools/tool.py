"""Tool: a name, a schema, a reach and a function. Built-in tools, a program's own and (one day) those of servers
are all of this form.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from chatcli.dataclass import dataclass


class Reach(StrEnum):
    """What a call can touch; it decides who is asked, and when."""

    PURE = "pure"  # nothing but its arguments
    PRIVATE = "private"  # reads what is the user's own: files, conversations
    NET = "net"  # sends something to another machine
    ACTS = "acts"  # changes something

    @property
    def meaning(self) -> str:
        """What a tool of this reach does, as a predicate."""
        return _MEANINGS[self]


_MEANINGS = {
    Reach.PURE: "touches nothing but its arguments",
    Reach.PRIVATE: "reads what is yours",
    Reach.NET: "sends something to another machine",
    Reach.ACTS: "can change something",
}


F = TypeVar("F", bound=Callable[..., Any])


def tool(reach: str) -> Callable[[F], F]:
    """Say what a function of one's own can touch when a model calls it: "pure", "private", "net" or "acts". One
    that is not marked counts as "acts". Raises ValueError for another word.
    """
    found = Reach(reach)

    def mark(function: F) -> F:
        setattr(function, _MARK, found)
        return function

    return mark


def reach_of(function: Callable[..., Any]) -> Reach:
    found = getattr(function, _MARK, Reach.ACTS)
    return found if isinstance(found, Reach) else Reach.ACTS


_MARK = "chatcli_reach"


class ToolFailure(Exception):
    """A call that came to nothing. The text is for the model: what is wrong, and what to do instead."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What leave for a call is about. `what`: the folder, the host, the command, or "the chats"; an answer "a"
    gives leave for every call of the tool with the same. `secret`: it looks like a secret, and is asked for each
    time.
    """

    what: str = ""
    secret: bool = False


Stopped = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Workplace:
    """What the functions work with. `folder`: where chatcli was started, resolved; files are read below it.
    `search` gives the passages of stored conversations that fit a question; `fetch` the text of a page, and
    `web_search` the results for a question, until `stopped` says so (None: not offered here); `result` the whole
    result of a call by its message's number. They raise ToolFailure. `stopped`: whether the person has stopped the
    call; long work asks ten times a second.
    """

    folder: Path
    search: Callable[[str, int], str] | None = None
    fetch: Callable[[str, Stopped], str] | None = None
    web_search: Callable[[str, int, Stopped], str] | None = None
    result: Callable[[int], str | None] = lambda _number: None
    stopped: Stopped = lambda: False


def _no_scope(_arguments: Mapping[str, Any], _workplace: Workplace) -> Scope:
    return Scope()


@dataclass(frozen=True, slots=True)
class Tool:
    """`parameters`: a JSON Schema of kind object. `run` takes the arguments, which fit the schema, and returns the
    result, of which tools/schema.py makes text; it raises ToolFailure. `scope` raises ToolFailure for a call that
    nobody may allow.
    """

    name: str
    description: str
    parameters: Mapping[str, Any]
    reach: Reach
    run: Callable[[Mapping[str, Any], Workplace], Any]
    scope: Callable[[Mapping[str, Any], Workplace], Scope] = field(default=_no_scope)

    @property
    def definition(self) -> Mapping[str, Any]:
        """As it is sent."""
        function = {"name": self.name, "description": self.description, "parameters": self.parameters}
        return {"type": "function", "function": function}
