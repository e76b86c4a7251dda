"""/search: each hit with the messages around it and the command that goes there; /recall shows the same."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

from chatcli.commands.arguments import Arg
from chatcli.commands.chats import when
from chatcli.commands.outcomes import Outcome, Show
from chatcli.commands.registry import command
from chatcli.commands.tree import room, standing
from chatcli.conversation.message import speaker
from chatcli.conversation.retrieval import Hit
from chatcli.errors import BadArgument, UserError
from chatcli.hints import Do, Hint, Usage
from chatcli.render.views import Listing, Note
from chatcli.session.session import Session
from chatcli.store.locations import Place, places
from chatcli.store.outline import Twig
from chatcli.text import shortened

# How many hits are shown, and how many characters of a hit and of the messages around it.
HITS = 10
SNIPPET = 160
BESIDE = 90


@command("search", "find", in_shell="chatcli chats search")
def search(
    session: Session,
    *words: Annotated[str, Arg('words, "phrases", or prefixes*')],
    here: Annotated[bool, Arg("only in this conversation")] = False,
) -> Outcome:
    """Search all conversations, or with --here this one; the best hits first, each with the messages around it.

    The line above a hit is the command that goes there: `/goto 12` for a message on the current path, `/goto @345`
    for one on another branch or in another conversation.
    """
    if here and not session.conversation.id:
        raise UserError(
            "Nothing has been said here yet.", Hint(Do("search", "WORDS"), " searches all conversations.")
        )
    return shown(session, words, session.conversation.id if here else None)


def shown(
    session: Session, words: Sequence[str], conversation: int | None, go: str = "goto", used: str = "search"
) -> Outcome:
    """Search one conversation, or all (None). `go`: the command that goes to an
    address; `used`: the one that searches.
    """
    if not words:
        raise BadArgument("There is nothing to search for.", Hint("Usage: ", Usage(used)))
    found = session.store.search(words, conversation=conversation, limit=HITS + 1)
    if not found:
        where = "in this conversation" if conversation is not None else "in any conversation"
        return Show.of(Note(f'"{" ".join(words)}" was not found {where}.{_prefix(words)}', "quiet"), data=list)
    more = Note(f"The best {HITS} are shown.", "quiet")
    listings = in_their_place(session, found[:HITS], go)
    return Show.of(*listings, *([more] if len(found) > HITS else []), data=lambda: _as_data(session, found[:HITS]))


def _as_data(session: Session, hits: Sequence[Hit]) -> list[dict[str, Any]]:
    around = session.store.read(places, [hit.node for hit in hits])
    return [
        {
            "address": f"@{hit.node}",
            "conversation": hit.conversation,
            "title": hit.title,
            "message": hit.number,
            "role": hit.role.value,
            **({"tool": hit.tool} if hit.tool else {}),
            "created": hit.created,
            "on_path": around[hit.node].on_path if hit.node in around else False,
            "text": hit.text,
        }
        for hit in hits
    ]


def _prefix(words: Sequence[str]) -> str:
    """A hint: the first longer word as a prefix, which finds more; "" where there is none."""
    found = re.search(r"\w{3,}", " ".join(words))
    return f" Try a prefix: {found[0][:4]}*" if found else ""


def in_their_place(session: Session, hits: Sequence[Hit], go: str = "goto") -> Iterator[Listing]:
    """Each hit with the messages around it, under a line that says where it is and what to type to go there."""
    around = session.store.read(places, [hit.node for hit in hits])
    for hit in hits:
        place = around.get(hit.node)
        if place is not None:
            rows = [_beside(place.before), _hit_row(hit), _beside(place.after)]
            where = f" · {_where(session, place, hit.title)}{when(hit.created)}"
            title = Hint(Do(go, _address(session, hit, place)), where)
            yield Listing(("", "", ""), tuple(filter(None, rows)), title=title)


def _address(session: Session, hit: Hit, place: Place) -> str:
    """The hit's number on the current path, else its address in the whole store."""
    here = place.conversation == session.conversation.id and place.on_path
    return str(hit.number) if here else f"@{hit.node}"


def _where(session: Session, place: Place, title: str) -> str:
    other = f'"{title}" · ' if place.conversation != session.conversation.id else ""
    return other + ("" if place.on_path else "another branch · ")


def _beside(twig: Twig | None) -> tuple[str, ...]:
    if twig is None:
        return ()
    return ("", str(twig.number), shortened(standing(twig), min(BESIDE, room() - 6 - len(str(twig.number)))))


def _hit_row(hit: Hit) -> tuple[str, ...]:
    return (">", str(hit.number), f"{speaker(hit.role, hit.tool)}: {_snippet(hit)}")


def _snippet(hit: Hit) -> str:
    """The text around the first match."""
    at = hit.marks[0][0] if hit.marks else 0
    begin = max(0, min(at - SNIPPET // 3, len(hit.text) - SNIPPET))
    end = begin + SNIPPET
    words = " ".join(hit.text[begin:end].split())
    return ("…" if begin else "") + words + ("…" if end < len(hit.text) else "")
