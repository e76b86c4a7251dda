"""chatcli in a pipe: a real process, its standard streams, its exit code."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from chatcli.paths import find_paths, private_directory
from chatcli.text import UNWANTED
from tests.faults import Cut, Engine, Status, nobody_there, too_long
from tests.starting import run
from tests.test_layers import compiles_patterns

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360000002000100"
    "05fe02fea7569f0000000049454e44ae426082"
)


@pytest.fixture
def prepared() -> None:
    """Nothing is prepared here: it shows whether a single question has anything prepared."""


def chatcli(
    *arguments: str, url: str = "", stdin: str | bytes = "", cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    given = stdin.encode() if isinstance(stdin, str) else stdin
    environment = {**os.environ, "OLLAMA_HOST": url, "PYTHONPATH": str(Path(__file__).parent.parent)}
    done = run(arguments, environment, given, str(cwd or "."))
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def test_a_piped_prompt_is_answered_in_plain_text() -> None:
    with Engine() as engine:
        engine.say("# Title\n\nSome **bold** text.\n")
        done = chatcli("-m", "demo", url=engine.url, stdin="hi")
        assert done.stdout == "# Title\n\nSome **bold** text.\n"
        assert done.stderr == ""
        assert done.returncode == 0
        assert engine.chats[0]["messages"][-1]["content"] == "hi"


def test_standard_input_stands_before_the_prompt() -> None:
    with Engine() as engine:
        chatcli("-m", "demo", "write", "a commit message", url=engine.url, stdin="diff --git a b\n+x\n")
        assert engine.chats[0]["messages"][-1]["content"] == "diff --git a b\n+x\n\nwrite a commit message"


def test_a_file_and_standard_input_go_with_one_question(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("from the file")
    with Engine() as engine:
        done = chatcli(
            "-m", "demo", "--file", "a.txt", "which?", url=engine.url, stdin="from the pipe", cwd=tmp_path
        )
        assert done.returncode == 0
        asked = engine.chats[0]["messages"][-1]["content"]
        assert "from the file" in asked
        assert asked.endswith("from the pipe\n\nwhich?")


def test_json_prints_one_object() -> None:
    with Engine() as engine:
        engine.say("Seven.")
        done = chatcli("--json", "-m", "demo", "a prime", url=engine.url)
        account = json.loads(done.stdout)
        assert list(account) == [
            "model",
            "content",
            "thinking",
            "done_reason",
            "planned_tokens",
            "planned_exact",
            "prompt_eval_count",
            "eval_count",
            "total_duration",
            "load_duration",
            "prompt_eval_duration",
            "eval_duration",
            "left_out",
            "not_read",
            "conversation",
        ]
        assert account["content"] == "Seven."
        assert account["done_reason"] == "stop"
        assert account["left_out"] == 0
        assert account["total_duration"] > 0
        assert done.stdout.count("\n") == 1


def test_continue_goes_on_with_the_last_conversation_in_a_pipe_too() -> None:
    with Engine() as engine:
        first = json.loads(chatcli("--json", "-m", "demo", "one", url=engine.url).stdout)
        second = json.loads(chatcli("--json", "--continue", "two", url=engine.url).stdout)
        assert second["conversation"] == first["conversation"]
        assert [m["role"] for m in engine.chats[1]["messages"]] == ["user", "assistant", "user"]


def test_thinking_goes_to_standard_error_and_never_to_standard_output() -> None:
    with Engine() as engine:
        done = chatcli("-m", "demo-thinking", "--thinking", "show", "hi", url=engine.url)
        assert done.returncode == 0
        thinking = json.loads(chatcli("--json", "-m", "demo-thinking", "hi", url=engine.url).stdout)["thinking"]
        assert thinking
        assert thinking.strip()[:30] in done.stderr
        assert thinking.strip()[:30] not in done.stdout


def test_a_picture_may_go_with_a_prompt(tmp_path: Path) -> None:
    (tmp_path / "dot.png").write_bytes(PNG)
    with Engine() as engine:
        done = chatcli("-m", "demo-vision", "--image", "dot.png", "what is it?", url=engine.url, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert len(engine.chats[0]["messages"][-1]["images"]) == 1


def test_exit_codes_say_what_went_wrong() -> None:
    with Engine() as engine:
        assert chatcli("-m", "nope", "hi", url=engine.url).returncode == 4
        assert chatcli("-m", "demo", "--num-ctx", "512", url=engine.url, stdin="word " * 4000).returncode == 3
        assert chatcli("--num-ctx", "lots", "hi", url=engine.url).returncode == 2
        assert chatcli("--no-such-flag", url=engine.url).returncode == 2
        assert chatcli(url=engine.url).returncode == 2
        assert "chatcli --resume=NAME PROMPT" in chatcli("--resume", "3", "hi", url=engine.url).stderr
        engine.script(Cut(after=2))
        assert chatcli("-m", "demo", "hi", url=engine.url).returncode == 1
        engine.script(Status(500, "out of memory"))
        failed = chatcli("-m", "demo", "hi", url=engine.url)
        assert failed.returncode == 1
        assert "out of memory" in failed.stderr
    with nobody_there() as url:
        gone = chatcli("-m", "demo", "hi", url=url)
        assert gone.returncode == 5
        assert "ollama serve" in gone.stderr
        assert "chatcli --demo" in gone.stderr
        assert gone.stdout == ""


def test_json_says_all_and_commands_no_terminal() -> None:
    with Engine() as engine:
        engine.say("a\x9b31mb\u202ec\U000e0041d")
        done = chatcli("--json", "--model", "demo", "hi", url=engine.url)
    assert json.loads(done.stdout)["content"] == "a\x9b31mb\u202ec\U000e0041d"
    assert not UNWANTED.search(done.stdout)


def test_hints_name_flags_in_the_shell_and_slash_commands_at_the_prompt() -> None:
    with Engine() as engine:
        long = chatcli("x" * 4_000, "--model", "demo", "--num-ctx", "512", url=engine.url)
        engine.say("so and so on " * 30)
        ended = chatcli("hi", "--model", "demo", "--num-predict", "5", url=engine.url)
    assert "--num-ctx" in long.stderr
    assert "chatcli --continue goes on from there" in ended.stderr
    for text in (long.stderr, ended.stderr):
        assert not re.search(r"(?:^|\s)/[a-z]", text), text


def test_no_error_shows_a_traceback() -> None:
    with nobody_there() as url:
        for arguments in (
            ["hi"],
            ["-m", "x", "hi"],
            ["--host", "::::", "hi"],
            ["models"],
            ["--image", "/nope.png", "hi"],
        ):
            done = chatcli(*arguments, url=url)
            assert done.returncode != 0
            assert "Traceback" not in done.stderr
            assert done.stderr.strip()


def test_bytes_that_are_no_text_do_no_harm() -> None:
    with Engine() as engine:
        done = chatcli("-m", "demo", url=engine.url, stdin=b"caf\xe9 \xff\xfe")
        assert done.returncode == 0, done.stderr
        assert "caf" in engine.chats[0]["messages"][-1]["content"]


def test_subcommands_match_exactly_and_two_dashes_force_a_prompt() -> None:
    with Engine() as engine:
        listed = chatcli("models", url=engine.url)
        assert "demo-vision" in listed.stdout
        assert engine.chats == []
        chatcli("-m", "demo", "--", "models", url=engine.url)
        assert engine.chats[0]["messages"][-1]["content"] == "models"


def test_settings_of_the_shell_reach_the_request() -> None:
    with Engine() as engine:
        chatcli(
            "-m",
            "demo",
            "--temperature",
            "0",
            "--seed",
            "7",
            "--num-ctx",
            "2k",
            "-s",
            "Be kind.",
            "hi",
            url=engine.url,
        )
        body = engine.chats[0]
        assert body["options"] == {"temperature": 0.0, "seed": 7, "num_ctx": 2048}
        assert body["messages"][0]["content"] == "Be kind."


def test_no_save_keeps_nothing(home: Path) -> None:
    with Engine() as engine:
        assert chatcli("--no-save", "-m", "demo", "hi", url=engine.url).returncode == 0
        assert not list(home.rglob("*.db"))


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")
def test_what_is_kept_is_private(home: Path) -> None:
    with Engine() as engine:
        chatcli("-m", "demo", "hi", url=engine.url)
    for path in [home, *home.rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0, path


def test_the_demo_answers_without_any_ollama_and_says_what_it_is() -> None:
    done = chatcli("--demo", stdin="hi")
    assert done.returncode == 0, done.stderr
    assert "no language model" in done.stdout.lower()
    assert "\x1b" not in done.stdout


def test_both_ways_into_the_program_are_equal() -> None:
    with nobody_there() as url:
        bare, long = chatcli(url=url), chatcli("--no-plain", url=url)
        assert (bare.returncode, bare.stdout, bare.stderr) == (long.returncode, long.stdout, long.stderr)


def test_a_damaged_store_is_recovered_and_the_damaged_file_kept(home: Path) -> None:
    with Engine() as engine:
        chatcli("-m", "demo", "one", url=engine.url)
        store = home / "chatcli.db"
        content = bytearray(store.read_bytes())
        content[100:2100] = os.urandom(2000)
        store.write_bytes(bytes(content))
        done = chatcli("-m", "demo", "hi", url=engine.url)
        assert done.returncode == 0
        assert "damaged" in done.stderr
        assert list(home.glob("chatcli.damaged-*"))


def test_where_nothing_can_be_stored_it_still_answers_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("CHATCLI_HOME", str(tmp_path / "file" / "home"))
    with Engine() as engine:
        done = chatcli("-m", "demo", "hi", url=engine.url)
        assert done.returncode == 0, done.stderr
        assert done.stdout
        assert "kept in memory only" in done.stderr


@pytest.mark.parametrize("more", [(), ("--json",), ("--thinking", "hide")])
def test_each_pause_before_the_server_is_asked_again_is_told_on_stderr(more: tuple[str, ...]) -> None:
    with Engine() as engine:
        engine.say("Seven.")
        engine.script(Status(503, "server busy"))
        engine.script(Status(500, "out of luck"), path="/api/show")
        done = chatcli("-m", "demo", *more, "a prime", url=engine.url)
    assert done.returncode == 0
    assert "Seven." in done.stdout
    assert done.stderr.splitlines() == [
        "The server refused (500): out of luck. Asked again in 0.5 s (1 of 4).",
        "The server refused (503): server busy. Asked again in 0.5 s (1 of 4).",
    ]


def test_a_subcommand_tells_of_it_too_and_the_setting_says_how_often() -> None:
    with Engine() as engine:
        engine.script(Status(503, "server busy"), path="/api/tags")
        done = chatcli("models", url=engine.url)
        assert done.returncode == 0
        assert "demo-vision" in done.stdout
        assert "Asked again in 0.5 s (1 of 4)." in done.stderr
        engine.script(Status(503, "server busy"), Status(503, "server busy"))
        failed = chatcli("-m", "demo", "--retries", "1", "hi", url=engine.url)
        assert failed.returncode == 1
        assert failed.stderr.count("Asked again") == 1
        assert failed.stderr.count("server busy") == 2


CODE = "Here it is:\n\n```python\nprint(1)\n\n    x = 2\n```\n\nAnd more:\n\n```sh\nls\n```\n"


def test_x_prints_only_the_first_code_block() -> None:
    with Engine() as engine:
        engine.say(CODE, CODE)
        done = chatcli("-x", "-m", "demo", "code", url=engine.url)
        assert (done.stdout, done.stderr, done.returncode) == ("print(1)\n\n    x = 2\n", "", 0)
        told = json.loads(chatcli("-x", "--json", "-m", "demo", "code", url=engine.url).stdout)
        assert (told["code"], told["content"]) == ("print(1)\n\n    x = 2\n", CODE)


def test_x_without_a_code_block_fails_and_the_reply_is_on_standard_error() -> None:
    with Engine() as engine:
        engine.say(
            "No code.", "No code.", "```\na block that is cut off before it ends, of a dozen words or so\n```"
        )
        done = chatcli("-x", "-m", "demo", "code", url=engine.url)
        assert (done.stdout, done.returncode) == ("", 1)
        assert "No code.\n" in done.stderr
        assert "The reply has no code block." in done.stderr
        told = json.loads(chatcli("-x", "--json", "-m", "demo", "code", url=engine.url).stdout)
        assert (told["code"], told["kind"], told["exit_code"]) == (None, "NoCode", 1)
        done = chatcli("-x", "--num-predict", "6", "-m", "demo", "code", url=engine.url)
        assert (done.stdout, done.returncode) == ("", 1)
        assert "ends inside its first code block" in done.stderr


def lines(stdout: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stdout.splitlines()]


def test_jsonl_prints_each_event_and_then_what_json_has() -> None:
    with Engine() as engine:
        done = chatcli("--jsonl", "-m", "demo-thinking", "hi", url=engine.url)
        *events, last = lines(done.stdout)
        told = json.loads(chatcli("--json", "-m", "demo-thinking", "hi", url=engine.url).stdout)
        assert last.pop("type") == "done"
        assert list(last) == list(told)
        for kind, key in (("thinking", "thinking"), ("text", "content")):
            assert "".join(each["text"] for each in events if each["type"] == kind) == last[key]
        assert len(events) > 4
        assert done.returncode == 0


def test_jsonl_ends_with_the_error_and_what_came_before_it() -> None:
    with Engine() as engine:
        last = lines(chatcli("--jsonl", "-m", "nope", "hi", url=engine.url).stdout)[-1]
        assert (last["type"], last["kind"], last["exit_code"]) == ("error", "Missing", 4)
        engine.script(Cut(after=2))
        *events, last = lines(chatcli("--jsonl", "-m", "demo", "--retries", "0", "hi", url=engine.url).stdout)
        assert last["type"] == "error"
        assert last["content"] == "".join(each["text"] for each in events) != ""
        assert last["kind"] == "StreamBroken"


def test_jsonl_comes_while_the_reply_is_made() -> None:
    """The first line is there while the server still holds the rest back."""
    with Engine(pace=0.2) as engine:
        engine.say("word " * 200)
        environment = {**os.environ, "OLLAMA_HOST": engine.url}
        command = [sys.executable, "-m", "chatcli", "--jsonl", "-m", "demo", "hi"]
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as child:
            assert child.stdout is not None
            first = json.loads(child.stdout.readline())
            child.send_signal(signal.SIGINT)
            rest = child.stdout.read().decode().splitlines()
    assert first["type"] == "text"
    assert len(rest) < 100
    last = json.loads(rest[-1])
    assert (last["type"], last["kind"], last["exit_code"], child.returncode) == ("error", "Interrupted", 130, 130)


def test_json_and_jsonl_are_not_given_together() -> None:
    assert chatcli("--json", "--jsonl", "hi").returncode == 2


# What one short question needs nothing of, wherever it is imported.
NOT_FOR_A_QUESTION = {
    *("chatcli.commands.registry", "chatcli.commands.perform", "chatcli.commands.chats", "chatcli.cli.subcommand"),
    *(
        "chatcli.prompt.reader",
        "prompt_toolkit",
        "chatcli.context.summary",
        "chatcli.context.query",
        "chatcli.store.recall_search",
    ),
    *("chatcli.store.import_chat", "chatcli.tokens.prepare", "tiktoken", "chatcli.client.fetch", "tomllib"),
    "chatcli.render.progress",
}


def test_a_short_question_imports_only_what_it_needs() -> None:
    with Engine() as engine:
        engine.say("Hello.")
        done = subprocess.run(
            [sys.executable, "-X", "importtime", "-m", "chatcli", "-m", "demo", "hi"],
            env={**os.environ, "OLLAMA_HOST": engine.url, "PYTHONPATH": str(Path(__file__).parent.parent)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
        )
    assert done.stdout == "Hello.\n"
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "chatcli.cli.oneshot" in imported
    assert not imported & NOT_FOR_A_QUESTION, "import them where they are needed"
    assert not set(filter(compiles_patterns, imported)), "chatcli.pattern compiles them when they are used"


# Runs chatcli; then Python tells of each look for garbage at its end how many objects it looks through.
TOLD_AT_THE_END = """
import atexit, gc, sys
atexit.register(gc.set_debug, gc.DEBUG_STATS)
sys.argv = ["chatcli", "--version"]
from chatcli.__main__ import main
main()
"""


def test_the_end_looks_for_no_garbage_among_what_the_program_has_made() -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    done = subprocess.run(
        [sys.executable, "-c", TOLD_AT_THE_END], env=environment, capture_output=True, text=True, check=True
    )
    looks = re.findall(
        r"objects in each generation: ([\d ]+)\n.*objects in permanent generation: (\d+)", done.stderr
    )
    assert looks
    for each, kept in looks:
        assert sum(map(int, each.split())) < int(kept) / 5, done.stderr


def asked_for_counts(engine: Engine) -> bool:
    shown = any(each.path == "/api/show" and each.body.get("verbose") for each in engine.requests)
    return shown or any(each.body.get("_debug_render_only") for each in engine.requests)


def test_what_has_fewer_bytes_than_the_window_tokens_is_sent_uncounted() -> None:
    with Engine() as engine:
        engine.say("Hello.")
        assert chatcli("-m", "demo", "hi", url=engine.url).stdout == "Hello.\n"
        assert not asked_for_counts(engine)
        assert len(engine.chats) == 1


@pytest.mark.parametrize(
    "arguments",
    [["--json"], ["--verbose"], ["--overflow", "head"], ["x" * 4000], ["--num-ctx", "512", "x" * 400]],
    ids=lambda each: each[0][:9],
)
def test_what_is_told_or_may_not_fit_is_counted(arguments: list[str]) -> None:
    with Engine() as engine:
        assert chatcli("-m", "demo", *arguments, "hi", url=engine.url).returncode == 0
        assert asked_for_counts(engine)


def test_the_bytes_of_the_facts_count_beside_those_of_the_system_prompt() -> None:
    private_directory(find_paths().data)
    find_paths().facts.write_text("".join(f"{number} {'is known ' * 50}\n" for number in range(4)))
    with Engine() as engine:
        assert chatcli("-m", "demo", "hi", url=engine.url).returncode == 0
        assert not asked_for_counts(engine)
        assert chatcli("-m", "demo", "--system", "Be brief. " * 250, "hi", url=engine.url).returncode == 0
        assert asked_for_counts(engine)


def test_an_uncounted_question_that_the_server_refuses_is_counted_and_asked_again() -> None:
    with Engine() as engine:
        engine.script(too_long())
        engine.say("Hello.")
        assert chatcli("-m", "demo", "hi", url=engine.url).stdout == "Hello.\n"
        assert asked_for_counts(engine)
        assert len(engine.chats) == 2


def test_a_conversation_that_began_uncounted_goes_on_with_exact_counts() -> None:
    with Engine() as engine:
        chatcli("-m", "demo", "hi", url=engine.url)
        told = json.loads(chatcli("--continue", "--json", "again", url=engine.url).stdout)
        assert told["planned_exact"]
        assert told["planned_tokens"] == told["prompt_eval_count"]
