"""/model and /models: the model in use, and the models of the server: list, show, load, copy, delete."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import urlsplit

from chatcli.client.models import Listed, Loaded, Model, can_chat, same_model
from chatcli.commands.arguments import Arg, Word, fitting
from chatcli.commands.outcomes import Choose, Confirm, Outcome, Show, Watch
from chatcli.commands.registry import command
from chatcli.errors import BadArgument, Missing
from chatcli.hints import Do, Hint, Usage
from chatcli.render.views import Listing, Note, SourceText
from chatcli.session.context_window import gigabytes, in_memory, memory_of_window, on_gpu, window_without_asking
from chatcli.session.model_in_use import FIRST_MODEL, describe, known_model
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

COLUMNS = ("", "name", "family", "parameters", "quantized", "size", "trained", "can", "state", "changed")
# Left out where the terminal is too narrow, the first one first.
OPTIONAL = ("changed", "family", "quantized", "trained", "parameters", "size", "can")


def model_words(session: Session, typed: str) -> list[Word]:
    """The server's models as far as they are known: completion does not wait for a network."""
    rows = session.models_on_server.get() or []
    return fitting((Word(_typed(row.name), in_brief(session, row)) for row in rows), typed)


def in_brief(session: Session, row: Listed) -> str:
    """Size, quantization and what the model can do, in a few words, as far as they are known."""
    _, _, _, parameters, quantized, size, _, able, _, _ = _row(
        _as_data(row, session.client.get().described(row), (), "")
    )
    return ", ".join(filter(None, (parameters, quantized, size, able)))


def aspect_words(_session: Session, typed: str) -> list[Word]:
    return list(fitting(map(Word, ASPECTS), typed))


def show_words(session: Session, typed: str) -> list[Word]:
    return [*aspect_words(session, typed), *model_words(session, typed)]


@command("model", "m", in_shell="--model")
def model(session: Session, name: Annotated[str, Arg("the model to use", model_words)] = "") -> Outcome:
    """Show or switch the model.

    Another model answers from the next message on; the conversation stays. Without a name you choose one of the
    server's models.
    """
    if name:
        return switched(session, name)
    current, rows = session.settings[table.MODEL], session.client.get().models()
    if len(rows) < 2:
        return Show.of(_about(session.model.get()))
    title = f"Model: {current}. Switch to which one?" if current else "Which model?"
    return choose_model(session, title, rows, lambda name: switched(session, name))


def choose_model(
    session: Session, question: str, rows: Sequence[Listed], then: Callable[[str], Outcome]
) -> Choose:
    """Ask which of these models, each with what is to be known of it, and call `then` with its name."""
    describe(session, rows)
    rows = [row for row in rows if can_chat(_able(row, session.client.get().described(row)))] or rows
    names = tuple(_typed(row.name) for row in rows)
    longest = max(map(len, names))
    lines = [f"{name:<{longest}}  {in_brief(session, row)}" for name, row in zip(names, rows, strict=True)]
    return Choose(question, names, lambda at: then(names[at]), lambda at: [lines[at]])


@command("models", "list", "ls", "models list", subcommand=("models", "models list"), data=True)
def models(session: Session) -> Outcome:
    """List the server's models: what each can do, how large it is, and whether it is loaded."""
    client = session.client.get()
    listed = client.models()
    if not listed:
        none = Note(Hint("The server has no model yet. Get one: ", Do("pull", FIRST_MODEL)), "warning")
        return Show.of(none, data=list)
    describe(session, [row for row in listed if not row.capabilities])
    in_memory = client.loaded()
    current = session.settings[table.MODEL]
    data = [_as_data(row, client.described(row), in_memory, current) for row in listed]
    rows = list(map(_row, data))
    told = [at for at, column in enumerate(zip(*rows, strict=True)) if any(column)]
    columns = tuple(COLUMNS[at] for at in told)
    return Show.of(
        Listing(
            columns,
            tuple(tuple(row[at] for at in told) for row in rows),
            right=frozenset({"size", "parameters", "trained"}),
            optional=tuple(name for name in OPTIONAL if name in columns),
        ),
        data=lambda: data,
    )


@command("models show", "show", subcommand="models show", data=True)
def show(
    session: Session,
    name: Annotated[str, Arg("a model; by default the one in use", show_words)] = "",
    aspect: Annotated[str, Arg("info, license, modelfile, ...", aspect_words)] = "",
) -> Outcome:
    """Show details of a model: info, license, modelfile, parameters, system or template.

    The model's name may be left out; system is then the system prompt in use, also where it is your own.
    """
    if name in ASPECTS:
        name, aspect = aspect, name
    aspect = aspect or "info"
    if aspect not in ASPECTS:
        raise BadArgument(f'Unknown argument "{aspect}".', f"One of: {', '.join(ASPECTS)}.")
    known = _named(session, name) if name else session.model.get()
    if aspect == "info":
        return Show.of(_info(known), data=lambda: _info_data(known))
    text = {
        "license": known.license,
        "modelfile": known.modelfile,
        "parameters": known.parameters,
        "system": ("" if name else session.settings[table.SYSTEM]) or known.system,
        "template": known.template,
    }[aspect]
    view = SourceText(text) if text else Note(f"{known.name} {_ABSENT[aspect]}.", "quiet")
    return Show.of(view, data=lambda: {aspect: text})


