"""Starts `ollama serve` on this machine, waits until it answers, and ends it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from chatcli.client import address
from chatcli.client.ollama import Client
from chatcli.client.server import end
from chatcli.conversation.events import Progress
from chatcli.errors import ServerError, Unreachable
from chatcli.paths import private_directory

_PAUSE = 0.2  # seconds between two looks
_LAST_LINES = 3  # of its output, where it ended by itself


def program_for(url: str) -> str:
    """The `ollama` program that could serve this URL; "" where it is not installed, or the URL is no plain address
    of this machine.
    """
    plain = urlsplit(url).scheme == "http" and not urlsplit(url).path and "@" not in url
    return shutil.which("ollama") or "" if plain and address.is_loopback(url) else ""


class OllamaServe:
    """The process. `log`: the file that its output goes to, and stays in while the process goes on after chatcli;
    None: one that nobody else can see.

    Raises ServerError when there is no program for that URL, or it cannot be started.
    """

    def __init__(self, url: str, log: Path | None) -> None:
        program = program_for(url)
        if not program:
            raise ServerError(
                f"Ollama cannot be started at {address.shown(url)}: no program `ollama` is on the PATH.",
                "Get it at https://ollama.com/download.",
            )
        self._url = url
        try:
            self._output = _opened(log)
            self._child = subprocess.Popen(  # noqa: S603 - the program that the person was asked about
                [program, "serve"],
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=subprocess.STDOUT,
                env={**os.environ, "OLLAMA_HOST": urlsplit(url).netloc},
                # The terminal's Ctrl-C ends the waiting, not the server.
                start_new_session=sys.platform != "win32",
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )
        except OSError as error:
            raise ServerError("Ollama did not start.", f"{error.strerror or error}.") from None

    def answers(self) -> Generator[Progress, None, None]:
        """Wait until it answers. Raises ServerError when it ends before that."""
        began = time.monotonic()
        with Client(self._url) as client:
            while True:
                is_gone = self._child.poll() is not None
                try:
                    client.version()
                    return
                except Unreachable:
                    if is_gone:
                        raise ServerError("`ollama serve` ended at once.", self._last_words()) from None
                waited = int(time.monotonic() - began)
                yield Progress(f"`ollama serve` starts at {address.shown(self._url)}", waited, unit="s")
                time.sleep(_PAUSE)

    def close(self) -> None:
        """End it; a second call does nothing."""
        end(self._child)
        self._output.close()

    def _last_words(self) -> str:
        self._output.seek(0)
        lines = self._output.read().decode("utf-8", "replace").strip().splitlines()
        return "\n".join(lines[-_LAST_LINES:]) or "It gave no reason."


def _opened(log: Path | None) -> IO[bytes]:
    """Raises OSError."""
    if log is None:
        return tempfile.TemporaryFile()
    private_directory(log.parent)
    return os.fdopen(os.open(log, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600), "w+b")
