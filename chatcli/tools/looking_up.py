"""The tools that look something up by a function of the workplace: `search_chats`, `fetch_page`, `web_search` and
`read_result`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from chatcli import addresses
from chatcli.tools.files import span
from chatcli.tools.schema import lines_of
from chatcli.tools.table import builtin
from chatcli.tools.tool import Reach, Scope, ToolFailure, Workplace

CHATS = "the chats"
SEARCHER = "ollama.com"  # who is asked for web_search, by the server or by us
LONGEST_ADDRESS = 2_000  # characters
LONGEST_QUESTION = 1_000

# A name that a key or a password is given by, or so many letters and digits that no person made them up.
_SECRET = re.compile(
    r"[?&;#][^=&;]*(?:key|token|secret|passw|auth|sig|session|credential)[^=&;]*=[^&;]"
    r"|(?=[A-Za-z_-]*[0-9])(?=[0-9_-]*[A-Za-z])[A-Za-z0-9_-]{32,}",
    re.IGNORECASE,
)
_HOST = re.compile(r"[A-Za-z0-9.:\[\]_-]+")

Most = Annotated[int, {"minimum": 1, "maximum": 20}]


def _the_chats(_arguments: Mapping[str, Any], _workplace: Workplace) -> Scope:
    return Scope(CHATS)


@builtin(Reach.PRIVATE, _the_chats, needs="search")
def search_chats(question: Annotated[str, "Words to find"], most: Most = 5, *, workplace: Workplace) -> str:
    """Search the user's earlier conversations for passages."""
    assert workplace.search is not None
    return workplace.search(_question(question), most)


def _host(arguments: Mapping[str, Any], _workplace: Workplace) -> Scope:
    address = arguments["address"].strip()
    return Scope(_place(address), _SECRET.search(address) is not None)


@builtin(Reach.NET, _host, needs="fetch")
def fetch_page(address: Annotated[str, "https://..."], *, workplace: Workplace) -> str:
    """Fetch a public web page as text."""
    assert workplace.fetch is not None
    _place(address.strip())
    return workplace.fetch(address.strip(), workplace.stopped)


def _place(address: str) -> str:
    """The host, with the port where one is named. Raises ToolFailure for what nobody may have fetched: every
    reader of an address must see the same host in it.
    """
    found = addresses.parse(address)
    if found is None or found.scheme.lower() not in {"http", "https"}:
        raise ToolFailure("Only an address that begins with https:// or http:// is fetched.")
    if found.credentials is not None or "@" in found.place:
        raise ToolFailure("An address with a user name or a password in it is not fetched. Leave them out.")
    odd = re.search(r"[\s\\\x00-\x20\x7f-\x9f]", address) is not None
    if not found.sound or odd or not _HOST.fullmatch(found.place):
        raise ToolFailure("That is no address of a web page. Write its host in ASCII letters, blanks as %20.")
    if len(address) > LONGEST_ADDRESS:
        raise ToolFailure(f"An address of more than {LONGEST_ADDRESS:,} characters is not fetched.")
    return found.place.lower()


def _searcher(arguments: Mapping[str, Any], _workplace: Workplace) -> Scope:
    return Scope(SEARCHER, _SECRET.search(arguments["question"]) is not None)


@builtin(Reach.NET, _searcher, needs="web_search")
def web_search(
    question: str, most: Annotated[int, {"minimum": 1, "maximum": 10}] = 5, *, workplace: Workplace
) -> str:
    """Search the web; gives titles, addresses and excerpts."""
    assert workplace.web_search is not None
    return workplace.web_search(_question(question), most, workplace.stopped)


@builtin(Reach.PURE)
def read_result(
    message: int,
    first_line: Annotated[int, {"minimum": 1}] = 1,
    last_line: Annotated[int, "0: to the end", {"minimum": 0}] = 0,
    *,
    workplace: Workplace,
) -> str:
    """Read more of an earlier tool result that was cut."""
    result = workplace.result(message)
    if result is None:
        raise ToolFailure(f"Message {message} is no result of a tool call.")
    lines = lines_of(result)
    first, last = span(len(lines), first_line, last_line)
    return "\n".join((f"Lines {first} to {last} of {len(lines)}:", *lines[first - 1 : last]))


def _question(question: str) -> str:
    if not question.strip():
        raise ToolFailure("There is nothing to search for.")
    if len(question) > LONGEST_QUESTION:
        raise ToolFailure(f"Search for no more than {LONGEST_QUESTION:,} characters.")
    return question
