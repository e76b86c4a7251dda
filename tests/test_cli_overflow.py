"""Input that is longer than the window: an error with what can be typed, or what --overflow asks for."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from typing import Any

import pytest

from chatcli.cli.overflow import ERROR, GROW, WAYS
from chatcli.settings import table
from tests.faults import Engine
from tests.test_cli_oneshot import chatcli

PARAGRAPHS = [f"Whale {number} is {number * 3} meters long.\nIts second line." for number in range(1, 121)]
LINES = "\n\n".join(PARAGRAPHS).split("\n")
INPUT = "\n".join(LINES) + "\n"
WINDOW = 1024
FLAGS = ("-m", "demo", "--num-ctx", str(WINDOW))


def overflow(way: str, engine: Engine, *more: str, stdin: str = INPUT) -> subprocess.CompletedProcess[str]:
    return chatcli(*FLAGS, "--overflow", way, *more, "how long?", url=engine.url, stdin=stdin)


def questions(engine: Engine) -> list[str]:
    """What was asked, without the requests that only render or load."""
    return [each["messages"][-1]["content"] for each in engine.chats]


def test_every_value_of_the_setting_has_its_way() -> None:
    assert {ERROR, *WAYS} == set(table.OVERFLOW.kind.words)


@pytest.mark.parametrize("way", WAYS)
def test_input_that_fits_is_sent_as_it_is(way: str) -> None:
    with Engine() as engine:
        engine.say("Seven.")
        done = overflow(way, engine, stdin="Whales.\n")
        assert (done.returncode, done.stderr) == (0, "")
        assert questions(engine) == ["Whales.\n\nhow long?"]


def test_an_error_names_the_sizes_and_what_can_be_typed() -> None:
    with Engine() as engine:
        done = overflow(ERROR, engine)
        assert done.returncode == 3
        assert re.search(r"this message \d+ tokens; there is room for \d+", done.stderr)
        for way in ("chunk", "head", "grow"):
            assert f"--overflow {way}" in done.stderr
        assert not questions(engine)


def test_head_sends_the_lines_that_fit_and_says_what_is_left_out() -> None:
    with Engine() as engine:
        done = overflow("head", engine, "--json")
        told = json.loads(done.stdout)
        (asked,) = questions(engine)
        sent = asked.removesuffix("\n\nhow long?").split("\n")
        assert LINES[: len(sent)] == sent
        assert 0 < len(sent) < len(LINES)
        assert f"the first {len(sent)} of {len(LINES)} lines are sent" in done.stderr
        assert told["planned_tokens"] == told["prompt_eval_count"] <= WINDOW - 256  # the reserve stays free


def test_the_cut_is_as_late_as_exact_counts_allow() -> None:
    with Engine() as engine:
        told = json.loads(overflow("head", engine, "--json").stdout)
        next_line = 30  # tokens at most
        assert WINDOW - 256 - told["prompt_eval_count"] < next_line


def test_tail_sends_the_last_lines() -> None:
    with Engine() as engine:
        done = overflow("tail", engine)
        (asked,) = questions(engine)
        sent = asked.removesuffix("\n\nhow long?").split("\n")
        assert "\n".join(LINES[-len(sent) :]).strip("\n") == "\n".join(sent)
        assert "the last" in done.stderr
        assert done.returncode == 0


def test_a_line_that_is_too_long_is_cut_between_words() -> None:
    with Engine() as engine:
        overflow("head", engine, stdin="whales are large " * 2000)
        (asked,) = questions(engine)
        assert re.fullmatch(r"(whales are large )+(whales )?(are )?\n\nhow long\?", asked)


def test_grow_takes_a_window_that_is_large_enough() -> None:
    with Engine() as engine:
        done = overflow("grow", engine)
        assert done.returncode == 0
        assert "The window is 4096 tokens now" in done.stderr
        assert engine.chats[-1]["options"]["num_ctx"] == 4096
        assert questions(engine) == [f"{INPUT.strip()}\n\nhow long?"]


def test_grow_fails_where_the_model_was_trained_for_less() -> None:
    with Engine() as engine:
        for way in (GROW, ERROR):  # what is advised can be done
            done = overflow(way, engine, stdin=INPUT * 40)
            assert done.returncode == 3
            assert "was trained for no more than" in done.stderr
            assert "--overflow chunk reads it in parts, --overflow head its beginning" in done.stderr
            assert "--overflow tail its end." in done.stderr
        assert not questions(engine)


def test_chunk_asks_about_each_part_and_makes_one_answer() -> None:
    with Engine() as engine:
        engine.say(*[f"Answer {number}." for number in range(1, 9)])
        done = overflow("chunk", engine)
        *parts, last = questions(engine)
        assert done.stdout == f"Answer {len(parts) + 1}.\n"
        assert done.returncode == 0
        assert f"Part 2 of {len(parts)}..." in done.stderr
        texts = []
        for number, part in enumerate(parts, start=1):
            text, place = part.split("\n\nThis is part ")
            assert place == f"{number} of {len(parts)} of a longer text.\n\nhow long?"
            texts.append(text)
        assert "\n\n".join(texts) == INPUT.strip()  # whole paragraphs, and nothing is missing
        for number in range(1, len(parts) + 1):
            assert f"Answer from part {number}:\nAnswer {number}." in last
        assert last.endswith("how long?")
        assert all(len(each["messages"]) == 1 for each in engine.chats)  # no part sees another


def test_chunk_joins_in_rounds_when_the_answers_do_not_fit_and_json_lists_the_parts() -> None:
    with Engine() as engine:
        engine.say(*[" ".join(["about"] * 400)] * 5, *["short"] * 4)  # each reply takes all that is free
        done = overflow("chunk", engine, "--json")
        told = json.loads(done.stdout)
        assert all(part["content"].startswith("about about") for part in told["parts"])
        assert all(part["prompt_eval_count"] == part["planned_tokens"] for part in told["parts"])
        assert told["content"] == "short"
        assert "do not fit into one request" in done.stderr
        assert len(questions(engine)) > len(told["parts"]) + 1


def test_answers_of_which_no_two_fit_are_an_error() -> None:
    with Engine() as engine:
        engine.say(*[" ".join(["about"] * 500)] * 20)
        done = overflow("chunk", engine, "--num-ctx", "512")
        assert (done.stdout, done.returncode) == ("", 3)
        assert "--num-predict" in done.stderr


def test_jsonl_has_a_line_for_each_part() -> None:
    with Engine() as engine:
        engine.say(*["Seven."] * 9)
        lines = [json.loads(line) for line in overflow("chunk", engine, "--jsonl").stdout.splitlines()]
        parts = [each for each in lines if each["type"] == "part"]
        assert [each["part"] for each in parts] == list(range(1, parts[0]["of"] + 1))
        assert lines[-1]["type"] == "done"


@pytest.mark.parametrize("answered", [0, 1, 4])
def test_ctrl_c_leaves_nothing_on_standard_output(answered: int) -> None:
    """Before the first part is answered, between parts, and while the one answer is made."""
    with Engine(pace=0.05) as engine:
        engine.say(*["Seven."] * answered, "word " * 400, "word " * 400)
        environment = {**os.environ, "OLLAMA_HOST": engine.url}
        command = [sys.executable, "-m", "chatcli", *FLAGS, "--overflow", "chunk", "how long?"]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with subprocess.Popen(command, env=environment, text=True, **pipes) as child:
            assert child.stdin is not None
            child.stdin.write(INPUT)
            child.stdin.close()
            while len(engine.chats) <= answered and child.poll() is None:
                time.sleep(0.02)
            child.send_signal(signal.SIGINT)
            assert child.stdout is not None
            assert child.stdout.read() == ""
        assert child.returncode == 130


def test_files_are_read_whole_in_parts_too(tmp_path: Any) -> None:
    (tmp_path / "a.txt").write_text(INPUT)
    with Engine() as engine:
        engine.say(*["Seven."] * 9)
        done = chatcli(*FLAGS, "--overflow", "chunk", "--file", "a.txt", "how long?", url=engine.url, cwd=tmp_path)
        assert done.returncode == 0
        text = "\n".join(questions(engine)[:-1])
        assert all(paragraph in text for paragraph in PARAGRAPHS)


def test_the_parts_are_branches_and_the_conversation_goes_on_from_the_one_answer() -> None:
    with Engine() as engine:
        engine.say(*["Seven."] * 9)
        overflow("chunk", engine)
        chatcli("--continue", "and now?", url=engine.url)
        said = [each["content"] for each in engine.chats[-1]["messages"]]
        assert said[0].startswith("Answer from part 1:")
        assert said[1:] == ["Seven.", "and now?"]
