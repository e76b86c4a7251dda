"""A reply in a real tmux whose window is resized while it grows. Skipped without tmux."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.growing import rendered

if shutil.which("tmux") is None:
    pytest.skip("there is no tmux", allow_module_level=True)

PATIENCE = 30.0
Size = tuple[int, int]

REPLY = """
import os, sys, time
from pathlib import Path
from chatcli.conversation.events import Text
from chatcli.render.screen import Screen
from chatcli.render.terminal import Known
folder, before, words = Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]).read_text()
size, every, *sizes = int(sys.argv[4]), int(sys.argv[5]), *sys.argv[6:]
print("\\x1b[2J\\x1b[H" + "before\\n" * before, end="", flush=True)
screen = Screen(sys.stdout, sys.stdout, theme="dark", known=Known(program="tmux 3.3a"))
now, pieces = [0.0], [words[at : at + size] for at in range(0, len(words), size)]
stops = {len(pieces) * (at + 1) // (len(sizes) + 1): size for at, size in enumerate(sizes)}
with screen.answer("m", clock=lambda: now[0]) as answer:
    for at, piece in enumerate(pieces):
        now[0] += 0 if at % every else 10
        answer.feed(Text(piece))
        if at in stops:
            sys.stdout.flush()
            (folder / f"reached{stops[at]}").touch()
            while "x".join(map(str, os.get_terminal_size())) != stops[at]:
                time.sleep(0.01)
            time.sleep(0.05)
(folder / "done").touch()
time.sleep(60)
"""
PROSE = " ".join(f"word{at} *em{at}* `c{at}`" for at in range(60))
SHORT = " ".join(f"word{at} *em{at}* `c{at}`" for at in range(32))


class Tmux:
    """A server of its own with one window."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, *arguments: str) -> str:
        run = ["tmux", "-f", os.devnull, "-S", str(self._folder / "socket"), *arguments]
        return subprocess.run(run, capture_output=True, text=True, check=True).stdout

    def reply(
        self, text: str, size: Size, before: int, sizes: Sequence[Size] = (), piece: int = 3, every: int = 1
    ) -> None:
        """`every`: how many pieces come before something is drawn."""
        (self._folder / "turn.py").write_text(REPLY)
        (self._folder / "text").write_text(text)
        to = ["x".join(map(str, each)) for each in sizes]
        run = [sys.executable, str(self._folder / "turn.py"), str(self._folder), str(before)]
        run += [str(self._folder / "text"), str(piece), str(every), *to]
        place = ["-e", f"PYTHONPATH={Path(__file__).parent.parent}", "-e", "PYTHONUTF8=1"]
        self("new-session", "-d", "-x", str(size[0]), "-y", str(size[1]), *place, *run)
        for each, name in zip(sizes, to, strict=True):
            until((self._folder / f"reached{name}").exists)
            self("resize-window", "-x", str(each[0]), "-y", str(each[1]))
        until((self._folder / "done").exists)

    @property
    def text(self) -> str:
        """All that was left, history and screen; rows that the terminal itself wrapped are one."""
        return self("capture-pane", "-p", "-J", "-S", "-")


def until(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[Tmux]:
    server = Tmux(tmp_path)
    try:
        yield server
    finally:
        server("kill-server")


@pytest.mark.parametrize(
    ("text", "before", "size", "sizes"),
    [
        (SHORT, 0, (80, 24), [(60, 20)]),
        (SHORT, 0, (80, 24), [(100, 24), (60, 20)]),
        (SHORT, 5, (80, 24), [(38, 12), (80, 24)]),
        (SHORT, 40, (80, 24), [(60, 20)]),
        (SHORT, 40, (38, 12), [(80, 24)]),
        (PROSE, 40, (50, 8), [(120, 40)]),
        (SHORT, 40, (80, 24), [(38, 12), (80, 24), (30, 10)]),
        (SHORT.replace(" word", "\nword"), 40, (80, 24), [(38, 12), (80, 24)]),
        ("> " + SHORT, 0, (80, 24), [(38, 12), (80, 24)]),
        ("```\n" + "\n".join(SHORT.split(" ")) + "\n```", 3, (80, 24), [(38, 12), (80, 24)]),
    ],
)
def test_a_paragraph_resized_in_mid_stream_is_whole_and_there_once(
    tmux: Tmux, text: str, before: int, size: Size, sizes: list[Size]
) -> None:
    tmux.reply(text, size, before, sizes)
    code = text.startswith("```")
    expected = (
        text.replace("```", "") if code else text.replace("*", "").replace("`", "").replace(">", "")
    ).split()
    found = [word for word in tmux.text.split() if word not in {"before", "▎"}]
    assert found == expected


@pytest.mark.parametrize("every", [1, 2, 3])
@pytest.mark.parametrize(
    "text", ['<img height="150" src="{}">', "Words: {}\n\n    {}{}", "`{}\n```\n{}{}\n```", "> <div\n> {}{}"]
)
def test_a_block_that_becomes_another_leaves_nothing_of_what_it_was(tmux: Tmux, text: str, every: int) -> None:
    text = text.replace(
        "{}", "https://images.example.org/1476029/29596343-9a8c62c6-8771-11e7-9026-b8eb8852cc4a.png"
    )
    tmux.reply(text, (80, 24), 0, piece=7, every=every)
    assert "".join(tmux.text.split()) == "".join("".join(rendered(text, 500).text).split())
