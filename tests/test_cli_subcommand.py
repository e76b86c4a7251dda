"""Subcommands with --json: what a command lists is printed as data, for every command that has any."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chatcli.commands import everything
from tests.faults import Engine, nobody_there
from tests.test_cli_oneshot import chatcli

# What else the commands need to have something to say, and a key of what they then say.
GIVEN: dict[str, tuple[list[str], str | None]] = {
    "chats": ([], "title"),
    "chats search": (["prime"], "text"),
    "chats restore": ([], None),
    "tokens": ([__file__], "tokens"),
    "config": ([], None),
    "config get": (["seed"], None),
    "models": ([], "capabilities"),
    "models ps": ([], "context_length"),
    "models show": (["demo"], None),
    "doctor": ([], "found"),
    "memory": ([], None),
    "tools": ([], "reach"),
}
GIVEN |= {"chats list": GIVEN["chats"], "config show": GIVEN["config"], "models list": GIVEN["models"]}
GIVEN |= {"ps": GIVEN["models ps"]}
WITH_DATA = [" ".join(words) for words, each in everything().subcommands.items() if each.data]


def data(*arguments: str, url: str) -> Any:
    done = chatcli(*arguments, "--json", url=url)
    assert done.stderr == ""
    assert done.stdout.count("\n") == 1
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def engine() -> Any:
    with Engine() as engine:
        yield engine


@pytest.mark.parametrize("name", WITH_DATA)
def test_what_a_command_lists_is_json_for_programs(name: str, engine: Engine) -> None:
    more, key = GIVEN[name]
    engine.say("Seven.")
    chatcli("-m", "demo", "a prime", url=engine.url)
    found = data(*name.split(), *more, url=engine.url)
    assert isinstance(found, dict) == (name.startswith("config") or name == "models show")
    assert key is None or found[0][key]


def test_a_command_that_shows_a_table_has_data() -> None:
    """What `chatcli help NAME` shows is for people only."""
    without = {words for words, each in everything().subcommands.items() if not each.data}
    listing = {("chats",), ("models",), ("models", "ps"), ("ps",), ("tokens",), ("doctor",), ("config",)}
    assert not without & listing


def test_json_lists_all_conversations_and_nothing_is_an_empty_list(engine: Engine) -> None:
    assert data("chats", url=engine.url) == []
    assert data("chats", "search", "prime", url=engine.url) == []
    for _ in range(2):
        engine.say("Seven.")
        chatcli("-m", "demo", "a prime", url=engine.url)
    first, second = data("chats", url=engine.url)
    assert (first["title"], first["messages"], first["model"]) == ("a prime", 2, "demo")
    assert first["last_used"] > second["last_used"]
    assert len(data("chats", "1", url=engine.url)) == 1
    (hit, *_) = data("chats", "search", "seven", url=engine.url)
    assert (hit["role"], hit["text"]) == ("assistant", "Seven.")


def test_errors_are_json_too_and_warnings_stay_on_standard_error(tmp_path: Path, engine: Engine) -> None:
    with nobody_there() as url:
        done = chatcli("models", "--json", url=url)
    assert json.loads(done.stdout)["kind"] == "Unreachable"
    assert done.returncode == 5
    (tmp_path / "a.txt").write_text("one two three")
    done = chatcli("tokens", "a.txt", "none.txt", "-m", "demo", "--json", url=engine.url, cwd=tmp_path)
    assert [row["file"] for row in json.loads(done.stdout)] == ["a.txt"]
    assert "none.txt" in done.stderr
    assert done.returncode == 1


def test_a_command_without_data_does_not_take_json(engine: Engine) -> None:
    done = chatcli("chats", "purge", "--json", url=engine.url)
    assert done.returncode == 2
    assert json.loads(done.stdout)["kind"] == "BadArgument"
