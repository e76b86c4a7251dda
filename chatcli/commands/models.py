"""/model, /models, /show, /pull, /ps: which models there are, and which one is spoken to."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated

from chatcli.client.models import Listed, Loaded, Model
from chatcli.commands.arguments import Arg, Word
from chatcli.commands.outcomes import Choose, Outcome, Show, Watch
from chatcli.commands.registry import command
from chatcli.errors import BadArgument, ChatcliError
from chatcli.render.views import Listing, Note, SourceText
from chatcli.session.build import model_names, use_model
from chatcli.session.context_window import gigabytes
from chatcli.session.session import Session
from chatcli.settings import table

ASPECTS = ("info", "license", "modelfile", "parameters", "system", "template")


def model_words(session: Session, typed: str) -> Iterator[Word]:
    """Names of the server's models, if it has been spoken to already: completion never waits for a network."""
    if session.client.ready is None:
        return
    try:
        names = model_names(session)
    except ChatcliError:
        return
    yield from (Word(name) for name in names if name.startswith(typed))


@command("model", "m")
def model(session: Session, name: Annotated[str, Arg("model to talk to", model_words)] = "") -> Outcome:
    """Say which model is spoken to, or switch to another from the next message on.

    The conversation stays; without a name, and with several models there, you are asked which.
    """
    if name:
        return Show.of(_switched(use_model(session, name)))
    names = model_names(session)
    current = session.settings[table.MODEL]
    if len(names) < 2:
        return Show.of(_about(session.model.get()))
    title = f"Model now: {current}. Which one next?" if current else "Which model?"
    return Choose(title, tuple(names), lambda index: Show.of(_switched(use_model(session, names[index]))))


@command("models", "list", "ls", subcommand="models")
def models(session: Session) -> Outcome:
    """List the models that the server has."""
    listed = session.client.get().models()
    if not listed:
        return Show.of(Note("The server has no model yet. Get one: /pull llama3.2", "warning"))
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
    """Show what the server says of the model: info, license, modelfile, parameters, system or template."""
    if aspect not in ASPECTS:
        raise BadArgument(f"«{aspect}» is nothing to show.", f"One of: {', '.join(ASPECTS)}.")
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
    return Show.of(SourceText(text) if text else Note(f"{known.name} has no {aspect}.", "quiet"))


@command("pull", subcommand="pull")
def pull(session: Session, name: Annotated[str, Arg("a model from ollama.com/library")]) -> Outcome:
    """Download a model. Ctrl-C stops; what came stays, and the next pull goes on from there."""
    progress = session.client.get().pull(name)
    return Watch(progress, lambda: Show.of(Note(f"{name} is here. Talk to it: /model {name}", "good")))


@command("ps", subcommand="ps")
def ps(session: Session) -> Outcome:
    """List the models that are loaded now, with the context window each was given."""
    rows = tuple(_loaded_row(row) for row in session.client.get().loaded())
    if not rows:
        return Show.of(Note("No model is loaded.", "quiet"))
    return Show.of(
        Listing(("name", "size", "on GPU", "window", "unloaded"), rows, right=frozenset({"size", "window"}))
    )


def _switched(found: Model) -> Note:
    return Note(f"Talking to {found.name} from the next message on.", "good")


def _about(found: Model) -> Note:
    return Note(f"Talking to {found.name}.")


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
        ("can", ", ".join(sorted(known.capabilities)) or "unknown"),
        ("digest", known.digest[:12]),
    ]
    return Listing(("", ""), tuple(row for row in rows if row[1]), title=known.name)
