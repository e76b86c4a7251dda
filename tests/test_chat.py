"""chatcli as a library: from chatcli import Chat."""

from __future__ import annotations

import copy
import inspect
import json
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

import chatcli
from chatcli import (
    Ambiguous,
    Answer,
    Asking,
    BadValue,
    CannotSee,
    Chat,
    ChatcliError,
    ContextTooLong,
    Done,
    Ended,
    Fate,
    Leave,
    Missing,
    NoText,
    NotFound,
    Part,
    PartKind,
    Plan,
    Reply,
    Role,
    StreamBroken,
    Text,
    Thinking,
    UnknownSetting,
    UserError,
    errors,
    tool,
)
from chatcli.client.models import Model
from chatcli.demo.replies import DemoReply
from chatcli.session.context_window import memory_of_window, next_window
from chatcli.session.session import Session
from chatcli.settings.strategies import Strategy
from chatcli.turn import ask
from tests.commanding import say
from tests.faults import Cut, Engine, Hang, nobody_there
from tests.remembering import ALWAYS_FIT


@pytest.fixture
def chat(engine: Engine) -> Iterator[Chat]:
    with Chat("demo", host=engine.url, num_ctx=2048) as opened:
        yield opened


def test_a_chat_sends_streams_remembers_and_forgets() -> None:
    with (
        Engine() as engine,
        Chat("demo", system="Be brief.", num_ctx=2048, host=engine.url, temperature="0") as chat,
    ):
        engine.say("Seven.", "Eleven, or thirteen.")
        assert chat.send("A prime?") == "Seven."
        assert "".join(chat.stream("Another?")) == "Eleven, or thirteen."
        roles = [message.role for message in chat.messages]
        assert roles == [Role.SYSTEM, Role.USER, Role.ASSISTANT, Role.USER, Role.ASSISTANT]
        assert engine.chats[1]["options"] == {"num_ctx": 2048, "temperature": 0.0}
        assert engine.chats[1]["messages"][0] == {"role": "system", "content": "Be brief."}
        chat.clear()
        assert [message.role for message in chat.messages] == [Role.SYSTEM]


def test_a_chat_takes_settings_as_python_has_them() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    with (
        Engine() as engine,
        Chat(
            "demo", host=engine.url, save=None, num_ctx="2k", num_predict=40, temperature=0, seed=None,
            format=schema, stop=["END OF"], keep_alive=300, verbose=False, top_p=0.5, system="",
        ) as chat,
    ):  # fmt: skip
        chat.send("A prime?")
        asked = engine.chats[0]
    assert asked["options"] == {
        "num_ctx": 2048, "num_predict": 40, "temperature": 0.0, "top_p": 0.5, "stop": ["END OF"]
    }  # fmt: skip
    assert (asked["format"], asked["keep_alive"]) == (schema, 300)
    assert [message["role"] for message in asked["messages"]] == ["user"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"num_predict": 1.5}, "num_predict: 1.5 is not a whole number of at least -2"),
        ({"num_ctx": [1]}, r"num_ctx: \[1\] is not a size in tokens"),
        ({"system": Path("prompt.txt")}, "system: .* is not text"),
        ({"strategy": 3}, "strategy: 3 is not one of"),
        ({"save": "perhaps"}, "save: .* is not on or off"),
        ({"model": 5}, "model: 5 is not text"),
    ],
)
def test_a_wrong_value_is_named_with_its_setting_and_what_that_takes(given: dict[str, Any], words: str) -> None:
    with pytest.raises(BadValue, match=words):
        Chat(**given)


def test_a_setting_that_there_is_not_is_an_error_of_our_own() -> None:
    with pytest.raises(UnknownSetting, match="num_predikt") as caught:
        Chat("demo", num_predikt=40)
    assert "num_predict" in caught.value.hint


