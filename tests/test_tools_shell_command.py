"""run: a command in the folder, with an end to its time, its output and its children."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from chatcli.tools import shell_command
from chatcli.tools.schema import text_of
from chatcli.tools.shell_command import run
from chatcli.tools.table import chosen
from chatcli.tools.tool import Reach, Scope, ToolFailure, Workplace

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the commands are those of a POSIX shell")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workplace:
    monkeypatch.setenv("SHELL", "/bin/sh")
    monkeypatch.setattr(shell_command, "GRACE", 0.1)
    return Workplace(tmp_path.resolve())


def ran(command: str, workplace: Workplace) -> str:
    return text_of(run.tool.run({"command": command}, workplace))


def is_gone(number: int) -> bool:
    """Whether that process has ended; one that nobody has waited for yet has."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(") ")[2][0] == "Z"
    except OSError:
        return True


def test_the_output_of_both_streams_comes_with_the_status(here: Workplace) -> None:
    assert ran("pwd; echo err >&2; exit 3", here) == f"{here.folder}\nerr\n[Exit status 3.]"
    assert ran("true", here) == "[Exit status 0.]"


def test_there_is_no_input_and_no_terminal(here: Workplace) -> None:
    assert ran("cat; tty", here).startswith("not a tty\n")
    assert "cannot" in ran("echo x > /dev/tty || echo cannot", here)


def test_a_large_output_keeps_its_beginning_and_its_end(here: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shell_command, "KEPT", 1000)
    told = ran("echo first; head -c 100000000 /dev/zero | tr '\\0' x; echo; echo last", here)
    assert told.startswith("first\nxxx")
    assert told.endswith("last\n[Exit status 0.]")
    assert "99,998,012 bytes are left out" in told
    assert len(told) < 3000


def test_terminal_codes_are_taken_out(here: Workplace) -> None:
    assert ran("printf '\\033[31mred\\033[0m\\033]0;title\\007'", here) == "red\n[Exit status 0.]"


def test_what_takes_too_long_is_ended_with_its_children(here: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shell_command, "SECONDS", 0.2)
    told = ran("sleep 1000 & echo $!; trap '' TERM; sleep 1000", here)
    assert told.endswith("[It was ended after 0 seconds.]")
    assert is_gone(int(told.split()[0]))


def test_what_the_person_stops_is_ended(here: Workplace) -> None:
    stop = threading.Event()
    workplace = Workplace(here.folder, stopped=stop.is_set)
    (here.folder / "go").write_text("echo begun; touch begun; sleep 1000")

    def when_begun() -> None:
        while not (here.folder / "begun").exists():
            stop.wait(0.01)
        stop.set()

    watching = threading.Thread(target=when_begun)
    watching.start()
    assert ran("sh go", workplace) == "begun\n[The user stopped it.]"
    watching.join()


def test_nothing_stays_behind_and_nothing_is_waited_for(here: Workplace) -> None:
    told = ran("sleep 1000 & echo $!", here)
    assert told.endswith("[Exit status 0.]")
    assert is_gone(int(told.split()[0]))


def test_a_command_does_not_outlive_a_chatcli_that_is_killed(here: Workplace) -> None:
    number = os.fork()
    if number == 0:
        try:
            run.tool.run({"command": "echo $$ > begun.part; mv begun.part begun; sleep 1000"}, here)
        finally:
            os._exit(1)
    pause = threading.Event()
    while not (here.folder / "begun").exists():
        pause.wait(0.01)
    os.kill(number, signal.SIGKILL)
    os.waitpid(number, 0)
    until = time.monotonic() + 30
    while not is_gone(int((here.folder / "begun").read_text())) and time.monotonic() < until:
        pause.wait(0.01)
    assert is_gone(int((here.folder / "begun").read_text()))


@pytest.mark.parametrize("command", ["", "  ", "a\0b", "x" * 10_000_000])
def test_what_is_no_command_is_told(here: Workplace, command: str) -> None:
    with pytest.raises(ToolFailure, match=r"no command|did not start"):
        ran(command, here)


def test_it_acts_is_asked_for_by_its_command_and_is_offered_only_by_name(here: Workplace) -> None:
    assert run.tool.reach is Reach.ACTS
    assert run.tool.scope({"command": " ls -l "}, here) == Scope("ls -l")
    assert "run" not in {tool.name for tool in chosen(("on",), here)[0]}
    assert "run" in {tool.name for tool in chosen(("on", "run"), here)[0]}
