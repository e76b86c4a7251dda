"""/clear, /save, /load, /history: conversations."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from chatcli.build import model_names, new_conversation, open_conversation, use_model
from chatcli.commands.arguments import Arg, Word
from chatcli.commands.outcome import Choose, Confirm, Opened, Outcome, Show
from chatcli.commands.registry import command
from chatcli.errors import BadFile, ChatcliError, NotFound, UserError
from chatcli.render.views import History, Note
from chatcli.session import Session
from chatcli.store import transfer
from chatcli.store.listing import Entry

EXPORTS = {".md": "md", ".json": "json", ".jsonl": "jsonl", ".html": "html"}


def chat_words(session: Session, typed: str) -> Iterator[Word]:
    """Titles of the newest conversations."""
    for entry in session.store.entries(50, demo=session.server.demo):
        if entry.title.lower().startswith(typed.lower()):
            yield Word(entry.title, f"{entry.messages} messages")


@command("clear", "new")
def clear(session: Session) -> Outcome:
    """Begin a new conversation, with the same settings. The old one stays stored."""
    title = session.conversation.title
    new_conversation(session)
    kept = f" «{title}» is kept: /load opens it again." if title else ""
    return Show.of(Note(f"A new conversation.{kept}", "quiet"))


@command("history")
def history(session: Session, last: Annotated[int, Arg("how many messages, counted from the end")] = 0) -> Outcome:
    """Show the conversation so far, or its last messages."""
    nodes = session.conversation.path()
    if not nodes:
        return Show.of(Note("Nothing has been said yet.", "quiet"))
    return Show.of(History(tuple(nodes[-last:] if last > 0 else nodes)))


@command("save")
def save(
    session: Session, *, name: Annotated[str, Arg("a name, or a file ending in .md, .json, .jsonl or .html")]
) -> Outcome:
    """Name the conversation, or export it to a file.

    Everything is stored as it is said; `/save NAME` gives it a name to be found by, `/save FILE.md` (.json,
    .jsonl, .html) writes a copy to a file.
    """
    if not session.conversation.id:
        raise UserError("Nothing has been said yet, so there is nothing to save.")
    if not name:
        raise UserError("A name or a file is missing.", f"Usage: {save.usage}")
    file = Path(name).expanduser()
    if file.suffix.lower() not in EXPORTS:
        session.store.rename(session.conversation.id, name)
        session.conversation.title = name
        return Show.of(Note(f"Named «{name}». /load {name} opens it again.", "good"))
    if file.exists():
        return Confirm(f"{file} is there already. Replace it?", lambda: _export(session, file))
    return _export(session, file)


@command("load")
def load(session: Session, *, name: Annotated[str, Arg("a conversation, or a model", chat_words)]) -> Outcome:
    """Open a stored conversation by its name or number; a model's exact name switches the model instead.

    The conversation now on the table stays stored.
    """
    found = session.store.find(name)
    is_model = _is_model(session, name)
    if found and is_model:
        return Choose(
            f"«{name}» is a model and a conversation. Which?",
            (f"the model {name}", *(_label(entry) for entry in found)),
            lambda index: _switch(session, name) if index == 0 else _open(session, found[index - 1]),
        )
    if is_model:
        return _switch(session, name)
    if not found:
        raise NotFound(f"There is no conversation called «{name}», and no such model.", "/history shows this one.")
    if len(found) == 1:
        return _open(session, found[0])
    shown = found[:9]
    return Choose(
        f"Several conversations fit «{name}». Which?",
        tuple(_label(entry) for entry in shown),
        lambda index: _open(session, shown[index]),
    )


def _open(session: Session, entry: Entry) -> Outcome:
    refused = open_conversation(session, entry.id)
    return Opened(f"Settings not understood any more: {', '.join(refused)}." if refused else "")


def _switch(session: Session, name: str) -> Outcome:
    use_model(session, name)
    return Show.of(Note(f"Talking to {name} from the next message on; the conversation stays.", "good"))


def _is_model(session: Session, name: str) -> bool:
    """Whether the server has a model of exactly that name; without a server there is none."""
    try:
        return name.removesuffix(":latest") in model_names(session)
    except ChatcliError:
        return False


def _label(entry: Entry) -> str:
    return f"{entry.title}  ({entry.messages} messages, {entry.updated.astimezone():%Y-%m-%d %H:%M})"


def _export(session: Session, file: Path) -> Outcome:
    text = transfer.export(session.store.whole(session.conversation.id), EXPORTS[file.suffix.lower()])
    try:
        file.write_text(text, encoding="utf-8", errors="replace")
    except OSError as error:
        raise BadFile(f"Cannot write {file}: {error.strerror}.", "Name another place.") from None
    return Show.of(Note(f"Written to {file}.", "good"))
