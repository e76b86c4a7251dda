"""The memory of a window: predicted from the model's layers, and no guess where these do not tell."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from chatcli.client.models import Model
from chatcli.commands import everything
from chatcli.commands.outcomes import Show
from chatcli.render.views import Listing, WindowView
from chatcli.session.context_window import gigabytes, in_memory, memory_of_window, price_of_change
from chatcli.session.session import Session
from tests.commanding import do, say, shown
from tests.faults import Engine

LLAMA: dict[str, Any] = {
    "general.architecture": "llama",
    "llama.block_count": 32,
    "llama.attention.head_count": 32,
    "llama.attention.head_count_kv": 8,
    "llama.embedding_length": 4096,
}
PER_TOKEN = 32 * 8 * (128 + 128) * 2


def like_llama(**other: Any) -> Model:
    return Model("m", info={**LLAMA, **{f"llama.{name.replace('__', '.')}": each for name, each in other.items()}})


@pytest.mark.parametrize(
    ("model", "per_token"),
    [
        (like_llama(), PER_TOKEN),
        (like_llama(attention__key_length=64, attention__value_length=32), 32 * 8 * (64 + 32) * 2),
        (Model("m", info={name: each for name, each in LLAMA.items() if "kv" not in name}), PER_TOKEN * 4),
    ],
    ids=["by default", "keys and values of their own size", "as many KV heads as heads"],
)
def test_it_is_layers_times_heads_times_what_each_keeps(model: Model, per_token: int) -> None:
    assert memory_of_window(model, 8192) == 8192 * per_token
    assert in_memory(model, 8192) == f"about {gigabytes(8192 * per_token)}"


@pytest.mark.parametrize(
    "model",
    [
        Model("m"),
        like_llama(attention__head_count_kv=[]),  # layers differ, and the server leaves the list out
        like_llama(attention__head_count_kv=[8, 0, 8]),
        like_llama(attention__kv_lora_rank=512),
        like_llama(block_count=None),
        like_llama(embedding_length=0),
    ],
    ids=["nothing", "an empty list", "a list", "compressed keys", "no layers", "no width"],
)
def test_no_guess_is_made_where_the_model_does_not_say(model: Model) -> None:
    assert memory_of_window(model, 8192) is None
    assert in_memory(model, 8192) == price_of_change(model, 8192, 4096) == ""


def test_layers_that_keep_less_than_the_window_make_it_an_upper_bound() -> None:
    assert in_memory(like_llama(attention__sliding_window=1024), 8192).startswith("at most ")


def test_a_change_says_how_much_more_or_less() -> None:
    model = like_llama()
    assert price_of_change(model, 32768, 8192) == (
        "A window of 32768 tokens takes about 4.3 GB of memory, 3.2 GB more than before, at 16 bits a value."
    )
    assert "3.2 GB less than before" in price_of_change(model, 8192, 32768)
    assert "before" not in price_of_change(model, 8192, None)


def test_it_is_said_when_num_ctx_is_set_and_while_its_values_are_completed(session: Session) -> None:
    say(session, "hi")
    text = shown(do(session, "set num_ctx 32k"))
    assert re.search(r"takes about 17 MB of memory, 15 MB more than before", text)
    meanings = {word.text: word.meaning for word, _ in everything().suggest(session, "/set num_ctx ")}
    assert meanings["8k"] == "about 4 MB"


def test_what_is_predicted_is_what_the_server_then_says(session: Session, engine: Engine) -> None:
    do(session, "set num_ctx 8k")
    say(session, "hi")
    client = session.client.get()
    [row] = client.loaded()
    on_disk = next(each.size for each in client.models() if each.name == row.name)
    assert memory_of_window(session.model.get(), 8192) == row.size - on_disk


def test_ps_and_context_show_it_beside_what_the_server_says(session: Session) -> None:
    do(session, "set num_ctx 8k")
    say(session, "hi")
    outcome = do(session, "ps")
    assert isinstance(outcome, Show)
    [listing] = outcome.views
    assert isinstance(listing, Listing)
    cells = dict(zip(listing.columns, listing.rows[0], strict=True))
    assert cells["memory of it"] == "about 4 MB"
    outcome = do(session, "context")
    assert isinstance(outcome, Show)
    [view] = outcome.views
    assert isinstance(view, WindowView)
    [line] = [line for line in view.lines if "of memory" in str(line)]
    assert (
        line
        == "demo takes 6 MB of memory, about 4 MB of it for the window as its layers predict; 0% is on the GPU."
    )


def test_a_model_that_does_not_say_has_no_figure_in_ps(session: Session, engine: Engine) -> None:
    say(session, "hi")
    client = session.client.get()
    [row] = client.loaded()
    client._described[row.digest] = replace(client.describe(row), info={})
    outcome = do(session, "ps")
    assert isinstance(outcome, Show)
    [listing] = outcome.views
    assert isinstance(listing, Listing)
    assert dict(zip(listing.columns, listing.rows[0], strict=True))["memory of it"] == ""