def test_a_chat_leaves_nothing_on_disk_unless_asked_to(home: Path) -> None:
    with Engine() as engine:
        with Chat("demo", host=engine.url) as chat:
            chat.send("hi")
        assert not list(home.rglob("*.db"))
        with Chat("demo", host=engine.url, save=True) as chat:
            chat.send("hi")
            chat.save(home / "chat.md")
        assert list(home.rglob("*.db"))
        assert "hi" in (home / "chat.md").read_text(encoding="utf-8")


def test_a_page_is_highlighted_and_has_its_pictures(tmp_path: Path) -> None:
    picture = tmp_path / "dot.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n" + b"dot")
    with Engine() as engine, Chat("demo-vision", host=engine.url) as chat:
        engine.say("A dot:\n\n```python\nprint('.')\n```\n")
        with pytest.raises(UserError, match="Nothing has been said"):
            chat.save(tmp_path / "chat.html")
        chat.send("what is this", images=[picture])
        chat.save(tmp_path / "chat.html")
        with pytest.raises(UserError, match="pdf"):
            chat.save(tmp_path / "chat.pdf")
        chat.clear()
        assert chat.messages == ()
    page = (tmp_path / "chat.html").read_text(encoding="utf-8")
    assert '<span class="nb">print</span>' in page
    assert 'src="data:image/png;base64,' in page


def test_a_chat_that_is_closed_says_so_and_still_has_what_was_said(tmp_path: Path) -> None:
    with Engine() as engine:
        engine.say("Seven.")
        chat = Chat("demo", host=engine.url)
        chat.send("A prime?")
        chat.close()
        chat.close()
        for again in (lambda: chat.send("More."), chat.clear, lambda: chat.save(tmp_path / "chat.md")):
            with pytest.raises(UserError, match="This chat is closed"):
                again()
        assert [message.text for message in chat.messages] == ["A prime?", "Seven."]


def test_its_errors_are_chatclis_own() -> None:
    with Engine() as engine, Chat("nope", host=engine.url) as chat, pytest.raises(Missing, match="nope"):
        chat.send("hi")


def test_a_reply_is_its_text_and_knows_what_it_cost(engine: Engine) -> None:
    engine.say(DemoReply("Seven.", thinking="A small one."))
    with Chat("demo-thinking", host=engine.url) as chat:
        reply = chat.send("A prime?")
    assert isinstance(reply, str)
    assert (reply, json.dumps(reply)) == ("Seven.", '"Seven."')
    assert (reply.thinking, reply.tool_calls, reply.model) == ("A small one.", (), "demo-thinking")
    assert (reply.ended, reply.limit) == (Ended.COMPLETE, "")
    assert reply.planned.exact
    assert reply.planned.tokens == reply.usage.prompt_tokens
    assert (reply.usage.reply_tokens or 0) > 0
    assert (reply.usage.total_seconds or 0) > 0
    assert (reply.turn.done_reason, reply.turn.options["num_ctx"]) == ("stop", 4096)
    assert reply.plan is not None
    assert reply.plan.planned == reply.planned
    assert chat.last_reply is reply
    assert chat.messages[-1] == reply.message
    for same in (copy.copy(reply), copy.deepcopy(reply), pickle.loads(pickle.dumps(reply))):
        assert (same, same.usage, same.plan) == (reply, reply.usage, reply.plan)


def test_a_reply_that_a_limit_ended_says_which(engine: Engine) -> None:
    with Chat("demo", host=engine.url, num_predict=5) as chat:
        reply = chat.send("hi")
    assert (reply.ended, reply.limit) == (Ended.LENGTH, "num_predict")
    assert reply.usage.reply_tokens == 5


def test_the_events_are_thinking_text_and_the_end_with_its_counts(engine: Engine) -> None:
    engine.say(DemoReply("Seven is one.", thinking="A small one."))
    with Chat("demo-thinking", host=engine.url) as chat:
        events = list(chat.events("A prime?"))
        reply = chat.last_reply
    assert "".join(event.text for event in events if isinstance(event, Thinking)) == "A small one."
    assert "".join(event.text for event in events if isinstance(event, Text)) == "Seven is one."
    assert {type(event) for event in events} == {Thinking, Text, Done}
    last = events[-1]
    assert reply is not None
    assert isinstance(last, Done)
    assert (last.reason, last.usage) == ("stop", reply.usage)


