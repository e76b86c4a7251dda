"""The tool `run`: a command in the person's own shell, with an end to its time, its output and its children."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from time import monotonic
from typing import IO, Annotated, Any

from chatcli.paths import in_shell, why
from chatcli.tools.table import builtin
from chatcli.tools.tool import Reach, Scope, ToolFailure, Workplace

SECONDS = 60.0
KEPT = 200_000  # bytes of the output at its beginning, and as many at its end
PAUSE = 0.05  # seconds between two looks at whether it is to be stopped
GRACE = 1.0  # seconds to end by itself once it is asked to
# Programs that page, color or ask do not do so: nobody is there.
_ALONE = {"TERM": "dumb", "PAGER": "cat", "GIT_PAGER": "cat", "GIT_TERMINAL_PROMPT": "0", "NO_COLOR": "1"}


def _command(arguments: Mapping[str, Any], _workplace: Workplace) -> Scope:
    return Scope(arguments["command"].strip())


@builtin(Reach.ACTS, _command, named=True)
def run(command: Annotated[str, "Has no input, and 60 seconds"], *, workplace: Workplace) -> str:
    """Run a shell command in the user's folder."""
    if not command.strip():
        raise ToolFailure("There is no command.")
    with _watcher() as watch:
        try:
            child = subprocess.Popen(  # noqa: S603 - a person has read and allowed it
                in_shell(command.strip()),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd=workplace.folder,
                env={**os.environ, **_ALONE},
                start_new_session=sys.platform != "win32",
            )
        except (OSError, ValueError) as error:
            raise ToolFailure(f"The command did not start: {why(error)}.") from None
        watch(child.pid)
        output = _Output(child.stdout)
        how = _waited(child, output, workplace)
    return f"{output.text()}[{how}]"


def _waited(child: subprocess.Popen[bytes], output: _Output, workplace: Workplace) -> str:
    """How it ended, as a sentence. What it has left in the background is ended, too."""
    until, how = monotonic() + SECONDS, ""
    try:
        while not how:
            with suppress(subprocess.TimeoutExpired):
                how = f"Exit status {child.wait(PAUSE)}."
                break
            if workplace.stopped():
                how = "The user stopped it."
            elif monotonic() > until:
                how = f"It was ended after {SECONDS:.0f} seconds."
    finally:
        _end(child)
        output.close()
    return how


# Reads until this process is gone, however it ended, and then ends the command.
_WATCH = 'read -r group; read -r _; kill -TERM "-$group"; sleep 1; kill -KILL "-$group"'


@contextmanager
def _watcher() -> Iterator[Callable[[int], object]]:
    """Gives a function to call with the command's process. In this block it does not outlive chatcli, not even one
    that is killed. It is started first, so that it is there as soon as the command is.
    """
    if sys.platform == "win32":
        yield bool
        return
    none = subprocess.DEVNULL
    words = ["sh", "-c", _WATCH]
    with subprocess.Popen(  # noqa: S603 - our own words
        words, stdin=subprocess.PIPE, stdout=none, stderr=none, start_new_session=True
    ) as watcher:
        assert watcher.stdin is not None
        group = watcher.stdin.fileno()
        try:
            yield lambda number: os.write(group, f"{number}\n".encode())
        finally:
            watcher.kill()


def _end(child: subprocess.Popen[bytes]) -> None:
    """End it with all that it has started: first asked, then made to."""
    _signal(child, signal.SIGTERM)
    until = monotonic() + GRACE
    while monotonic() < until and _is_alive(child):
        with suppress(subprocess.TimeoutExpired):
            child.wait(PAUSE)
        threading.Event().wait(PAUSE / 5)
    _signal(child, getattr(signal, "SIGKILL", signal.SIGTERM))
    child.wait()


def _is_alive(child: subprocess.Popen[bytes]) -> bool:
    """Whether it, or anything that it has started, is still there."""
    return child.poll() is None if sys.platform == "win32" else _signal(child, 0)


def _signal(child: subprocess.Popen[bytes], number: int) -> bool:
    try:
        if sys.platform != "win32":
            os.killpg(child.pid, number)
        elif child.poll() is None:
            child.kill()
    except (ProcessLookupError, PermissionError):
        return False
    return True


class _Output:
    """What it prints, read beside it: the beginning and the end are kept."""

    def __init__(self, stream: IO[bytes] | None) -> None:
        assert stream is not None
        self._stream = stream
        self._first, self._last, self._left = bytearray(), bytearray(), 0
        self._reader = threading.Thread(target=self._read, name="chatcli-tool-output", daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while came := os.read(self._stream.fileno(), 1 << 16):
            room = KEPT - len(self._first)
            self._first += came[:room]
            self._last += came[room:]
            if len(self._last) > 2 * KEPT:
                self._left += len(self._last) - KEPT
                del self._last[:-KEPT]

    def close(self) -> None:
        """Whoever has left its group may keep the pipe open: that is not waited for."""
        self._reader.join(GRACE)
        if not self._reader.is_alive():
            self._stream.close()

    def text(self) -> str:
        last, left = bytes(self._last), self._left
        if len(last) > KEPT:
            left += len(last) - KEPT
            last = last[-KEPT:]
        gap = f"\n[{left:,} bytes are left out here]\n".encode() if left else b""
        text = (bytes(self._first) + gap + last).decode("utf-8", "replace").replace("\r\n", "\n")
        return f"{text.rstrip()}\n" if text.strip() else ""
