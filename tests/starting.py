"""Starts chatcli as `python -m chatcli` does, from a Python that has loaded the libraries already.

    done = run(["-m", "demo", "hello"], environment, b"piped in")

Each worker has one such Python. It has loaded what chatcli loads before it does anything (EARLY), and the
libraries that it loads later, but none of its own later modules. For each start it forks: the new process gets its
arguments, environment, working directory and streams from the test, runs chatcli, and ends as Python ends.
Where Python itself would start in another way, Python is started.
"""

from __future__ import annotations

import ast
import atexit
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pexpect

ROOT = Path(__file__).parent.parent
PYTHON = sys.executable
READ_AT_THE_START = ("PYTHON", "LC_", "LANG")  # variables that Python reads when it starts
EARLY = ("chatcli.cli.main", "chatcli.cli.oneshot", "chatcli.repl.loop")
NOT_LOADED = {"chatcli", "readline"}  # readline changes how input() reads


class Forked:
    """A process that is no child of this one; otherwise as subprocess.Popen."""

    def __init__(self, status: int) -> None:
        self._status = os.fdopen(status, encoding="ascii")
        self.pid = int(self._status.readline())
        self._code: int | None = None

    def poll(self) -> int | None:
        return self.wait() if self._code is not None or select.select([self._status], [], [], 0)[0] else None

    def wait(self) -> int:
        if self._code is None:
            with self._status:
                self._code = os.waitstatus_to_exitcode(int(self._status.readline()))
        return self._code


Process = Forked | subprocess.Popen[bytes]


def start(
    arguments: Sequence[str], environment: Mapping[str, str], streams: Sequence[int], directory: str = "."
) -> Process:
    """Start chatcli with these descriptors as its streams. If they are a terminal, it controls the process."""
    if sys.executable != PYTHON or not _starts_alike(environment):
        return subprocess.Popen(
            [sys.executable, "-m", "chatcli", *arguments],
            stdin=streams[0],
            stdout=streams[1],
            stderr=streams[2],
            env=environment,
            cwd=directory,
            preexec_fn=_lead_terminal if os.isatty(streams[0]) else None,  # noqa: PLW1509 it takes no lock
        )
    here = os.open(directory, os.O_RDONLY)
    told, tell = os.pipe()
    asked, ask = os.pipe()
    try:
        socket.send_fds(_server(), [b"x"], [*streams, here, tell, asked])
    finally:
        for each in (here, tell, asked):
            os.close(each)
    with os.fdopen(ask, "w", encoding="ascii") as stream:
        json.dump([list(arguments), dict(environment)], stream)
    return Forked(told)


def _starts_alike(environment: Mapping[str, str]) -> bool:
    """Whether a fork stands for a new Python: with these variables it would start as it has started here."""
    names = {name for name in {*environment, *os.environ} if name.startswith(READ_AT_THE_START)} - {"PYTHONPATH"}
    return (
        hasattr(os, "fork")
        and environment.get("PYTHONPATH") in {None, str(ROOT)}
        and all(environment.get(name) == os.environ.get(name) for name in names)
    )


