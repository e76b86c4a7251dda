"""Copies text to the clipboard: with a local program, or by the terminal (OSC 52), which also works over SSH."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import sys
from collections.abc import Callable

from chatcli.errors import ChatcliError
from chatcli.hints import Do, Hint
from chatcli.text import clean

_MOST = 100_000  # bytes, as base64: terminals drop what is longer


def copy(text: str, write: Callable[[str], object] | None) -> str:
    """Copies `text` and returns the way it took. `write` sends to the terminal (None: there is no terminal)."""
    text = clean(text)
    far = bool(os.environ.get("SSH_CONNECTION") or os.environ.get("SSH_TTY"))
    program = None if far else _program()
    if program and _gave(program, text):
        return program[0]
    if write is None:
        raise ChatcliError("There is no clipboard here.", "Install wl-clipboard or xclip, or use a terminal.")
    encoded = base64.b64encode(text.encode()).decode()
    if len(encoded) > _MOST:
        raise ChatcliError(
            "This is too long to be copied through the terminal.",
            Hint("Copy a part of it, or ", Do("save", "FILE.md"), " for all of it."),
        )
    write(_for_tmux(f"\x1b]52;c;{encoded}\x07"))
    return "the terminal"


def _program() -> list[str] | None:
    """Returns the command of the first common clipboard program that can work here."""
    programs = [["pbcopy"], ["clip.exe"]] if sys.platform in {"darwin", "win32"} else []
    if os.environ.get("WAYLAND_DISPLAY"):
        programs.append(["wl-copy"])
    if os.environ.get("DISPLAY"):
        programs += [["xclip", "-selection", "clipboard"], ["xsel", "--clipboard", "--input"]]
    return next((program for program in programs if shutil.which(program[0])), None)


def _gave(program: list[str], text: str) -> bool:
    try:
        done = subprocess.run(  # noqa: S603  one of the names above
            program,
            input=text.encode("utf-16" if program[0] == "clip.exe" else "utf-8"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _for_tmux(sequence: str) -> str:
    """tmux passes a wrapped sequence on, and may consume a bare one. Both are sent, to suit either setting."""
    if not os.environ.get("TMUX"):
        return sequence
    return sequence + "\x1bPtmux;" + sequence.replace("\x1b", "\x1b\x1b") + "\x1b\\"