@command("models pull", "pull", subcommand=("models pull", "pull"))
def pull(session: Session, name: Annotated[str, Arg("a model from ollama.com/library")]) -> Outcome:
    """Download a model. Ctrl-C stops it; the next one of the model continues the download."""
    progress = session.client.get().pull(name, session.settings[table.INSECURE])
    return Watch(
        progress,
        lambda: Show.of(Note(Hint(f"{name} is downloaded. Use it: ", Do("model", name)), "good")),
        Hint("What came is kept: ", Do("pull", name), " goes on from there."),
    )


@command("models rm", subcommand="models rm")
def rm(
    session: Session,
    *names: Annotated[str, Arg("the models to delete", model_words)],
    yes: Annotated[bool, Arg("do not ask")] = False,
) -> Outcome:
    """Delete models from the server's disk. Asks first."""
    client = session.client.get()
    found = [_listed(session, name) for name in names]
    if not found:
        raise BadArgument("Which model?", Hint("Usage: ", Usage("models rm")))

    def delete() -> Outcome:
        told = []
        for each in found:
            if any(same_model(row.name, each.name) for row in client.loaded()):
                client.unload(each.name)
            client.delete(each.name)
            told.append(Note(f"{_typed(each.name)} is deleted.", "good"))
        if any(same_model(each.name, session.settings[table.MODEL]) for each in found):
            session.forget_model()
            told.append(Note(Hint("It was the model in use. Choose another: ", Do("model")), "warning"))
        return Show(tuple(told))

    sizes = ", ".join(f"{_typed(each.name)} ({gigabytes(each.size)})" for each in found)
    return delete() if yes else Confirm(f"Delete {sizes} from the server's disk?", delete)


@command("models cp", subcommand="models cp")
def cp(
    session: Session,
    name: Annotated[str, Arg("a model", model_words)],
    copy: Annotated[str, Arg("the name of the copy")],
    *,
    yes: Annotated[bool, Arg("do not ask before another model is replaced")] = False,
) -> Outcome:
    """Copy a model: it gets another name, too. Takes no more room on the disk."""
    client = session.client.get()

    def make() -> Outcome:
        client.copy(name, copy)
        return Show.of(Note(Hint(f"{name} is also {copy} now. Use it: ", Do("model", copy)), "good"))

    if yes or not any(same_model(row.name, copy) for row in client.models()):
        return make()
    return Confirm(f"There is a model {copy} already. Replace it?", make)


@command("models unload", subcommand="models unload")
def unload(
    session: Session, name: Annotated[str, Arg("a model; by default the one in use", model_words)] = ""
) -> Outcome:
    """Take a model out of the server's memory. The next message loads it again."""
    client = session.client.get()
    name = name or session.model.get().name
    if not any(same_model(row.name, name) for row in client.loaded()):
        _listed(session, name)  # raises Missing
        return Show.of(Note(f"{name} is not loaded.", "quiet"))
    client.unload(name)
    return Show.of(Note(f"{name} is no longer in memory.", "good"))


@command("models ps", "ps", subcommand=("models ps", "ps"), data=True)
def ps(session: Session) -> Outcome:
    """List the models that are loaded now, each with its context window and about the memory that this takes."""
    client = session.client.get()
    found = client.loaded()
    if not found:
        return Show.of(Note("No model is loaded.", "quiet"), data=list)
    describe(session, found)
    rows = tuple(_loaded_row(row, client.described(row)) for row in found)
    columns = ("name", "size", "on GPU", "window", "memory of it", "unloaded")
    right = frozenset({"size", "window", "memory of it"})
    return Show.of(
        Listing(columns, rows, right=right, note=_reloaded(session, found), optional=("memory of it",)),
        data=lambda: [_loaded_data(row, client.described(row)) for row in found],
    )


def _reloaded(session: Session, found: Sequence[Loaded]) -> str:
    """A note when the next request needs another window than the model in use is loaded with."""
    known, window = session.model.ready, session.window.ready
    row = next((row for row in found if known is not None and same_model(row.name, known.name)), None)
    if row is None or known is None or window is None or row.context_length in {None, window}:
        return ""
    return f"The next request loads {known.name} with a window of {window}."