def _lead_terminal() -> None:
    """Begin a session whose terminal is standard input."""
    import fcntl
    import termios

    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def run(
    arguments: Sequence[str], environment: Mapping[str, str], given: bytes | None = None, directory: str = "."
) -> subprocess.CompletedProcess[bytes]:
    """Run chatcli with `given` in a pipe (None: nothing, as from /dev/null); what it writes, and its exit code."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    (read, write), (out, to_out), (err, to_err) = os.pipe(), os.pipe(), os.pipe()
    theirs = (nothing if given is None else read, to_out, to_err)
    try:
        process = start(arguments, environment, theirs, directory)
    finally:
        for each in (nothing, read, to_out, to_err):
            os.close(each)
    with os.fdopen(out, "rb") as output, os.fdopen(err, "rb") as errors, ThreadPoolExecutor(3) as pool:
        pool.submit(_write, write, given or b"")
        written, said = pool.submit(output.read), pool.submit(errors.read)
    return subprocess.CompletedProcess(list(arguments), process.wait(), written.result(), said.result())


def end(child: pexpect.spawn[Any]) -> None:
    """End what pexpect has started. Its own `close` gives a killed program a tenth of a second to be gone."""
    if child.isalive():
        child.kill(signal.SIGKILL)
        child.wait()
    child.close()


def _write(descriptor: int, given: bytes) -> None:
    with suppress(BrokenPipeError), os.fdopen(descriptor, "wb") as stream:
        stream.write(given)


@cache
def _server() -> socket.socket:
    """The Python that forks. It ends when this process does, because then this socket is closed."""
    ours, theirs = socket.socketpair()
    with theirs:
        server = subprocess.Popen(
            [PYTHON, "-m", "tests.starting", str(theirs.fileno())],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    atexit.register(server.wait)
    atexit.register(ours.close)  # comes first
    return ours


def stop() -> None:
    """End the Python that forks. The next start would begin another one."""
    if _server.cache_info().currsize:
        _server().close()
        _server.cache_clear()


def _load() -> None:
    """Import EARLY, and whatever is not chatcli's own in any import statement of its sources."""
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "chatcli").rglob("*.py")]
    nodes = [node for source in sources for node in ast.walk(ast.parse(source))]
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    for name in (*EARLY, *sorted(names)):
        if name in EARLY or name.partition(".")[0] not in NOT_LOADED:
            with suppress(ImportError):  # another system's, or an extra that is not installed
                importlib.import_module(name)


def serve(connection: socket.socket) -> None:
    """Fork for each request, until nobody can ask any more. Returns in the new process, which is to run
    chatcli."""
    _load()
    gc.collect()
    gc.freeze()
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake)
    running: dict[int, int] = {}  # by process, where to tell how it ends
    while True:
        ready, _, _ = select.select([connection.fileno(), woken], [], [])
        if woken in ready:
            os.read(woken, 1024)
            _tell_how_they_end(running)
        if connection.fileno() not in ready:
            continue
        _, descriptors, _, _ = socket.recv_fds(connection, 1, 6)
        if not descriptors:
            sys.exit()
        *others, tell, asked = descriptors
        pid = os.fork()
        if pid == 0:
            break
        running[pid] = tell
        os.write(tell, f"{pid}\n".encode())
        for each in (*others, asked):
            os.close(each)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    connection.close()
    for each in (woken, wake, tell, *running.values()):
        os.close(each)
    _become(others[:3], others[3], asked)


def _tell_how_they_end(running: dict[int, int]) -> None:
    """Of those that have ended by now."""
    while running:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        tell = running.pop(pid)
        with suppress(BrokenPipeError):
            os.write(tell, f"{status}\n".encode())
        os.close(tell)


def _become(streams: Sequence[int], directory: int, asked: int) -> None:
    """Take over what was asked for: arguments, environment, working directory, streams and terminal."""
    with os.fdopen(asked, encoding="ascii") as stream:
        arguments, environment = json.load(stream)
    for number, (name, mode) in enumerate([("stdin", "r"), ("stdout", "w"), ("stderr", "w")]):
        os.dup2(streams[number], number)
        old = getattr(sys, name)
        buffering = 1 if name == "stderr" else -1
        new = open(number, mode, buffering, old.encoding, old.errors, "\n", closefd=False)  # noqa: SIM115
        setattr(sys, name, new)
        setattr(sys, f"__{name}__", new)
    if os.isatty(0):
        _lead_terminal()
    os.fchdir(directory)
    for each in (*streams, directory):
        os.close(each)
    os.environ.clear()
    os.environ.update(environment)
    with suppress(FileNotFoundError):
        sys.path[0] = str(Path.cwd())  # as with `python -m`
    sys.argv[1:] = arguments


def _end(code: int) -> None:
    """End as Python does, but keep the objects: that they are all let go of takes as long as the rest of a start,
    because until then they are shared with the Python that forks. Returns where output cannot be written.
    """
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    with suppress(OSError, ValueError):
        for stream in filter(None, (sys.stdout, sys.stderr)):
            if not stream.closed:
                stream.flush()
        os._exit(code & 0xFF)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
    try:
        runpy.run_module("chatcli", run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        if isinstance(ended.code, int | None):
            _end(ended.code or 0)
        raise
