"""Fixtures that are always on: a temporary home, a clean environment, and no access to a network."""

from __future__ import annotations

import itertools
import math
import os
import re
import signal
import socket
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from chatcli.client import retries
from chatcli.client.connection import AUTHORITIES
from chatcli.commands import outcomes
from chatcli.demo.models import DEMO, THINKING, TOOLS, VISION
from chatcli.paths import private_directory
from chatcli.session import background
from chatcli.session.build import Wishes, build
from chatcli.session.model_in_use import ready_counter
from chatcli.session.session import Session
from tests.faults import Engine

pytest_plugins = ["tests.hangs"]

settings.register_profile("chatcli", deadline=None)  # no test asserts on time
settings.load_profile("chatcli")


def _heed_signals() -> None:
    """Signals as a terminal's foreground has them, however the tests were started.

    What is started by nohup, or in the background of a script, ignores some of them, and hands that on to every
    program it starts in turn. A handler is not handed on: programs that tests start find the system's default.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in ("SIGHUP", "SIGQUIT", "SIGTERM", "SIGTSTP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda *_: None)  # the tests themselves go on ignoring it


_heed_signals()


def pytest_xdist_auto_num_workers() -> int:
    """Two workers for each core: a test waits for screens and servers half of its time."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return 2 * cores


@pytest.fixture
def tmp_path(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty directory. pytest's own fixture looks through those of all earlier tests for a free name."""
    name = re.sub(r"\W", "_", request.node.name)[:30]
    return tmp_path_factory.mktemp(f"{name}{next(_numbers)}", numbered=False)


_numbers = itertools.count()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """CHATCLI_HOME for this test, empty; everything else that could steer chatcli is unset. A test that needed the
    last resort has found a bug, however well the program went on.
    """
    for name in list(os.environ):
        steers = name.startswith(("CHATCLI_", "OLLAMA_")) or name.upper().endswith("_PROXY")
        if steers or name in {"NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", *AUTHORITIES}:
            monkeypatch.delenv(name)
    place = tmp_path / "home"
    monkeypatch.setenv("CHATCLI_HOME", str(place))
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("PROMPT_TOOLKIT_NO_CPR", "1")
    yield place
    faults = place / "faults.log"
    assert not faults.exists(), faults.read_text()


@pytest.fixture(autouse=True, scope="session")
def patience() -> Iterator[None]:
    """However busy the machine is, a command has its outcome and not its progress, and what completion makes in
    the background is there. Before a request is sent again there is next to no pause; programs that tests start
    pause as they do for everybody.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outcomes, "SOON", math.inf)
        patch.setattr(background, "AT_ONCE", 60.0)
        patch.setattr(retries, "FIRST", 0.001)
        yield


@pytest.fixture(autouse=True, scope="session")
def no_network() -> Iterator[None]:
    """Connections leave this machine in no test: only loopback and unix sockets are let through."""
    connect = socket.socket.connect

    def loopback_only(self: socket.socket, address: Any) -> None:
        if self.family in {socket.AF_INET, socket.AF_INET6} and address[0] not in {
            "127.0.0.1",
            "::1",
            "localhost",
        }:
            raise AssertionError(f"a test tried to reach {address}")
        connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", loopback_only)
        yield


@cache
def _cached_of_the_demo() -> dict[str, bytes]:
    """The files that counting for models of the demo leaves in the cache, by their paths in CHATCLI_HOME."""
    with tempfile.TemporaryDirectory() as place, pytest.MonkeyPatch.context() as patch, Engine() as engine:
        patch.setenv("CHATCLI_HOME", place)
        for model in (DEMO, THINKING, TOOLS, VISION):  # those that most tests use
            first = build(Wishes({"host": engine.url, "model": model.name}))
            ready_counter(first)
            first.close()
        files = [path for path in Path(place, "cache").rglob("*") if path.is_file()]
        return {str(path.relative_to(place)): path.read_bytes() for path in files}


@pytest.fixture
def prepared(home: Path) -> None:
    """Models of the demo were used before: their vocabularies and templates need not be made, which takes 70
    requests. Where a test is about the first use, `prepared` does nothing.
    """
    for name, content in _cached_of_the_demo().items():
        private_directory((home / name).parent)
        (home / name).write_bytes(content)


@pytest.fixture
def engine(prepared: None) -> Iterator[Engine]:
    """The demo engine on a real socket."""
    with Engine() as running:
        yield running


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    """A session that talks to it; its client, store and counter are the program's own."""
    opened = build(Wishes({"host": engine.url, "model": "demo"}))
    yield opened
    opened.close()
