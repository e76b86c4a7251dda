"""Kinds of inputs in the shell and from programs: subcommands, flags, pipes, proxies, the library, counts."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from typing import Any

from chatcli import Chat
from chatcli.commands import everything
from chatcli.errors import BadValue, UserError
from tests.bench.world import World, kind
from tests.faults import Cut, Hang, Lines, Status, error_line, nobody_there
from tests.raw_server import Script, whole
from tests.test_cli_oneshot import PNG

SLASH_COMMAND = re.compile(rf"(?<![\w./~])/({'|'.join(each.name for each in everything().commands)})\b")


@kind(
    4,
    ["-m", "demo", "models"],
    ["--num-ctx=4k", "models"],
    ["--temperature", "0", "models"],
    ["--plain", "models"],
    ["--theme", "dark", "--no-save", "ps"],
    ["-mdemo", "chats"],
    ["--think", "models"],
)
def a_subcommand_after_flags_is_one(world: World, arguments: list[str]) -> None:
    done = world.pipe(*arguments)
    assert done.sound().code in {0, 2}, done.said
    assert world.asked == []


@kind(
    4,
    ["chast", "list"],
    ["modles"],
    ["docter"],
    ["pul", "demo"],
    ["chat", "list"],
    ["-m", "demo", "chats", "delete", "foo"],
    ["chats", "lsit"],
    ["help"],
    ["HELP"],
    ["models", "list"],
)
def a_mistyped_subcommand_is_not_a_prompt(world: World, arguments: list[str]) -> None:
    assert world.pipe(*arguments).sound().said
    assert world.asked == []


@kind(
    4,
    ["models are what"],
    ["--", "models"],
    ["--", "chast", "list"],
    ["what", "are", "chats"],
    ["help me with sed"],
)
def a_prompt_that_looks_like_a_subcommand_is_sent(world: World, arguments: list[str]) -> None:
    world.pipe(*arguments).ended(0)
    assert world.asked == [" ".join(each for each in arguments if each != "--")]


@kind(
    12,
    (["--think", "what is rain"], {"think": True}),
    (["--think", "high", "what is rain"], {"think": "high"}),
    (["--think=low", "what is rain"], {"think": "low"}),
    (["--no-think", "what is rain"], {"think": False}),
    (["--verbose", "what is rain"], {}),
    (["--recall", "what is rain"], {}),
    (["--plain", "what is rain"], {}),
    (["--no-save", "what is rain"], {}),
    (["--shift", "what is rain"], {}),
    (["--think", "--verbose", "what is rain"], {"think": True}),
    (["what is rain", "--think"], {"think": True}),
    (["--continue", "what is rain"], {}),
    model="demo-thinking",
)
def a_bare_flag_leaves_the_prompt_alone(world: World, arguments: list[str], sent: dict[str, Any]) -> None:
    done = world.pipe(*arguments)
    if "--continue" in arguments and done.code:
        world.pipe("one").ended(0)
        done = world.pipe(*arguments)
    done.ended(0)
    assert world.asked[-1] == "what is rain"
    assert sent.items() <= world.engine.chats[-1].items()


THOUGHT = {"message": {"content": "", "thinking": "Let me think of whales"}, "done": False}


def _ends(reason: str) -> dict[str, Any]:
    return {
        "message": {"content": ""},
        "done": True,
        "done_reason": reason,
        "eval_count": 30,
        "prompt_eval_count": 20,
    }


@kind(
    13,
    ("length", ["--num-predict", "30"], "num_predict|num-predict"),
    ("length", [], "window|num_ctx|num-ctx|limit"),
    ("stop", [], "thinking|thought"),
    ("load", [], "thinking|thought"),
    model="demo-thinking",
)
def a_reply_of_thinking_only_is_kept_and_explained(
    world: World, reason: str, flags: list[str], words: str
) -> None:
    ending = [THOUGHT, _ends(reason)]
    world.engine.script(Lines(ending), Lines(ending), Lines(ending))
    assert re.search(words, world.pipe(*flags, "what is a whale").ended(1).err)
    found = world.pipe(*flags, "--json", "what is a whale").ended(1).object
    assert "whales" in found["thinking"]
    assert found["error"]
    assert found["done_reason"] == reason
    with world.terminal(*flags) as person:
        person.ready().enter("what is a whale")
        person.until(lambda: re.search(words, person.text.rpartition("what is a whale")[2]) is not None)
        person.see("Send a message")
    assert len(world.anything_of("Let me think of whales")) > 0


@kind(13, "tool", "empty", "blank")
def a_reply_without_text_says_why(world: World, what: str) -> None:
    call = {"function": {"name": "search", "arguments": {"q": "whale"}}}
    message = {"content": "  \n" if what == "blank" else "", **({"tool_calls": [call]} if what == "tool" else {})}
    world.engine.script(*[Lines([{"message": message, "done": False}, _ends("stop")])] * 2)
    assert world.pipe("what is a whale").ended(1).err
    assert world.pipe("--json", "what is a whale").ended(1).object["error"]


@kind(
    18,
    ["say pong"],
    ["--json", "say pong"],
    ["--file", "-", "say pong"],
    ["-i", "-", "say pong"],
    ["--system", "@-", "say pong"],
    ["tokens"],
    ["chats", "import", "-"],
    ["--format", "-", "say pong"],
)
def a_silent_pipe_is_explained(world: World, arguments: list[str]) -> None:
    theirs, ours = os.pipe()
    shown, show = os.pipe()
    program = world.begin(arguments, [theirs, show, show])
    os.close(theirs)
    os.close(show)
    with os.fdopen(shown) as output:
        assert "aiting" in output.readline()
        os.kill(program.pid, signal.SIGINT)
        assert program.wait() == 130
    os.close(ours)


GIF = bytes.fromhex("47494638396101000100800000ffffff00000021f90401000000002c00000000010001000002024401003b")
JPEG = bytes.fromhex("ffd8ffe000104a46494600010100000100010000ffdb004300") + b"\x01" * 64 + b"\xff\xd9"


@kind(
    19,
    png=(PNG, []),
    gif=(GIF, []),
    jpeg=(JPEG, []),
    dash=(PNG, ["--file", "-"]),
    i=(PNG, ["-i", "-"]),
    model="demo-vision",
)
def a_picture_through_a_pipe_is_a_picture(world: World, data: bytes, flags: list[str]) -> None:
    world.pipe(*flags, "describe", given=data).ended(0)
    assert world.pictures == 1
    assert world.asked == ["describe"]


@kind(
    19,
    png=PNG,
    elf=b"\x7fELF\x02\x01\x01" + bytes(90),
    gzip=b"\x1f\x8b\x08\x00" + bytes(range(256)),
    zip=b"PK\x03\x04" + bytes(60),
    sqlite=b"SQLite format 3\x00" + bytes(99),
    nul=b"one.txt\x00two.txt\x00" * 9,
    random=os.urandom(3000),
    mp3=b"ID3\x04" + os.urandom(500),
)
def other_binary_is_refused(world: World, data: bytes) -> None:
    world.file("it.bin", data)
    assert world.pipe("describe", given=data).ended(1, 2).err
    assert world.pipe("--file", "it.bin", "describe").ended(1, 2).err
    assert world.asked == []


WORDS = "Größe: 漢字, Ωμέγα"


@kind(20, "utf-16", "utf-16-le", "utf-16-be", "utf-8-sig", "utf-32", "utf-32-be")
def bytes_are_read_in_their_encoding_everywhere(world: World, encoding: str) -> None:
    written = WORDS.encode(encoding)
    world.file("words.txt", written)
    world.file("schema.json", json.dumps({"type": "object", "title": WORDS}, ensure_ascii=False).encode(encoding))
    world.file(
        "chat.json",
        json.dumps({"messages": [{"role": "user", "content": WORDS}]}, ensure_ascii=False).encode(encoding),
    )
    world.pipe("what?", given=written).ended(0)
    assert WORDS in world.asked[-1]
    world.pipe("--system", "@words.txt", "what?").ended(0)
    assert world.engine.chats[-1]["messages"][0]["content"] == WORDS
    world.pipe("--format", "schema.json", "what?").ended(0)
    assert world.engine.chats[-1]["format"]["title"] == WORDS
    world.pipe("chats", "import", "chat.json").ended(0)
    assert WORDS in world.pipe("--resume", WORDS, "--json", "and?").said or WORDS in world.pipe("chats").out
    world.file("../home/config.toml", f'system = "{WORDS}"\n'.encode(encoding))
    world.pipe("what?").ended(0)
    assert world.engine.chats[-1]["messages"][0]["content"] == WORDS


@kind(21, "localhost,fd00::/8", "localhost, .local,fd00::1", "[fd00::1]:11434", "fd00::/8;", "a,*", "FD00:0::1")
def no_proxy_names_networks_and_addresses(world: World, text: str) -> None:
    with Script(whole(b'{"models":[]}')) as proxy:
        for host, direct in (("http://192.0.2.2:11434", "*" in text), ("http://[fd00::1]:11434", True)):
            variables: dict[str, Any] = {"NO_PROXY": text, "http_proxy": proxy.url}
            if direct and "192" in host:
                continue
            done = world.pipe("models", "--host", host, **variables)
            assert "Invalid port" not in done.err
            if not direct:
                done.ended(0)
            assert (len(proxy.heads) == 0) is (direct and not proxy.heads)
        if text.endswith(";"):
            assert "fd00::/8;" in done.err or not proxy.heads


@kind(21, "10.*", "300.1.1.1", "fd00::/999", "box:many", "[::1")
def what_no_proxy_cannot_read_is_named(world: World, entry: str) -> None:
    done = world.pipe("doctor", NO_PROXY=f"localhost,{entry}", http_proxy="http://127.0.0.1:9")
    assert entry in done.said


@kind(22, "http_proxy", "all_proxy", "ALL_PROXY", "HTTP_PROXY")
def a_dead_proxy_is_named(world: World, variable: str) -> None:
    dead: dict[str, Any] = {variable: "http://me:s3cr3t@127.0.0.1:9"}
    for arguments in (["models"], ["hi"], ["doctor"], ["see @http://192.0.2.9/page"]):
        host = [] if "@" in arguments[0] else ["--host", "http://192.0.2.2:11434"]
        done = world.pipe(*arguments, *host, **dead)
        assert "127.0.0.1:9" in done.said
        assert variable.lower() in done.said.lower()
        assert "s3cr3t" not in done.said


@kind(
    23,
    {"num_predict": 40},
    {"temperature": 0.5},
    {"temperature": 1},
    {"stop": ["a b", "c"]},
    {"stop": "a b"},
    {"num_ctx": 8192},
    {"num_ctx": "8k"},
    {"think": True},
    {"think": "high"},
    {"recall_share": 0.3},
    {"format": {"type": "object"}},
    {"keep_alive": 300},
    {"use_mmap": False},
    {"seed": 0},
    {"system": ""},
)
def settings_are_values_of_python(world: World, settings: dict[str, Any]) -> None:
    model = "demo-thinking" if "think" in settings else "demo"
    with Chat(model, host=world.engine.url, **settings) as chat:
        chat.send("hi")
    sent = {**world.engine.chats[-1], **world.engine.chats[-1]["options"]}
    for name in sent.keys() & settings.keys():
        wanted = 8192 if settings[name] == "8k" else settings[name]
        assert sent[name] in (wanted, [wanted])


@kind(
    23,
    {"num_predict": "many"},
    {"num_predict": 1.5},
    {"num_predict": True},
    {"temperature": "warm"},
    {"temperature": float("nan")},
    {"stop": [1]},
    {"think": 7},
    {"num_ctx": -1},
    {"format": 3},
    {"strategy": None},
    {"nosuch": 1},
    {"seed": [1]},
)
def a_wrong_value_is_refused(world: World, settings: dict[str, Any]) -> None:
    try:
        with Chat("demo", host=world.engine.url, **settings) as chat:
            chat.send("hi")
    except (BadValue, UserError, TypeError):
        return
    assert settings == {"strategy": None}, world.engine.chats[-1]["options"]


@kind(
    24,
    "see @http://me:s3cr3t@{address}/x",
    'see @"http://me:s3cr3t@{address}/x y"',
    "@http://me:s3cr3t@{address}/x.",
)
def a_program_sends_no_password(world: World, text: str) -> None:
    plain = whole(b"The whale sings.", "200 OK", "Content-Type: text/plain")
    with Script(plain) as page, Chat("demo", host=world.engine.url) as chat:
        chat.send(text.format(address=page.address))
        assert "s3cr3t" not in str(chat.messages)
    assert "s3cr3t" not in str(world.engine.chats)
    assert "The whale sings." in world.asked[0]


@kind(
    25,
    ["-m", "nosuch", "hi"],
    ["--resume", "@999", "hi"],
    ["--resume", "nosuch", "hi"],
    ["--format", "/nope", "hi"],
    ["--num-ctx", "x", "hi"],
    ["--num-ctx", "20", "a long question " * 20],
    ["--image", "nosuch.png", "hi"],
    ["--think", "hi"],
    ["-m", "demo-embed", "hi"],
    ["chats", "delete", "nosuch"],
    ["chats", "export", "nosuch"],
    ["chats", "import", "nosuch.json"],
    ["--host", "http://127.0.0.1:9", "hi"],
    ["-i", "cat.png", "hi"],
    ["--strategy", "nosuch", "hi"],
    ["--nosuch", "hi"],
    ["pull", "nosuch"],
    ["--continue", "hi"],
    ["--file", "nosuch.md", "hi"],
)
def hints_can_be_typed_in_the_shell(world: World, arguments: list[str]) -> None:
    world.file("cat.png", PNG)
    done = world.pipe(*arguments).sound()
    assert not SLASH_COMMAND.search(done.err), done.err
    assert done.err or done.code == 0
    assert " or ollama" not in done.err


@kind(
    26,
    ["-m", "nosuch", "hi"],
    ["--format", "/nope", "hi"],
    ["--nosuchflag", "hi"],
    ["--host", "http://127.0.0.1:9", "hi"],
    ["--file", "nosuch.md", "hi"],
    ["@./nosuch", "hi"],
    ["--num-ctx", "20", "a long question " * 20],
    ["--num-ctx", "x", "hi"],
    ["--resume", "@999", "hi"],
    [],
    ["-m", "demo", "chast"],
    ["--think=loud", "hi"],
    ["--encoding", "nosuch", "hi"],
)
def an_error_is_an_object(world: World, arguments: list[str]) -> None:
    done = world.pipe("--json", *arguments)
    found = done.sound().object
    assert {"error", "kind", "hint", "exit_code"} <= found.keys()
    assert (found["exit_code"], bool(found["error"])) == (done.code, True)


@kind(
    26,
    cut=Cut(),
    error=error_line(),
    status=Status(500, "no"),
    html=Status(200, "<html>", True),
    lines=Lines(["[1]"]),
)
def an_error_of_the_server_is_an_object(world: World, fault: Any) -> None:
    world.engine.script(fault)
    done = world.pipe("--json", "hi")
    assert done.sound().object["exit_code"] == done.code != 0


LOOP = "The whale sings in the sea. "


@kind(28, "- whale whale whale " + "whale " * 300, "- x\n" * 200, LOOP * 60)
def a_summary_that_loops_is_refused(world: World, summary: str) -> None:
    with world.terminal("--num-ctx", "2k") as person:
        person.ready()
        for at in range(4):
            world.engine.say(f"reply {at} of many words about rain and snow and how they fall. end{at}")
            person.say(f"question {at}", f"end{at}")
        world.engine.say(summary)
        person.tells("/compact", "repeat|again and again|over and over|loop|same")
        assert "whale" not in person.say("/summary").rpartition("/summary")[2]


@kind(28, 1, 2, 3)
def compact_summarizes_what_is_out(world: World, exchanges: int) -> None:
    with world.terminal("--num-ctx", "1k") as person:
        person.ready()
        for at in range(exchanges):
            world.engine.say("rain and snow in the hills " * 40 + f"end{at}")
            person.say(f"question {at} of many words " + "about rain " * 50, f"end{at}")
        person.settle()
        told = person.tells("/compact", r"ummar").partition("Send a message")[0]
        assert exchanges < 2 or "nothing to" not in told.lower(), told


@kind(29, LOOP * 400, "x" * 6000, "- item\n" * 700, "ha " * 3000, "One. Two. " * 500)
def endless_sameness_is_named(world: World, reply: str) -> None:
    with world.terminal("--num-ctx", "32k", rows=40) as person:
        world.engine.say(reply)
        person.ready().enter("go")
        person.until(lambda: re.search(r"repeat|Ctrl-C", person.text.rpartition("go\n")[2]) is not None)
    world.engine.say(reply)
    assert world.pipe("--num-ctx", "32k", "go").ended(0).out.strip() == reply.strip()


@kind(
    29, "".join(f"Line {at} of the listing.\n" for at in range(400)), "| a | b |\n|---|---|\n" + "| 0 | 0 |\n" * 30
)
def what_differs_is_not_called_sameness(world: World, reply: str) -> None:
    with world.terminal("--num-ctx", "32k", rows=40) as person:
        world.engine.say(reply + "\nTHE END")
        text = person.ready().say("go", "THE END")
        assert "repeat" not in text


@kind(31, "nobody", "error", "missing", "interrupted", "file")
def a_question_that_failed_makes_no_conversation(world: World, how: str) -> None:
    if how == "nobody":
        with nobody_there() as url:
            world.pipe("hi", OLLAMA_HOST=url).ended(5)
    elif how == "error":
        world.engine.script(Status(400, "no"))
        world.pipe("hi").ended(1)
    elif how == "missing":
        world.pipe("-m", "nosuch", "hi").ended(4)
    elif how == "file":
        world.pipe("--file", "nosuch", "hi").ended(2)
    else:
        world.engine.script(Hang(after=0))
        with world.terminal() as person:
            person.ready().enter("hi")
            person.until(lambda: len(world.engine.chats) == 1)
            person.press("\x03")
            person.see(">>> hi")
    listed = world.pipe("chats").ended(0).said
    assert "0 messages" not in listed
    assert not re.search(r"\b0\b", listed), listed


@kind(32, "hi", "--json hi", "--continue hi")
def a_quota_costs_no_reply(world: World, line: str) -> None:
    world.pipe("first").ended(0)
    size = max(path.stat().st_size for path in world.home.iterdir())
    world.engine.say("rain " * 1000)
    limited = f"ulimit -f {max(1, size // 1024 - 20)}; exec {sys.executable} -m chatcli {line}"
    done = subprocess.run(
        ["bash", "-c", limited],
        env=world.variables(),
        cwd=world.here,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("rain") == 1000
    assert "disk I/O" not in done.stderr
    assert done.stderr


@kind(36, "demo-vision", "demo", "demo-thinking")
def counts_begin_where_they_were_measured(world: World, model: str) -> None:
    """The engine counts a token more than the vocabulary says for each of these texts."""
    from dataclasses import replace

    shelf = world.engine.inside.shelf
    shelf.put(replace(shelf.find(model), odd="zebra"))
    off = []
    for at in range(5):
        done = world.pipe("-m", model, "--json", *(["--continue"] if at else []), f"tell of the zebra {at}").ended(
            0
        )
        off.append(done.object["planned_tokens"] - done.object["prompt_eval_count"])
    assert all(abs(each) <= 2 + at for at, each in enumerate(off[1:])), off


DEEP = "[" * 200_000


@kind(37, json=DEEP, objects='{"a":' * 100_000, closed=DEEP + "]" * 200_000, number='{"a": ' + "9" * 6001 + "}")
def depth_is_refused_everywhere(world: World, text: str) -> None:
    world.file("deep.json", text)
    world.file("deep.ipynb", '{"nbformat": 4, "cells": ' + text)
    world.pipe("--format", "deep.json", "hi").ended(2)
    world.pipe("chats", "import", "deep.json").ended(2)
    world.pipe("--file", "deep.ipynb", "hi").sound()
    world.pipe("--file", "deep.json", "--num-ctx", "32k", "hi").sound()
    world.engine.script(Lines([text]))
    world.pipe("hi").ended(1)
    world.file("../home/config.toml", "a = " + text)
    world.pipe("hi").ended(1, 2)


@kind(38, "fifo", "/dev/zero", "/dev/tty", "/dev/random", "folder", "socket")
def what_is_no_file_is_named_for_what_it_is(world: World, what: str) -> None:
    import socket

    if what == "fifo":
        os.mkfifo(world.here / "fifo")
    elif what == "folder":
        (world.here / "folder").mkdir()
    elif what == "socket":
        socket.socket(socket.AF_UNIX).bind(str(world.here / "socket"))
    for flags in (["--file", what], ["--image", what], ["--system", f"@{what}"], ["--format", what], []):
        begun = time.monotonic()
        done = world.pipe(
            *flags, f"see @./{what}" if not flags and what[0] != "/" else f"see @{what}" if not flags else "hi"
        )
        assert time.monotonic() - begun < 20
        assert done.ended(1, 2).err, flags
    assert world.asked == []
