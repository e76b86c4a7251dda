"""Leaving early: closing a reply, closing the client, Ctrl-C. Nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from chatcli.client.ollama import Client
from chatcli.client.request import Request
from chatcli.conversation.events import Event, Text, Tick
from chatcli.conversation.message import Message
from chatcli.errors import StreamBroken, Unreachable
from tests.faults import Engine, Hang, Slow

HELLO = Request("demo", (Message.user("Hello"),), {"num_ctx": 2048})


@pytest.fixture(autouse=True)
def no_reader_is_left_behind() -> Iterator[None]:
    yield
    assert "chatcli-reader" not in {thread.name for thread in threading.enumerate()}


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine() as running:
        yield running


@pytest.fixture
def client(engine: Engine) -> Iterator[Client]:
    with Client(engine.url) as made:
        yield made


def text_of(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, Text))


def test_closing_disconnects_at_once_while_words_come(engine: Engine, client: Client) -> None:
    engine.script(Hang(2))
    events = client.chat(HELLO)
    next(event for event in events if isinstance(event, Text))
    events.close()
    assert engine.client_left()


def test_closing_disconnects_at_once_before_the_first_word(engine: Engine, client: Client) -> None:
    engine.script(Slow(first=600))
    events = client.chat(HELLO)
    assert next(events) == Tick()
    events.close()
    assert engine.client_left()


def test_closing_the_client_cuts_what_another_thread_waits_for(engine: Engine, client: Client) -> None:
    engine.script(Hang(1))
    begun, raised = threading.Event(), []

    def listen() -> None:
        try:
            for event in client.chat(HELLO):
                if isinstance(event, Text):
                    begun.set()
        except StreamBroken as error:
            raised.append(error)

    listener = threading.Thread(target=listen)
    listener.start()
    assert begun.wait(10)
    client.close()
    listener.join(10)
    assert raised
    with pytest.raises(Unreachable):
        client.version()


def test_two_threads_may_ask_at_once(engine: Engine, client: Client) -> None:
    engine.script(Hang(1))
    slow = client.chat(HELLO)
    next(event for event in slow if isinstance(event, Text))
    assert client.version() == "0.0.0"
    slow.close()
    assert text_of(list(client.chat(HELLO)))


INTERRUPTED = """
import sys
from contextlib import closing
from chatcli.client.ollama import Client
from chatcli.client.request import Request
from chatcli.conversation.events import Tick
from chatcli.conversation.message import Message

with Client(sys.argv[1]) as client:
    with closing(client.chat(Request("demo", (Message.user("Hello"),), {"num_ctx": 2048}))) as events:
        try:
            for event in events:
                if isinstance(event, Tick):
                    print("waiting", flush=True)
        except KeyboardInterrupt:
            print("stopped", flush=True)
"""


@pytest.mark.skipif(os.name != "posix", reason="SIGINT to one process")
@pytest.mark.parametrize("fault", [Hang(2), Slow(first=600)], ids=["while words come", "before the first word"])
def test_ctrl_c_ends_the_waiting_and_the_connection(engine: Engine, fault: Hang | Slow) -> None:
    engine.script(fault)
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", INTERRUPTED, engine.url],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent.parent,
    ) as child:
        assert child.stdout is not None
        while engine.chats == [] and child.poll() is None:
            assert child.stdout.readline() == "waiting\n"
        child.stdout.readline()
        child.send_signal(signal.SIGINT)
        assert engine.client_left()
        assert child.stdout.read().split()[-1] == "stopped"
    assert child.returncode == 0