def test_a_plan_is_what_is_then_sent(engine: Engine, chat: Chat) -> None:
    for text in ("one", "two"):
        chat.send(text)
    sent = len(engine.chats)
    before = chat.messages
    plan = chat.plan("And three?")
    assert len(engine.chats) == sent
    assert chat.messages == before
    reply = chat.send("And three?")
    assert chat.last_plan is reply.plan
    assert chat.last_plan is not None
    assert [part.count for part in chat.last_plan.parts] == [part.count for part in plan.parts]
    assert plan.messages == chat.last_plan.messages
    assert (plan.planned, plan.window) == (reply.planned, 2048)
    assert reply.usage.prompt_tokens == plan.planned.tokens


@pytest.mark.parametrize("strategy", ALWAYS_FIT, ids=str)
def test_a_plan_says_of_every_message_what_becomes_of_it(engine: Engine, strategy: Strategy) -> None:
    with Chat("demo", host=engine.url, num_ctx=1024, strategy=strategy.name, window_messages=4) as chat:
        for number in range(8):
            engine.say(f"The answer is {number}: " + " ".join(f"so it is {part}." for part in range(45)))
            chat.send(f"Question {number}?")
        plan = chat.plan("And what did you answer first?")
        numbers = range(1, len(chat.messages) + 2)
    parts = {number: plan.part_of(number) for number in numbers}
    fates = {part.fate for part in parts.values() if part is not None}
    assert None not in parts.values()
    assert fates > {Fate.SENT}
    assert plan.part_of(numbers[-1] + 1) is None
    for part in plan.parts:
        assert part.count.tokens > 0 or part.kind is PartKind.TEMPLATE
        assert part.why or part.fate is Fate.SENT
    question = parts[numbers[-1]]
    assert question is not None
    assert (question.kind, question.fate, question.node) == (PartKind.QUESTION, Fate.SENT, None)
    assert plan.left_out == sum(part.messages for part in plan.parts if part.fate is not Fate.SENT)


def test_a_plan_needs_no_question_and_a_new_chat_has_one(chat: Chat) -> None:
    assert chat.plan().window == 2048
    assert chat.messages == ()
    assert chat.last_plan is None
    chat.send("hi")
    assert chat.plan().planned.tokens > chat.plan().of(PartKind.TEMPLATE).tokens > 0


def test_what_cannot_fit_is_refused_by_plan_and_send_alike_with_its_sizes(engine: Engine) -> None:
    long = "word " * 900
    with Chat("demo", system="Be brief.", host=engine.url, num_ctx=512) as chat:
        for ask in (chat.plan, chat.send):
            with pytest.raises(ContextTooLong) as caught:
                ask(long)
            error = caught.value
            assert error.needed is not None
            assert error.available is not None
            assert error.needed > error.available > 0
            assert [name for name, _ in error.biggest] == ["this message", "system prompt"]
        assert engine.chats == []
        assert [message.role for message in chat.messages] == [Role.SYSTEM]
        assert chat.last_reply is None


def test_a_picture_for_a_model_that_sees_none_is_refused_by_plan_too(engine: Engine, tmp_path: Path) -> None:
    picture = tmp_path / "dot.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n" + b"dot")
    with Chat("demo", host=engine.url) as chat:
        for ask in (chat.plan, chat.send):
            with pytest.raises(CannotSee):
                ask("what is this", images=[picture])


def test_tokens_are_counted_exactly_where_the_vocabulary_is_known(chat: Chat) -> None:
    one, two = chat.count("hello world"), chat.count("hello world hello world")
    assert one.exact
    assert 0 < one.tokens < two.tokens
    assert chat.messages == ()


def test_tokens_are_estimated_without_a_server() -> None:
    with nobody_there() as url, Chat("demo", host=url) as chat:
        count = chat.count("hello world")
    assert count.tokens >= 2
    assert not count.exact


