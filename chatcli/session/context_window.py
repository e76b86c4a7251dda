"""The context window's size: found once, then fixed for the conversation and sent with every request as num_ctx.

Changing num_ctx reloads the model, and without it the server decides by its own rules: see README, "The window".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from chatcli.client.models import Loaded, Model
from chatcli.client.request import NEVER_CUT
from chatcli.hints import Do, Hint
from chatcli.settings import table

if TYPE_CHECKING:
    from chatcli.session.session import Session

# Ollama's default on most machines; used only if the server does not say.
USUAL_WINDOW = 4096
# Ollama gives a model with vision no smaller window than this.
LEAST_WITH_VISION = 2048


def find_window(session: Session) -> int:
    """The window in tokens, from the server. When num_ctx is unset: the Modelfile's; else that of the loaded
    model; else the model is loaded to find out. Stores nothing; may run in the background.
    """
    model = session.model.get()
    known = window_without_asking(session, model)
    return known or as_allocated(_allocated(session, model) or USUAL_WINDOW, model)


def window_without_asking(session: Session, model: Model) -> int | None:
    """The window where num_ctx is set, here or in the Modelfile; else None: only the server knows it."""
    asked = session.settings[table.NUM_CTX] or model.num_ctx
    return as_allocated(asked, model) if asked else None


def cutting(session: Session) -> Mapping[str, bool]:
    """Whether the server may cut what it is sent: as the settings say, where the strategy lets it; else not."""
    settings = session.settings
    if not settings[table.STRATEGY].server_cuts:
        return NEVER_CUT
    return {each.name: settings[each] for each in (table.TRUNCATE, table.SHIFT)}


def as_allocated(num_ctx: int, model: Model) -> int:
    """The window the server allocates for that num_ctx: never more than the model was trained for."""
    least = LEAST_WITH_VISION if "vision" in model.capabilities else 1
    return min(max(num_ctx, least), model.trained or num_ctx)


def memory_of_window(model: Model, num_ctx: int) -> int | None:
    """Bytes that a window of `num_ctx` tokens takes in addition to the model; None where the model does not say.

    window x layers x KV heads x head size x 2 (keys and values) x 2 bytes (16-bit), as llama.cpp allocates it when
    OLLAMA_KV_CACHE_TYPE is not set. Models with sliding-window attention in some layers take less.
    """
    kind = model.info.get("general.architecture")
    layers, heads, kv_heads, width, head = (
        model.info.get(f"{kind}.{name}")
        for name in (
            "block_count",
            "attention.head_count",
            "attention.head_count_kv",
            "embedding_length",
            "attention.key_length",
        )
    )
    kv_heads = kv_heads or heads
    if not head and isinstance(width, int) and isinstance(heads, int) and heads:
        head = width // heads
    if not (isinstance(layers, int) and isinstance(kv_heads, int) and isinstance(head, int)):
        return None
    return num_ctx * layers * kv_heads * head * 2 * 2


def next_window(needed: int, model: Model) -> int | None:
    """The smallest power of two that holds `needed` tokens, if the model was trained for that many; else None."""
    size = 1 << max(needed - 1, 1).bit_length()
    return size if model.trained is None or size <= model.trained else None


def offer(model: Model, needed: int) -> Hint:
    """A sentence on the next window that would hold `needed` tokens, and what it costs."""
    size = next_window(needed, model)
    if size is None:
        return Hint(f"{model.name} was trained for no more than {model.trained} tokens.")
    larger = Do("set", "num_ctx", str(size))
    return Hint(larger, f" would hold it{price(model, size)}; Ollama then reloads the model.")


def price(model: Model, num_ctx: int) -> str:
    """` (about 1.1 GB of memory)`, or nothing where the model does not say."""
    size = memory_of_window(model, num_ctx)
    return f" (about {gigabytes(size)} of memory for the window)" if size is not None else ""


def gigabytes(size: int) -> str:
    """`4.7 GB`, as ollama list writes sizes (decimal)."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


def loaded(session: Session, model: Model) -> Loaded | None:
    """The row of /api/ps for that model, when it is loaded now."""
    names = {model.name, f"{model.name}:latest"}
    return next((row for row in session.client.get().loaded() if row.name in names), None)


def _allocated(session: Session, model: Model) -> int | None:
    row = loaded(session, model)
    if row is None:
        session.client.get().load(model.name, session.settings.options(), cutting=cutting(session))
        row = loaded(session, model) or _sharing(session)
    return row.context_length if row is not None else None


def _sharing(session: Session) -> Loaded | None:
    """The only row of /api/ps, for a model just loaded: models made of one file are listed under one name."""
    rows = session.client.get().loaded()
    return rows[0] if len(rows) == 1 else None
