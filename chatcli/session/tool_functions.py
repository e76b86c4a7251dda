"""The functions that a session hands to its tools: a search of its conversations, a page, a search of the web.

Each returns text for the model and raises ToolFailure. They run beside the main thread.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, TypeVar

from chatcli.client.ollama import Client
from chatcli.client.web_search import HOSTED, Found
from chatcli.conversation.message import Role, speaker
from chatcli.conversation.retrieval import Hit
from chatcli.conversation.tree import Conversation
from chatcli.errors import ChatcliError, Refused
from chatcli.reading.raw import Raw
from chatcli.store.search import terms_of
from chatcli.tools.tool import Stopped, ToolFailure

if TYPE_CHECKING:
    from chatcli.session.session import Session

T = TypeVar("T")

MORE = 4  # hits that are looked at for each one that is wanted: some are left out


def search_chats(session: Session, question: str, most: int) -> str:
    """Passages of all stored conversations, best first. Left out is what was forgotten, results of tools, the
    question that is being answered, and what the demo engine said from what models said.
    """
    try:
        hits = session.store.search(terms_of(question), limit=MORE * most)
        wanted = list(_wanted(session, hits))[:most]
    except ChatcliError as error:
        raise ToolFailure(error.message) from None
    return "\n\n".join(map(_told, wanted)) or "Nothing was found in the user's conversations."


def _wanted(session: Session, hits: Sequence[Hit]) -> Iterator[Hit]:
    opened: dict[int, Conversation] = {}
    asked = _asked(session.conversation)
    for hit in hits:
        if hit.role is Role.TOOL or (hit.conversation == session.conversation.id and hit.node >= asked):
            continue
        found = opened.setdefault(hit.conversation, session.store.conversation(hit.conversation))
        if found.demo == session.server.demo and hit.node not in found.state.forgotten:
            yield hit


def _asked(conversation: Conversation) -> int:
    """The message of the person that is being answered: the last on the path."""
    question = conversation.question
    return question.id if question is not None else 1 << 62


def _told(hit: Hit) -> str:
    where = f'"{hit.title}", {hit.created:%Y-%m-%d}, message {hit.number} ({speaker(hit.role)})'
    return f"{where}:\n{hit.text.strip()}"


def whole_result(session: Session, number: int) -> str | None:
    """What came of the call that is this message of the path; None where it is none, or was forgotten."""
    node = session.conversation.message(number)
    if node is None or node.message.role is not Role.TOOL or node.id in session.conversation.state.forgotten:
        return None
    return node.message.text


def fetch_page(address: str, stopped: Stopped) -> str:
    """The text of a page. An address in a private network is refused: no person wrote it."""
    from chatcli.client.fetch import fetch
    from chatcli.reading.document import read

    try:
        with closing(fetch(address, from_model=True)) as steps:
            page: Raw = _end_of(steps, stopped)
        with closing(read(page)) as pages:
            return _end_of(pages, stopped).text
    except ChatcliError as error:
        raise ToolFailure(error.message) from None


def _end_of(steps: Generator[object, None, T], stopped: Stopped) -> T:
    """What they return."""
    while True:
        if stopped():
            raise ToolFailure("The user stopped it.")
        try:
            next(steps)
        except StopIteration as end:
            found: T = end.value
            return found


def can_search_the_web(session: Session) -> bool:
    """Whether somebody can be asked: the server, or with a key ollama.com. The demo engine asks nobody."""
    if session.server.demo:
        return False
    if _has_key():
        return True
    try:
        return session.client.get().searches_the_web()
    except ChatcliError:
        return False


def web_search(session: Session, question: str, most: int, stopped: Stopped) -> str:
    """Titles, addresses and excerpts. The server is asked first, in the name of who is signed in on it; where it
    cannot, and there is a key, ollama.com is asked, and nobody else is shown the key.
    """
    try:
        found = session.client.get().web_search(question, most, stopped)
    except ChatcliError as error:
        if not _has_key():
            signin = " The user can sign in: `ollama signin`." if isinstance(error, Refused) else ""
            raise ToolFailure(f"{error.message}{signin}") from None
        try:
            with Client(HOSTED) as hosted:
                found = hosted.web_search(question, most, stopped)
        except ChatcliError as refusal:
            raise ToolFailure(refusal.message) from None
    if stopped():
        raise ToolFailure("The user stopped it.")
    return "\n\n".join(map(_page, found)) or "Nothing was found."


def _has_key() -> bool:
    return bool(os.environ.get("OLLAMA_API_KEY", "").strip())


def _page(found: Found) -> str:
    return "\n".join(filter(None, found))
