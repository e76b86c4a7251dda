"""/save, /import: export and import conversations, as files and as Ollama models."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from chatcli.attachments.mentions import DOCUMENT_ENDINGS, is_plainly_a_path
from chatcli.commands.arguments import Arg, Word
from chatcli.commands.chats import give_name
from chatcli.commands.models import model_words
from chatcli.commands.navigation import waiting_question
from chatcli.commands.outcomes import Confirm, Opened, Outcome, Show, Watch, watched
from chatcli.commands.private import stored_first
from chatcli.commands.registry import command
from chatcli.conversation.events import Progress, finished, measured
from chatcli.conversation.message import Message, Role
from chatcli.conversation.tree import Conversation
from chatcli.conversation.usage import counted
from chatcli.errors import BadArgument, ChatcliError, UserError
from chatcli.hints import Do, Hint, Usage, lines
from chatcli.paths import is_there, path_of, shown, size_of, write_private
from chatcli.prompt.completer import paths
from chatcli.render.views import Note
from chatcli.session.model_in_use import model_names
from chatcli.session.session import Session
from chatcli.settings import table
from chatcli.settings.layers import not_loaded
from chatcli.store.conversations import title_of

if TYPE_CHECKING:
    from chatcli.store.import_chat import ImportedChat
    from chatcli.store.import_forms import Found
    from chatcli.store.reimport import Taken

EXPORTS = {".md": "md", ".json": "json", ".jsonl": "jsonl", ".html": "html"}
# The title of a conversation that has neither words nor files.
NO_WORDS = "(no words)"
# How many repairs are listed.
TOLD = 8
# Files that are read so long that it is said before, in bytes.
LARGE = 5_000_000
# The same for an export, in messages.
MANY = 10_000
_EXPORTING = Progress("Exporting")
HALF_IMPORTED = "What was stored whole stays; importing the same again adds the rest."


IMPORTS = frozenset({".json", ".jsonl", ".zip", ".db", ".sqlite", ".yaml"})


def import_words(session: Session, typed: str) -> Iterator[Word]:
    return (Word(path.text, path.meaning) for path in paths(typed, IMPORTS))


def save_words(session: Session, typed: str) -> Iterator[Word]:
    return (Word(path.text, path.meaning) for path in paths(typed, frozenset(EXPORTS)))


@command("save")
def save(
    session: Session,
    *name: Annotated[str, Arg("a name, or a file ending in .md, .json, .jsonl or .html", save_words, whole=True)],
    model: Annotated[str | None, Arg("make an Ollama model of that name from the conversation")] = None,
) -> Outcome:
    """Name the conversation, export it to a file, or make a model from it.

    Every message is stored anyway; `/save NAME` names the conversation, `/save FILE.md` (.json, .jsonl, .html)
    writes a copy to a file. `/save --model NAME` makes an Ollama model that begins with this conversation, as
    `ollama run` does.
    """
    if not session.conversation.id:
        raise UserError("Nothing has been said yet, so there is nothing to save.")
    if model is not None:
        return _save_as_model(session, model)
    if not name:
        raise BadArgument("A name or a file is missing.", Hint("Usage: ", Usage("save")))
    named = " ".join(name)
    file = path_of(named)
    if form_of(file) is None:
        if file.suffix.lower() in DOCUMENT_ENDINGS or is_plainly_a_path(named):
            raise without_form(named)
        return stored_first(session, lambda: give_name(session, session.conversation.id, named))
    return written(session, session.conversation.id, file)


@command("import", in_shell="chatcli chats import")
def import_(
    session: Session,
    *file: Annotated[str, Arg("a file with a conversation", import_words, whole=True)],
    model: Annotated[str | None, Arg("a model that ollama run has saved", model_words)] = None,
) -> Outcome:
    """Import a conversation from a file and open it: chatcli's own JSON or JSONL, or another program's.

    Lists of role and content, requests of Ollama and OpenAI, and the exports of ChatGPT and Claude (as the ZIP
    they come in, or unpacked), Open WebUI, LibreChat, ShareGPT, DeepSeek, Grok and llm can be read, the databases
    of the Ollama app, oterm and llm, and aichat's sessions and messages.md. What had to be guessed or left out is
    listed. Of a conversation that was imported before, only what is new is added. `/import
    --model NAME` imports the conversation from a model that `ollama run` has saved.
    """
    if bool(file) == (model is not None):
        raise BadArgument(
            "A file or a model is missing.",
            Hint("Usage: ", Do("import", "FILE"), ", or ", Do("import", model="NAME")),
        )

    def done(came: tuple[Found, list[Taken]]) -> Outcome:
        found, taken = came
        if len(taken) > 1:
            return Show((Note(Hint(f"{imported(taken)} ", Do("chats"), " lists them."), "good"), *losses(found)))
        refused = session.open(taken[0].conversation.id)
        here = imported(taken) if taken[0].was_here else ""
        return Opened(lines(filter(None, [here, told(found), not_loaded(refused)])))

    files = [path_of(" ".join(file))] if file else []
    return watched(importing(session, model, *files), done, HALF_IMPORTED, soon=before_shown(*files))


def before_shown(*files: Path) -> float | None:
    """The `soon` of watched(): large files are read in one go, so it is said before."""
    return 0.0 if sum(map(size_of, files)) > LARGE else None


def importing(
    session: Session, model: str | None, *files: Path
) -> Generator[Progress, None, tuple[Found, list[Taken]]]:
    """Read the conversations in these files and in a saved model, and store them; what is new is listed only when
    it is whole.
    """
    found = yield from read_in(session, model, *files)
    messages = sum(len(chat.conversation.nodes) for chat in found.chats)
    taken = yield from measured(take_all(session, found.chats), "Storing messages", messages)
    return found, taken


def read_in(session: Session, model: str | None, *files: Path) -> Generator[Progress, None, Found]:
    """The conversations in these files, and in a saved model. Raises when one has none; then none is taken in."""
    from chatcli.store import transfer
    from chatcli.store.import_forms import Found

    found = Found([saved_in(session, model)] if model is not None else [])
    for file in files:
        yield Progress(f"Reading {shown(file)}")
        try:
            each = transfer.find_chats(file)
        except UserError as error:
            if len(files) == 1:
                raise
            raise UserError(f"{file}: {error.message} Nothing was imported.", error.advice) from error
        found.chats += each.chats
        found.unread += [f"{file.name}: {part}" if len(files) > 1 else part for part in each.unread]
    return found


def saved_in(session: Session, model: str) -> ImportedChat:
    """The conversation in a saved model, set to continue with the model that the saved one was made from: with the
    saved model the server would send the saved messages a second time. Raises UserError.
    """
    from chatcli.settings.from_imports import imported_settings
    from chatcli.store.import_chat import chat_of

    known = session.client.get().model(model)
    if not known.messages:
        raise UserError(f"{known.name} has no messages.", "Only models saved from a chat have any.")
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
        chat.repairs.append(f"{known.name} does not say which model it was made from; the model stays as it is")
    return chat


def _brought_by(session: Session, base: str, messages: tuple[Message, ...]) -> int:
    """How many of the first messages belong to the base model's Modelfile, which adds them itself."""
    try:
        own = session.client.get().model(base).messages if base else ()
    except ChatcliError:
        return 0
    return len(own) if messages[: len(own)] == own and len(own) < len(messages) else 0


