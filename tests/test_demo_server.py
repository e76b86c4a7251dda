"""The demo engine follows Ollama's protocol: status, headers, keys, JSON types, order of chunks, error texts.

EXCHANGES lists what a real server answers. If the raw recordings are beside the checkout, the engine is compared
with them as well.
"""

from __future__ import annotations

import http.client
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from chatcli.demo.models import DEMO
from tests.faults import Engine

RECORDINGS = Path(__file__).parents[2] / "shared" / "recordings"
JSON = "application/json; charset=utf-8"
NDJSON = "application/x-ndjson"
HELLO = [{"role": "user", "content": "Hello"}]
LONG = [{"role": "user", "content": "a " * 800}]


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: str

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.body.splitlines() if line]


@pytest.fixture
def engine() -> Iterator[Engine]:
    """With one model, named and set up as the recorded one was."""
    with Engine() as engine:
        for model in list(engine.inside.shelf):
            engine.inside.shelf.delete(model.name)
        engine.inside.shelf.put(
            replace(DEMO, name="tiny:latest", parameters={"num_predict": 60, "temperature": 1})
        )
        yield engine


def ask(url: str, method: str, path: str, body: str = "") -> Reply:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    try:
        connection.request(method, path, body.encode())
        response = connection.getresponse()
        return Reply(response.status, dict(response.getheaders()), response.read().decode())
    finally:
        connection.close()


def shape(value: Any) -> Any:
    """Types in place of values; a list's is that of its first item."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value[:1]]
    return type(value)


def order(lines: list[Any]) -> list[Any]:
    """The shapes of a stream's lines; neighbours alike count once."""
    shapes = [shape(line) for line in lines]
    return [one for at, one in enumerate(shapes) if at == 0 or one != shapes[at - 1]]


CHUNK = {"model": str, "created_at": str, "message": {"role": str, "content": str}, "done": bool}
ENDED = {**CHUNK, "done_reason": str}
ACCOUNT = dict.fromkeys(
    (
        "total_duration",
        "load_duration",
        "prompt_eval_count",
        "prompt_eval_duration",
        "eval_count",
        "eval_duration",
    ),
    int,
)
DETAILS = {
    **dict.fromkeys(("parent_model", "format", "family", "parameter_size", "quantization_level"), str),
    "families": [str],
}
LISTED = {"name": str, "model": str, "modified_at": str, "size": int, "digest": str, "details": DETAILS}
LOADED = {key: kind for key, kind in LISTED.items() if key != "modified_at"}
LOADED |= {"expires_at": str, "size_vram": int, "context_length": int}

EXCHANGES: dict[str, tuple[str, str, Any, int, str, list[Any]]] = {
    "stream": ("POST", "/api/chat", {"messages": HELLO}, 200, NDJSON, [CHUNK, ENDED | ACCOUNT]),
    "whole": ("POST", "/api/chat", {"messages": HELLO, "stream": False}, 200, JSON, [ENDED | ACCOUNT]),
    "load": ("POST", "/api/chat", {"messages": []}, 200, JSON, [ENDED]),
    "unload": ("POST", "/api/chat", {"messages": [], "keep_alive": 0}, 200, JSON, [ENDED]),
    "render": (
        "POST",
        "/api/chat",
        {"messages": HELLO, "_debug_render_only": True},
        200,
        JSON,
        [CHUNK | {"_debug_info": {"rendered_template": str}}],
    ),
    "tags": ("GET", "/api/tags", None, 200, JSON, [{"models": [LISTED]}]),
    "ps": ("GET", "/api/ps", None, 200, JSON, [{"models": [LOADED]}]),
    "version": ("GET", "/api/version", None, 200, JSON, [{"version": str}]),
    "embed": (
        "POST",
        "/api/embed",
        {"input": ["hi"]},
        200,
        JSON,
        [
            {"model": str, "embeddings": [[float]]}
            | dict.fromkeys(("total_duration", "load_duration", "prompt_eval_count"), int)
        ],
    ),
    "pull": ("POST", "/api/pull", {}, 200, NDJSON, [{"status": str}, {"error": str}]),
    "create": ("POST", "/api/create", {"from": "tiny", "model": "new"}, 200, NDJSON, [{"status": str}]),
}

REFUSALS: dict[str, tuple[str, str, str, int, str]] = {
    "unknown model": ("POST", "/api/chat", '{"model": "nope"}', 404, "model 'nope' not found"),
    "no model": ("POST", "/api/chat", '{"model": "", "messages": []}', 400, "model is required"),
    "unknown to show": ("POST", "/api/show", '{"model": "nope"}', 404, "model 'nope' not found"),
    "unknown to delete": ("DELETE", "/api/delete", '{"model": "nope"}', 404, "model 'nope' not found"),
    "thinking": ("POST", "/api/chat", '{"model": "tiny", "think": true}', 400, '"tiny" does not support thinking'),
    "tools": (
        "POST",
        "/api/chat",
        '{"model": "tiny", "tools": [{}]}',
        400,
        "registry.example/library/tiny:latest does not support tools",
    ),
    "option": (
        "POST",
        "/api/chat",
        '{"model": "tiny", "options": {"num_ctx": "big"}}',
        500,
        'option "num_ctx" must be of type integer',
    ),
    "bad JSON": (
        "POST",
        "/api/chat",
        "{bad",
        400,
        "invalid character 'b' looking for beginning of object key string",
    ),
    "half JSON": ("POST", "/api/chat", '{"model": ', 400, "unexpected EOF"),
    "no body": ("POST", "/api/chat", "", 400, "missing request body"),
    "too long": (
        "POST",
        "/api/chat",
        json.dumps({"model": "tiny", "messages": LONG, "truncate": False, "options": {"num_ctx": 256}}),
        400,
        "the input length exceeds the context length",
    ),
}


