"""Which server is meant, and the demo engine as a child process."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from urllib.parse import urlsplit

import pytest

from chatcli.client import server
from chatcli.client.server import DemoEngine, Server, find, start_demo
from chatcli.errors import BadValue, ServerError

STUBBORN = """
import signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("http://127.0.0.1:1", flush=True)
while True:
    time.sleep(60)
"""


def answers(url: str) -> bool:
    """Whether something accepts connections there."""
    place = urlsplit(url)
    with socket.socket() as probe:
        return not probe.connect_ex((place.hostname, place.port))


def test_without_any_hint_it_is_this_machine() -> None:
    assert find(None) == "http://127.0.0.1:11434"


def test_the_flag_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", "box:8080")
    assert find(None) == find("") == find(" ") == "http://box:8080"
    assert find("other") == "http://other:11434"


@pytest.mark.parametrize("value", ["", "  "])
def test_an_empty_variable_means_nothing(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("OLLAMA_HOST", value)
    assert find(None) == "http://127.0.0.1:11434"


def test_a_bad_port_is_forgiven_in_the_variable_as_ollama_does_and_not_in_the_flag(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OLLAMA_HOST", "box:many")
    assert find(None) == "http://box:11434"
    with pytest.raises(BadValue, match=r"^host does not name a server"):
        find("box:many")


def test_a_variable_that_names_no_server_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", "two words")
    with pytest.raises(BadValue, match="OLLAMA_HOST"):
        find(None)


def test_a_server_that_is_not_ours_is_left_alone() -> None:
    with Server("http://me:secret@box:1") as theirs:
        assert (theirs.url, theirs.shown, theirs.demo) == ("http://me:secret@box:1", "http://box:1", False)


def test_the_demo_engine_starts_answers_and_ends() -> None:
    with start_demo() as demo:
        assert demo.demo
        assert answers(demo.url)
        assert demo.url == demo.shown
    assert not answers(demo.url)
    demo.close()


def test_an_engine_that_fails_to_start_is_an_error_with_its_last_words() -> None:
    engine = DemoEngine([sys.executable, "-c", "import sys; sys.exit('no port is free')"])
    with Server(engine=engine) as broken:
        for _ in range(2):
            with pytest.raises(ServerError) as caught:
                assert broken.url
            assert "no port is free" in caught.value.hint


def test_an_engine_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "PATIENCE", 0.05)
    engine = DemoEngine([sys.executable, "-c", "import sys; sys.stdin.read()"])
    with Server(engine=engine) as silent, pytest.raises(ServerError):
        assert silent.url


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
def test_an_engine_that_does_not_want_to_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "GRACE", 0.05)
    engine = DemoEngine([sys.executable, "-c", STUBBORN])
    with Server(engine=engine) as stubborn:
        assert stubborn.url
    assert engine._child.returncode == -9


@pytest.mark.skipif(os.name != "posix", reason="process groups as POSIX has them")
def test_ctrl_c_in_the_terminal_does_not_reach_the_engine() -> None:
    engine = DemoEngine([sys.executable, "-c", "import sys; sys.stdin.read()"])
    with Server(engine=engine):
        assert os.getpgid(engine._child.pid) != os.getpgid(0)


def test_the_engine_ends_when_we_are_killed() -> None:
    program = """
import os
from chatcli.client.server import start_demo
print(start_demo().url, flush=True)
os._exit(9)
"""
    command = [sys.executable, "-c", program]
    url = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False).stdout.strip()
    assert url.startswith("http://")
    for _ in range(200):
        if not answers(url):
            return
        time.sleep(0.05)
    pytest.fail("the engine outlived us")
