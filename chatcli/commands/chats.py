"""/clear, /history, /chats, /load, /rename, /title, /delete: opening, listing and naming conversations.

share.py has import and export; branches.py moves inside one conversation.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from itertools import chain, islice
from typing import Annotated, Any

from chatcli.client.request import Request
from chatcli.commands.arguments import Arg, Word
from chatcli.commands.models import switched
from chatcli.commands.navigation import address, opened, visit
from chatcli.commands.outcomes import Choose, Confirm, Outcome, Show, Watch, watched
from chatcli.commands.registry import command
from chatcli.commands.tree import room, standing, terminal_size
from chatcli.conversation.clock import local_time
from chatcli.conversation.events import Progress, Text
from chatcli.conversation.message import Message, Role
from chatcli.conversation.tree import Conversation, Node
from chatcli.conversation.usage import counted
from chatcli.errors import BadArgument, ChatcliError, NotFound, UserError
from chatcli.hints import Do, Hint, Usage
from chatcli.prompt.completer import MOST, ranked
from chatcli.render.views import History, Listing, Note
from chatcli.session.background import waiting
from chatcli.session.fallback import is_stored
from chatcli.session.model_in_use import model_names
from chatcli.session.planning import plan_next, request_for
from chatcli.session.session import Session
from chatcli.settings import table
from chatcli.store import locations
from chatcli.store.conversations import title_of
from chatcli.store.listing import Entry
from chatcli.store.search import terms_of
from chatcli.text import shortened

LISTED = Hint(Do("chats"), " lists them.")
RENAMED = Hint(Do("rename", "NAME"), " sets one.")
# How many conversations a list has, if nothing else is asked for.
SHOWN = 20
# How many messages are searched for the conversations that contain some words.
FOUND = 50
# After how many messages that were read it is said how many.
STEP = 1000
# A terminal with less than this gets shorter previews.
SMALL_ROWS, SMALL_COLUMNS = 16, 60
# Columns of a list besides titles and models, with the gaps between them.
OTHER_COLUMNS = 35
OTHER_COLUMNS_OF_FEW = 23


def chat_words(session: Session, typed: str) -> list[Word]:
    """The titles of the conversations, the newest first."""
    found = ranked(typed, session.titles.get() or [], lambda row: row[0])
    return [Word(title, counted(messages, "message")) for title, messages in found[:MOST]]


@command("clear", "new")
def clear(session: Session) -> Outcome:
    """Start a new conversation with the same settings. The old one stays stored."""
    before, stored = session.conversation, is_stored(session)
    again = Do("load") if before.tip is not None else Do("load", str(before.id))  # no list has the latter
    session.begin()
    opens = Hint(": ", again, " opens it again")
    kept = Hint(f' "{before.title}" is kept', opens, ".") if stored and before.title else ""
    return Show.of(Note(Hint("A new conversation.", kept), "quiet"))


@command("history")
def history(session: Session, last: Annotated[int, Arg("how many messages, counted from the end")] = 0) -> Outcome:
    """Show the conversation so far, or its last messages."""
    newest = session.conversation.last
    if newest is None:
        return Show.of(Note("Nothing has been said yet.", "quiet"))
    most = last if last > 0 else newest.number
    return watched(reading(session.conversation, most), lambda nodes: Show.of(History(nodes)))


def reading(conversation: Conversation, most: int) -> Generator[Progress, None, tuple[Node, ...]]:
    """The last `most` messages on the path, oldest first."""
    nodes: list[Node] = []
    for node in islice(conversation.back(), most):
        nodes.append(node)
        if len(nodes) % STEP == 0:
            yield Progress("Reading", len(nodes), most, "messages")
    return tuple(nodes[::-1])


@command("chats")
def chats(session: Session, count: Annotated[int, Arg("how many, newest first")] = SHOWN) -> Outcome:
    """List the conversations, newest first; `*` marks the open one. /load NUMBER opens one."""
    return listing(session, session.store.entries(demo=session.server.demo), count)


@command("load", in_shell="chatcli --resume")
def load(
    session: Session, *, name: Annotated[str, Arg("a conversation, or a model", chat_words, whole=True)] = ""
) -> Outcome:
    """Open a stored conversation by its name or number, or choose one; a model's exact name switches the model.

    The conversation that is open now stays stored. `/load @345` opens one at a message that /search found.
    """
    if not name or address(name) is not None:
        return open_named(session, name)
    found = find_chats(session, name)
    is_model = _is_model(session, name)
    if found and is_model:
        return Choose(
            f'"{name}" is a model and a conversation. Which?',
            (f"the model {name}", *map(label, found)),
            lambda index: _switch(session, name) if index == 0 else _open(session, found[index - 1]),
        )
    if is_model:
        return _switch(session, name)
    if not found:
        raise NotFound(f'There is no conversation and no model called "{name}".', LISTED)
    return one_of(session, name, lambda entry: _open(session, entry))


@command("rename")
def rename(session: Session, *, name: Annotated[str, Arg("the new name")]) -> Outcome:
    """Give this conversation another name."""
    if not name.strip():
        raise BadArgument("A name is missing.", Hint("Usage: ", Usage("rename")))
    return give_name(session, _something_said(session), name)


@command("title")
def title(session: Session, *, ask: Annotated[bool, Arg("ask the model for a title")] = False) -> Outcome:
    """Name this conversation after its first words, or with --ask by a title that the model proposes.

    The model is asked in a separate request: question and answer do not become part of the conversation.
    """
    conversation = session.conversation.id if ask else _something_said(session)
    if not ask:
        question = _first_question(session)
        words = title_of(question.message) if question is not None else ""
        if not words:
            raise UserError("There are no words to make a title from.", RENAMED)
        return give_name(session, conversation, words)

    if session.conversation.tip is None:
        raise UserError("Nothing has been said yet, so there is nothing to name.")
    found: list[str] = []
    progress = proposals(session, found)
    return Watch(progress, lambda: give_name(session, conversation, found[0]))


@command("delete", subcommand="chats delete")
def delete(
    session: Session,
    *name: Annotated[str, Arg("a conversation; by default the open one", chat_words, whole=True)],
    yes: Annotated[bool, Arg("do not ask")] = False,
) -> Outcome:
    """Move a conversation to the trash: this one, or another by its name or number. Asks first.

    `chatcli chats restore NAME` takes it out again; `chatcli chats purge` empties the trash permanently.
    """

    def ask(entry: Entry) -> Outcome:
        if yes:
            return _trash(session, entry)
        return Confirm(f"Delete {label(entry)}?", lambda: _trash(session, entry))

    if name:
        return one_of(session, " ".join(name), ask)
    opened_now = _something_said(session)
    for entry in session.store.entries(unanswered=True):
        if entry.id == opened_now:
            return ask(entry)
    raise NotFound("The open conversation has been deleted already.", LISTED)


def open_named(session: Session, name: str) -> Outcome:
    """For `chatcli --resume`: open the named conversation; ask which when several match or none is named."""
    message = address(name)
    if message is not None:
        return visit(session, message)
    if name:
        return one_of(session, name, lambda entry: _open(session, entry))
    found = session.store.entries(demo=session.server.demo)
    if not found:
        raise NotFound("There is no conversation to resume yet.", Hint("Start one: ", Do("chatcli")))
    return choose(session, "Which conversation?", found, lambda entry: _open(session, entry))


def one_of(session: Session, name: str, then: Callable[[Entry], Outcome]) -> Outcome:
    """Call `then` with the conversation of that name; ask which when several match. Raises NotFound."""
    found = find_chats(session, name)
    if not found:
        raise NotFound(f'There is no conversation called "{name}".', LISTED)
    if len(found) == 1:
        return then(found[0])
    return choose(session, f'Several conversations match "{name}". Which?', found, then)


def choose(session: Session, question: str, found: list[Entry], then: Callable[[Entry], Outcome]) -> Choose:
    """Ask which of these conversations, found by words of its title or by words in its messages."""
    numbers = {entry.id: at for at, entry in enumerate(found)}

    def find(words: str) -> list[int]:
        parts = words.casefold().split()
        titled = [at for at, entry in enumerate(found) if all(part in entry.title.casefold() for part in parts)]
        hits = session.store.search(terms_of(words), limit=FOUND)
        said = [numbers[hit.conversation] for hit in hits if hit.conversation in numbers]
        return list(dict.fromkeys([*titled, *said]))

    titles = tuple(entry.title for entry in found)
    return Choose(question, titles, lambda at: then(found[at]), lambda at: preview(session, found[at]), find)


def preview(session: Session, entry: Entry) -> list[str]:
    """Title, counts, and the last messages; less of them in a small terminal."""
    columns, rows = terminal_size()
    about = (
        f"{counted(entry.messages, 'message')} · {when(entry.updated)}{f' · {entry.model}' if entry.model else ''}"
    )
    ending = [standing(twig) for twig in session.store.read(locations.ending, entry.id)]
    if rows < SMALL_ROWS:
        ending = ending[-1:]
    if columns < SMALL_COLUMNS:
        return [entry.title, about, *ending]
    return [f"{shortened(entry.title, columns - len(about) - 10)}  ({about})", *ending]


def find_chats(session: Session, name: str) -> list[Entry]:
    """The conversations that `name` may mean: those of the server in use (demo or real), else of the other."""
    found = session.store.find(name)
    return [entry for entry in found if entry.demo == session.server.demo] or found


def listing(session: Session, entries: list[Entry], count: int | None = None) -> Outcome:
    """A table of the first `count` conversations; if it is not given, of SHOWN, while the data has all."""
    if not entries:
        return Show.of(Note("There is no conversation yet.", "quiet"), data=list)
    shown = entries[: max(1, SHOWN if count is None else count)]
    more = Hint(f"{len(entries) - len(shown)} more: ", Do("chats", str(len(entries))))
    left = more if len(entries) > len(shown) else ""
    columns = ("", "number", "title", "messages", "last used", "model")
    space = room() if sys.stdout.isatty() else sys.maxsize  # a pipe gets whole titles
    titles = space - OTHER_COLUMNS - max(len(entry.model) for entry in shown)
    kept: tuple[str, ...] = columns
    if space < SMALL_COLUMNS:
        kept, titles = ("", "number", "title", "last used"), space - OTHER_COLUMNS_OF_FEW
    rows = tuple(
        tuple(cell for name, cell in zip(columns, _cells(session, entry, titles), strict=True) if name in kept)
        for entry in shown
    )
    return Show.of(
        Listing(kept, rows, right=frozenset({"number", "messages"}), note=left),
        data=lambda: [as_data(entry) for entry in (entries if count is None else shown)],
    )


def as_data(entry: Entry) -> dict[str, Any]:
    return {
        "number": entry.id,
        "title": entry.title,
        "messages": entry.messages,
        "last_used": entry.updated,
        "model": entry.model,
        "demo": entry.demo,
    }


def _cells(session: Session, entry: Entry, columns: int) -> tuple[str, ...]:
    return (
        "*" if entry.id == session.conversation.id else "",
        str(entry.id),
        shortened(entry.title, max(10, columns)),
        str(entry.messages),
        when(entry.updated),
        entry.model,
    )


def give_name(session: Session, conversation: int, name: str) -> Outcome:
    given = session.rename(conversation, name)
    return Show.of(Note(f'Named "{given}".', "good"))


def label(entry: Entry) -> str:
    return f'"{entry.title}" ({counted(entry.messages, "message")}, {when(entry.updated)})'


def when(moment: datetime) -> str:
    """The time of day when it is today, else the date."""
    local = local_time(moment)
    return f"{local:%H:%M}" if local.date() == datetime.now().astimezone().date() else f"{local:%Y-%m-%d}"


def _first_question(session: Session) -> Node | None:
    number = 1
    while (node := session.conversation.message(number)) and node.message.role is not Role.USER:
        number += 1
    return node


def _open(session: Session, entry: Entry) -> Outcome:
    return opened(session, session.open(entry.id))


def _switch(session: Session, name: str) -> Outcome:
    return switched(session, name)


def _is_model(session: Session, name: str) -> bool:
    """Whether the server has a model of exactly that name; False when no server answers."""
    try:
        return name.removesuffix(":latest") in model_names(session)
    except ChatcliError:
        return False


def _trash(session: Session, entry: Entry) -> Outcome:
    session.store.delete(entry.id)
    if entry.id == session.conversation.id:
        session.begin()
    return Show.of(Note(Hint("Moved to trash. Undo: ", Do("chats restore", str(entry.id))), "good"))


def _something_said(session: Session) -> int:
    """The number of the open conversation. Raises UserError when nothing has been said."""
    if not session.conversation.id:
        raise UserError(
            "No conversation is open yet.", Hint("Say something first, or name one of ", Do("chats"), ".")
        )
    return session.conversation.id


ASKING = "Give this conversation a title of at most six words. Answer with the title alone, in its language."
# The most tokens of the answer: a title, and what a model may write around it.
ENOUGH = 200

_AROUND = " \t#*_`\"'«»“”„:.-"


def proposals(session: Session, found: list[str]) -> Generator[Progress, None, None]:
    """Ask the model, and put the title into `found`. Raises UserError when the answer has none.

    The question follows the conversation as the next message would, so that the server's prompt cache is used.
    """
    state = Progress(f"Asking {session.settings[table.MODEL]} for a title")
    yield state
    for _ in chain(waiting(session.window), waiting(session.counting)):
        yield state
    texts: list[str] = []
    with closing(session.client.get().chat(_request(session))) as events:
        for event in events:
            if isinstance(event, Text):
                texts.append(event.text)
            yield state
    title = title_in("".join(texts))
    if not title:
        raise UserError(
            "The model gave no title.",
            Hint(Do("rename", "NAME"), " sets one, ", Do("title"), " makes one from the first words."),
        )
    found.append(title)


def title_in(answer: str) -> str:
    """The first line with words in it, without what models put around a title."""
    for line in answer.splitlines():
        words = re.sub(r"^\W*title\W*:\W*", "", line, flags=re.IGNORECASE).strip(_AROUND)
        if words:
            return title_of(Message.user(words))
    return ""


def _request(session: Session) -> Request:
    plan, _ = plan_next(session, session.conversation.coming(Message.user(ASKING)))
    request = request_for(session, plan)
    thinks = "thinking" in session.model.get().capabilities
    options = {**request.options, "num_predict": ENOUGH}
    return replace(request, options=options, format=None, think=False if thinks else None)
