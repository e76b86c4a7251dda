"""The demo's models: how they are listed and shown, and how new ones are created, copied and deleted."""

from __future__ import annotations

import http.client
import json
import math
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.faults import Engine


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine() as engine:
        yield engine


def ask(engine: Engine, method: str, path: str, body: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """The JSON lines of the answer."""
    connection = http.client.HTTPConnection(urlsplit(engine.url).netloc, timeout=10)
    try:
        connection.request(method, path, json.dumps(body or {}))
        return [json.loads(line) for line in connection.getresponse().read().splitlines()]
    finally:
        connection.close()


def show(engine: Engine, name: str, **more: Any) -> dict[str, Any]:
    return ask(engine, "POST", "/api/show", {"model": name, **more})[0]


def names(engine: Engine) -> list[str]:
    return [row["name"] for row in ask(engine, "GET", "/api/tags")[0]["models"]]


def test_demo_is_listed_first(engine: Engine) -> None:
    own = ("demo", "demo-vision", "demo-thinking", "demo-tools", "demo-brief", "demo-embed")
    assert names(engine) == [f"{name}:latest" for name in own]


def test_each_model_says_what_it_can(engine: Engine) -> None:
    assert {name: show(engine, name)["capabilities"] for name in names(engine)} == {
        "demo:latest": ["completion"],
        "demo-vision:latest": ["completion", "vision"],
        "demo-thinking:latest": ["completion", "thinking"],
        "demo-tools:latest": ["completion", "tools"],
        "demo-brief:latest": ["completion"],
        "demo-embed:latest": ["embedding"],
    }


@pytest.mark.parametrize(
    ("name", "kind", "pre"),
    [("demo", "gpt2", "llama-bpe"), ("demo-thinking", "gpt2", "qwen2"), ("demo-vision", "llama", "default")],
)
def test_the_whole_vocabulary_is_shown_on_request_only(engine: Engine, name: str, kind: str, pre: str) -> None:
    brief = show(engine, name)["model_info"]
    whole = show(engine, name, verbose=True)["model_info"]
    assert set(brief) == set(whole)
    assert (whole["tokenizer.ggml.model"], whole["tokenizer.ggml.pre"]) == (kind, pre)
    lists = {key for key, value in whole.items() if isinstance(value, list)}
    assert lists == {
        f"tokenizer.ggml.{key}" for key in ("tokens", "token_type", "scores" if kind == "llama" else "merges")
    }
    assert all(brief[key] is None for key in lists)
    assert len(whole["tokenizer.ggml.tokens"]) == whole[f"{whole['general.architecture']}.vocab_size"]


def test_the_figures_fit_together(engine: Engine) -> None:
    shown = show(engine, "demo")
    assert shown["model_info"]["general.parameter_count"] == sum(
        math.prod(part["shape"]) for part in shown["tensors"]
    )
    ask(engine, "POST", "/api/chat", {"model": "demo", "messages": [], "options": {"num_ctx": 1024}})
    small = ask(engine, "GET", "/api/ps")[0]["models"][0]["size"]
    ask(engine, "POST", "/api/chat", {"model": "demo", "messages": [], "options": {"num_ctx": 2048}})
    large = ask(engine, "GET", "/api/ps")[0]["models"][0]["size"]
    info = shown["model_info"]
    assert large - small == 1024 * info["llama.block_count"] * info["llama.embedding_length"] * 2 * 2


def test_what_a_modelfile_says_is_shown(engine: Engine) -> None:
    brief = show(engine, "demo-brief")
    assert brief["system"] == "Answer in one or two sentences."
    assert [message["role"] for message in brief["messages"]] == ["user", "assistant"]
    assert brief["parameters"].split() == ["num_ctx", "2048"]
    assert "PARAMETER num_ctx 2048\n" in brief["modelfile"]
    assert {"system", "messages", "parameters"}.isdisjoint(show(engine, "demo"))


def test_a_chat_saved_as_a_model_goes_on_from_there(engine: Engine) -> None:
    saved = [{"role": "user", "content": "My name is Ada."}, {"role": "assistant", "content": "Hello Ada."}]
    made = {
        "model": "ada",
        "from": "demo",
        "system": "Be brief.",
        "parameters": {"num_ctx": 1024},
        "messages": saved,
    }
    assert ask(engine, "POST", "/api/create", made)[-1] == {"status": "success"}
    shown = show(engine, "ada")
    assert (shown["system"], shown["messages"], shown["details"]["parent_model"]) == (
        "Be brief.",
        saved,
        "demo:latest",
    )
    body = {"model": "ada", "messages": [{"role": "user", "content": "hi"}], "_debug_render_only": True}
    prompt = ask(engine, "POST", "/api/chat", body)[0]["_debug_info"]["rendered_template"]
    assert prompt.index("Be brief.") < prompt.index("Hello Ada.") < prompt.index("hi<|eot_id|>")
    assert names(engine)[0] == "ada:latest"


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"model": "new"}, "neither 'from' or 'files' was specified"),
        ({"model": "new", "from": "nope"}, "model 'nope' not found"),
        ({"from": "demo"}, "invalid model name"),
        ({"model": "new", "from": "demo", "template": "x"}, "the demo engine keeps to its own templates"),
    ],
)
def test_what_cannot_be_made_is_refused(engine: Engine, body: dict[str, Any], error: str) -> None:
    assert ask(engine, "POST", "/api/create", body) == [{"error": error}]


def test_a_copy_has_the_digest_of_its_original_and_a_change_has_not(engine: Engine) -> None:
    ask(engine, "POST", "/api/copy", {"source": "demo", "destination": "twin"})
    ask(engine, "POST", "/api/create", {"model": "other", "from": "demo", "system": "Else."})
    digests = {row["name"]: row["digest"] for row in ask(engine, "GET", "/api/tags")[0]["models"]}
    assert digests["twin:latest"] == digests["demo:latest"] != digests["other:latest"]


def test_a_deleted_model_is_gone(engine: Engine) -> None:
    ask(engine, "DELETE", "/api/delete", {"model": "demo-brief"})
    assert "demo-brief:latest" not in names(engine)
    assert show(engine, "demo-brief") == {"error": "model 'demo-brief' not found"}


def test_the_embedding_model_does_not_chat(engine: Engine) -> None:
    said = ask(
        engine, "POST", "/api/chat", {"model": "demo-embed", "messages": [{"role": "user", "content": "Hi"}]}
    )
    assert said == [{"error": '"demo-embed" does not support chat'}]


def test_texts_that_share_words_have_vectors_that_are_close(engine: Engine) -> None:
    texts = ["the cat sat on the mat", "a cat on a mat", "quarterly budget figures", ""]
    answer = ask(engine, "POST", "/api/embed", {"model": "demo-embed", "input": texts})[0]
    cat, also_cat, budget, empty = answer["embeddings"]

    def likeness(one: list[float], other: list[float]) -> float:
        return sum(a * b for a, b in zip(one, other, strict=True))

    assert likeness(cat, also_cat) > 0.4 > likeness(cat, budget)
    assert likeness(cat, cat) == pytest.approx(1)
    assert set(empty) == {0.0}
    assert ask(engine, "POST", "/api/embed", {"model": "demo", "input": texts[0]})[0]["embeddings"] == [cat]