@pytest.mark.parametrize("name", EXCHANGES)
def test_an_answer_has_the_shape_of_ollamas(engine: Engine, name: str) -> None:
    method, path, body, status, content_type, expected = EXCHANGES[name]
    if name == "ps":
        ask(engine.url, "POST", "/api/chat", '{"model": "tiny"}')
    reply = ask(engine.url, method, path, json.dumps({"model": "tiny", **body}) if body is not None else "")
    assert (reply.status, reply.headers["Content-Type"]) == (status, content_type)
    assert ("Transfer-Encoding" in reply.headers) == (content_type == NDJSON)
    assert order(reply.lines) == expected


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_has_ollamas_status_and_words(engine: Engine, name: str) -> None:
    method, path, body, status, error = REFUSALS[name]
    reply = ask(engine.url, method, path, body)
    assert (reply.status, reply.headers["Content-Type"]) == (status, JSON)
    assert reply.lines == [{"error": error}]


def test_the_root_says_that_it_is_running_and_head_says_it_without_words(engine: Engine) -> None:
    assert ask(engine.url, "GET", "/").body == "Ollama is running"
    head = ask(engine.url, "HEAD", "/")
    assert (head.status, head.body, head.headers["Content-Length"]) == (200, "", "17")


def test_what_is_not_there_is_404_and_a_wrong_method_405(engine: Engine) -> None:
    assert ask(engine.url, "GET", "/api/nothing").status == 404
    assert ask(engine.url, "GET", "/api/chat").status == 405


def test_copy_and_delete_answer_with_nothing(engine: Engine) -> None:
    copied = ask(engine.url, "POST", "/api/copy", '{"source": "tiny", "destination": "other"}')
    deleted = ask(engine.url, "DELETE", "/api/delete", '{"model": "other"}')
    for reply in (copied, deleted):
        assert (reply.status, reply.body) == (200, "")
        assert "Content-Type" not in reply.headers


def test_one_connection_serves_many_requests(engine: Engine) -> None:
    connection = http.client.HTTPConnection(urlsplit(engine.url).netloc, timeout=10)
    for _ in range(3):
        connection.request("POST", "/api/chat", json.dumps({"model": "tiny", "messages": HELLO}))
        assert connection.getresponse().read().endswith(b"}\n")
    connection.close()


def read_recording(path: Path) -> tuple[str, str, str, int, dict[str, str], str]:
    """Method, path and body of the request; status, headers and body of the answer."""
    request, answer, body = path.read_text(encoding="utf-8").split("\n\n", 2)
    first, _, sent = request.partition("\n")
    status, *headers = answer.splitlines()
    method, address = first.split()
    return (
        method,
        address,
        sent,
        int(status.split()[1]),
        dict(line.split(": ", 1) for line in headers),
        body.strip(),
    )


@pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the raw recordings are not beside this checkout")
@pytest.mark.parametrize("name", sorted(path.stem for path in RECORDINGS.glob("*.http")))
def test_the_engine_answers_as_the_recorded_server_did(engine: Engine, name: str) -> None:
    method, path, sent, status, headers, body = read_recording(RECORDINGS / f"{name}.http")
    prepare(engine, name)
    reply = ask(engine.url, method, path, sent)
    assert reply.status == status
    kinds = ("Content-Type", "Transfer-Encoding")
    assert {kind: reply.headers.get(kind) for kind in kinds} == {kind: headers.get(kind) for kind in kinds}
    if name == "root":
        assert reply.body == body
        return
    recorded = [json.loads(line) for line in body.splitlines()]
    assert order(reply.lines) == order(recorded)
    assert [telling(line) for line in reply.lines[-1:]] == [telling(line) for line in recorded[-1:]]
    assert statuses(reply.lines) == statuses(recorded)


def prepare(engine: Engine, name: str) -> None:
    """What the recorded server had been told before."""
    if name == "ps":
        ask(engine.url, "POST", "/api/chat", '{"model": "tiny"}')
    if name == "delete":
        ask(engine.url, "POST", "/api/copy", '{"source": "tiny", "destination": "tiny2"}')
    if name == "show-saved-chat":
        _, _, sent, *_ = read_recording(RECORDINGS / "create-from-saved-chat.http")
        ask(engine.url, "POST", "/api/create", sent)


def telling(line: dict[str, Any]) -> dict[str, Any]:
    """The values that must be the same, and not only of one type."""
    return {
        key: line.get(key)
        for key in ("model", "done", "done_reason", "error", "capabilities", "system", "messages")
    }


def statuses(lines: list[dict[str, Any]]) -> list[str]:
    return [re.sub("[0-9a-f]{64}", "…", line["status"]) for line in lines if "status" in line]


def start(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "chatcli.demo", *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_as_a_program_it_prints_its_address_and_ends_with_its_stdin() -> None:
    with start("--pace", "0") as program:
        assert program.stdout is not None
        url = program.stdout.readline().strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", url)
        assert ask(url, "GET", "/api/tags").lines[0]["models"][0]["name"] == "demo:latest"
        program.communicate(timeout=10)
    assert program.returncode == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither signal")
def test_ctrl_c_in_the_chat_leaves_it_alone_and_sigterm_ends_it() -> None:
    with start() as program:
        assert program.stdout is not None
        url = program.stdout.readline().strip()
        program.send_signal(signal.SIGINT)
        assert ask(url, "GET", "/").body == "Ollama is running"
        program.terminate()
        assert program.wait(timeout=10) == -signal.SIGTERM
