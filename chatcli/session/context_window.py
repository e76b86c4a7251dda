"""The context window's size: found once, then fixed for the conversation and sent with every request as num_ctx.

Changing num_ctx reloads the model, and without it the server decides by its own rules: see docs/explanation.md.
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

    window x layers x KV heads x (size of a key + of a value) x 2 bytes (16-bit), as llama.cpp allocates it when
    OLLAMA_KV_CACHE_TYPE is not set. What a file does not name has a default there: as many KV heads as heads, and
    keys and values of width / heads.
    """
    layers, heads, width = (
        _of(model, name) for name in ("block_count", "attention.head_count", "embedding_length")
    )
    size = width // heads if width and heads else None
    kv_heads = _of(model, "attention.head_count_kv", heads)
    key, value = (_of(model, f"attention.{name}_length", size) for name in ("key", "value"))
    if not (layers and kv_heads and key and value) or _of(model, "attention.kv_lora_rank", 0) != 0:
        return None
    return num_ctx * layers * kv_heads * (key + value) * 2


def in_memory(model: Model, num_ctx: int) -> str:
    """The same in words: `about 1.1 GB`, `at most 1.1 GB` where some layers keep less than the window, or "" where
    the model does not say.
    """
    size = memory_of_window(model, num_ctx)
    if size is None:
        return ""
    keep_less = ("attention.sliding_window", "ssm.conv_kernel", "full_attention_interval")
    less = any(f"{_architecture(model)}.{name}" in model.info for name in keep_less)
    return f"{'at most' if less else 'about'} {gigabytes(size)}"


def _architecture(model: Model) -> str:
    return str(model.info.get("general.architecture", ""))


def _of(model: Model, name: str, default: int | None = None) -> int | None:
    """A figure of the model's architecture; None where it is no single number, as where layers differ."""
    found = model.info.get(f"{_architecture(model)}.{name}", default)
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def next_window(needed: int, model: Model) -> int | None:
    """The smallest power of two that holds `needed` tokens, or where that is smaller the window that the model was
    trained for; None where it was not trained for as many tokens.
    """
    size = 1 << max(needed - 1, 1).bit_length()
    if model.trained is None:
        return size
    return min(size, model.trained) if needed <= model.trained else None


def offer(model: Model, needed: int) -> Hint:
    """A sentence on the next window that would hold `needed` tokens, and what it costs."""
    size = next_window(needed, model)
    if size is None:
        return Hint(f"{model.name} was trained for no more than {model.trained} tokens.")
    larger = Do("set", "num_ctx", str(size))
    return Hint(larger, f" would hold it{price(model, size)}; Ollama then reloads the model.")


def price(model: Model, num_ctx: int) -> str:
    """` (about 1.1 GB of memory for the window)`, or nothing where the model does not say."""
    size = in_memory(model, num_ctx)
    return f" ({size} of memory for the window)" if size else ""


def price_of_change(model: Model, num_ctx: int, before: int | None) -> str:
    """A sentence on the memory that a window of `num_ctx` takes, and how much more or less that is than `before`;
    "" where the model does not say.
    """
    size, was = memory_of_window(model, num_ctx), memory_of_window(model, before) if before else None
    if size is None:
        return ""
    change = size - was if was is not None else 0
    than = f", {gigabytes(abs(change))} {'more' if change > 0 else 'less'} than before" if change else ""
    return f"A window of {num_ctx} tokens takes {in_memory(model, num_ctx)} of memory{than}, at 16 bits a value."


def gigabytes(size: int) -> str:
    """`4.7 GB`, as ollama list writes sizes (decimal)."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


def on_gpu(row: Loaded) -> str:
    """How much of a loaded model is on the GPU: `100%`."""
    return f"{row.size_vram / row.size:.0%}" if row.size else "?"


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
