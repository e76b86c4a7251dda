"""Nothing that is named is passed over in silence: in the terminal, in a pipe, by flag, by a Python program."""

from __future__ import annotations

import os
import signal
import warnings
from pathlib import Path

import pytest

from chatcli import Chat
from chatcli.attachments.mentions import DOCUMENT_ENDINGS
from chatcli.commands.share import EXPORTS
from chatcli.errors import BadArgument, BadFile
from chatcli.session.session import Session
from chatcli.turn import ask
from tests.commanding import do
from tests.faults import Engine
from tests.starting import start
from tests.test_cli_oneshot import PNG, chatcli

if os.name != "posix":
    pytest.skip("a pty and named pipes are POSIX's", allow_module_level=True)

from tests.test_terminal import terminal


@pytest.mark.parametrize("text", ["what says @report2.pdf", "see @./src and tell", "what is in nosuch.png"])
def test_in_the_loop_the_first_enter_names_what_is_not_there_and_the_second_sends_it(text: str) -> None:
    with Engine() as engine, terminal("-m", "demo", url=engine.url) as person:
        person.see("Send a message")
        person.enter(text)
        person.see("There is no file", "press Enter again", f">>> {text}")
        assert engine.chats == []
        engine.say("I cannot see it.")
        person.press("\r")
        person.see("Sent as words.", "I cannot see it.")
        assert engine.chats[0]["messages"][-1]["content"] == text


def test_in_the_loop_words_are_sent_at_once() -> None:
    text = "ask @someone about @types/node, and save it as plot.png"
    with Engine() as engine, terminal("-m", "demo", url=engine.url) as person:
        person.see("Send a message")
        engine.say("Well.")
        person.enter(text)
        person.see("There is no file someone.", "Sent as words.", "Well.")
        assert engine.chats[0]["messages"][-1]["content"] == text


@pytest.mark.parametrize("named", ["@./no.txt", "@../no", "@/no", "@~/no", "@src/", '@"no"', "./no.png", r"@n\ o"])
def test_a_pipe_refuses_a_path_that_leads_nowhere(named: str, tmp_path: Path) -> None:
    with Engine() as engine:
        done = chatcli("-m", "demo", f"what says {named}", url=engine.url, cwd=tmp_path)
        assert done.returncode == 2
        assert "There is no file" in done.stderr
        assert engine.chats == []


@pytest.mark.parametrize("named", ["@report2.pdf", "@src/no.py", "no.png", "@someone", "@types/node"])
def test_a_pipe_says_what_it_sends_as_words(named: str, tmp_path: Path) -> None:
    with Engine() as engine:
        done = chatcli("-m", "demo", f"what says {named}", url=engine.url, cwd=tmp_path)
        assert done.returncode == 0
        assert done.stderr == f"There is no file {named.lstrip('@')}. Sent as words.\n"
        assert engine.chats[0]["messages"][-1]["content"] == f"what says {named}"


def test_a_program_is_warned_of_words_and_refused_a_path(engine: Engine) -> None:
    with Chat("demo", host=engine.url) as chat:
        with pytest.warns(UserWarning, match=r"no file report2\.pdf"):
            chat.send("what says @report2.pdf")
        with pytest.raises(BadFile, match=r"\./report2\.pdf"):
            chat.send("what says @./report2.pdf")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            chat.send("what says @./report2.pdf", mentions=False)


@pytest.mark.parametrize("flag", ["--file", "--image"])
def test_a_flag_without_a_prompt_opens_a_conversation_with_the_file(flag: str, tmp_path: Path) -> None:
    file = tmp_path / ("notes.md" if flag == "--file" else "dot.png")
    file.write_bytes(b"The cat sleeps." if flag == "--file" else PNG)
    with Engine() as engine, terminal("-m", "demo-vision", flag, str(file), url=engine.url) as person:
        person.see("With the next message", "1 file attached" if flag == "--file" else "1 picture attached")
        assert engine.chats == []
        person.enter("and?")
        person.until(lambda: len(engine.chats) == 1)
        sent = engine.chats[0]["messages"][-1]
        assert sent["content"].endswith("and?")
        assert "The cat sleeps." in sent["content"] if flag == "--file" else len(sent["images"]) == 1


def test_a_flag_that_names_no_file_ends_before_there_is_a_prompt() -> None:
    with Engine() as engine, terminal("-m", "demo", "--file", "nosuch.md", url=engine.url) as person:
        person.see("There is no file nosuch.md")
        assert person.ends() == 2


@pytest.mark.parametrize("arguments", [["say pong"], ["--file", "/dev/stdin", "say pong"]])
@pytest.mark.parametrize("came", [b"", b"some"])
def test_a_pipe_that_does_not_end_is_explained_and_ctrl_c_ends_it(arguments: list[str], came: bytes) -> None:
    theirs, ours = os.pipe()
    shown, show = os.pipe()
    program = start(["-m", "demo", *arguments], dict(os.environ), [theirs, show, show])
    os.close(theirs)
    os.close(show)
    os.write(ours, came)
    with os.fdopen(shown) as output:
        assert output.readline().startswith("Waiting for ")
        os.kill(program.pid, signal.SIGINT)
        assert program.wait() == 130
    os.close(ours)


def test_a_named_pipe_by_flag_is_refused_for_what_it_is(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    done = chatcli("-m", "demo", "--file", "pipe", "say pong", cwd=tmp_path)
    assert (done.returncode, "it is a named pipe" in done.stderr) == (2, True)


def test_saving_with_an_unknown_ending_names_those_that_work(session: Session) -> None:
    ask(session, "hi")
    for name in ("./out", "~/out", *(f"out{ending}" for ending in DOCUMENT_ENDINGS - set(EXPORTS))):
        with pytest.raises(BadArgument) as caught:
            do(session, f"save {name}")
        assert all(ending in caught.value.hint for ending in EXPORTS)
    assert session.conversation.title == "hi"


@pytest.mark.parametrize("name", ["Python 3.12 notes", "v1.2", "node.js", "TCP/IP", "notes on x.y"])
def test_a_name_with_a_dot_stays_a_name(session: Session, name: str) -> None:
    ask(session, "hi")
    do(session, f"save {name}")
    assert session.conversation.title == name
