"""How large the context window is: found once, then fixed through the conversation and sent with every request.

Changing num_ctx reloads the model, and without it the server decides by its own rules: see README, "The window".
"""

from __future__ import annotations

from chatcli.client.models import Loaded, Model
from chatcli.session import Session
from chatcli.settings import table

# What Ollama allocates on most machines when nobody says otherwise; used only if the server will not tell.
USUAL_WINDOW = 4096
# Ollama gives a model with vision no smaller window than this.
LEAST_WITH_VISION = 2048


def find_window(session: Session) -> int:
    """The window in tokens, from the server. When num_ctx is unset: the Modelfile's, else that of the model as it
    is loaded, else the model is loaded to see. Nothing is kept here; it runs in the background too.
    """
    model = session.model.get()
    asked = session.settings[table.NUM_CTX]
    return as_allocated(asked or model.num_ctx or _allocated(session, model) or USUAL_WINDOW, model)


def as_allocated(num_ctx: int, model: Model) -> int:
    """What the server makes of that num_ctx: never more than the model was trained for."""
    least = LEAST_WITH_VISION if "vision" in model.capabilities else 1
    return min(max(num_ctx, least), model.trained or num_ctx)


def loaded(session: Session, model: Model) -> Loaded | None:
    """The row of /api/ps for that model, when it is loaded now."""
    names = {model.name, f"{model.name}:latest"}
    return next((row for row in session.client.get().loaded() if row.name in names), None)


def _allocated(session: Session, model: Model) -> int | None:
    row = loaded(session, model)
    if row is None:
        session.client.get().load(model.name, session.settings.options())
        row = loaded(session, model)
    return row.context_length if row is not None else None
