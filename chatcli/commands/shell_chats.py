"""`chatcli chats` in the shell: list, show, search, rename, export, import, restore, purge."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

from chatcli.commands.arguments import Arg, whole_number
from chatcli.commands.chats import as_data, chat_words, give_name, listing, one_of, reading
from chatcli.commands.navigation import waiting_question
from chatcli.commands.outcomes import Confirm, Outcome, Print, Show, watched
from chatcli.commands.registry import command
from chatcli.commands.search import shown
from chatcli.commands.share import (
    EXPORTS,
    HALF_IMPORTED,
    before_shown,
    export_then,
    form_of,
    imported,
    importing,
    losses,
    without_form,
    written,
)
from chatcli.conversation.events import measured
from chatcli.conversation.usage import counted
from chatcli.errors import BadArgument, NotFound
from chatcli.hints import Do, Hint, Usage, Words
from chatcli.paths import path_of
from chatcli.render.views import History, Note
from chatcli.session.session import Session
from chatcli.store.listing import find

if TYPE_CHECKING:
    from chatcli.store.import_forms import Found
    from chatcli.store.reimport import Taken


@command("", subcommand=("chats", "chats list"), data=True)
def list_(session: Session, *count: Annotated[str, Arg("how many, newest first", whole=True)]) -> Outcome:
    """List the conversations, newest first. With --demo only those with the demo engine."""
    if count and not (len(count) == 1 and count[0].isdecimal()):
        raise BadArgument(f'Unknown argument "{" ".join(count)}".', _known(count[0]))
    most = whole_number(count[0], "how many are listed") if count else None
    return listing(session, session.store.entries(demo=session.server.demo or None), most)


@command("", subcommand="chats show")
def show(
    session: Session,
    *name: Annotated[str, Arg("a conversation, by name or number", chat_words, whole=True)],
    last: Annotated[bool, Arg("the last one")] = False,
) -> Outcome:
    """Print a conversation."""

    def whole(chat: int) -> Outcome:
        conversation = session.store.conversation(chat)
        question = waiting_question(session, conversation)
        after = [question] if question is not None else []
        most = conversation.last.number if conversation.last is not None else 0
        return watched(reading(conversation, most), lambda nodes: Show.of(History((*nodes, *after))))

    return _one(session, name, last, whole)


@command("", subcommand="chats search", data=True)
def search(
    session: Session, *words: Annotated[str, Arg('words, "phrases" (quoted twice), or prefixes*')]
) -> Outcome:
    """Search all conversations; the best hits first, each with the messages around it and how to go there."""
    return shown(session, words, None, "load", "chats search")


@command("", subcommand="chats rename")
def rename(
    session: Session,
    name: Annotated[str, Arg("a conversation, by name (quoted) or number", chat_words)],
    *title: Annotated[str, Arg("its new name", whole=True)],
) -> Outcome:
    """Rename a conversation."""
    if not title:
        raise BadArgument("The new name is missing.", Hint("Usage: ", Usage("chats rename")))
    return one_of(session, name, lambda entry: give_name(session, entry.id, " ".join(title)))


@command("", subcommand="chats export")
def export(
    session: Session,
    *name: Annotated[str, Arg("a conversation, by name or number", chat_words, whole=True)],
    last: Annotated[bool, Arg("the last one")] = False,
    format: Annotated[str | None, Arg("md, json, jsonl or html")] = None,  # noqa: A002
    to: Annotated[str | None, Arg("a file whose ending names the format; - is standard output")] = None,
    yes: Annotated[bool, Arg("replace the file if there is one")] = False,
) -> Outcome:
    """Print a conversation as Markdown, JSON, JSONL or an HTML page, or write it to a file.

    JSON and JSONL have all of it, every branch and attachment, and `chatcli chats import` reads them back.
    """
    if format is not None and format not in EXPORTS.values():
        raise BadArgument(f'There is no format "{format}".', f"One of: {', '.join(EXPORTS.values())}.")
    if to is None or to == "-":
        return _one(session, name, last, lambda chat: export_then(session, chat, format or "md", Print))
    file = path_of(to)
    if format is None and form_of(file) is None:
        raise without_form(to)
    return _one(session, name, last, lambda chat: written(session, chat, file, format, yes))


@command("", subcommand="chats import")
def import_(
    session: Session,
    *files: Annotated[str, Arg("files with conversations")],
    model: Annotated[str | None, Arg("a model that ollama run has saved")] = None,
) -> Outcome:
    """Import conversations from files, or from a saved model.

    It reads chatcli's own JSON and JSONL, lists of role and content, and the exports of ChatGPT and Claude (as
    the ZIP they come in, or unpacked), Open WebUI, LibreChat, ShareGPT, DeepSeek, Grok and llm, the databases of
    the Ollama app, oterm and llm, and aichat's sessions and messages.md. What cannot be read is named, and
    the rest is imported; importing a file twice adds nothing.
    """
    if not files and model is None:
        raise BadArgument("A file or a model is missing.", Hint("Usage: ", Usage("chats import")))

    def done(came: tuple[Found, list[Taken]]) -> Outcome:
        found, taken = came
        opening = [Do("load", str(each.conversation.id)) for each in taken]
        said = [Hint(f"{imported([each])} Open it: ", do) for each, do in zip(taken, opening, strict=True)]
        return Show((*(Note(each, "good") for each in said), *losses(found)))

    named = [path_of(file) for file in files]
    return watched(importing(session, model, *named), done, HALF_IMPORTED, soon=before_shown(*named))


@command("", subcommand="chats restore", data=True)
def restore(
    session: Session, *name: Annotated[str, Arg("a deleted conversation; by default they are listed", whole=True)]
) -> Outcome:
    """Restore a conversation from the trash, or list what is in the trash."""
    trash = session.store.trash()
    if not name:
        empty = Show.of(Note("The trash is empty.", "quiet"), data=list)
        return listing(session, trash, len(trash)) if trash else empty
    found = find(trash, " ".join(name))
    if len(found) != 1:
        several = f'Several deleted conversations match "{" ".join(name)}".'
        none = f'There is no conversation "{" ".join(name)}" in the trash.'
        raise NotFound(several if found else none, Hint(Do("chats restore"), " lists them with their numbers."))
    session.store.restore(found[0].id)
    return Show.of(Note(f'Restored "{found[0].title}".', "good"), data=lambda: [as_data(found[0])])


@command("", subcommand="chats purge")
def purge(session: Session, *, yes: Annotated[bool, Arg("do not ask")] = False) -> Outcome:
    """Empty the trash permanently, and remove the backups, which have its text, too. Asks first."""
    from chatcli.store.recovery import set_aside

    trash = session.store.trash()

    def done(gone: int) -> Outcome:
        told = [Note(f"{counted(gone, 'conversation')} removed permanently, and all backups.", "good")]
        if gone and (kept := set_aside(session.paths.store)):
            files = ", ".join(map(str, kept))
            told.append(Note(f"Stores kept when they were recovered may still have the text: {files}.", "warning"))
        return Show(tuple(told))

    def empty() -> Outcome:
        return watched(measured(session.store.purging(), "Removing messages", None), done, rest)

    rest = Hint("What is left is still in the trash. Go on: ", Do("chats purge"))
    if not trash or yes:
        return empty()
    return Confirm(
        f"Remove {counted(len(trash), 'conversation')} in the trash permanently, and all backups?", empty
    )


def _known(word: str) -> Words:
    """A hint: the words that may follow `chatcli chats`, or the one that looks like `word`."""
    from chatcli.commands import everything

    words = [name[1] for name in everything().subcommands if name[0] == "chats" and len(name) > 1]
    near = difflib.get_close_matches(word, words, n=1)
    if near:
        return Hint("Did you mean: ", Do(f"chats {near[0]}"), "?")
    return f"Give a number, to list as many, or one of: {', '.join(words)}."


def _one(session: Session, name: tuple[str, ...], last: bool, then: Callable[[int], Outcome]) -> Outcome:
    if bool(name) == last:
        raise BadArgument(
            "Which conversation? Give its name or number, or --last.", Hint(Do("chats"), " lists them.")
        )
    if name:
        return one_of(session, " ".join(name), lambda entry: then(entry.id))
    entries = session.store.entries(1, demo=session.server.demo or None, unanswered=True)
    if not entries:
        raise NotFound("There is no conversation yet.", Hint("Start one: ", Do("chatcli")))
    return then(entries[0].id)
