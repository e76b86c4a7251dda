"""The first screen: one line on program, model, server and window, and three tips once."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

if os.name != "posix":
    pytest.skip("a pty is POSIX's", allow_module_level=True)

import chatcli
from chatcli.paths import find_paths
from chatcli.repl.first_screen import FirstLine
from chatcli.session.known_servers import About, known, remember
from chatcli.settings import table
from chatcli.settings.layers import Layer, Settings
from chatcli.text import cells
from tests.faults import Engine, nobody_there
from tests.test_terminal import Terminal, terminal

PROGRAM = f"chatcli {chatcli.__version__}"
TIP = "shows the commands"


def first_rows(person: Terminal) -> list[str]:
    """What stands above the prompt."""
    return [row for row in person.text.partition(">>>")[0].splitlines() if row]


def test_the_very_first_start_shows_the_line_and_three_tips_and_the_next_one_the_whole_line_alone() -> None:
    with Engine() as engine:
        address = engine.url.removeprefix("http://")
        with terminal("-m", "demo", url=engine.url) as person:
            person.see(f"{PROGRAM} · demo · {address}", TIP, "window 4096 of 32768 tokens")
            assert len(first_rows(person)) == 5
            person.press("\x04")
            assert person.ends() == 0
        with terminal("-m", "demo", url=engine.url) as person:
            person.see("Send a message", "of 4096 tokens (")
            assert first_rows(person) == [f"{PROGRAM} · demo 525K · {address} · window 4096 of 32768 tokens"]


def test_the_line_needs_no_server_and_names_the_model_used_last() -> None:
    with nobody_there() as url:
        remember(find_paths().servers, url, "qwen3", {"qwen3": About("8B", "Q4_K_M", 8192, 40960)})
        with terminal("--plain", url=url) as person:
            person.see(">>>")
            address = url.removeprefix("http://")
            assert (
                first_rows(person)[0] == f"{PROGRAM} · qwen3 8B Q4_K_M · {address} · window 8192 of 40960 tokens"
            )


def test_the_line_names_a_model_that_was_switched_to() -> None:
    with Engine() as engine:
        with terminal("-m", "demo", url=engine.url) as person:
            person.see("window 4096 of 32768 tokens", "of 4096 tokens (")
            person.enter("/model demo-vision")
            person.see("from the next message")
            person.enter("hi")
            person.see("demo-vision · ", "Send a message")
            person.until(lambda: bool(engine.chats))
            person.press("\x04")
            assert person.ends() == 0
        with terminal(url=engine.url) as person:
            person.see(">>>")
            assert f"{PROGRAM} · demo-vision" in first_rows(person)[0]


def test_what_the_server_says_now_is_told_where_it_is_not_what_was_kept() -> None:
    with Engine() as engine:
        remember(find_paths().servers, engine.url, "demo", {"demo": About("1B", "", 99, 99)})
        with terminal("-m", "demo", url=engine.url) as person:
            person.see("window 99 of 99", "demo 525K · window 4096 of 32768 tokens")
        assert known(find_paths().servers, engine.url).models["demo"] == About("525K", "", 4096, 32768)


def test_where_nothing_is_stored_no_server_is_remembered_and_no_tip_is_shown() -> None:
    with Engine() as engine, terminal("-m", "demo", "--no-save", url=engine.url) as person:
        person.see("window 4096 of 32768 tokens", "of 4096 tokens (")
        assert TIP not in person.text
        assert not find_paths().servers.exists()


@pytest.mark.parametrize("flags", [(), ("--plain",)])
def test_no_tip_promises_to_keep_conversations_where_nothing_can_be_stored(
    flags: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a file").touch()
    monkeypatch.setenv("CHATCLI_HOME", str(tmp_path / "a file" / "home"))
    with Engine() as engine, terminal("-m", "demo", *flags, url=engine.url) as person:
        person.see(TIP, "kept in memory only", ">>>")
        assert "Conversations are kept" not in person.text


ODD = {"u": {"used": 3, "models": {"m": [1], "n": ["8B", "Q4", 1, 2]}}}


@pytest.mark.parametrize("kept", ["", "[]", '{"u": []}', '{"u": {"models": 3}}', "\x00", json.dumps(ODD)])
def test_a_file_that_is_not_ours_is_read_as_far_as_it_can_be(kept: str, tmp_path: Path) -> None:
    file = tmp_path / "servers.json"
    file.write_text(kept)
    found = known(file, "u").models
    assert found in ({}, {"m": About(), "n": About("8B", "Q4", 1, 2)})
    remember(file, "u", "m", {"m": About("1B")})
    assert known(file, "u") == ("m", {"m": About("1B")})
    assert file.stat().st_mode & 0o077 == 0


@given(st.text(max_size=60), st.text(max_size=9), st.integers(0, 10**7), st.integers(2, 100))
def test_the_line_never_wraps(name: str, size: str, window: int, width: int) -> None:
    settings = Settings()
    settings.put_value(table.MODEL, name, Layer.SET)
    settings.put_value(table.SAVE, False, Layer.SET)
    line = FirstLine(settings, find_paths(Path("/nowhere")), "http://127.0.0.1:11434", width)
    line._told = (name, About(size, "Q4_K_M", window, window))
    for text in (line.text, line._line(PROGRAM, "http://127.0.0.1:11434"), line._line()):
        assert cells(text) < width
        assert "\n" not in text
