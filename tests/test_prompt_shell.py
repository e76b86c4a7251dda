"""!COMMAND runs in the user's shell, on the real terminal, and its output can go with the next message."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

if os.name != "posix":
    pytest.skip("a pty is POSIX's", allow_module_level=True)

from tests.faults import Engine
from tests.test_terminal import terminal


def test_the_output_of_a_command_goes_with_the_next_message_if_it_is_wanted() -> None:
    with Engine() as engine, terminal("-m", "demo", url=engine.url) as person:
        person.see("Send a message")
        person.enter("!printf 'one\\033[31mtwo\\033[0m\\n'")
        person.see("onetwo", "Send the output with the next message (1 line, ", "[Y/n]")
        person.press("\r")
        person.see("With the next message: $ printf")
        person.enter("what is this?")
        person.until(lambda: len(engine.chats) == 1)
        sent = engine.chats[0]["messages"][-1]["content"]
        assert "onetwo" in sent
        assert "\x1b" not in sent
        assert "what is this?" in sent


def test_output_that_is_not_wanted_stays_here() -> None:
    with Engine() as engine, terminal("-m", "demo", url=engine.url) as person:
        person.see("Send a message")
        person.enter("!echo a secret")
        person.see("[Y/n]")
        person.enter("n")
        person.enter("hello")
        person.until(lambda: len(engine.chats) == 1)
        assert "secret" not in str(engine.chats[0])


def test_a_command_gets_keys_and_says_how_it_failed() -> None:
    with Engine() as engine, terminal("-m", "demo", url=engine.url) as person:
        person.see("Send a message")
        person.enter("!test -t 0 && echo ready; read answer; echo got-$answer; exit 3")
        person.see("\nready")
        person.enter("yes")
        person.see("got-yes", "It ended with status 3.", "[Y/n]")


def test_ctrl_c_ends_the_command_and_not_the_program() -> None:
    with Engine() as engine, terminal("-m", "demo", url=engine.url) as person:
        person.see("Send a message")
        person.enter("!echo began; exec sleep 600")
        person.see("\nbegan")
        person.press("\x03")
        person.see("status -2")


def test_what_a_command_leaves_in_the_background_is_not_waited_for() -> None:
    with Engine() as engine, terminal("-m", "demo", url=engine.url) as person:
        person.see("Send a message")
        person.enter("!sleep 600 & echo started")
        person.see("[Y/n]")


def test_a_program_that_fills_the_screen_has_no_output_to_send() -> None:
    with Engine() as engine, terminal("-m", "demo", url=engine.url) as person:
        person.see("Send a message")
        person.enter("!printf '\\033[?1049h drawn \\033[?1049l'; echo over")
        person.see("drawn over")
        assert "[Y/n]" not in person.settle()


def test_two_signs_begin_a_message_with_one() -> None:
    with Engine() as engine, terminal("-m", "demo", url=engine.url) as person:
        person.see("Send a message")
        person.enter("!!echo is a command")
        person.until(lambda: len(engine.chats) == 1)
        assert engine.chats[0]["messages"][-1]["content"] == "!echo is a command"


def test_a_pasted_command_is_never_run(tmp_path: Path) -> None:
    made = tmp_path / "made"
    with Engine() as engine, terminal("-m", "demo", url=engine.url) as person:
        person.see("Send a message")
        person.press(f"\x1b[200~!touch {made}\r\x1b[201~\r")
        person.until(lambda: len(engine.chats) == 1)
        assert engine.chats[0]["messages"][-1]["content"].startswith("!touch")
        assert not made.exists()


def test_long_output_is_bounded_and_that_is_said() -> None:
    with Engine() as engine, terminal("-m", "demo", url=engine.url) as person:
        person.see("Send a message")
        person.enter("!seq 1 20000")
        person.see("without 8")
