"""/save, /import: conversations out of chatcli and into it, as files and as Ollama's models."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from chatcli.commands.arguments import Arg, Word
from chatcli.commands.chats import give_name
from chatcli.commands.models import model_words
from chatcli.commands.navigation import waiting_question
from chatcli.commands.outcomes import Confirm, Opened, Outcome, Show, Watch
from chatcli.commands.registry import command
from chatcli.conversation.message import Message, Role
from chatcli.conversation.tree import Conversation
from chatcli.errors import BadArgument, ChatcliError, UserError
from chatcli.paths import is_there, path_of, write_private
from chatcli.prompt.completer import paths
from chatcli.render.views import Note
from chatcli.session.build import model_names, open_conversation
from chatcli.session.session import Session
from chatcli.settings import table
from chatcli.store.conversations import title_of

if TYPE_CHECKING:
    from chatcli.store.import_chat import ImportedChat

EXPORTS = {".md": "md", ".json": "json", ".jsonl": "jsonl", ".html": "html"}
# The title of a conversation that has neither words nor files.
NO_WORDS = "(no words)"
# How many repairs are told one by one.
TOLD = 8


def import_words(session: Session, typed: str) -> Iterator[Word]:
    return (Word(path.text, path.meaning) for path in paths(typed, frozenset({".json", ".jsonl", ".zip"})))


@command("save")
def save(
    session: Session,
    *name: Annotated[str, Arg("a name, or a file ending in .md, .json, .jsonl or .html", whole=True)],
    model: Annotated[str | None, Arg("make an Ollama model of that name out of the conversation")] = None,
) -> Outcome:
    """Name the conversation, export it to a file, or make a model of it.

    Everything is stored as it is said; `/save NAME` gives it a name to be found by, `/save FILE.md` (.json,
    .jsonl, .html) writes a copy to a file. `/save --model NAME` makes an Ollama model that begins with this
    conversation, as `ollama run` does.
    """
    if not session.conversation.id:
        raise UserError("Nothing has been said yet, so there is nothing to save.")
    if model is not None:
        return _save_as_model(session, model)
    if not name:
        raise BadArgument("A name or a file is missing.", f"Usage: {save.usage}")
    file = path_of(" ".join(name))
    if file.suffix.lower() not in EXPORTS:
        return give_name(session, session.conversation.id, " ".join(name))
    if is_there(file):
        return Confirm(f"{file} is there already. Replace it?", lambda: _export(session, file))
    return _export(session, file)


@command("import")
def import_(
    session: Session,
    *file: Annotated[str, Arg("a file with a conversation in it", import_words, whole=True)],
    model: Annotated[str | None, Arg("a model that ollama run has saved", model_words)] = None,
) -> Outcome:
    """Take in a conversation from a file and open it: chatcli's own JSON or JSONL, or that of others.

    Lists of role and content, requests of Ollama and OpenAI, and the exports of ChatGPT (as the ZIP they come in,
    or unpacked) and Open WebUI can be read; what had to be guessed is said. `/import --model NAME` takes the
    conversation out of a model that was saved in `ollama run`.
    """
    if bool(file) == (model is not None):
        raise BadArgument("A file or a model is missing.", "Usage: /import FILE, or /import --model NAME")
    read = [saved_in(session, model)] if model else read_in(path_of(" ".join(file)))
    taken = [take_in(session, each) for each in read]
    repairs = told([each for chat in read for each in chat.repairs])
    if len(taken) > 1:
        views = [Note(f"{len(taken)} conversations taken in. /chats lists them.", "good")]
        return Show((*views, Note(repairs, "warning")) if repairs else tuple(views))
    refused = open_conversation(session, taken[0].id)
    unknown = [f"Settings not taken up: {', '.join(refused)}."] if refused else []
    return Opened("\n".join(filter(None, [repairs, *unknown])))


def read_in(file: Path) -> list[ImportedChat]:
    from chatcli.store import transfer

    return transfer.read_chats(file)


def saved_in(session: Session, model: str) -> ImportedChat:
    """The conversation in a saved model, to go on with the model that this one was made of: the server would put
    the saved messages before ours a second time.
    """
    from chatcli.settings.from_imports import imported_settings
    from chatcli.store.import_chat import chat_of

    known = session.client.get().model(model)
    if not known.messages:
        raise UserError(f"{known.name} has no messages in it.", "Only models saved in a chat have.")
    base = known.details.get("parent_model", "").removesuffix(":latest")
    chat = chat_of(known.messages[_brought_by(session, base, known.messages) :], known.name)
    settings = {
        table.MODEL.name: base,
        table.SYSTEM.name: known.system,
        table.NUM_CTX.name: str(known.num_ctx or ""),
    }
    given = {name: value for name, value in settings.items() if value}
    chat.conversation.settings = imported_settings(given, chat.repairs)
    if table.MODEL.name not in chat.conversation.settings:
        chat.repairs.append(f"{known.name} does not say which model it was made of; the model stays as it is")
    return chat


def _brought_by(session: Session, base: str, messages: tuple[Message, ...]) -> int:
    """How many of the first messages are the Modelfile's of the model it was made of, which adds them itself."""
    try:
        own = session.client.get().model(base).messages if base else ()
    except ChatcliError:
        return 0
    return len(own) if messages[: len(own)] == own and len(own) < len(messages) else 0