def switched(session: Session, name: str) -> Show:
    """Use that model, and say first what it will not get to see of the conversation, and what else is new."""
    before, window = session.model.ready, session.window.ready
    found, lost = changing(session, lambda: session.use_model(name))
    notes = (Note(line, "warning") for line in lost)
    new = " ".join(("", *_what_is_new(session, before, window, found)))
    return Show((*notes, Note(f"Model: {found.name} (from the next message).{new}", "good")))


# What a model can, as a verb: a model that has it, and one that does not.
_ABILITIES = {"vision": ("sees pictures", "sees no pictures"), "thinking": ("thinks", "does not think")}


def _what_is_new(session: Session, before: Model | None, window: int | None, found: Model) -> Iterator[str]:
    """Sentences on how the model differs from the one before, as far as that is known without asking."""
    now = window_without_asking(session, found)
    if now is not None and now != window:
        yield f"Its window has {now} tokens{f', not {window}' if window is not None else ''}."
    if before is None or not before.capabilities or not found.capabilities:
        return
    changed = [each for each in _ABILITIES if (each in before.capabilities) != (each in found.capabilities)]
    if changed:
        yield f"It {' and '.join(_ABILITIES[each][each not in found.capabilities] for each in changed)}."


def _about(found: Model) -> Note:
    return Note(f"Model: {found.name}.")


def _as_data(row: Listed, known: Model | None, in_memory: Sequence[Loaded], current: str) -> dict[str, Any]:
    """What is known of a model of the server. A model is loaded under its own name, or runs elsewhere."""
    return {
        "name": _typed(row.name),
        "in_use": bool(current) and same_model(row.name, current),
        "family": row.details.get("family", ""),
        "parameters": row.details.get("parameter_size", ""),
        "quantization": row.details.get("quantization_level", ""),
        "size": row.size,
        "trained": row.trained or (known.trained if known is not None else None),
        "capabilities": _able(row, known),
        "loaded": any(same_model(each.name, row.name) for each in in_memory),
        "remote": row.remote,
        "modified": row.modified,
        "digest": row.digest,
    }


def _able(row: Listed, known: Model | None) -> frozenset[str]:
    """Its capabilities, as far as they are known."""
    return row.capabilities or (known.capabilities if known is not None else frozenset())


def _row(data: Mapping[str, Any]) -> tuple[str, ...]:
    """The same as a row with all COLUMNS."""
    able, remote = data["capabilities"], data["remote"]
    return (
        "*" if data["in_use"] else "",
        data["name"],
        data["family"],
        data["parameters"],
        data["quantization"],
        "" if remote else gigabytes(data["size"]),
        str(data["trained"] or ""),
        " ".join(sorted(able - {"completion"})) or ("chat" if able else ""),
        f"runs at {urlsplit(remote).hostname or remote}" if remote else "loaded" if data["loaded"] else "",
        _ago(data["modified"]),
    )


def _typed(name: str) -> str:
    return name.removesuffix(":latest")


def _named(session: Session, name: str) -> Model:
    """What the server knows of that model. Raises Missing, also for a mistyped aspect."""
    try:
        return known_model(session, name)
    except Missing as error:
        near = difflib.get_close_matches(name, ASPECTS, n=1)
        aspects = f"Did you mean {near[0]}?" if near else f"Of a model it shows: {', '.join(ASPECTS)}."
        raise Missing(error.message, Hint(error.advice, " ", aspects)) from None


def _listed(session: Session, name: str) -> Listed:
    """The row of that model. Raises Missing, with the names that there are."""
    rows = session.client.get().models()
    found = next((row for row in rows if same_model(row.name, name)), None)
    if found is None:
        names = [_typed(row.name) for row in rows]
        near = difflib.get_close_matches(name, names, n=1)
        advice = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(names)}." if names else ""
        raise Missing(f'The server has no model "{name}".', advice)
    return found


def _loaded_row(row: Loaded, known: Model | None) -> tuple[str, ...]:
    window = str(row.context_length or "?")
    memory = in_memory(known, row.context_length) if known is not None and row.context_length else ""
    return (_typed(row.name), gigabytes(row.size), on_gpu(row), window, memory, _until(row.expires))


def _loaded_data(row: Loaded, known: Model | None) -> dict[str, Any]:
    window = row.context_length
    return {
        "name": _typed(row.name),
        "size": row.size,
        "size_vram": row.size_vram,
        "context_length": window,
        "window_memory": memory_of_window(known, window) if known is not None and window else None,
        "expires_at": row.expires,
    }


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


def _info_data(known: Model) -> dict[str, Any]:
    return {
        "name": known.name,
        "details": dict(known.details),
        "trained": known.trained,
        "num_ctx": known.num_ctx,
        "capabilities": known.capabilities,
        "digest": known.digest,
        "model_info": dict(known.info),
    }


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
