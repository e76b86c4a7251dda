"""What completion offers is drawn from the commands themselves, and is there at once."""

from __future__ import annotations

from typing import Any

import pytest

from chatcli.commands import SUBCOMMANDS, everything
from chatcli.commands.registry import Command
from chatcli.commands.spelling import at_prompt
from chatcli.errors import UnknownCommand
from chatcli.hints import spelled
from chatcli.session.session import Session
from chatcli.settings.setting import Setting
from chatcli.settings.table import TABLE
from tests.commanding import do, say
from tests.faults import Engine, Hang


@pytest.mark.parametrize("command", everything().commands, ids=lambda each: each.name)
def test_completion_offers_every_flag_of_a_command_with_its_meaning(session: Session, command: Command) -> None:
    flags = [(f"--{each.name}", each.meaning) for each in command.parameters if each.flag]
    offered = [(word.text, word.meaning) for word, _ in everything().suggest(session, f"/{command.name} -")]
    assert [each for each in offered if each[0].startswith("-")] == flags
    for flag, _ in flags:
        again = everything().suggest(session, f"/{command.name} {flag} -")
        assert flag not in [word.text for word, _ in again]


def test_completion_shows_an_alias_with_the_command_it_stands_for(session: Session) -> None:
    found = {word.text: word.meaning for word, _ in everything().suggest(session, "/new")}
    assert found["/new"] == "= /clear"
    assert "/new" not in [word.text for word, _ in everything().suggest(session, "/")]


def test_completion_offers_the_value_of_a_flag(session: Session) -> None:
    offered = [word.text for word, _ in everything().suggest(session, "/retry --model demo-v")]
    assert offered == ["demo-vision"]


@pytest.mark.parametrize("name", ["pin", "goto", "copy", "forget", "drop", "edit", "raw"])
def test_completion_offers_the_numbers_of_messages_with_their_first_words(session: Session, name: str) -> None:
    say(session, "tell me of whales")
    say(session, "and of ships")
    offered = {word.text: word.meaning for word, _ in everything().suggest(session, f"/{name} ")}
    assert offered["1"] == "you: tell me of whales"
    assert "3" in [word.text for word, _ in everything().suggest(session, f"/{name} ships")]


def test_completion_says_which_value_is_in_use_and_which_is_the_default(session: Session) -> None:
    do(session, "set verbose on")
    offered = {word.text: word.meaning for word, _ in everything().suggest(session, "/set verbose ")}
    assert offered == {"on": "in use", "off": "the default"}


@pytest.mark.parametrize("name", ["rm", "cp", "unload"])
def test_the_word_of_a_command_typed_alone_is_told_with_every_command_that_has_it(
    session: Session, name: str
) -> None:
    with pytest.raises(UnknownCommand) as caught:
        do(session, f"{name} demo")
    of = [f"/{each.name}" for each in everything().commands if each.name.endswith(f" {name}")]
    assert f"/models {name}" in of
    assert f"Did you mean {' or '.join(of)}?" in spelled(caught.value.advice, at_prompt)


@pytest.mark.parametrize("setting", TABLE, ids=lambda each: each.name)
def test_a_setting_typed_as_a_command_is_told_as_what_it_is(session: Session, setting: Setting[Any]) -> None:
    if setting.name in everything():
        return
    with pytest.raises(UnknownCommand) as caught:
        do(session, f"{setting.name} 1")
    assert f"Did you mean /set {setting.name}?" in spelled(caught.value.advice, at_prompt)


def test_completion_never_waits_for_a_server(
    session: Session, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatcli.session.background.AT_ONCE", 0.0)
    engine.script(Hang(after=0), path="/api/tags")
    session.client.forget()
    session.models_on_server.forget()
    assert everything().suggest(session, "/model demo-v") == []


def test_the_names_by_which_a_prompt_is_told_from_subcommands_are_those_of_the_registry() -> None:
    assert {" ".join(words) for words in everything().subcommands} == set(SUBCOMMANDS)