@pytest.mark.parametrize("way", ["stream", "events"])
def test_closing_the_iterator_stops_the_reply_and_keeps_what_came(engine: Engine, way: str) -> None:
    engine.script(Hang(after=3))
    with Chat("demo", host=engine.url) as chat:
        pieces: Generator[object] = getattr(chat, way)("tell me of whales")
        next(pieces)
        pieces.close()
        assert engine.client_left()
        reply = chat.last_reply
        assert reply
        assert reply.ended is Ended.STOPPED
        assert chat.messages[-1].text == reply
        assert chat.send("go on")
        assert engine.chats[-1]["messages"][1]["content"] == reply


def test_ctrl_c_stops_the_reply_and_keeps_what_came(engine: Engine) -> None:
    engine.script(Hang(after=3))
    program = f"""
from chatcli import Chat
chat = Chat("demo", host="{engine.url}")
try:
    for piece in chat.stream("tell me of whales"):
        print("began", flush=True)
except KeyboardInterrupt:
    print(chat.last_reply.ended, chat.messages[-1].text == chat.last_reply != "")
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "began\n"
        running.send_signal(signal.SIGINT)
        assert running.stdout.readlines()[-1] == "stopped True\n"


@pytest.mark.parametrize("waits", [True, False], ids=["it waits for a piece", "it holds a piece"])
def test_a_chat_closed_by_another_thread_stops_the_reply_that_is_read(engine: Engine, waits: bool) -> None:
    engine.script(Hang(after=3))
    chat = Chat("demo", host=engine.url)
    begun, closed = threading.Event(), threading.Event()
    read: list[str] = []

    def reading() -> None:
        for piece in chat.stream("tell me of whales"):
            read.append(piece)
            begun.set()
            assert waits or closed.wait(30)

    thread = threading.Thread(target=reading)
    thread.start()
    assert begun.wait(30)
    chat.close()
    closed.set()
    thread.join()
    assert chat.last_reply is not None
    assert chat.last_reply.startswith("".join(read))  # a piece may have come that was not handed out any more
    assert chat.last_reply.ended is Ended.STOPPED


def test_closing_the_chat_stops_a_reply_that_is_being_read(engine: Engine) -> None:
    engine.script(Hang(after=3))
    with Chat("demo", host=engine.url) as chat:
        pieces = chat.stream("tell me of whales")
        first = next(pieces)
    assert engine.client_left()
    assert list(pieces) == []
    assert chat.last_reply is not None
    assert chat.last_reply.ended is Ended.STOPPED
    assert chat.messages[-1].text.startswith(first)


def test_what_came_before_an_error_is_the_last_reply(engine: Engine, chat: Chat) -> None:
    engine.say("An earlier reply.")
    chat.send("hi")
    engine.script(Cut(after=4))
    with pytest.raises(StreamBroken):
        chat.send("tell me of whales")
    reply = chat.last_reply
    assert reply
    assert (reply.ended, reply.usage.reply_tokens) == (Ended.BROKEN, None)
    assert chat.messages[-1].text == reply
    engine.script(*[Cut(after=0)] * 5)  # retries included
    with pytest.raises(StreamBroken):
        chat.send("and of plankton")
    assert chat.last_reply is None
    assert chat.messages[-1].text == reply


def test_thinking_without_an_answer_is_an_error_and_the_last_reply(engine: Engine) -> None:
    engine.say(DemoReply("Seven.", thinking="Which one? " * 20))
    with Chat("demo-thinking", host=engine.url, num_predict=9) as chat:
        with pytest.raises(NoText) as caught:
            chat.send("A prime?")
        reply = chat.last_reply
        assert caught.value.limit == "num_predict"
        assert reply is not None
        assert (reply, reply.thinking) == ("", caught.value.thinking)
        assert (reply.ended, reply.limit) == (Ended.LENGTH, "num_predict")


def uses(chat: Chat, file: Path) -> list[Callable[[], object]]:
    """Every way to use a chat that takes it alone."""
    return [
        lambda: chat.send("more"),
        lambda: list(chat.stream("more")),
        lambda: list(chat.events("more")),
        lambda: chat.plan("more"),
        lambda: chat.count("more"),
        chat.clear,
        chat.conversations,
        lambda: chat.open("1"),
        lambda: chat.save(file),
    ]


def test_one_reply_at_a_time_whoever_asks(engine: Engine, chat: Chat, tmp_path: Path) -> None:
    pieces = chat.stream("tell me of whales")
    first = next(pieces)
    refused: list[BaseException] = []

    def ask() -> None:
        for use in uses(chat, tmp_path / "chat.md"):
            with pytest.raises(UserError, match="in use") as caught:
                use()
            refused.append(caught.value)

    ask()
    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    assert len(refused) == 2 * len(uses(chat, tmp_path))
    whole = first + "".join(pieces)
    assert whole == chat.last_reply
    assert len(engine.chats) == 1
    assert chat.send("more")


def test_a_chat_may_be_used_by_another_thread_and_chats_side_by_side(engine: Engine) -> None:
    with (
        Chat("demo", host=engine.url, save=True) as one,
        Chat("demo-brief", host=engine.url, save=True) as other,
    ):
        both = [(one, f"whales {number}") for number in range(3)]
        pieces = other.stream("tell me of plankton")
        begun = next(pieces)

        def talk() -> None:
            for chat, text in both:
                chat.send(text)

        thread = threading.Thread(target=talk)
        thread.start()
        rest = "".join(pieces)
        thread.join()
        assert [message.text for message in one.messages][::2] == [text for _, text in both]
        assert [message.text for message in other.messages] == ["tell me of plankton", begun + rest]


def test_stored_conversations_are_opened_by_name(engine: Engine) -> None:
    with Chat("demo", host=engine.url, save=True) as chat:
        for text in ("whales are large", "plankton is small", "whales again"):
            chat.clear()
            chat.send(text)
    with Chat("demo", host=engine.url, save=True) as chat:
        titles = [entry.title for entry in chat.conversations()]
        assert titles == ["whales again", "plankton is small", "whales are large"]
        chat.open("plankton")
        assert chat.messages[0].text == "plankton is small"
        assert (chat.last_reply, chat.last_plan) == (None, None)
        chat.send("how small?")
        assert [entry.messages for entry in chat.conversations()] == [4, 2, 2]
        with pytest.raises(Ambiguous, match=r"whales again.*whales are large"):
            chat.open("whales")
        with pytest.raises(NotFound, match="squid"):
            chat.open("squid")
        assert len(chat.messages) == 4


def test_a_question_without_a_reply_gives_its_place_to_the_next_in_plan_and_send(
    engine: Engine, session: Session
) -> None:
    say(session, "whales are large")
    ask(session, "never answered")
    with Chat("demo", host=engine.url, save=True) as chat:
        chat.open("whales")
        assert chat.messages[-1].text == "never answered"
        plan = chat.plan("how large?")
        reply = chat.send("how large?")
        assert reply.plan is not None
        assert plan.messages == reply.plan.messages
        assert "never answered" not in {message.text for message in (*plan.messages, *chat.messages)}
        question = plan.part_of(3)
        assert question is not None
        assert question.kind is PartKind.QUESTION


def test_a_warning_names_the_line_of_the_program(home: Path, engine: Engine) -> None:
    Chat("demo", host=engine.url, save=True).close()
    (store,) = home.rglob("*.db")
    store.write_bytes(b"no database at all" * 400)
    with pytest.warns(UserWarning, match="Nothing can be read") as warned:
        chat = Chat("demo", host=engine.url, save=True)
    assert {Path(each.filename) for each in warned} == {Path(__file__)}
    with chat:
        chat._opened.warn("The disk is full.")  # as the store says in the middle of a turn
        with pytest.warns(UserWarning, match="full") as warned:
            chat.send("hi")
        chat._opened.warn("The disk is full.")
        with pytest.warns(UserWarning, match="full") as streamed:
            list(chat.stream("hi"))
    assert {Path(each.filename) for each in (*warned, *streamed)} == {Path(__file__)}


def test_every_public_name_is_there_and_has_a_docstring_and_no_error_is_missing() -> None:
    for name in chatcli.__all__:
        assert getattr(chatcli, name) is not None
    kinds = {name for name, each in vars(errors).items() if isinstance(each, type)}
    assert {name for name in kinds if issubclass(getattr(errors, name), ChatcliError)} <= set(chatcli.__all__)
    for owner in (Chat, Reply, Plan, Part, PartKind, Fate):
        assert inspect.getdoc(owner) != inspect.getdoc(owner.__base__)
        for name, each in vars(owner).items():
            assert name.startswith("_") or inspect.ismemberdescriptor(each) or inspect.getdoc(each), name


def test_importing_it_imports_nothing_heavy() -> None:
    heavy = "{'ollama', 'httpx', 'rich', 'tiktoken', 'prompt_toolkit', 'typer', 'pydantic'}"
    code = f"import sys, chatcli; from chatcli import Chat; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_windows_memory_is_told_from_the_models_shape() -> None:
    info = {
        "general.architecture": "llama",
        "llama.block_count": 32,
        "llama.attention.head_count": 32,
        "llama.attention.head_count_kv": 8,
        "llama.embedding_length": 4096,
    }
    model = Model("llama3", trained=8192, info=info)
    assert memory_of_window(model, 8192) == 8192 * 32 * 8 * 128 * 2 * 2
    assert memory_of_window(Model("unknown"), 8192) is None
    assert next_window(5000, model) == 8192
    assert next_window(9000, model) is None
    assert next_window(5000, Model("small", trained=6000)) == 6000


def weather(city: str, days: int = 1) -> str:
    """The weather in a city."""
    return f"Sunny in {city} for {days} days."


CALL = 'call weather {"city": "Rome", "days": "3"}'


def test_functions_given_as_tools_are_called_and_their_results_go_back(engine: Engine) -> None:
    with Chat("demo-tools", host=engine.url, tools=[weather]) as chat:
        reply = chat.send(CALL)
        assert "Sunny in Rome for 3 days." in reply
        assert reply.tool_calls == ()
        assert [message.role for message in chat.messages] == ["user", "assistant", "tool", "assistant"]
        kinds = [type(each).__name__ for each in chat.events(CALL) if not isinstance(each, Text)]
    assert kinds == ["ToolCall", "Done", "ToolResult", "Done"]
    reader, own = (each["function"] for each in engine.chats[0]["tools"])
    assert (own["name"], own["parameters"]["required"]) == ("weather", ["city"])
    assert reader["name"] == "read_result"  # a result of it may be cut


@pytest.mark.parametrize(
    ("answer", "told"),
    [(True, "Sunny"), (False, "leave was refused"), (Answer(Leave.NO, "too far"), "too far")],
)
def test_allow_decides_on_a_call_and_its_reason_is_told_to_the_model(
    engine: Engine, answer: bool | Answer, told: str
) -> None:
    asked: list[Asking] = []

    def allow(asking: Asking) -> bool | Answer:
        asked.append(asking)
        return answer

    with Chat("demo-tools", host=engine.url, tools=[weather], allow=allow) as chat:
        chat.send(CALL)
        assert told in chat.messages[2].text
    assert [asking.tool.name for asking in asked] == ["weather"]


def test_built_in_tools_are_given_by_name_and_only_those_that_reach_nothing_run_unasked(engine: Engine) -> None:
    with Chat("demo-tools", host=engine.url, tools=["now", tool("pure")(weather)], allow=lambda _: False) as chat:
        chat.send("what time is it?")
        assert str(datetime.now().year) in chat.messages[2].text
        chat.send(CALL)
        assert "Sunny" in chat.messages[-2].text
    assert [each["function"]["name"] for each in engine.chats[0]["tools"]] == ["now", "weather"]
