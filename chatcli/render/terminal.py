"""What to ask the terminal about itself, and what is known of it: from its answers, or from the environment.

One for the whole process. Imports nothing expensive: it is needed before the first prompt.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from typing import Literal, NamedTuple, TextIO

from chatcli import text
from chatcli.dataclass import dataclass

Background = Literal["light", "dark", ""]
Protocol = Literal["kitty", "iterm", "sixel", ""]

_BACKGROUND, _PROGRAM, _CELL, _KIND = "\x1b]11;?\x1b\\", "\x1b[>q", "\x1b[16t", "\x1b[c"
_JOINED_EMOJI = "\x1b[?2027$p"
_COLOUR = r"\x1b\]11;rgba?:([0-9a-fA-F]{1,4})/([0-9a-fA-F]{1,4})/([0-9a-fA-F]{1,4})"
_VERSION = r"\x1bP>\|([^\x1b]*)\x1b\\"
_SIZE = r"\x1b\[6;(\d{1,6});(\d{1,6})t"
_ATTRIBUTES = r"\x1b\[\?([\d;]*)c"
_MODE = r"\x1b\[\?2027;([1-4])\$y"
_KITTY, _ITERM = ("kitty", "ghostty"), ("iterm", "wezterm")
_MAY_JOIN = (*_KITTY, *_ITERM, "foot", "contour")
_REFLOW = (*_KITTY, *_ITERM, "tmux", "foot", "vte", "konsole", "alacritty", "xterm.js", "vscode", "apple_terminal")
_CUT = ("xterm(", "mintty")
_MUTE = ("dumb", "unknown", "linux", "emacs", "eterm", "vt", "cons", "sun")


@dataclass(slots=True)
class Known:
    """`program`: its name in lower case; `cell`: the width and height of a cell in pixels."""

    background: Background = ""
    program: str = ""
    sixel: bool = False
    cell: tuple[int, int] | None = None
    asked: bool = False

    def questions(self) -> str:
        """Returns what to ask, once. Every terminal answers the last question."""
        if self.asked or os.environ.get("TERM", "dumb").lower().startswith(_MUTE):
            return ""
        self.asked = True
        if os.environ.get("TERM_PROGRAM") == "Apple_Terminal":  # prints what it does not understand
            return _BACKGROUND + _KIND
        return _BACKGROUND + _PROGRAM + _CELL + _KIND

    def heed(self, answer: str) -> str:
        """Learns from one answer; returns what to ask next.

        Only terminals that may have a mode are asked for it: others, old Konsoles among them, print a part of that
        question.
        """
        if found := re.match(_COLOUR, answer):
            self.background = _brightness(*found.groups())
        elif found := re.match(_VERSION, answer):
            self.program = found[1].lower()
            return _JOINED_EMOJI + _KIND if self.program.startswith(_MAY_JOIN) else ""
        elif found := re.match(_SIZE, answer):
            height, width = int(found[1]), int(found[2])
            self.cell = (width, height) if 1 < width < 200 and 1 < height < 400 else None
        elif found := re.match(_ATTRIBUTES, answer):
            self.sixel = self.sixel or "4" in found[1].split(";")[1:]
        elif found := re.match(_MODE, answer):
            text.join_emoji(found[1] in "13")
        return ""

    def protocol(self) -> Protocol:
        """Returns how pictures are shown, "" for not at all. A multiplexer takes sixels, or nothing."""
        name = self._name()
        if name.startswith(_KITTY):
            return "kitty"
        if name.startswith(_ITERM):
            return "iterm"
        return "sixel" if self.sixel and self.cell else ""

    def ring(self, words: str) -> str:
        """Returns what calls the person: a notification (OSC 9) where it is known to be shown, else the bell."""
        notifies = self._name().startswith((*_KITTY, *_ITERM))
        return f"\x1b]9;{words}\x1b\\" if notifies else "\a"

    def _name(self) -> str:
        """Returns the program's name, "" where a multiplexer hides it."""
        nested = bool(os.environ.get("TMUX") or os.environ.get("STY"))
        nested = nested or os.environ.get("TERM", "").startswith(("screen", "tmux"))
        return self.program if self.program or nested else _named_by_environment()

    def reflows(self) -> bool | None:
        """Whether lines too long for a narrower window continue in the next row; None if unknown."""
        name = self.program or _named_by_environment()
        if name.startswith(_REFLOW) or os.environ.get("VTE_VERSION"):
            return True
        return False if name.startswith(_CUT) else None


def background_by_environment() -> Background:
    """Reads COLORFGBG, as rxvt, Konsole and others set it: the last number is the background's."""
    last = os.environ.get("COLORFGBG", "").rpartition(";")[2]
    if not last.isdigit():
        return ""
    return "light" if int(last) in {7, 15} else "dark"


def _named_by_environment() -> str:
    if os.environ.get("KITTY_WINDOW_ID"):
        return "kitty"
    name = os.environ.get("TERM_PROGRAM") or os.environ.get("LC_TERMINAL") or os.environ.get("TERM", "")
    return name.lower().removeprefix("xterm-")


def _brightness(*channels: str) -> Background:
    red, green, blue = (int(channel, 16) / (16 ** len(channel) - 1) for channel in channels)
    return "light" if 0.299 * red + 0.587 * green + 0.114 * blue > 0.5 else "dark"


class Abilities(NamedTuple):
    """`colours`: none, standard, 256, truecolor. `encoding`: the locale's, before chatcli switches to UTF-8."""

    is_terminal: bool
    columns: int
    rows: int
    colours: str
    encoding: str
    kind: str


def abilities(file: TextIO) -> Abilities:
    from rich.console import Console

    size = shutil.get_terminal_size()
    no_colour = bool(os.environ.get("NO_COLOR")) or not file.isatty()
    found = None if no_colour else Console(file=file).color_system
    return Abilities(file.isatty(), size.columns, size.lines, found or "none", _encoding(), _kind())


def _encoding() -> str:
    """Returns the locale's: Python's UTF-8 mode and reconfigured streams do not show what the terminal expects."""
    import locale

    return locale.getencoding() if sys.platform != "win32" else "utf-8"


def _kind() -> str:
    return os.environ.get("TERM", "") or ("Windows" if sys.platform == "win32" else "unknown")
