"""--json prints one object, whatever happens: what came of the question, why it failed, or both."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from chatcli import errors
from chatcli.demo.replies import DemoReply
from tests.faults import Cut, Engine, Fault, Hang, Status, nobody_there
from tests.test_cli_oneshot import chatcli
from tests.typable import slash_commands

# What is asked, of which kind the error is, and the exit code.
FAILURES: list[tuple[list[str], str, int]] = [
    (["--no-such-flag", "hi"], "BadArgument", 2),
    (["-m"], "BadArgument", 2),
    (["pull"], "BadArgument", 2),
    (["--verbose=maybe", "hi"], "BadValue", 2),
    (["--num-ctx", "lots", "hi"], "BadValue", 2),
    (["chast", "list"], "UnknownCommand", 2),
    ([], "UserError", 2),
    (["--resume", "@999"], "UserError", 2),
    (["--file", "/nope.md", "hi"], "BadFile", 2),
    (["-m", "demo", "--format", "/nope", "hi"], "BadFile", 2),
    (["-m", "nope", "hi"], "Missing", 4),
    (["-m", "demo", "--num-ctx", "512", "word " * 4000], "ContextTooLong", 3),
    (["-m", "demo", "--think=on", "hi"], "CannotThink", 1),
]


def failed(stdout: str) -> dict[str, Any]:
    """The object, whose last four keys say why it failed."""
    found: dict[str, Any] = json.loads(stdout)
    assert list(found)[-4:] == ["error", "kind", "hint", "exit_code"]
    assert issubclass(getattr(errors, found["kind"]), errors.ChatcliError)
    assert found["error"]
    assert not slash_commands(found["error"] + found["hint"])
    return found


@pytest.mark.parametrize(
    ("arguments", "kind", "code"),
    FAILURES,
    ids=lambda each: " ".join(each)[:30] if isinstance(each, list) else str(each),
)
def test_an_error_is_one_object(arguments: list[str], kind: str, code: int) -> None:
    with Engine() as engine:
        done = chatcli("--json", *arguments, url=engine.url)
    found = failed(done.stdout)
    assert len(found) == 4
    assert (found["kind"], found["exit_code"]) == (kind, code)
    assert done.returncode == code
    assert found["error"] in done.stderr.replace("\n", " ")


def test_an_unreachable_server_and_a_broken_settings_file_are_objects_too(home: Path) -> None:
    with nobody_there() as url:
        found = failed(chatcli("--json", "hi", url=url).stdout)
        assert (found["kind"], found["exit_code"]) == ("Unreachable", 5)
        assert "ollama serve" in found["hint"]
        home.mkdir(exist_ok=True)
        (home / "config.toml").write_text("model = ")
        assert failed(chatcli("hi", "--json", url=url).stdout)["kind"] == "ConfigError"


@pytest.mark.parametrize(
    ("fault", "kind", "begins"), [(Cut(after=2), "StreamBroken", True), (Status(500, "no"), "Refused", False)]
)
def test_an_error_after_the_reply_began_comes_with_what_came(fault: Fault, kind: str, begins: bool) -> None:
    with Engine() as engine:
        engine.script(fault)
        engine.say("Seven whales swim by.")
        done = chatcli("--json", "--retries", "0", "-m", "demo", "hi", url=engine.url)
    found = failed(done.stdout)
    assert (found["kind"], found["exit_code"], done.returncode) == (kind, 1, 1)
    assert ("content" in found) is begins
    if begins:
        assert found["content"]
        assert "Seven whales swim by.".startswith(found["content"])


@pytest.mark.parametrize(
    "reply", [DemoReply(""), DemoReply("", thinking="Hm, whales.")], ids=["empty", "thinking"]
)
def test_a_reply_without_text_is_an_error_with_all_there_is(reply: DemoReply) -> None:
    with Engine() as engine:
        engine.say(reply)
        done = chatcli("--json", "-m", "demo-thinking", "hi", url=engine.url)
    found = failed(done.stdout)
    assert (found["kind"], found["exit_code"], done.returncode) == ("NoText", 1, 1)
    assert found.get("thinking", "") == reply.thinking


@pytest.mark.skipif(os.name != "posix", reason="SIGINT to one process")
def test_an_interrupted_reply_is_an_error_too() -> None:
    with Engine() as engine:
        engine.script(Hang(2))
        engine.say("Seven whales swim by.")
        command = [sys.executable, "-m", "chatcli", "--json", "-m", "demo", "--host", engine.url, "hi"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True) as child:
            while not engine.chats and child.poll() is None:
                time.sleep(0.05)
            child.send_signal(signal.SIGINT)
            assert child.stdout is not None
            found = failed(child.stdout.read())
        assert child.returncode == found["exit_code"] == 130
        assert found["kind"] == "Interrupted"
        assert "Seven whales swim by.".startswith(found.get("content", ""))


def test_json_after_two_dashes_or_as_a_value_is_a_word() -> None:
    with Engine() as engine:
        assert chatcli("-m", "nope", "--", "--json", url=engine.url).stdout == ""
        assert chatcli("-m", "nope", "--system", "--json", "hi", url=engine.url).stdout == ""
        assert chatcli("-m", "nope", "hi", url=engine.url).stdout == ""
