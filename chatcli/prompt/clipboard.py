"""Reads the clipboard by the usual programs: a picture if it holds one, else its text."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import NamedTuple

from chatcli.errors import NotFound

SECONDS = 3.0  # for each program: one that waits for a clipboard that does not answer is ended


class Way(NamedTuple):
    """The commands that write the picture, and the text, of the clipboard to standard output."""

    picture: tuple[str, ...]
    text: tuple[str, ...]


_WAYLAND = Way(("wl-paste", "--no-newline", "--type", "image/png"), ("wl-paste", "--no-newline", "--type", "text"))
_X11 = Way(
    ("xclip", "-selection", "clipboard", "-target", "image/png", "-out"),
    ("xclip", "-selection", "clipboard", "-out"),
)
_MAC = Way(("pngpaste", "-"), ("pbpaste",))


def read() -> bytes | str:
    """Returns the picture as its bytes, or else the text ("" when it is empty). Raises NotFound when no program
    can read the clipboard here.
    """
    way = _way()
    if way is None:
        raise NotFound(
            "No program reads the clipboard here.", "Install wl-clipboard, xclip or pngpaste; or paste as ever."
        )
    return _output(way.picture) or _output(way.text).decode("utf-8", "replace")


def _way() -> Way | None:
    ways = [_MAC] if sys.platform == "darwin" else []
    ways += [_WAYLAND] if os.environ.get("WAYLAND_DISPLAY") else []
    ways += [_X11] if os.environ.get("DISPLAY") else []
    return next((way for way in ways if shutil.which(way.picture[0]) or shutil.which(way.text[0])), None)


def _output(command: tuple[str, ...]) -> bytes:
    try:
        done = subprocess.run(  # noqa: S603  one of the commands above
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return b""
    return done.stdout if done.returncode == 0 else b""
