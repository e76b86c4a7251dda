"""The client against the demo engine on a real socket: what a turn requests, and what can fail on the way."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatcli.client.ollama import Client
from chatcli.client.request import Request
from chatcli.conversation.events import Done, Event, Progress, Text, Thinking
from chatcli.conversation.message import Message
from chatcli.errors import BadReply, ContextTooLong, Missing, Refused, StreamBroken
from tests.commanding import advised
from tests.faults import Cut, Drip, Engine, Line, Lines, NoDone, Status, error_line, too_long

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


def thinking_of(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, Thinking))


def test_a_reply_arrives_in_pieces_and_ends_with_what_it_cost(engine: Engine, client: Client) -> None:
    engine.say("Hello **there**, how are you?")
    events = list(client.chat(HELLO))
    assert text_of(events) == "Hello **there**, how are you?"
    assert sum(isinstance(event, Text) for event in events) > 1
    done = events[-1]
    assert isinstance(done, Done)
    assert done.reason == "stop"
    assert done.usage.prompt_tokens
    assert done.usage.reply_tokens
    assert done.usage.total_seconds is not None


def test_the_server_gets_the_request_as_it_was_built(engine: Engine, client: Client) -> None:
    list(client.chat(HELLO))
    assert engine.chats[-1] == HELLO.body()


def test_a_thinking_model_thinks_apart_from_its_text(engine: Engine, client: Client) -> None:
    request = Request("demo-thinking", HELLO.messages, HELLO.options, think=True)
    events = list(client.chat(request))
    assert thinking_of(events)
    assert text_of(events)


@settings(max_examples=25, deadline=None)
@given(
    st.text(
        st.characters(codec="utf-8") | st.sampled_from("\x85\u2028\u2029\x1c\x0b\r\n é漢🙂"),
        min_size=1,
    ),
    st.integers(1, 7),
)
def test_every_character_arrives_as_it_was_sent_wherever_the_packets_break(text: str, size: int) -> None:
    lines = [{"message": {"content": text}}, {"message": {"content": ""}, "done": True, "done_reason": "stop"}]
    raw = "\n".join(_dumps(line) for line in lines) + "\n"
    with Engine() as engine, Client(engine.url) as client:
        engine.script(
            lambda request, answer: Drip(size)(request, lambda _: Lines([raw.rstrip("\n")])(request, answer))
        )
        assert text_of(list(client.chat(HELLO))) == text


def _dumps(line: object) -> str:
    import json

    return json.dumps(line, ensure_ascii=False)


@pytest.mark.parametrize("fault", [Cut(0), Cut(2), NoDone(0), NoDone(2)])
def test_a_reply_that_breaks_off_keeps_what_came_before(
    engine: Engine, client: Client, fault: Cut | NoDone
) -> None:
    engine.say("one two three four five six")
    engine.script(fault)
    came: list[Event] = []
    with pytest.raises(StreamBroken):
        came.extend(client.chat(HELLO))
    assert bool(text_of(came)) is bool(fault.after)


@pytest.mark.parametrize("line", ["<html>", "[1, 2]", "{", "null", '"done"', "12"])
def test_a_line_that_is_no_json_object_is_a_bad_reply(engine: Engine, client: Client, line: str) -> None:
    engine.script(Line(line))
    with pytest.raises(BadReply):
        list(client.chat(HELLO))


def test_an_error_line_in_the_middle_is_what_it_says(engine: Engine, client: Client) -> None:
    engine.script(
        error_line(), error_line("request (5000 tokens) exceeds the available context size (4096 tokens)")
    )
    with pytest.raises(Refused, match="an error was encountered"):
        list(client.chat(HELLO))
    with pytest.raises(ContextTooLong):
        list(client.chat(HELLO))


def test_too_long_is_known_before_the_first_word_too(engine: Engine, client: Client) -> None:
    engine.script(too_long(), too_long(5000, 4096))
    with pytest.raises(ContextTooLong) as first:
        list(client.chat(HELLO))
    with pytest.raises(ContextTooLong) as second:
        list(client.chat(HELLO))
    assert (first.value.needed, second.value.needed, second.value.available) == (None, 5000, 4096)


def test_the_engines_own_refusal_of_a_prompt_that_does_not_fit_is_understood(client: Client) -> None:
    long = Request("demo", (Message.user("word " * 3000),), {"num_ctx": 512})
    with pytest.raises(ContextTooLong):
        list(client.chat(long))


def test_a_missing_model_is_missing_for_every_question(client: Client) -> None:
    for ask in (
        lambda: list(client.chat(Request("nope", HELLO.messages))),
        lambda: client.model("nope"),
        lambda: client.load("nope", {}),
        lambda: client.vocabulary("nope"),
        lambda: client.render(Request("nope", HELLO.messages)),
    ):
        with pytest.raises(Missing, match="nope") as caught:
            ask()
        assert "/pull nope" in advised(caught.value)


def test_what_a_model_is_comes_with_the_digest_of_its_row(client: Client) -> None:
    row = next(row for row in client.models() if row.name == "demo:latest")
    model = client.model("demo")
    assert model.digest == row.digest
    assert model.digest
    assert "completion" in model.capabilities
    assert model.trained


def test_loading_makes_a_model_appear_with_its_window_and_unloading_takes_it_away(
    engine: Engine, client: Client
) -> None:
    client.load("demo", {"num_ctx": 1024}, "10m")
    (loaded,) = client.loaded()
    assert (loaded.name, loaded.context_length) == ("demo:latest", 1024)
    assert loaded.expires is not None
    sent = engine.requests[-2].body
    assert (sent["messages"], sent["shift"], sent["keep_alive"]) == ([], False, "10m")
    client.unload("demo")
    assert client.loaded() == []


def test_the_vocabulary_is_the_verbose_part_of_what_a_model_is(client: Client) -> None:
    vocabulary = json.loads(client.vocabulary("demo"))["model_info"]
    assert vocabulary == client.model("demo", verbose=True).info
    assert len(vocabulary["tokenizer.ggml.tokens"]) > 100


def test_a_prompt_is_rendered_without_being_answered(engine: Engine, client: Client) -> None:
    prompt = client.render(HELLO)
    assert prompt is not None
    assert "Hello" in prompt
    assert engine.chats == []


def test_a_server_that_cannot_render_is_cut_short_instead_of_heard_to_the_end(client: Client) -> None:
    with Engine() as old:
        old_answer = old._answer

        def without_rendering(request: object, *rest: object) -> object:
            from dataclasses import replace
            from typing import Any, cast

            asked = cast(Any, request)
            return old_answer(
                replace(asked, body=asked.body.replace(b'"_debug_render_only": true', b'"_d": true'))
            )

        old._answer = without_rendering  # type: ignore[assignment]
        with Client(old.url) as to_old:
            assert to_old.render(HELLO) is None


def test_a_download_tells_how_far_it_is(engine: Engine, client: Client) -> None:
    told: list[str | dict[str, object]] = [
        {"status": "pulling manifest"},
        {"status": "pulling x", "total": 9, "completed": 3},
        {"status": "success"},
    ]
    engine.script(Lines(told), path="/api/pull")
    assert list(client.pull("tiny")) == [
        Progress("pulling manifest"),
        Progress("pulling x", 3, 9),
        Progress("success"),
    ]


def test_a_download_that_breaks_off_says_that_it_can_go_on(engine: Engine, client: Client) -> None:
    engine.script(Lines([{"status": "pulling manifest"}]), path="/api/pull")
    with pytest.raises(StreamBroken) as caught:
        list(client.pull("tiny"))
    assert "/pull tiny" in advised(caught.value)


def test_a_download_of_what_does_not_exist_says_where_to_look(engine: Engine, client: Client) -> None:
    gone = {"error": "pull model manifest: file does not exist"}
    engine.script(Lines([{"status": "pulling manifest"}, gone]), path="/api/pull")
    with pytest.raises(Missing, match="tiny") as caught:
        list(client.pull("tiny"))
    assert "ollama.com" in caught.value.hint


def test_a_chat_is_made_into_a_model(engine: Engine, client: Client) -> None:
    said = (Message.user("Hi"), Message.assistant("Hello."))
    told = [each.status for each in client.create("demo-chat", "demo", "Be brief.", {"num_ctx": 2048}, said)]
    assert told[-1] == "success"
    assert engine.requests[-1].body == {
        "model": "demo-chat",
        "from": "demo",
        "stream": True,
        "system": "Be brief.",
        "parameters": {"num_ctx": 2048},
        "messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."}],
    }
    made = client.model("demo-chat")
    assert (made.messages, made.system, made.num_ctx) == (said, "Be brief.", 2048)


def test_a_model_that_was_not_made_is_an_error(engine: Engine, client: Client) -> None:
    with pytest.raises(Missing, match="nope"):
        list(client.create("x", "nope"))
    engine.script(Lines([{"status": "writing manifest"}]), path="/api/create")
    with pytest.raises(StreamBroken, match="x was not made"):
        list(client.create("x", "demo"))


def test_a_list_that_is_none_is_a_bad_reply(engine: Engine, client: Client) -> None:
    engine.script(Status(200, '{"models": "many"}', raw=True), Status(200, "{}", raw=True), path="/api/tags")
    with pytest.raises(BadReply):
        client.models()
    assert client.models() == []


def test_the_library_is_imported_by_the_first_exchange_not_before() -> None:
    program = """
import sys
from chatcli.client import address, failures, models, ollama, reader_thread, request, server, stream
client = ollama.Client("http://127.0.0.1:1")
assert not {"ollama", "httpx", "pydantic", "ssl"} & set(sys.modules), sorted(sys.modules)
client.warm_up()
assert {"ollama", "httpx"} <= set(sys.modules)
client.close()
"""
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True, timeout=60)
