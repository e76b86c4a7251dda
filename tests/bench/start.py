"""How long does a start take, from exec to a prompt that shows a typed key? Prints one JSON line.

    python -m tests.bench.start [--rounds 15]

Each round starts every program once in a terminal of its own (a pty): a bare prompt_toolkit prompt, `chatcli` with
a server and a model used before, `chatcli -m NAME`, and `chatcli` while no server answers. A key is typed before
the program begins; the time ends when its echo comes back. `wall` and `cpu` are the medians in milliseconds.
`times_wall` and `times_cpu` are the medians of what a program took, divided by what the bare prompt took in the
same round: what else runs on the machine affects them less.
"""

from __future__ import annotations

import argparse
import json
import os
import pty
import select
import signal
import statistics
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.faults import Engine, nobody_there

BARE = "from prompt_toolkit import PromptSession; PromptSession().prompt('>>> ')"
CHATCLI = ("-m", "chatcli")
PROMPT, KEY = b">>>", b"Z"
PATIENCE = 30.0  # seconds


@dataclass(frozen=True, slots=True)
class Took:
    """Seconds from exec to the echo of the key: on the clock, and of CPU."""

    wall: float
    cpu: float


def print_figures(measure: Callable[[Path, int], Mapping[str, Any]], rounds: int) -> None:
    """The command line of a bench: measures in a temporary home, by default so many rounds, and prints."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=rounds)
    wishes = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        print(json.dumps(measure(Path(home), wishes.rounds)))


def environment(home: Path) -> dict[str, str]:
    """For a program that is measured. Modules are compiled once, as when they were installed, whatever the
    environment wants of Python.
    """
    own = ("PYTHON", "CHATCLI_", "XDG_")
    there = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    return there | {"PYTHONPYCACHEPREFIX": str(home / "compiled"), "HOME": str(home)}


def measure(home: Path, rounds: int) -> dict[str, Any]:
    there = environment(home)
    there |= {"TERM": "xterm-256color", "PROMPT_TOOLKIT_NO_CPR": "1"}
    with Engine() as engine, nobody_there() as nobody:
        there["OLLAMA_HOST"] = engine.url
        programs: dict[str, tuple[Sequence[str], Mapping[str, str]]] = {
            "bare": (("-c", BARE), there),
            "plain": (CHATCLI, there),
            "flags": ((*CHATCLI, "-m", "demo"), there),
            "no_server": (CHATCLI, there | {"OLLAMA_HOST": nobody}),
        }
        ask_once(there)
        for program in programs.values():  # compiles what is new
            start(*program)
        taken = [{name: start(*program) for name, program in programs.items()} for _ in range(rounds)]
    return {"rounds": rounds} | {name: figures(name, taken) for name in programs}


def figures(name: str, taken: Sequence[Mapping[str, Took]]) -> dict[str, float]:
    bare, these = [each["bare"] for each in taken], [each[name] for each in taken]
    pairs = list(zip(these, bare, strict=True))
    return {
        "wall": round(statistics.median(each.wall for each in these) * 1000),
        "cpu": round(statistics.median(each.cpu for each in these) * 1000),
        "times_wall": round(statistics.median(each.wall / beside.wall for each, beside in pairs), 2),
        "times_cpu": round(statistics.median(each.cpu / beside.cpu for each, beside in pairs), 2),
    }


def ask_once(environment: Mapping[str, str]) -> None:
    """Leave a conversation in the store, and with it the model that was used last."""
    command = [sys.executable, *CHATCLI, "-m", "demo", "hello"]
    subprocess.run(command, env=environment, check=True, capture_output=True)


def start(arguments: Sequence[str], environment: Mapping[str, str]) -> Took:
    """Start Python with these arguments in a new terminal, and end it once it has echoed the key."""
    began = time.perf_counter()
    child, terminal = in_terminal(arguments, environment, KEY)
    try:
        wall = _echoed(terminal, began)
    finally:
        os.kill(child, signal.SIGKILL)
        used = os.wait4(child, 0)[2]
        os.close(terminal)
    return Took(wall, used.ru_utime + used.ru_stime)


def in_terminal(arguments: Sequence[str], environment: Mapping[str, str], typed: bytes = b"") -> tuple[int, int]:
    """Start Python in a new terminal where these keys were typed already; its process, and our end of that."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    modes = termios.tcgetattr(theirs)
    modes[3] &= ~termios.ECHO  # the echo is to be the program's own
    termios.tcsetattr(theirs, termios.TCSANOW, modes)
    os.write(ours, typed)
    child = os.fork()
    if not child:
        os.login_tty(theirs)  # makes it the controlling terminal
        os.execve(sys.executable, [sys.executable, *arguments], environment)
    os.close(theirs)
    return child, ours


def _echoed(terminal: int, began: float) -> float:
    """Seconds from `began` to the echo."""
    written = b""
    while KEY not in written.partition(PROMPT)[2]:
        if not select.select([terminal], [], [], PATIENCE)[0]:
            raise TimeoutError(written.decode("utf-8", "replace"))
        written += os.read(terminal, 1 << 16)
    return time.perf_counter() - began


if __name__ == "__main__":
    print_figures(measure, 15)
