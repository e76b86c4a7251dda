"""Other programs are measured at the same server and from the outside; what one cannot do is said in its row."""

from __future__ import annotations

import json
import os
import statistics
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

if os.name != "posix":
    pytest.skip("its programs run in a pty", allow_module_level=True)

from chatcli.demo.protocol import HttpRequest
from chatcli.demo.replies import DemoReply
from chatcli.demo.runner import Engine
from tests.bench import peers
from tests.bench.peer_server import CHATS, COUNT, END, LONG, WORDS, answered, said

NOWHERE = "http://127.0.0.1:9"
SPEAKING = Engine(0.0, speak=lambda messages, _schema, _tools: DemoReply(said(messages)))


def asked(path: str, question: str, *, stream: bool) -> str:
    body = {"model": "demo", "messages": [{"role": "user", "content": question}], "stream": stream}
    request = HttpRequest("POST", path, json.dumps(body).encode(), lambda _: None)
    return b"".join(answered(SPEAKING, request).chunks).decode()


@pytest.mark.parametrize("question", ["hi", COUNT, LONG])
def test_both_forms_of_a_chat_have_the_same_reply(question: str) -> None:
    ollama = json.loads(asked("/api/chat", question, stream=False))["message"]["content"]
    openai = json.loads(asked(CHATS, question, stream=False))["choices"][0]["message"]["content"]
    events = asked(CHATS, question, stream=True).split("\n\n")
    assert events[-2:] == ["data: [DONE]", ""]
    pieces = [json.loads(event.removeprefix("data: "))["choices"][0]["delta"]["content"] for event in events[:-2]]
    assert ollama == openai == "".join(pieces)
    assert ollama.endswith(END) == (question != "hi")


def test_figures_of_rounds_are_put_together_and_every_reason_is_said_once() -> None:
    rounds: list[dict[str, Any]] = [
        {"a": 1, "b": True},
        {"a": 9, "b": False},
        {"a": 2},
        {"why": "no prompt"},
        {"why": "no prompt"},
    ]
    assert peers.together(rounds, statistics.median)["a"] == 2
    assert peers.together(rounds, min) == {"a": 1, "b": False, "why": "no prompt"}


SILENT = "#!/bin/sh\necho nothing here\n"
# It answers what is typed at a prompt, and writes the question into a file of its home, and half of the reply.
HALF = f"""#!{sys.executable} -S
import readline, time
question = input("> ")
words = {WORDS!r}
with open("kept", "w") as file:
    file.write(question + " " + " ".join(words[:{peers.KILLED_AT // 2}]))
print(*words[:{peers.KILLED_AT + 1}], flush=True)
time.sleep(60)
"""


@pytest.fixture
def program(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> peers.Program:
    """The only one on PATH."""
    path = tmp_path / "path"
    path.mkdir()
    (path / "llm").write_text(request.param)
    (path / "llm").chmod(0o700)
    monkeypatch.setenv("PATH", str(path))
    [found] = peers.programs(tmp_path, NOWHERE, ["llm", "gptme"])
    return found


@pytest.mark.parametrize("program", [SILENT], indirect=True)
def test_what_a_program_does_not_do_is_said(program: peers.Program) -> None:
    asked = peers.tried(partial(peers.one_question, url=NOWHERE), program)
    assert asked == {"why": 'no reply, but "nothing here"'}
    talked = peers.tried(partial(peers.kill, paced=NOWHERE), program)
    assert talked == {"why": 'no prompt that shows a key, but "nothing here"'}


@pytest.mark.parametrize("program", [HALF], indirect=True)
def test_a_kill_is_judged_by_what_the_files_of_the_home_have(program: peers.Program) -> None:
    left = peers.tried(partial(peers.kill, paced=NOWHERE), program)
    assert left == {"kill_question_kept": True, "kill_reply_kept_percent": 50}


@pytest.mark.parametrize("program", [SILENT], indirect=True)
def test_what_was_measured_before_a_program_failed_is_kept(program: peers.Program) -> None:
    def half(_program: peers.Program, found: dict[str, Any]) -> None:
        found["start_ms"] = 3
        raise peers.Unmeasured("no reply")

    assert peers.in_turn([program], [half]) == {"llm": [{"start_ms": 3, "why": "no reply"}]}
