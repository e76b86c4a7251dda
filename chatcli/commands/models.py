"""/model, /models, /show, /pull, /ps: the models of the server, and the one in use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Annotated

from chatcli.client.models import Listed, Loaded, Model, same_model
from chatcli.commands.arguments import Arg, Word
from chatcli.commands.outcomes import Choose, Outcome, Show, Watch
from chatcli.commands.registry import command
from chatcli.errors import BadArgument, ChatcliError
from chatcli.hints import Do, Hint
from chatcli.render.views import Listing, Note, SourceText
from chatcli.session.context_window import gigabytes
from chatcli.session.model_in_use import model_names
from chatcli.session.next_request import changing
from chatcli.session.session import Session
from chatcli.settings import table

ASPECTS = ("info", "license", "modelfile", "parameters", "system", "template")
# What /show says of a model that has none of these.
_ABSENT = {
    "license": "has no license",
    "modelfile": "has no Modelfile",
    "parameters": "sets no parameters",
    "system": "sets no system prompt",
    "template": "has no template",
}


def model_words(session: Session, typed: str) -> Iterator[Word]:
    """The names of the server's models, if chatcli is connected already: completion never waits for a network."""
    if session.client.ready is None:
        return
    try:
        names = model_names(session)
    except ChatcliError:
        return
    yield from (Word(name) for name in names if name.startswith(typed))


@command("model", "m", in_shell="--model")
def model(session: Session, name: Annotated[str, Arg("the model to use", model_words)] = "") -> Outcome:
    """Show or switch the model.

    Another model answers from the next message on; the conversation stays. Without a name you choose one of the
    server's models.
    """
    if name:
        return switched(session, name)
    names = model_names(session)
    current = session.settings[table.MODEL]
    if len(names) < 2:
        return Show.of(_about(session.model.get()))
    title = f"Model: {current}. Switch to which one?" if current else "Which model?"
    return Choose(title, tuple(names), lambda index: switched(session, names[index]))


@command("models", "list", "ls", subcommand="models")
def models(session: Session) -> Outcome:
    """List the server's models."""
    listed = session.client.get().models()
    if not listed:
        return Show.of(Note(Hint("The server has no model yet. Get one: ", Do("pull", "llama3.2")), "warning"))
    rows = tuple(_row(row, session.settings[table.MODEL]) for row in listed)
    return Show.of(Listing(("", "name", "size", "parameters", "changed"), rows, right=frozenset({"size"})))


@command("show")
def show(
    session: Session,
    aspect: Annotated[
        str,
        Arg(
            "info, license, modelfile, ...",
            lambda _, typed: (Word(word) for word in ASPECTS if word.startswith(typed)),
        ),
    ] = "info",
) -> Outcome:
    """Show details of the model: info, license, modelfile, parameters, system or template."""
    if aspect not in ASPECTS:
        raise BadArgument(f'Unknown argument "{aspect}".', f"One of: {', '.join(ASPECTS)}.")
    known = session.model.get()
    if aspect == "info":
        return Show.of(_info(known))
    text = {
        "license": known.license,
        "modelfile": known.modelfile,
        "parameters": known.parameters,
        "system": known.system,
        "template": known.template,
    }[aspect]
    return Show.of(SourceText(text) if text else Note(f"{known.name} {_ABSENT[aspect]}.", "quiet"))


@command("pull", subcommand="pull")
def pull(session: Session, name: Annotated[str, Arg("a model from ollama.com/library")]) -> Outcome:
    """Download a model. Ctrl-C stops it; the next one of the model continues the download."""
    progress = session.client.get().pull(name)
    return Watch(
        progress, lambda: Show.of(Note(Hint(f"{name} is downloaded. Use it: ", Do("model", name)), "good"))
    )


@command("ps", subcommand="ps")
def ps(session: Session) -> Outcome:
    """List the models that are loaded now, each with its context window."""
    found = session.client.get().loaded()
    rows = tuple(map(_loaded_row, found))
    if not rows:
        return Show.of(Note("No model is loaded.", "quiet"))
    right = frozenset({"size", "window"})
    note = _reloaded(session, found)
    return Show.of(Listing(("name", "size", "on GPU", "window", "unloaded"), rows, right=right, note=note))


def _reloaded(session: Session, found: Sequence[Loaded]) -> str:
    """A note when the next request needs another window than the model in use is loaded with."""
    known, window = session.model.ready, session.window.ready
    row = next((row for row in found if known is not None and same_model(row.name, known.name)), None)
    if row is None or known is None or window is None or row.context_length in {None, window}:
        return ""
    return f"The next request loads {known.name} with a window of {window}."


def switched(session: Session, name: str) -> Show:
    """Use that model, and say first what it will not get to see of the conversation."""
    found, lost = changing(session, lambda: session.use_model(name))
    notes = (Note(line, "warning") for line in lost)
    return Show((*notes, Note(f"Model: {found.name} (from the next message).", "good")))


def _about(found: Model) -> Note:
    return Note(f"Model: {found.name}.")


def _row(row: Listed, current: str) -> tuple[str, ...]:
    name = row.name.removesuffix(":latest")
    mark = "*" if name == current.removesuffix(":latest") else ""
    return (mark, name, gigabytes(row.size), row.details.get("parameter_size", ""), _ago(row.modified))


def _loaded_row(row: Loaded) -> tuple[str, ...]:
    window = str(row.context_length or "?")
    name = row.name.removesuffix(":latest")
    return (name, gigabytes(row.size), _on_gpu(row.size, row.size_vram), window, _until(row.expires))


def _until(moment: datetime | None) -> str:
    if moment is None:
        return ""
    minutes = round((moment - datetime.now(UTC)).total_seconds() / 60)
    if minutes > 60 * 24 * 365:
        return "never"
    return f"in {minutes} min" if minutes < 120 else f"in {minutes // 60} h"


def _ago(moment: datetime | None) -> str:
    if moment is None:
        return ""
    days = (datetime.now(UTC) - moment).days
    return "today" if days < 1 else f"{days} day{'s' if days > 1 else ''} ago"


def _on_gpu(size: int, in_vram: int) -> str:
    return f"{in_vram / size:.0%}" if size else "?"


def _info(known: Model) -> Listing:
    rows = [
        ("architecture", known.details.get("family", "")),
        ("parameters", known.details.get("parameter_size", "")),
        ("quantization", known.details.get("quantization_level", "")),
        ("trained window", f"{known.trained} tokens" if known.trained else "unknown"),
        ("num_ctx in its Modelfile", str(known.num_ctx or "unset")),
        ("capabilities", ", ".join(sorted(known.capabilities)) or "unknown"),
        ("digest", known.digest[:12]),
    ]
    return Listing(("", ""), tuple(row for row in rows if row[1]), title=known.name)
