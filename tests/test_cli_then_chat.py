"""--then-chat: what is piped in goes with the first message, and the terminal talks on."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

if os.name != "posix":
    pytest.skip("a pty is POSIX's", allow_module_level=True)

from tests.faults import Engine
from tests.starting import Process, start
from tests.test_cli_oneshot import chatcli
from tests.test_terminal import Terminal


class Piped(Terminal):
    """A terminal in which something is piped into chatcli."""

    def __init__(self, stdin: Path, *arguments: str, url: str) -> None:
        self._stdin = stdin
        super().__init__("-m", "demo", "--then-chat", *arguments, OLLAMA_HOST=url)

    def _begin(
        self, arguments: Sequence[str], variables: Mapping[str, str], theirs: int, directory: str
    ) -> Process:
        with self._stdin.open("rb") as stream:
            return start(arguments, variables, [stream.fileno(), theirs, theirs], directory)


@contextmanager
def piped(tmp_path: Path, text: str, *arguments: str, url: str) -> Iterator[Piped]:
    (tmp_path / "stdin").write_text(text)
    person = Piped(tmp_path / "stdin", *arguments, url=url)
    try:
        yield person
    finally:
        person.close()


def asked(engine: Engine) -> list[str]:
    return [each["content"] for each in engine.chats[-1]["messages"] if each["role"] == "user"]


def test_the_prompt_is_sent_with_what_is_piped_in_and_the_terminal_talks_on(tmp_path: Path) -> None:
    with Engine() as engine:
        engine.say("Whales sing.", "At night.")
        with piped(tmp_path, "whales are large", "what do they do?", url=engine.url) as person:
            person.see("Whales sing.", "Send a message")
            (first,) = asked(engine)
            assert "whales are large" in first
            assert first.endswith("what do they do?")
            person.enter("when?")
            person.see("At night.", "Send a message")
            assert asked(engine) == [first, "when?"]
            person.enter("/bye")
            assert person.ends() == 0


def test_without_a_prompt_the_input_is_attached_to_the_first_message(tmp_path: Path) -> None:
    with Engine() as engine:
        engine.say("They sing.")
        with piped(tmp_path, "whales are large", url=engine.url) as person:
            person.see("With the next message: Standard input", ">>>")
            person.enter("what do they do?")
            person.see("They sing.")
            (first,) = asked(engine)
            assert "whales are large" in first
            assert first.endswith("what do they do?")


def test_a_prompt_that_looks_like_a_command_is_sent_and_nothing_piped_in_is_no_file(tmp_path: Path) -> None:
    with Engine() as engine:
        engine.say("Yes.")
        with piped(tmp_path, "", "--", "/bye", url=engine.url) as person:
            person.see("Yes.", "Send a message")
            assert asked(engine) == ["/bye"]


def test_without_a_terminal_it_is_an_error() -> None:
    with Engine() as engine:
        done = chatcli("-m", "demo", "--then-chat", "hi", url=engine.url, stdin="whales")
        assert done.returncode == 2
        assert "not a terminal" in done.stderr
        assert chatcli("--then-chat", "--json", "hi", url=engine.url).returncode == 2
        assert not engine.chats
