"""The server's refusals in our words. The texts are Ollama's and llama-server's own."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatcli.client import failures
from chatcli.client.failures import LONGEST, Refusal, one_line, translated
from chatcli.errors import (
    BadReply,
    Busy,
    CannotSee,
    CannotThink,
    CannotUseTools,
    ChatcliError,
    ContextTooLong,
    Missing,
    Refused,
    Unreachable,
)
from tests.commanding import advised

WHERE = "http://box:11434"


def refusal(status: int, error: object, model: str = "tiny") -> ChatcliError:
    return translated(Refusal(status, json.dumps({"error": error}), WHERE, model))


LLAMA = {
    "error": {
        "code": 400,
        "message": "request (36350 tokens) exceeds the available context size (32768 tokens), try increasing it",
        "type": "exceed_context_size_error",
        "n_prompt_tokens": 36350,
        "n_ctx": 32768,
    }
}
LLAMA_WITHOUT_NUMBERS = {
    "error": {
        "message": "the request exceeds the available context size",
        "n_prompt_tokens": 70000,
        "n_ctx": 65536,
    }
}


@pytest.mark.parametrize(
    ("error", "needed", "available"),
    [
        ("the input length exceeds the context length", None, None),
        ("the prompt is longer than the context length currently available", None, None),
        ("request (5000 tokens) exceeds the available context size (4096 tokens), try increasing it", 5000, 4096),
        (json.dumps(LLAMA), 36350, 32768),
        (json.dumps(json.dumps(LLAMA)), 36350, 32768),
        (LLAMA["error"], 36350, 32768),
        (json.dumps(LLAMA_WITHOUT_NUMBERS), 70000, 65536),
        ("llama runner: " + json.dumps(LLAMA), 36350, 32768),
    ],
)
def test_too_long_is_known_in_every_wording_and_its_numbers_are_read(
    error: object, needed: int | None, available: int | None
) -> None:
    for status in (400, 500, 0):
        failure = refusal(status, error)
        assert isinstance(failure, ContextTooLong)
        assert (failure.needed, failure.available) == (needed, available)
        assert needed is None or str(needed) in failure.message


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (404, "model 'nope' not found", Missing),
        (404, 'model "nope" not found, try pulling it first', Missing),
        (400, '"tiny" does not support thinking', CannotThink),
        (400, 'think value "low" is not supported for this model', CannotThink),
        (400, "registry.example/library/tiny:latest does not support tools", CannotUseTools),
        (500, "this model is missing data required for image input", CannotSee),
        (500, "image input is not supported - hint: you may need to provide the mmproj", CannotSee),
        (0, "pull model manifest: file does not exist", Missing),
        (400, '"embedder" does not support chat', Refused),
        (500, 'option "num_ctx" must be of type integer', Refused),
        (500, "model requires more system memory (9.3 GiB) than is available (3.1 GiB)", Refused),
        (500, "llama runner process has terminated: signal: killed", Refused),
        (503, "server busy, please try again. maximum pending requests exceeded", Busy),
        (400, "model is required", Refused),
        (400, "invalid character 'b' looking for beginning of object key string", Refused),
        (0, "an error was encountered while running the model", Refused),
        (429, "too many requests", Busy),
        (401, "unauthorized", Refused),
        (403, "forbidden", Refused),
    ],
)
def test_each_refusal_is_the_error_it_means(status: int, error: str, kind: type[ChatcliError]) -> None:
    failure = refusal(status, error)
    assert type(failure) is kind
    assert failure.message
    if kind is Refused:
        assert error in failure.message


@pytest.mark.parametrize(
    ("status", "error", "remedy"),
    [
        (404, "model 'tiny' not found", "Get it with /pull tiny."),
        (400, '"tiny" does not support thinking', "/set think off"),
        (400, "the input length exceeds the context length", "num_ctx"),
        (500, 'option "num_ctx" must be of type integer', "/unset"),
        (500, "model requires more system memory (9.3 GiB) than is available (3.1 GiB)", "smaller model"),
        (500, "llama runner process has terminated: signal: killed", "log"),
        (400, "time: missing unit in duration", "keep_alive"),
        (503, "server busy, please try again.", "/retry"),
        (400, "Client sent an HTTP request to an HTTPS server.", "https://"),
        (401, "unauthorized", "OLLAMA_API_KEY"),
        (403, "this model needs a subscription", "ollama signin"),
        (407, "proxy authentication required", "HTTPS_PROXY"),
    ],
)
def test_where_there_is_a_remedy_it_is_named(status: int, error: str, remedy: str) -> None:
    assert remedy in advised(refusal(status, error))


def test_a_missing_model_has_the_name_that_was_asked_for_or_else_the_servers() -> None:
    assert "tiny" in refusal(404, "model 'tiny:latest' not found").message
    assert "nope" in refusal(404, "model 'nope' not found", model="").message


PAGE = (
    "<!DOCTYPE html><html>\n<head><title>502 Bad Gateway</title><style>x{}</style></head><body>nginx</body></html>"
)


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (502, PAGE, Unreachable, "502 Bad Gateway"),
        (
            504,
            "<html><body><h1>Gateway</h1>\n<p>Time&shy;out &amp; more</p></body></html>",
            Unreachable,
            "out & more",
        ),
        (503, "<html><body>Down</body></html>", Busy, "Down"),
        (404, "404 page not found", BadReply, "404 page not found"),
        (404, PAGE, BadReply, "Bad Gateway"),
        (405, "", BadReply, "405"),
        (413, "<html><title>413 Request Entity Too Large</title></html>", Refused, "413"),
        (500, "", Refused, "500"),
        (500, '{"error":""}', Refused, "500"),
        (500, "[1, 2]", Refused, "[1, 2]"),
        (500, '"words"', Refused, "words"),
        (418, "I am\n\ta  teapot\x1b[31m", Refused, "I am a teapot [31m"),
    ],
)
def test_a_body_that_is_not_ollamas_becomes_one_clean_line(
    status: int, body: str, kind: type[ChatcliError], words: str
) -> None:
    failure = translated(Refusal(status, body, WHERE))
    assert type(failure) is kind
    assert words in failure.message
    assert "<" not in failure.message
    assert failure.message.isprintable()


def test_being_sent_elsewhere_names_that_place_without_its_password() -> None:
    failure = translated(Refusal(301, "", WHERE, location="https://me:secret@other.example/"))
    assert isinstance(failure, BadReply)
    assert "https://other.example/" in failure.message
    assert "secret" not in failure.message


@given(st.text(max_size=600))
@settings(max_examples=60, deadline=None)
def test_any_text_becomes_one_printable_line_of_bounded_length(text: str) -> None:
    line = one_line(text)
    assert line.isprintable()
    assert len(line) <= LONGEST


@given(st.integers(0, 599), st.text(max_size=200) | st.text(alphabet='{}[]"errormsag:, ', max_size=60))
@settings(max_examples=80, deadline=None)
def test_any_body_is_translated(status: int, body: str) -> None:
    failure = translated(Refusal(status, body, WHERE, "tiny"))
    assert failure.message.isprintable()


def test_long_words_are_cut() -> None:
    assert len(refusal(500, "word " * 500).message) < LONGEST + 60


def test_deeply_nested_json_is_no_danger() -> None:
    assert translated(Refusal(500, "[" * 60000, WHERE)).message


@pytest.mark.parametrize("url", ["http://127.0.0.1:11434", "http://box:11434"])
def test_nobody_there_says_how_to_start_get_name_or_do_without_a_server(url: str) -> None:
    failure = failures.unreachable(url, "nothing is listening there")
    assert url in failure.message
    for way in ("ollama serve", "ollama.com/download", "/set host", "OLLAMA_HOST", "chatcli --demo"):
        assert way in advised(failure)
    assert failure.exit_code == 5


def test_a_password_is_not_shown() -> None:
    assert "secret" not in failures.unreachable("http://me:secret@box:1", "gone").message
