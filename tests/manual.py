"""Reads README and docs/: their command lines, links and headings. Also a bash for their lines of the shell.

A block marked `sh` has lines of a shell. In one marked `console`, lines after `$` are a shell's, those after `>>>`
are typed at chatcli's prompt, and those below are what is shown then; `...` stands for any lines. A chatcli
in a console with nothing shown below it opens the prompt. What needs a network or Ollama itself stands below a
comment, `<!-- only parsed: WHY -->`.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

from tests.readme import README, ROOT
from tests.starting import start

DOCS = ROOT / "docs"
PAGES = [README, *sorted(DOCS.rglob("*.md"))]
# What is for those who work on chatcli, and what was true once, is not tried.
MANUAL = [each for each in PAGES if each.name not in {"architecture.md", "CONTRIBUTING.md", "CHANGELOG.md"}]
ONLY_PARSED = "<!-- only parsed: "
DEMO = {"CHATCLI_MODEL": "demo"}
# A chatcli for the shell, which has the test start it with this process's streams.
STARTER = """#!{python} -IS
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as test:
    test.connect({address!r})
    socket.send_fds(test, [b"x"], [0, 1, 2])
    test.sendall(json.dumps([sys.argv[1:], dict(os.environ), os.getcwd()]).encode())
    test.shutdown(socket.SHUT_WR)
    sys.exit(int(test.recv(16)))
"""


@dataclass(frozen=True)
class Line:
    """One command line, typed at chatcli's prompt or in a shell. `conversing`: in a console. `number`: that of its
    line in the page. `shown`: the lines below it that tell what is shown, without blank ones.
    """

    text: str
    at_prompt: bool
    conversing: bool
    only_parsed: bool
    number: int
    shown: list[str] = field(default_factory=list)

    def is_followed_by(self, text: str) -> bool:
        """Whether what was shown is what the page says."""
        pattern = "".join("(.*\n)*" if line == "..." else f"{re.escape(line)}\n" for line in self.shown)
        said = "".join(f"{line.rstrip()}\n" for line in text.splitlines() if line.strip())
        return not self.shown or re.fullmatch(pattern, said) is not None


class Page:
    def __init__(self, path: Path) -> None:
        self.path = path
        self._tokens = MarkdownIt("commonmark").enable("table").parse(path.read_text(encoding="utf-8"))

    def lines(self) -> Iterator[Line]:
        """Its command lines, in their order."""
        before = ""
        for token in self._tokens:
            if token.type == "fence" and token.info in {"sh", "console"}:
                yield from _lines(token, before.startswith(ONLY_PARSED))
            before = token.content

    def blocks(self, language: str) -> list[str]:
        """Its blocks in that language."""
        return [token.content for token in self._tokens if token.type == "fence" and token.info == language]

    @cached_property
    def _inline(self) -> list[Token]:
        return [child for token in self._tokens for child in token.children or ()]

    def code(self) -> list[str]:
        """What stands between backticks within sentences and tables."""
        return [token.content for token in self._inline if token.type == "code_inline"]

    def links(self) -> list[str]:
        """What its links and pictures lead to."""
        found = [token.attrs.get("href") or token.attrs.get("src") for token in self._inline]
        in_html = re.findall(r'(?:href|src|srcset)="([^"]*)"', "".join(self.html()))
        return [*(str(each) for each in found if each), *in_html]

    def html(self) -> list[str]:
        """Its blocks of HTML."""
        return [token.content for token in self._tokens if token.type == "html_block"]

    def anchors(self) -> set[str]:
        """Its headings, as GitHub names them."""
        pairs = zip(self._tokens, self._tokens[1:], strict=False)
        titles = [title.content for opening, title in pairs if opening.type == "heading_open"]
        return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def _lines(block: Token, only_parsed: bool) -> Iterator[Line]:
    assert block.map is not None
    line: Line | None = None
    for number, text in enumerate(block.content.splitlines(), block.map[0] + 2):
        sign, _, rest = ("$", "", text) if block.info == "sh" else text.partition(" ")
        if sign in {"$", ">>>"}:
            if line is not None:
                yield line
            typed = re.sub(r"\s{2,}#.*", "", rest)
            line = Line(typed, sign == ">>>", block.info == "console", only_parsed, number)
        elif line is not None and text.strip():
            line.shown.append(text)
    if line is not None:
        yield line


class Bash:
    """A bash in `folder`, whose `chatcli` is started as tests start it (starting.py)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, line: str) -> subprocess.CompletedProcess[str]:
        path = f"{self.folder / '.bin'}{os.pathsep}{os.environ['PATH']}"
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", line],
            cwd=self.folder,
            env={**os.environ, "PATH": path},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )


@contextmanager
def bash(folder: Path) -> Iterator[Bash]:
    starter, address = folder / ".bin" / "chatcli", str(folder / ".starts")
    starter.parent.mkdir()
    starter.write_text(STARTER.format(python=sys.executable, address=address), encoding="utf-8")
    starter.chmod(0o755)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        thread = threading.Thread(target=_serve, args=(listener,))
        thread.start()
        try:
            yield Bash(folder)
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def _serve(listener: socket.socket) -> None:
    """Start a chatcli for each that connects, until nobody can."""
    waiting = []
    with suppress(OSError):
        while True:
            connection, _ = listener.accept()
            waiting.append(threading.Thread(target=_start, args=(connection,)))
            waiting[-1].start()
    for each in waiting:
        each.join()


def _start(connection: socket.socket) -> None:
    with connection, connection.makefile(encoding="utf-8") as stream:
        _, streams, _, _ = socket.recv_fds(connection, 1, 3)
        arguments, environment, folder = json.load(stream)
        if "--demo" in arguments:  # the test has a demo engine
            arguments, environment = [each for each in arguments if each != "--demo"], environment | DEMO
        process = start(arguments, environment, streams, folder)
        for each in streams:
            os.close(each)
        connection.sendall(str(process.wait()).encode())