def take_all(session: Session, chats: Iterable[ImportedChat]) -> Generator[int, None, list[Taken]]:
    """Store each; of one that is here already only what is new in it. Without a title it is named after its first
    words; without a model it gets the one in use. Yields how many messages were stored since.
    """
    from chatcli.store.reimport import Importer

    importer = Importer(session.store)
    taken = []
    for chat in chats:
        each = yield from importer.taking(_made_ready(session, chat))
        taken.append(each)
    return taken


def take_in(session: Session, chat: ImportedChat) -> Conversation:
    """Store one; see take_all."""
    return finished(take_all(session, [chat]))[0].conversation


def _made_ready(session: Session, chat: ImportedChat) -> ImportedChat:
    conversation = chat.conversation
    if not any(node.message for node in conversation.nodes.values()):
        raise UserError("There are no messages in the file.", "Check the file.")
    if not conversation.title:
        nodes = conversation.path() or list(conversation.nodes.values())
        asked = [node.message for node in nodes if node.message.role is Role.USER]
        titles = map(title_of, (*asked, *(node.message for node in nodes)))
        conversation.title = next(filter(None, titles), NO_WORDS)
    conversation.demo = conversation.demo or session.server.demo
    if session.settings[table.MODEL]:
        conversation.settings.setdefault(table.MODEL.name, session.settings[table.MODEL])
    return chat


