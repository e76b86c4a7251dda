"""Replies that end before their text begins: stored like any other, with a note on what ended them and what to do.

Every cause on a real socket: num_predict, the window, a stop text, the model itself, tags that were never closed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chatcli import Chat
from chatcli.commands.navigation import opened
from chatcli.commands.outcomes import Copy, Opened, Prefill
from chatcli.commands.spelling import at_prompt, in_shell
from chatcli.conversation.events import Event, Text, Thinking
from chatcli.conversation.message import Message, Role
from chatcli.conversation.reply_endings import CUT_SHORT, Limit, ending_of
from chatcli.conversation.tree import Ended, Node
from chatcli.conversation.usage import Count, Turn, Usage
from chatcli.demo.models import THINKING
from chatcli.demo.replies import DemoReply
from chatcli.errors import ChatcliError, NoText, NotFound, StreamBroken
from chatcli.hints import in_python, spelled
from chatcli.repl.notes import after_reply
from chatcli.session.build import Wishes, build
from chatcli.session.session import Session
from chatcli.settings.layers import Layer
from chatcli.turn import answer, ask
from tests.commanding import do, drawn, followed, say, shown
from tests.faults import Cut, Engine, Hang, Lines, error_line
from tests.test_cli_oneshot import chatcli
from tests.test_terminal import terminal

THOUGHT = "They ask for a prime. " + " ".join(f"Is {number} one?" for number in range(2, 200))
# By name: settings, what the engine says, and which limit it is.
WAYS: dict[str, tuple[dict[str, Any], DemoReply, Limit | None]] = {
    "num_predict": ({"num_predict": "30"}, DemoReply("Two.", THOUGHT), Limit.NUM_PREDICT),
    "window": ({"num_ctx": "512"}, DemoReply("Two.", THOUGHT), Limit.WINDOW),
    "stop text": ({"stop": "9"}, DemoReply("Two.", THOUGHT), None),
    "by itself": ({}, DemoReply("", THOUGHT), None),
    "tag and num_predict": (
        {"model": "demo", "num_predict": "30"},
        DemoReply(f"<think>\n{THOUGHT}"),
        Limit.NUM_PREDICT,
    ),
    "tag and window": ({"model": "demo", "num_ctx": "512"}, DemoReply(f"<think>{THOUGHT}"), Limit.WINDOW),
    "tag, by itself": ({"model": "demo"}, DemoReply(f"<think>\n{THOUGHT}"), None),
}


@contextmanager
def thinking_with(engine: Engine, resume: bool = False, **values: str) -> Iterator[Session]:
    session = build(Wishes({"host": engine.url, "model": "demo-thinking", **values}, resume=resume))
    try:
        yield session
    finally:
        session.close()


def said(session: Session, text: str, stopped: Callable[[], bool] = lambda: False) -> Node | None:
    return answer(session, ask(session, text), lambda event: None, stopped)


def cut_in_thought(session: Session, engine: Engine, reply: DemoReply) -> Node:
    engine.say(reply)
    node = said(session, "a prime?")
    assert node is not None
    return node


def measured(node: Node | None) -> tuple[int | None, Count]:
    assert node is not None
    assert node.turn is not None
    return node.turn.usage.prompt_tokens, node.turn.planned


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_the_thinking_is_kept_as_a_reply_and_the_talk_goes_on_from_there(way: str, engine: Engine) -> None:
    settings, reply, limit = WAYS[way]
    with thinking_with(engine, **settings) as session:
        node = cut_in_thought(session, engine, reply)
        assert (node.message.text, node.message.thinking[:20]) == ("", THOUGHT[:20])
        assert session.conversation.tip == node.id
        ended = ending_of(node)
        assert ended is not None
        assert ended.limit is limit
        assert node.ended is (Ended.LENGTH if limit else Ended.COMPLETE)
        engine.say("Three.")
        further = said(session, "in a word")
        assert further is not None
        assert [m["role"] for m in engine.chats[-1]["messages"]] == ["user", "assistant", "user"]
        assert engine.chats[-1]["messages"][1] == {"role": "assistant", "content": ""}
        tokens, planned = measured(further)
        assert planned == Count(tokens or 0, exact=True)
    with thinking_with(engine, resume=True) as session:
        assert [node.message.text for node in session.conversation.path()] == [
            "a prime?",
            "",
            "in a word",
            "Three.",
        ]
        assert session.conversation.path()[1].message.thinking == node.message.thinking


def test_what_ended_it_and_the_remedy_are_said_as_each_surface_spells_them(way: str, engine: Engine) -> None:
    settings, reply, limit = WAYS[way]
    with thinking_with(engine, **settings) as session:
        node = cut_in_thought(session, engine, reply)
    (note,) = after_reply(node, verbose=False)
    here, shell, python = (
        spelled(note.text, at_prompt),
        spelled(note.text, in_shell),
        spelled(note.text, in_python),
    )
    words = {
        Limit.NUM_PREDICT: ("/set num_predict -1", "--num-predict -1", 'num_predict="-1"'),
        Limit.WINDOW: ("/set num_ctx", "--num-ctx", "num_ctx"),
        None: ("/set think off", "--think off", 'think="off"'),
    }[limit]
    assert all(word in told for word, told in zip(words, (here, shell, python), strict=True))
    assert "/set" not in shell + python
    assert "/continue" not in python
    assert {Limit.NUM_PREDICT: "num_predict (30 tokens)", Limit.WINDOW: "512 tokens", None: "no answer"}[
        limit
    ] in here


def test_continue_sends_the_thinking_and_the_new_reply_begins_with_it(engine: Engine) -> None:
    with thinking_with(engine, num_predict="30") as session:
        node = cut_in_thought(session, engine, DemoReply("Two.", THOUGHT))
        session.settings.put("num_predict", "-1", Layer.SET)
        engine.say("Two, then.")
        followed(session, do(session, "continue"))
        assert engine.chats[-1]["messages"][-1] == {
            "role": "assistant",
            "content": "",
            "thinking": node.message.thinking,
        }
        last = session.conversation.last
        assert last is not None
        assert (last.message.text, last.message.thinking) == ("Two, then.", node.message.thinking)
        tokens, planned = measured(last)
        assert planned == Count(tokens or 0, exact=True)
        assert len(session.store.children(session.conversation, last.parent)) == 2
        assert said(session, "and another?") is not None
        assert not any("thinking" in message for message in engine.chats[-1]["messages"])


def test_a_thought_goes_on_as_one(engine: Engine) -> None:
    """/continue that is cut off in its thinking, too."""
    with thinking_with(engine, num_predict="30") as session:
        first = cut_in_thought(session, engine, DemoReply("Two.", THOUGHT))
        engine.say(DemoReply("", " More of it. " + THOUGHT))
        followed(session, do(session, "continue"))
        last = session.conversation.last
        assert last is not None
        assert last.message.thinking.startswith(first.message.thinking + " More of it.")
        assert last.message.text == ""


def test_a_reply_that_is_continued_keeps_its_earlier_thinking(engine: Engine) -> None:
    with thinking_with(engine) as session:
        engine.say(DemoReply("One, two,", "Count."))
        said(session, "count")
        engine.say(" three.")
        followed(session, do(session, "continue"))
        last = session.conversation.last
        assert last is not None
        assert (last.message.text, last.message.thinking) == ("One, two, three.", "Count.")


@pytest.mark.parametrize("model", ["demo-thinking", "demo"])
def test_what_was_thought_when_it_was_stopped_or_broke_off_is_kept(model: str, engine: Engine) -> None:
    reply = DemoReply("Two.", THOUGHT) if model == "demo-thinking" else DemoReply(f"<think>\n{THOUGHT}")
    heard: list[Event] = []

    def thought_enough() -> bool:
        return len([event for event in heard if isinstance(event, Thinking)]) > 3

    with thinking_with(engine, model=model) as session:
        engine.say(reply, reply, reply)
        engine.script(Hang(after=9))
        stopped = answer(session, ask(session, "a prime?"), heard.append, thought_enough)
        assert stopped is not None
        assert (stopped.ended, session.conversation.tip) == (Ended.STOPPED, stopped.id)
        assert stopped.message.thinking.startswith("They ask")
        assert not [event for event in heard if isinstance(event, Text)]
        note = spelled(after_reply(stopped, False)[0].text, at_prompt)
        assert note == "Stopped before its answer. /continue goes on from there."
        for fault in (Cut(after=9), error_line(after=9)):
            engine.script(fault)
            with pytest.raises(ChatcliError):
                said(session, "and now?")
            last = session.conversation.last
            assert last is not None
            assert last.ended is Ended.BROKEN
            assert last.message.thinking.startswith("They ask")


@pytest.mark.parametrize("ended", sorted(CUT_SHORT.keys() - {Ended.LENGTH}))
@pytest.mark.parametrize(
    "message", [Message.assistant("Two"), Message.assistant("", "They ask")], ids=["text", "thinking"]
)
def test_an_unfinished_reply_that_is_gone_to_is_said_to_be_that(
    session: Session, ended: Ended, message: Message
) -> None:
    question = ask(session, "a prime?")
    session.store.begin_reply(session.conversation, question).finish(message, ended, Turn("demo"))
    note = spelled(opened(session).note, at_prompt)
    what = "is unfinished" if message.has_text else "has no answer yet"
    assert note == f"This reply {what} ({CUT_SHORT[ended]}): /continue goes on from there, /retry asks again."


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "ended its reply before its first word"),
        ({"num_predict": "1"}, "num_predict (1 token) ended the reply before its first word"),
    ],
)
def test_a_reply_with_nothing_in_it_is_an_error_that_says_why(
    settings: dict[str, Any], words: str, engine: Engine
) -> None:
    with thinking_with(engine, model="demo", **settings) as session:
        engine.say("" if not settings else "Two.")
        with pytest.raises(NoText) as caught:
            said(session, "a prime?")
        assert words in caught.value.message
        assert caught.value.hint
        assert session.conversation.tip is None
        engine.say("" if not settings else "Two.")
        with pytest.raises(NoText):
            followed(session, do(session, "retry"))


def test_a_model_that_adds_nothing_leaves_the_reply_as_it_was(engine: Engine) -> None:
    with thinking_with(engine, model="demo") as session:
        engine.say("Two.", "")
        node = said(session, "a prime?")
        with pytest.raises(NoText, match="nothing to add"):
            followed(session, do(session, "continue"))
        assert session.conversation.last == node


def test_a_call_of_a_tool_alone_is_kept_and_named(engine: Engine) -> None:
    call = {"function": {"name": "look_up", "arguments": {"what": "primes"}}}
    message = {"role": "assistant", "content": "", "tool_calls": [call]}
    last = {"model": "demo", "message": {"role": "assistant", "content": ""}, "done": True, "done_reason": "stop"}
    lines = Lines([{"model": "demo", "message": message, "done": False}, last])
    with thinking_with(engine, model="demo") as session:
        engine.script(lines)
        node = said(session, "a prime?")
        assert node is not None
        assert node.message.tool_uses[0].name == "look_up"
        assert session.conversation.tip == node.id
        assert "calls look_up" in str(after_reply(node, False)[0].text)
        assert "calls look_up" in shown(do(session, "context why 2"))
        with pytest.raises(NotFound):
            do(session, "copy")
    engine.script(lines)
    done = chatcli("--json", "-m", "demo", "a prime?", url=engine.url)
    account = json.loads(done.stdout)
    assert (account["content"], account["tool_calls"]) == ("", [call])
    assert (done.returncode, "look_up" in done.stderr) == (1, True)


def test_the_commands_show_what_there_is(engine: Engine, tmp_path: Path) -> None:
    with thinking_with(engine, num_predict="30") as session:
        node = cut_in_thought(session, engine, DemoReply("Two.", THOUGHT))
        thought = node.message.thinking
        assert thought in shown(do(session, "raw"))
        copied = do(session, "copy")
        assert isinstance(copied, Copy)
        assert (copied.text, copied.what) == (thought, "the thinking in the last reply")
        assert "(cut off): (only thinking) They ask" in shown(do(session, "tree"))
        assert "(only thinking) They ask" in shown(do(session, "context why 2"))
        do(session, "pin 2")
        assert "(only thinking) They ask" in shown(do(session, "pin"))
        at = opened(session)
        assert isinstance(at, Opened)
        assert "num_predict (30 tokens)" in str(at.note)
        engine.say(DemoReply("Two.", "Or rather this. " + THOUGHT))
        followed(session, do(session, "retry"))
        assert "Or rather this" in shown(do(session, "diff"))
        edited = do(session, "edit")
        assert isinstance(edited, Prefill)
        do(session, "back")
        for ending in (".json", ".md", ".html"):
            do(session, f"save {tmp_path / 'talk'}{ending}")
            assert "Or rather this" in (tmp_path / f"talk{ending}").read_text(encoding="utf-8")
        do(session, f"import {tmp_path / 'talk.json'}")
        last = session.conversation.last
        assert last is not None
        assert last.message.thinking.startswith("Or rather this.")
        assert ending_of(last) is not None


def test_json_has_all_of_it_and_continue_takes_it_up(way: str, engine: Engine) -> None:
    settings, reply, limit = WAYS[way]
    flags = [
        f"--{name.replace('_', '-')}={value}" for name, value in ({"model": "demo-thinking"} | settings).items()
    ]
    engine.say(reply, "Three.")
    done = chatcli("--json", *flags, "a prime?", url=engine.url)
    account = json.loads(done.stdout)
    assert account["content"] == ""
    assert account["thinking"].startswith(THOUGHT[:20])
    assert account["done_reason"] == ("length" if limit else "stop")
    assert account["eval_count"] > 20
    assert account["prompt_eval_count"]
    assert done.returncode == 1
    assert done.stdout.count("\n") == 1
    assert "/set" not in done.stderr
    assert {Limit.NUM_PREDICT: "--num-predict", Limit.WINDOW: "--num-ctx", None: "--think off"}[
        limit
    ] in done.stderr
    further = json.loads(chatcli("--json", "--continue", "in a word", url=engine.url).stdout)
    assert (further["content"], further["conversation"]) == ("Three.", account["conversation"])
    assert len(engine.chats[-1]["messages"]) == 3


def test_a_pipe_gets_no_thinking_and_the_exit_code_says_that_there_is_no_answer(way: str, engine: Engine) -> None:
    settings, reply, _ = WAYS[way]
    flags = [
        f"--{name.replace('_', '-')}={value}" for name, value in ({"model": "demo-thinking"} | settings).items()
    ]
    engine.say(reply)
    done = chatcli(*flags, "a prime?", url=engine.url)
    assert (done.stdout.strip(), done.returncode) == ("", 1)
    assert "no answer" in done.stderr


def test_an_empty_reply_in_a_pipe_is_an_error(engine: Engine) -> None:
    engine.say("")
    done = chatcli("-m", "demo", "a prime?", url=engine.url)
    assert (done.stdout.strip(), done.returncode) == ("", 1)
    assert "before its first word" in done.stderr


def test_a_program_gets_an_error_that_names_the_limit_and_finds_the_thinking(way: str, engine: Engine) -> None:
    settings, reply, limit = WAYS[way]
    model = settings.get("model", "demo-thinking")
    more = {name: value for name, value in settings.items() if name not in {"model", "num_ctx"}}
    window = int(settings["num_ctx"]) if "num_ctx" in settings else None
    with Chat(model, host=engine.url, num_ctx=window, **more) as chat:
        engine.say(reply, "Three.")
        with pytest.raises(NoText) as caught:
            chat.send("a prime?")
        assert caught.value.limit == (limit or "")
        assert caught.value.thinking == chat.messages[-1].thinking
        assert caught.value.thinking.startswith(THOUGHT[:20])
        assert "/" not in caught.value.hint
        assert chat.send("in a word") == "Three."
        assert [message.role for message in chat.messages] == [Role.USER, Role.ASSISTANT] * 2


def test_a_limit_that_chatcli_did_not_set_is_not_taken_for_the_window() -> None:
    turn = Turn("m", options={"num_ctx": 4096}, usage=Usage(prompt_tokens=20, reply_tokens=128))
    with Engine() as engine, thinking_with(engine, num_predict="30") as session:
        node = replace(cut_in_thought(session, engine, DemoReply("Two.", THOUGHT)), turn=turn)
    ended = ending_of(node)
    assert ended is not None
    assert ended.limit is Limit.OTHER
    assert "after 128 tokens" in ended.what


def test_a_modelfiles_own_num_predict_is_named_for_what_it_is(engine: Engine) -> None:
    engine.inside.shelf.put(replace(THINKING, name="short:latest", parameters={"num_predict": 30}))
    with thinking_with(engine, model="short") as session:
        ended = ending_of(cut_in_thought(session, engine, DemoReply("Two.", THOUGHT)))
        assert ended is not None
        assert ended.limit is Limit.OTHER
        session.settings.put("num_predict", "-1", Layer.SET)
        engine.say(DemoReply("Two.", THOUGHT))
        further = said(session, "again")
        assert further is not None
        assert further.message.text == "Two."


def test_a_window_larger_than_the_models_is_named_as_the_server_makes_it(engine: Engine) -> None:
    with thinking_with(engine, num_ctx="99999") as session:
        node = cut_in_thought(session, engine, DemoReply("Two.", "prime " * 40_000))
        ended = ending_of(node)
        assert ended is not None
        assert (ended.limit, "32768 tokens" in ended.what) == (Limit.WINDOW, True)


def test_a_turn_from_a_file_that_makes_no_sense_breaks_nothing(tmp_path: Path, engine: Engine) -> None:
    turn = {"model": "m", "options": {"num_predict": "many", "num_ctx": []}, "usage": {"reply_tokens": "x"}}
    reply = {"role": "assistant", "content": "", "thinking": "Hm.", "ended": "length", "turn": turn}
    messages = [{"role": "user", "content": "a prime?"}, reply]
    (tmp_path / "odd.json").write_text(json.dumps({"chatcli": 1, "messages": messages}), encoding="utf-8")
    with thinking_with(engine) as session:
        do(session, f"import {tmp_path / 'odd.json'}")
        assert "still thinking" in str(opened(session).note)


def test_in_the_loop_the_thinking_is_kept_and_the_line_is_free_for_the_next_question() -> None:
    with Engine() as engine, terminal("-m", "demo-thinking", "--num-predict", "30", url=engine.url) as person:
        engine.say(DemoReply("Two.", THOUGHT), "Three.")
        person.see("Send a message")
        person.enter("a prime?")
        text = person.see("Thought for", "num_predict (30 tokens)", "/set num_predict -1")
        assert "No reply came" not in text
        person.enter("/history")
        person.see("(only thinking)", "They ask for a prime.")
        person.enter("in a word")
        person.see("Three.")
        assert len(engine.chats[-1]["messages"]) == 3


def test_ctrl_c_while_the_model_thinks_keeps_the_thought() -> None:
    with Engine() as engine, terminal("-m", "demo-thinking", url=engine.url) as person:
        engine.say(DemoReply("Two.", THOUGHT), "Three.")
        engine.script(Hang(after=9))
        person.see("Send a message")
        person.enter("a prime?")
        person.see("They ask for")
        person.press("\x03")
        person.see("Stopped before its answer. /continue goes on from there.")
        person.enter("/continue")
        person.see("Three.")
        assert engine.chats[-1]["messages"][-1]["thinking"].startswith("They ask for")


def test_an_empty_reply_puts_the_message_back_into_the_line() -> None:
    with Engine() as engine, terminal("-m", "demo", url=engine.url) as person:
        engine.say("", "Three.")
        person.see("Send a message")
        person.enter("a prime, please?")
        text = person.see("before its first word")
        person.until(lambda: "a prime, please?" in person.text.split("before its first word")[1])
        person.press("\r")
        assert "Three." in person.see("Three.", text[:3])


def test_thinking_that_was_folded_opens_again(engine: Engine) -> None:
    with thinking_with(engine) as session:
        with pytest.raises(NotFound, match="has not thought"):
            do(session, "thinking")
        engine.say(DemoReply("Two.", "They ask for a prime."), DemoReply("Three.", "And for another one."), "Bye.")
        for question in ("a prime", "another", "bye"):
            say(session, question)
        assert drawn(do(session, "thinking")) == ["And for another one."]
        assert drawn(do(session, "thinking 2")) == ["They ask for a prime."]
        with pytest.raises(NotFound, match="Message 6 has no thinking"):
            do(session, "thinking 6")


@pytest.mark.parametrize("reason", ["unload", "load", "abort", "error"])
def test_a_reply_that_the_server_gives_up_is_kept_and_told(engine: Engine, reason: str) -> None:
    said_so_far = {"model": "demo", "message": {"role": "assistant", "content": "Once upon"}, "done": False}
    last = {**said_so_far, "message": {"role": "assistant", "content": ""}, "done": True, "done_reason": reason}
    engine.script(Lines([said_so_far, last]), Lines([said_so_far, last]))
    with thinking_with(engine, model="demo") as session:
        with pytest.raises(StreamBroken, match=f'The server ended the reply early: its reason is "{reason}"'):
            said(session, "a story?")
        node = session.conversation.last
        assert node is not None
        assert (node.message.text, node.ended) == ("Once upon", Ended.BROKEN)
    done = chatcli("-m", "demo", "a story?", url=engine.url)
    assert (done.returncode, done.stdout) == (1, "Once upon\n")
    assert "goes on from there" in done.stderr


AGAIN = "I am sorry, but I cannot help with that. " * 150
OUT = "/retry asks again, /continue goes on from there; /set repeat_penalty 1.3 makes repetition less likely."


@pytest.mark.parametrize("reply", [DemoReply(AGAIN), DemoReply("Two.", AGAIN)], ids=["text", "thinking"])
def test_a_reply_stopped_for_repeating_itself_is_kept_and_says_so(engine: Engine, reply: DemoReply) -> None:
    with thinking_with(engine, loop_guard="stop") as session:
        engine.say(reply)
        engine.script(Hang(after=800))  # less than the reply has, more than it takes to see that it repeats itself
        node = said(session, "a prime?")
        assert node is not None
        assert engine.client_left()
        came = node.message.text + node.message.thinking
        assert AGAIN.startswith(came)
        assert 1000 < len(came) < 2000
        assert (node.ended, session.conversation.tip) == (Ended.STOPPED, node.id)
        where = "" if node.message.text else " before its answer"
        (note,) = after_reply(node, verbose=False)
        told = f"The reply was stopped{where}: it repeated itself (loop_guard). {OUT}"
        assert spelled(note.text, at_prompt) == told


def test_a_pipe_gets_the_whole_reply_unless_it_asks_for_a_guard(engine: Engine) -> None:
    engine.say(AGAIN, AGAIN, AGAIN)
    whole = chatcli("-m", "demo", "help me", url=engine.url)
    assert (whole.returncode, whole.stdout, whole.stderr) == (0, f"{AGAIN}\n", "")
    named = chatcli("-m", "demo", "--loop-guard", "notice", "help me", url=engine.url)
    assert (named.returncode, named.stdout) == (0, f"{AGAIN}\n")
    assert "(The reply repeats itself: Ctrl-C stops it.)" in named.stderr
    cut = chatcli("-m", "demo", "--loop-guard", "stop", "help me", url=engine.url)
    assert cut.returncode == 0
    assert len(cut.stdout) < 2000
    assert "it repeated itself (loop_guard). chatcli" in cut.stderr


def test_a_program_gets_the_whole_reply_unless_it_asks_for_a_guard(engine: Engine) -> None:
    engine.say(AGAIN, AGAIN, AGAIN)
    with Chat("demo", host=engine.url) as chat:
        assert chat.send("help me") == AGAIN
    with (
        Chat("demo", host=engine.url, loop_guard="notice") as chat,
        pytest.warns(UserWarning, match="The reply repeats itself"),
    ):
        assert chat.send("help me") == AGAIN
    with Chat("demo", host=engine.url, loop_guard="stop") as chat:
        reply = chat.send("help me")
        assert (reply.ended, reply.turn.done_reason) == (Ended.STOPPED, "loop")
        assert AGAIN.startswith(reply)


@pytest.mark.parametrize("plain", [(), ("--plain",)], ids=["", "plain"])
def test_a_terminal_says_that_a_reply_repeats_itself_while_it_does(plain: tuple[str, ...]) -> None:
    with Engine(pace=0.002) as engine, terminal("-m", "demo", *plain, url=engine.url) as person:
        engine.say(AGAIN * 10)
        person.see(">>>")
        person.enter("help me")
        person.see("The reply repeats itself: Ctrl-C stops it.")
        person.press("\x03")
        person.see("The reply repeats itself. /retry asks again", "repeat_penalty 1.3")
        assert engine.client_left()
        person.enter("/bye")
        assert person.ends() == 0
