"""Separates the terminal's answers about itself from the keys, whenever they come.

Loads prompt_toolkit. Nothing is waited for, so a terminal that does not answer costs nothing and no key is lost.
"""

from __future__ import annotations

import re
import select
import sys
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING

from prompt_toolkit.input import Input
from prompt_toolkit.input.posix_utils import PosixStdinReader

from chatcli.pattern import pattern

if TYPE_CHECKING:
    from prompt_toolkit.input.vt100 import Vt100Input  # type: ignore[attr-defined, unused-ignore]  # not on Windows

_LAST = r"\x1b\[\?[\d;]*c"  # the kind of terminal: all know this question, so it is asked last
_ANSWER = pattern(
    r"\x1b\]\d+;[^\x07\x1b]*(?:\x07|\x1b\\)|\x1bP>\|[^\x1b]*\x1b\\|\x1b\[\?[\d;]*\$y|\x1b\[\d+;\d+;\d+t|" + _LAST
)
_BEGUN = pattern(
    r"\x1b(?:\](?:\d+(?:;[^\x07\x1b]*\x1b?)?)?|P(?:>(?:\|[^\x1b]*\x1b?)?)?|\[(?:\?[\d;]*\$?|\d+(?:;\d*)*)?)?\Z"
)
_PATIENCE = 2.0  # seconds for which a possible beginning of an answer is held back
_FAREWELL = 0.2  # seconds to wait for an answer when the program ends: the shell would get it otherwise


class Listener(PosixStdinReader):
    """Reads the keys instead of the input's own reader. `heed` gets every answer and returns what to ask next."""

    def __init__(self, input_: Vt100Input, heed: Callable[[str], str], write: Callable[[str], object]) -> None:
        super().__init__(input_.fileno(), encoding=input_.stdin.encoding)
        self._heed, self._write = heed, write
        self._held = ""
        self._torn = ""  # the beginning of an answer that was taken for a key
        self._open = 0  # batches of questions whose last answer has not come
        self._until = 0.0
        self._came = self._is_leaving = False

    def ask(self, questions: str) -> None:
        if questions and not self._is_leaving:
            self._open += 1
            self._until = monotonic() + _PATIENCE
            self._write(questions)

    def read(self, count: int = 1024) -> str:
        came = super().read(count)
        self._came = bool(came)
        text, self._held = self._held + came, ""
        if came and self._torn:
            torn, self._torn = self._torn, ""
            if len(came) > 1 and (_ANSWER.match(torn + came) or _BEGUN.match(torn + came)):  # keys come one by one
                text = torn + came
        if "\x1b" not in text:
            return text
        text = _ANSWER.sub(self._take, text)
        if self._open and monotonic() < self._until and (begun := _BEGUN.search(text)):
            self._held, text = begun[0], text[: begun.start()]
        return text

    def lone_escape(self) -> str:
        """Gives up an Escape that is held back once nothing has followed it for a while; "" if there is none."""
        if self._held != "\x1b":
            return ""
        self._torn, self._held = self._held, ""
        return self._torn

    def leave(self) -> None:
        """Takes the answers that are still on their way; keys typed meanwhile are dropped."""
        self._is_leaving = True
        with suppress(OSError, ValueError):
            while self._open and monotonic() < self._until:
                if not select.select([self.stdin_fd], [], [], _FAREWELL)[0]:
                    return
                self.read()
                if not self._came:  # the terminal is gone
                    return

    def _take(self, found: re.Match[str]) -> str:
        answer = found[0]
        if re.fullmatch(_LAST, answer):
            self._open = max(0, self._open - 1)
        self.ask(self._heed(answer))
        return ""


def listen(input_: Input, heed: Callable[[str], str], write: Callable[[str], object]) -> Listener | None:
    """Puts a Listener into `input_` and returns it; None if keys do not arrive as text (Windows)."""
    if sys.platform == "win32":
        return None
    from prompt_toolkit.input.vt100 import Vt100Input  # type: ignore[attr-defined, unused-ignore]  # not on Windows

    if not isinstance(input_, Vt100Input):
        return None
    listener = Listener(input_, heed, write)
    input_.stdin_reader = listener
    return listener