def take_in(session: Session, chat: ImportedChat) -> Conversation:
    """Store it. What has no title gets the first words there are, what names no model the one in use."""
    conversation = chat.conversation
    if not any(node.message for node in conversation.nodes.values()):
        raise UserError("There is no message in it.", "Check the file.")
    if not conversation.title:
        nodes = conversation.path() or list(conversation.nodes.values())
        asked = [node.message for node in nodes if node.message.role is Role.USER]
        titles = map(title_of, (*asked, *(node.message for node in nodes)))
        conversation.title = next(filter(None, titles), NO_WORDS)
    conversation.demo = conversation.demo or session.server.demo
    if session.settings[table.MODEL]:
        conversation.settings.setdefault(table.MODEL.name, session.settings[table.MODEL])
    return session.store.take_in(conversation)


def told(repairs: list[str]) -> str:
    """What was guessed, in a few lines; "" when nothing was."""
    lines = [f"Repaired: {each}." for each in repairs[:TOLD]]
    if len(repairs) > TOLD:
        lines.append(f"And {len(repairs) - TOLD} repairs more.")
    return "\n".join(lines)


def exported(session: Session, conversation: int, form: str) -> str:
    """The conversation with all its branches, as text of that form. It ends with a question that got no reply,
    where one was asked last.
    """
    from chatcli.store import transfer

    whole = session.store.whole(conversation)
    question = waiting_question(session, whole)
    if question is not None:
        whole.go_to(question.id)
    if form != "html":
        return transfer.export(whole, form)
    from chatcli.render.html import STYLE, to_html

    return transfer.export(whole, form, rendered=to_html, style=STYLE)


def _export(session: Session, file: Path) -> Outcome:
    text = exported(session, session.conversation.id, EXPORTS[file.suffix.lower()])
    write_private(file, text)
    return Show.of(Note(f"Written to {file}.", "good"))


def _save_as_model(session: Session, name: str) -> Outcome:
    if name.removesuffix(":latest") in model_names(session):
        question = f"There is a model {name} already. Replace it by this conversation?"
        return Confirm(question, lambda: _create(session, name))
    return _create(session, name)


def _create(session: Session, name: str) -> Outcome:
    """The Modelfile's own messages come first, as they did in every request."""
    model, settings = session.model.get(), session.settings
    said = (*model.messages, *(node.message for node in session.conversation.path()))
    progress = session.client.get().create(name, model.name, settings[table.SYSTEM], settings.options(), said)
    note = f"The model {name} begins with this conversation. Talk to it: /model {name}"
    return Watch(progress, lambda: Show.of(Note(note, "good")))
