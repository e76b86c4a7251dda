"""Calls of tools as a person meets them: asked for at the terminal, drawn in two lines, refused in a pipe."""

from __future__ import annotations

import json
import os
import subprocess

import pytest

if os.name != "posix":
    pytest.skip("a pty is POSIX's", allow_module_level=True)

from tests.test_cli_oneshot import chatcli
from tests.test_terminal import terminal

SUM = "what is 12*(3+4) ?"
ASKS = ("--demo", "-m", "demo-tools", "--tools", "--tools-ask", "calculate")
KEYS = "y yes, once"


def test_a_call_is_asked_for_drawn_and_answered_and_what_was_typed_meanwhile_is_in_the_line() -> None:
    with terminal(*ASKS) as at:
        at.see(">>>")
        at.enter(SUM)
        at.press("yes")
        at.see("| 12*(3+4)", KEYS)
        at.settle()
        at.press("y")
        at.see("> calculate 12*(3+4)", "1 line, 2 characters", "begins: 84", ">>> yes")


def test_ctrl_c_stops_a_call_that_runs_and_what_is_typed_meanwhile_is_in_the_line() -> None:
    with terminal("--demo", "-m", "demo-tools", "--tools=run") as at:
        at.see(">>>")
        at.enter('call run {"command": "sleep 60"}')
        at.see("| sleep 60", KEYS)
        at.settle()
        at.press("y")
        at.see("> run sleep 60", "runs,")
        at.press("next")
        at.see(">>> next")
        at.press("\x03")
        at.see("  Stopped.", "/continue lets the model go on", ">>> next")


@pytest.mark.parametrize("plain", [False, True])
def test_who_ends_the_turn_is_told_how_to_go_on(plain: bool) -> None:
    with terminal(*ASKS, *(["--plain"] if plain else [])) as at:
        at.see(">>>")
        at.enter(SUM)
        at.see(KEYS)
        at.settle()
        at.press("q\r" if plain else "q")
        at.see("Not run: leave was refused.", "/continue lets the model go on")


def test_a_plain_terminal_asks_by_lines_and_takes_no_line_that_was_typed_before() -> None:
    with terminal(*ASKS, "--plain") as at:
        at.see(">>>")
        at.enter(SUM)
        at.see("The model wants to call")
        at.press("y\ry")
        at.see(KEYS)
        at.enter("n")
        at.see("Why not?")
        at.enter("too hot")
        at.see("The reason: too hot", "begins: Not run")
        at.until(lambda: [row for row in at.rows if row.startswith(">>> y")] == [">>> y"] * 2)  # sent, and typed


def piped(*arguments: str) -> subprocess.CompletedProcess[str]:
    return chatcli("--demo", "-m", "demo-tools", "--tools", *arguments, SUM)


def test_in_a_pipe_what_asks_is_refused_with_the_rule_that_allows_it_and_stdout_has_the_reply_only() -> None:
    done = piped("--tools-ask", "calculate")
    assert "--allow calculate" in done.stderr
    assert "Nobody can be asked here" in done.stdout
    assert "> calculate" not in done.stdout + done.stderr
    allowed = piped("--tools-ask", "calculate", "--allow", "calculate")
    assert "84" in allowed.stdout
    assert allowed.stderr == ""


def test_a_rule_that_names_no_tool_is_told_with_the_nearest() -> None:
    done = piped("--allow", "calcualte(1)")
    assert "The rule calcualte(1) names no tool. Did you mean calculate?" in done.stderr


def test_json_lists_the_calls_with_what_came_of_them() -> None:
    call = {"function": {"name": "calculate", "arguments": {"expression": "12*(3+4)"}}}
    whole = json.loads(piped("--json").stdout)
    assert [each | {"seconds": 0} for each in whole["tool_calls"]] == [
        {**call, "state": "complete", "characters": 2, "seconds": 0}
    ]
    lines = [json.loads(line) for line in piped("--jsonl", "--tools-deny", "calculate(*3*)").stdout.splitlines()]
    assert lines[0] == {"type": "tool_call", **call}
    assert lines[1]["type"] == "tool_result"
    assert lines[1]["state"] == "refused"
    assert lines[1]["text"] == "Not run: the rule calculate(*3*) denies it."
