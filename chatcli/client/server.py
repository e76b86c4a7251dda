"""Finds the server to use: the one named, OLLAMA_HOST, this machine, or the demo engine as a child process."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import field
from hashlib import sha256
from pathlib import Path
from typing import IO, Any, Protocol

from chatcli.client import address
from chatcli.dataclass import dataclass
from chatcli.errors import ServerError


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose certificates are accepted. `ca`: a file or a directory with the authorities; "" stands for the usual
    ones. `source` is what names it. `checked`: False accepts any certificate.
    """

    ca: str = ""
    source: str = ""
    checked: bool = True


USUAL = Trust()


@dataclass(frozen=True, slots=True)
class Access:
    """What goes with every request to a server: its headers, and whose certificates it may have."""

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    trust: Trust = USUAL


PATIENCE = 10.0  # seconds within which the demo engine must print its URL
_LONGEST = 1 << 16  # characters of its output that are read
GRACE = 2.0  # seconds to end by itself, before a signal is sent


def find(host: str | None) -> str:
    """The server's URL: `host` (the setting), else OLLAMA_HOST, else this machine. Raises BadValue."""
    if host and host.strip():
        return address.read(host, "host")
    named = os.environ.get("OLLAMA_HOST", "")
    return address.read(named, "OLLAMA_HOST", forgive_ports=True) if named.strip() else address.DEFAULT


class Process(Protocol):
    """A process that can be ended."""

    def close(self) -> None: ...


class Server:
    """A server to talk to. close() ends it if it is our own (the demo engine, or one that was started for us), and
    else does nothing.

    `name`: what the settings file calls it; "" for an address. `access` may take seconds, and raises what is wrong
    with what it reads.
    """

    def __init__(
        self,
        url: str = "",
        *,
        engine: DemoEngine | None = None,
        name: str = "",
        access: Callable[[], Access] = Access,
    ) -> None:
        self._url = url
        self._engine = engine
        self._own: list[Process] = [engine] if engine is not None else []
        self.name, self.access = name, access

    @property
    def demo(self) -> bool:
        return self._engine is not None

    @property
    def url(self) -> str:
        """The URL; waits for the demo engine to start. Raises ServerError when it does not."""
        if not self._url and self._engine is not None:
            self._url = self._engine.wait_for_url()
        return self._url

    @property
    def fingerprint(self) -> str:
        """What distinguishes this server from others, without telling its address."""
        return "demo" if self.demo else sha256(self.shown.encode()).hexdigest()[:8]

    @property
    def shown(self) -> str:
        """The URL as people may see it: without user name and password."""
        return address.shown(self.url)

    def end_with(self, process: Process) -> None:
        """This process, too, ends when the server is closed."""
        self._own.append(process)

    def close(self) -> None:
        for each in self._own:
            each.close()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def start_demo() -> Server:
    """Start the demo engine and return at once; `.url` waits for it."""
    return Server(engine=DemoEngine([sys.executable, "-m", "chatcli.demo"]))


class DemoEngine:
    """The child process. It lives until close(), or until this process dies: it ends when its stdin is closed."""

    def __init__(self, command: list[str]) -> None:
        try:
            self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the child
            self._child = _spawn(command, self._errors)
        except OSError as error:
            raise ServerError("The demo engine did not start.", f"{error.strerror or error}.") from None
        self._first_line = ""
        self._spoke = threading.Event()
        self._failure = ""
        self._reader = threading.Thread(target=self._listen, name="chatcli-demo", daemon=True)
        self._reader.start()

    def wait_for_url(self) -> str:
        """Its URL, from the first line it prints. Raises ServerError when it ended or printed nothing in time."""
        self._spoke.wait(PATIENCE)
        if self._first_line.startswith("http://"):
            return self._first_line
        if not self._failure:
            self._failure = self._last_words() or "It gave no reason."
            self.close()
        raise ServerError("The demo engine did not start.", self._failure)

    def close(self) -> None:
        """End it: first by closing its stdin, then by signals. A second call does nothing."""
        end(self._child, self._close_stdin)
        self._close_stdin()
        self._reader.join(timeout=1.0)
        self._errors.close()

    def _listen(self) -> None:
        """Take the first line, then keep the pipe empty until the process ends."""
        assert self._child.stdout is not None
        with self._child.stdout as stdout:
            self._first_line = stdout.readline(_LONGEST).strip()
            self._spoke.set()
            while stdout.read(_LONGEST):
                pass

    def _close_stdin(self) -> None:
        if self._child.stdin is not None:
            self._child.stdin.close()

    def _last_words(self) -> str:
        """The end of what it wrote to stderr, where a traceback says what went wrong."""
        if self._errors.closed:
            return ""
        self._errors.seek(max(0, self._errors.seek(0, os.SEEK_END) - _LONGEST))
        lines = self._errors.read().decode("utf-8", "replace").strip().splitlines()
        return "\n".join(lines[-5:])


def end(child: subprocess.Popen[Any], *gently: Callable[[], None]) -> None:
    """End a child process: by what `gently` does, else by signals, with a moment after each. A second call does
    nothing.
    """
    for stop in (*gently, child.terminate, child.kill):
        if child.poll() is not None:
            return
        stop()
        with suppress(subprocess.TimeoutExpired):
            child.wait(timeout=GRACE)


def _spawn(command: list[str], errors: IO[bytes]) -> subprocess.Popen[str]:
    """Start the child where the terminal's Ctrl-C does not reach it: that key ends a reply, not the engine."""
    own_group = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
    return subprocess.Popen(  # noqa: S603 - our own interpreter, our own module
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        encoding="utf-8",
        # `-m` looks in the working directory first: make that the place where this very package is.
        cwd=Path(__file__).parents[2],
        start_new_session=sys.platform != "win32",
        creationflags=own_group,
    )
