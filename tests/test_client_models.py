"""What the client reads from the server's answers about its models: recorded ones, and unusual ones."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatcli.client import models
from chatcli.client.models import Listed
from chatcli.conversation.events import Progress
from chatcli.conversation.message import Message

SHOWN: dict[str, Any] = {
    "modelfile": "FROM x\nSYSTEM Be brief.\n",
    "parameters": 'num_predict           60\nstop                  "num_ctx 9"\nnum_ctx               2048',
    "template": "{{ .Prompt }}",
    "system": "Be brief.",
    "messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."}],
    "details": {"family": "llama", "families": ["llama"], "parameter_size": "595K"},
    "model_info": {"general.architecture": "llama", "llama.context_length": 32768, "clip.context_length": 77},
    "capabilities": ["completion", "vision"],
}


def test_a_model_is_read_from_what_the_server_shows() -> None:
    model = models.read_model("tiny-chat", SHOWN, "abc")
    assert (model.name, model.digest) == ("tiny-chat", "abc")
    assert (model.trained, model.num_ctx) == (32768, 2048)
    assert model.capabilities == {"completion", "vision"}
    assert model.messages == (Message.user("Hi"), Message.assistant("Hello."))
    assert (model.system, model.template) == ("Be brief.", "{{ .Prompt }}")
    assert model.details == {"family": "llama", "parameter_size": "595K"}


def test_an_old_server_that_tells_little_gives_a_model_of_unknowns() -> None:
    model = models.read_model("old", {"modelfile": "FROM x"}, "")
    assert (model.trained, model.num_ctx, model.capabilities, model.messages) == (None, None, frozenset(), ())


def test_rows_of_the_two_lists_are_read() -> None:
    row = {"name": "tiny:latest", "size": 25, "digest": "abc", "details": {"family": "llama"}}
    moment = datetime(2026, 11, 21, 2, 5, 59, 473870, tzinfo=UTC)
    listed = models.read_listed({**row, "modified_at": "2026-11-21T02:05:59.473870664Z"})
    assert listed == Listed("tiny:latest", 25, moment, "abc", {"family": "llama"})
    loaded = models.read_loaded({**row, "size_vram": 20, "context_length": 4096, "expires_at": "soon"})
    assert (loaded.name, loaded.size_vram, loaded.context_length, loaded.expires) == (
        "tiny:latest",
        20,
        4096,
        None,
    )


def test_progress_has_bytes_only_where_it_is_about_bytes() -> None:
    layers = models.Layers("tiny")
    assert layers.read({"status": "pulling manifest"}) == Progress("pulling manifest")
    assert layers.read({"status": "x", "completed": 5, "total": 9}) == Progress("x", 5, 9)


def test_the_layers_of_a_model_are_one_download() -> None:
    layers = models.Layers("tiny")
    said = [("one", 0, 100), ("one", 60, 100), ("two", None, 20), ("one", 100, 100), ("two", 20, 20)]
    lines = [
        {"status": f"pulling {digest}", "digest": digest, "completed": done, "total": total}
        for digest, done, total in said
    ]
    seen = [layers.read(line) for line in lines]
    assert {each.status for each in seen} == {"pulling tiny"}
    assert [(each.done, each.total) for each in seen] == [(0, 100), (60, 100), (60, 120), (100, 120), (120, 120)]
    assert layers.read({"status": "verifying sha256 digest"}) == Progress("verifying sha256 digest")


@pytest.mark.parametrize(
    ("asked", "digest"),
    [
        ("tiny", "one"),
        ("tiny:latest", "one"),
        ("Tiny", "one"),
        ("tiny:1b", "two"),
        ("host:5000/me/tiny", "three"),
        ("host:5000/me/tiny:latest", "three"),
        ("tin", ""),
    ],
)
def test_a_digest_is_found_by_name_with_or_without_latest(asked: str, digest: str) -> None:
    rows = [("tiny:latest", "one"), ("tiny:1b", "two"), ("host:5000/me/tiny:latest", "three")]
    assert models.digest_of(asked, [Listed(name, 0, None, d, {}) for name, d in rows]) == digest


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


ROWS = ["name", "size", "modified_at", "status", "digest", "total", "completed"]


@settings(max_examples=60, deadline=None)
@given(st.fixed_dictionaries({}, optional=dict.fromkeys([*SHOWN, *ROWS], JSON)))
def test_answers_of_any_shape_are_read_without_falling_over(answer: dict[str, Any]) -> None:
    models.read_model("m", answer, "")
    models.read_listed(answer)
    models.read_loaded(answer)
    models.Layers("m").read({**answer, "status": "pulling"})