def imported(taken: Sequence[Taken]) -> str:
    """How many are new, grew, or were here already, in a sentence for each; one conversation by its title."""
    new = [each for each in taken if not each.was_here]
    grown = [each for each in taken if each.was_here and each.added]
    here = [each for each in taken if each.was_here and not each.added]
    said = []
    if new:
        said.append(f"Imported {_all_of(new)}.")
    if grown:
        more = counted(sum(each.added for each in grown), "message")
        said.append(f"Added {more} to {_all_of(grown)}, which began here already.")
    if here:
        said.append(f"{_all_of(here)} {'is' if len(here) == 1 else 'are'} here already.")
    return " ".join(said)


def _all_of(taken: Sequence[Taken]) -> str:
    return f'"{taken[0].conversation.title}"' if len(taken) == 1 else f"{len(taken)} conversations"


def losses(found: Found) -> list[Note]:
    """What was repaired, guessed or left out, as a warning; nothing when nothing was."""
    return [Note(said, "warning")] if (said := told(found)) else []


def told(found: Found) -> str:
    """The same in a few lines. Of several conversations each is named."""
    repairs = [
        (f'"{chat.title}": ' if len(found.chats) > 1 else "") + repair
        for chat in found.chats
        for repair in chat.repairs
    ]
    lines = [
        *(f"Not read: {each}." for each in found.unread[:TOLD]),
        *(f"Repaired: {each}." for each in repairs[:TOLD]),
    ]
    if len(found.unread) > TOLD:
        lines.append(f"And {len(found.unread) - TOLD} more parts that were not read.")
    if len(repairs) > TOLD:
        lines.append(f"And {len(repairs) - TOLD} more repairs.")
    return "\n".join(lines)


def exported(session: Session, conversation: int, form: str) -> str:
    """The conversation with all its branches, as text in that format. A last question without a reply is part of
    it.
    """
    return finished(exporting(session, conversation, form))


def export_then(session: Session, conversation: int, form: str, then: Callable[[str], Outcome]) -> Outcome:
    """Export the conversation in that format; of a long one it is said before."""
    messages = session.store.outline(conversation).messages
    doing = Progress(f"Exporting {counted(messages, 'message')}")
    job = exporting(session, conversation, form, doing)
    return watched(job, then, "Nothing was written.", soon=0.0 if messages > MANY else None)


def exporting(
    session: Session, conversation: int, form: str, doing: Progress = _EXPORTING
) -> Generator[Progress, None, str]:
    """What exported() does. `doing` is what is said meanwhile."""
    from chatcli.store import transfer

    yield doing
    whole = session.store.whole(conversation)
    yield doing
    question = waiting_question(session, whole)
    if question is not None:
        whole.go_to(question.id)
    if form != "html":
        return transfer.export(whole, form)
    from chatcli.render.html import STYLE, to_html

    return transfer.export(whole, form, rendered=to_html, style=STYLE)


def form_of(file: Path) -> str | None:
    """The format of an export that the name of the file ends in; None where it ends in none."""
    return EXPORTS.get(file.suffix.lower())


def without_form(named: str) -> BadArgument:
    return BadArgument(
        f"{shown(named)} has no ending that a conversation can be written with.",
        f"Name a file that ends in {', '.join(EXPORTS)}.",
    )


def written(
    session: Session, conversation: int, file: Path, form: str | None = None, yes: bool = False
) -> Outcome:
    """Export the conversation to the file, in the format that its name ends in if no other is given. Asks before
    it replaces a file, unless `yes`. Raises BadArgument where there is no format.
    """
    chosen = form or form_of(file)
    if chosen is None:
        raise without_form(str(file))

    def done(text: str) -> Outcome:
        write_private(file, text)
        return Show.of(Note(f"Written to {file}.", "good"))

    def write() -> Outcome:
        return export_then(session, conversation, chosen, done)

    return Confirm(f"{file} already exists. Replace it?", write) if is_there(file) and not yes else write()


def _save_as_model(session: Session, name: str) -> Outcome:
    if name.removesuffix(":latest") in model_names(session):
        question = f"The model {name} already exists. Replace it by this conversation?"
        return Confirm(question, lambda: _create(session, name))
    return _create(session, name)


def _create(session: Session, name: str) -> Outcome:
    """Make the model; the messages of the Modelfile come first, as they did in every request."""
    model, settings = session.model.get(), session.settings
    said = (*model.messages, *(node.message for node in session.conversation.path()))
    progress = session.client.get().create(name, model.name, settings[table.SYSTEM], settings.options(), said)
    note = Hint(f"The model {name} begins with this conversation. Use it: ", Do("model", name))
    return Watch(progress, lambda: Show.of(Note(note, "good")))
