"""The model in use: named by the settings, or the server's only one; and the counter that counts as it does."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING

from chatcli.client.models import Listed, Loaded, Model, same_model
from chatcli.client.request import Request, think_as
from chatcli.conversation.message import Message
from chatcli.errors import ChatcliError, Missing, StoreError, UserError
from chatcli.hints import Do, Hint
from chatcli.paths import is_there
from chatcli.session.context_window import cutting
from chatcli.settings import table
from chatcli.settings.layers import Layer
from chatcli.store.conversations import settings_of
from chatcli.store.store import Store
from chatcli.tokens.counter import Counter
from chatcli.tokens.model_source import ModelSource
from chatcli.tokens.tool_costs import Definitions

if TYPE_CHECKING:
    from chatcli.session.session import Session

# How many models the server is asked about at once, and the seconds that a list waits for the answers.
AT_ONCE, PATIENCE = 4, 1.5

# What is offered where there is no model at all: small, and good for most questions.
FIRST_MODEL = "llama3.2"


def model_names(session: Session) -> list[str]:
    """The names of the server's models, as a person types them: without the ending that can be left out."""
    return [model.name.removesuffix(":latest") for model in session.client.get().models()]


def describe(session: Session, rows: Iterable[Listed | Loaded]) -> None:
    """Ask the server about these models, a few at a time, for no longer than a person waits for a list; what comes
    later is known the next time.
    """
    client = session.client.get()
    left = deque(row for row in rows if client.described(row) is None)

    def work() -> None:
        with suppress(IndexError, ChatcliError):
            while True:
                client.describe(left.popleft())

    names = [f"describe {number}" for number in range(min(AT_ONCE, len(left)))]
    for name in names:
        session.background.start(name, work)
    end = monotonic() + PATIENCE
    for name in names:
        session.background.wait(name, max(0.0, end - monotonic()))


def last_model(session: Session) -> str:
    """The model of the conversation used last; "" where there is none."""
    path, demo = session.paths.store, session.server.demo
    if not session.settings[table.SAVE] and is_there(path):  # nothing is stored, but this may be read
        with suppress(StoreError), Store.open(path) as stored:
            return _last_model(stored, demo)
    return _last_model(session.store, demo)


def _last_model(store: Store, demo: bool) -> str:
    last = store.last(demo=demo)
    return store.read(settings_of, last).get("model", "") if last is not None else ""


def settle_model(session: Session) -> list[str]:
    """Make sure that a model is named. If neither a setting nor an earlier conversation names one, use the
    server's only model. Returns the names to choose from if there are several; [] when the model is settled.

    What file or environment name is meant for another server than the demo engine, which may not have it.
    """
    settings, demo = session.settings, session.server.demo
    wanted = settings[table.MODEL]
    if wanted and not (demo and settings.origin(table.MODEL) < Layer.CONVERSATION):
        return []
    names = model_names(session)
    if any(same_model(wanted, name) for name in names):
        return []
    if wanted and names:
        said = f"The demo engine has only its own models: {', '.join(names)}. "
        session.warn(f"{said}{wanted} ({settings.source(table.MODEL)}) is not used.")
        last = last_model(session)  # of this conversation, too, where its first question is stored already
        known = (name for name in names if same_model(name, last))
        settings.put("model", next(known, names[0]), Layer.CONVERSATION)
        return []
    if not names:
        raise Missing(
            f"The server at {session.server.shown} has no model yet.",
            Hint(
                "Get one: ",
                Do("pull", FIRST_MODEL),
                " (or any from ollama.com/library), or try ",
                Do("chatcli", demo=True),
                ".",
            ),
            model=FIRST_MODEL,
        )
    if len(names) > 1 and not session.server.demo:
        return names
    session.settings.put("model", names[0], Layer.CONVERSATION)
    return []


def find_model(session: Session) -> Model:
    """What the server says about the model in use. Raises UserError when none is named and there are several."""
    names = settle_model(session)
    if names:
        raise UserError(
            f"Which model? None is set, and the server has {len(names)}: {', '.join(names)}.",
            Hint("Name one: ", Do("model", "NAME"), ', or model = "NAME" in the settings file.'),
        )
    return known_model(session, session.settings[table.MODEL])


def known_model(session: Session, name: str) -> Model:
    """What the server says about that model. Raises Missing, with the names that there are."""
    try:
        return session.client.get().model(name)
    except Missing as error:
        names = model_names(session)
        there = f"There are: {', '.join(names)}." if names else "It has no model yet."
        hint = Hint(Do("model"), " switches to one of them.") if session.server.demo else error.advice
        raise Missing(f"{error.message} {there}", hint, model="" if session.server.demo else error.model) from None


def ready_counter(session: Session) -> Counter:
    """The counter, made ready in the background, since that takes a while, to count exactly for the
    model in use.
    """
    use_in_counter(session)
    session.counter.prepare()
    return session.counter


def use_in_counter(session: Session) -> None:
    """Have the counter count for the model in use, for now as well as it can without asking the server."""
    model, window = session.model.get(), session.window.get()
    think = session.settings[table.THINK]

    def render(messages: Sequence[Message], tools: Definitions) -> str | None:
        request = Request(
            model.name,
            tuple(messages),
            {**session.settings.options(), "num_ctx": window},
            think_as(think),
            cutting={**cutting(session), "truncate": False},
            tools=tools,
        )
        return session.client.get().render(request)

    tools = session.tools.definitions()
    source = ModelSource(lambda: session.client.get().vocabulary(model.name), render, think or "", tools)
    session.counter.use(model.name, model.digest, preset_of(model), source)


def preset_of(model: Model) -> tuple[Message, ...]:
    """What the Modelfile puts before every request."""
    system = (Message.system(model.system),) if model.system else ()
    return (*system, *model.messages)
