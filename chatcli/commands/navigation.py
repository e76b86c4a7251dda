"""Goes to a message, in this conversation or by its address in any, and remembers for /back where that was."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

from chatcli.commands.arguments import Word, fitting
from chatcli.commands.outcomes import Opened, Outcome
from chatcli.commands.tree import BEFORE, standing
from chatcli.conversation.message import Role, ToolUse, calling, speaker
from chatcli.conversation.reply_endings import CUT_SHORT, ending_of
from chatcli.conversation.tree import Conversation, Ended, Node
from chatcli.errors import NotFound
from chatcli.hints import Do, Hint, Words, lines
from chatcli.prompt.completer import ranked
from chatcli.session.session import Session
from chatcli.settings.layers import not_loaded
from chatcli.store import locations
from chatcli.text import as_name, shortened

# Columns of a quoted message.
SHOWN = 50
# How many messages completion offers.
OFFERED = 200


def message_words(session: Session, typed: str) -> list[Word]:
    """The numbers of the newest messages on the path with their first words, by which they are found, too."""
    nodes = islice(session.conversation.back(), OFFERED)
    words = [Word(str(node.number), f"{_speaker(node)}: {_first_words(node)}") for node in nodes]
    return fitting(words, typed) if typed.isdecimal() else ranked(typed, words, lambda word: word.meaning)


def _first_words(node: Node) -> str:
    message = node.message
    words = (
        calling(use.name for use in message.calls) if message.calls and not message.has_text else message.source
    )
    return shortened(" ".join(words[:SHOWN].split()), SHOWN)


def _speaker(node: Node) -> str:
    use = node.message.answers
    return speaker(node.message.role, use.name if use is not None else "")


def address(text: str) -> int | None:
    """The number in "@345", which identifies a message in the whole store; None for any other text."""
    return int(text[1:]) if text[:1] == "@" and text[1:].isdecimal() and len(text) < 19 else None


def visit(session: Session, node: int) -> Outcome:
    """Go to that message and open its conversation. Raises NotFound."""
    home = session.store.read(locations.home, node)
    if home is None:
        raise NotFound(
            f"There is no message @{node}.", Hint(Do("search"), " finds messages and shows how to go to each.")
        )
    refused: list[Words] = []
    if home != session.conversation.id:
        refused = session.open(home)
    jump(session, node)
    return opened(session, refused)


def arrive(session: Session, node: int) -> Opened:
    """Go to that message of the open conversation."""
    jump(session, node)
    return opened(session)


def opened(session: Session, refused: Sequence[Words] = ()) -> Opened:
    """Notes on the current message (unanswered, unfinished, a tool's result), and on settings not loaded."""
    last = session.conversation.last
    notes: list[Words] = []
    if session.conversation.unanswered is not None:
        notes.append(
            Hint(
                "This question has no reply yet",
                Hint(": ", Do("retry"), " asks it"),
                ". Your next message replaces it.",
            )
        )
    if last is not None and (last.message.role is Role.TOOL or last.message.calls):
        notes.append(_about_calls(session, last))
    elif last is not None and last.message.role is Role.ASSISTANT:
        notes.extend(filter(None, [_unfinished(last)]))
    notes.extend(filter(None, [not_loaded(refused)]))
    return Opened(lines(notes))


def last_result(session: Session, node: Node) -> Node:
    """The last result of the calls of that reply, or of those after that result; the node itself if there is none.
    Of several branches the newest counts.
    """
    while True:
        children = session.store.children(session.conversation, node.id)
        results = [child for child in children if child.message.role is Role.TOOL]
        if not results:
            return node
        node = results[-1]


def _about_calls(session: Session, last: Node) -> Words:
    """What became of the calls of the last reply, which has had no answer after them, and how to go on."""
    end = last_result(session, last)
    on = Hint(" ", Do("continue"), " lets the model go on.")
    if end.message.role is not Role.TOOL:
        return Hint(
            f"{_names(last.message.calls)} did not run.", Hint(" ", Do("continue"), " goes on from there.")
        )
    if end != last:
        return Hint("The results of these calls are on the branch after this message.", on)
    results = session.conversation.together(end)[1:] or [end]
    unsure = [use for each in results if each.ended is Ended.RUNNING for use in each.message.tool_uses]
    if unsure:
        return Hint(f"{_names(unsure)} may have run: the result never came.", on)
    return Hint(
        "This turn has no answer yet", Hint(": ", Do("continue"), " goes on with what the tools gave"), "."
    )


def _names(uses: Iterable[ToolUse]) -> str:
    return as_name(", ".join(dict.fromkeys(use.name for use in uses)))


def _unfinished(reply: Node) -> Words:
    """What ended a reply that is not whole, and what to do. "" for one that is, or whose text a limit ended."""
    if reply.ended in {Ended.COMPLETE, Ended.LENGTH}:
        ended = None if reply.message.has_text else ending_of(reply)
        return ended.words if ended is not None else ""
    what = "is unfinished" if reply.message.has_text else "has no answer yet"
    said = f"This reply {what} ({CUT_SHORT[reply.ended]})"
    return Hint(
        said, Hint(": ", Do("continue"), " goes on from there"), Hint(", ", Do("retry"), " asks again"), "."
    )


def waiting_question(session: Session, conversation: Conversation) -> Node | None:
    """The newest question after the tip that has no reply: it is off the path until it is asked again."""
    for child in reversed(session.store.children(conversation, conversation.tip)):
        if child.message.role is Role.USER and not session.store.children(conversation, child.id):
            return child
    return None


def grown_elsewhere(session: Session) -> Words:
    """A note, given once, when another program has added to this conversation; "" when none has."""
    conversation = session.conversation
    newest = session.store.read(locations.newest, conversation.id) if conversation.id else None
    if newest is None or not conversation.grew(newest.id):
        return ""
    said = shortened(standing(newest), SHOWN)
    where = f'message {newest.number} there is "{said}"'
    go = Hint(" To go there: ", Do("goto", f"@{newest.id}"))
    return Hint(f"Another chatcli has added to this conversation: {where}.", go)


def jump(session: Session, node: int | None) -> None:
    """Move the tip, and remember for /back where it was. Before the first message there is nothing to remember."""
    conversation = session.conversation
    if conversation.tip is not None and conversation.tip != node:
        session.store.name(conversation, BEFORE, conversation.tip)
    session.go_to(node)
