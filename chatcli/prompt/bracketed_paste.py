"""Parses the terminal's keys with bracketed pastes, even when a paste mark is cut, doubled or missing.

Loads prompt_toolkit. A paste without its end mark ends after a short silence, or at once by Ctrl-C.
"""

from __future__ import annotations

import os
import select
import sys
from asyncio import AbstractEventLoop, get_running_loop
from contextlib import nullcontext, suppress
from time import monotonic
from typing import TYPE_CHECKING

from prompt_toolkit.application import get_app_or_none
from prompt_toolkit.input import Input
from prompt_toolkit.input.typeahead import get_typeahead, store_typeahead
from prompt_toolkit.input.vt100_parser import Vt100Parser
from prompt_toolkit.key_binding import KeyPress
from prompt_toolkit.keys import Keys

from chatcli.prompt.terminal_answers import Listener

if TYPE_CHECKING:
    from prompt_toolkit.input.vt100 import Vt100Input  # type: ignore[attr-defined, unused-ignore]  # not on Windows

START, END = "\x1b[200~", "\x1b[201~"
SILENCE = 0.5  # seconds after which the rest of a paste, or of a mark, is given up
_SHORT = 0.1  # seconds after which a lone Escape is a key
_PAUSE = 0.02  # more text follows a pasted Ctrl-C within these seconds; none follows a pressed one
_CTRL_C = "\x03"
_DELETE = KeyPress(Keys.Delete, "\x1b[3~")


class MarkedKeys(Vt100Parser):
    """Replaces the key parser of `input_`."""

    def __init__(self, input_: Vt100Input) -> None:
        super().__init__(input_.vt100_parser.feed_key_callback)
        self._input = input_
        self._is_open = False  # a paste has begun and has not ended
        self._pasted: list[str] = []
        self._held = ""  # possible beginning of a mark; inside a paste, of its end mark
        self._torn = ""  # the beginning of a mark whose rest was given up
        self._ended_early = False  # the rest of a paste may still come
        self._last = monotonic()
        self._loop: AbstractEventLoop | None = None  # the loop that waits for the silence

    @property
    def unfinished(self) -> str:
        """Returns the received part of a paste that has not ended."""
        return "".join(self._pasted)

    def begin(self, *, may_leave: bool) -> None:
        """Begins a prompt. Waiting keys were typed ahead: a Ctrl-D among them ends nothing, unless `may_leave`."""
        self._ended_early = False
        ahead = [*get_typeahead(self._input), *self.waiting()]
        if not may_leave:
            ahead = [_DELETE if press.key == Keys.ControlD else press for press in ahead]
        store_typeahead(self._input, ahead)
        self._await_silence()
        get_running_loop().call_later(_SHORT, self._settle)

    def feed(self, data: str) -> None:
        self._last = monotonic()
        text, self._held = self._held + data, ""
        if self._torn and (self._torn + text).startswith((START, END)):
            text = self._torn + text
        self._torn = ""
        while text:
            text = self._feed_paste(text) if self._is_open else self._feed_keys(text)
        if self._is_open and data.endswith(_CTRL_C) and not self._is_followed():
            self._pasted[-1] = self._pasted[-1].removesuffix(_CTRL_C)
            self._end_early()
        self._await_silence()

    def flush(self) -> None:
        """No key came for a short while: an Escape sequence that is still incomplete is over."""
        if isinstance(self._input.stdin_reader, Listener) and (escape := self._input.stdin_reader.lone_escape()):
            self.feed(escape)
        if not self._is_open and self._held == "\x1b":
            self._torn, self._held = self._held, ""
            super().feed(self._torn)
        super().flush()

    def break_off(self) -> None:
        """Gives up the rest of a paste, or of a mark, that did not come in time."""
        if not self._is_open and not self._held:
            return
        torn, self._held = self._held, ""
        if self._is_open:
            self._end_early()
        elif len(torn) <= len("\x1b["):  # otherwise it is not a key either
            super().feed(torn)
        self._torn = torn

    def _feed_paste(self, text: str) -> str:
        """Takes what belongs to the paste; returns the text after it."""
        inside, mark, behind = text.partition(END)
        if not mark:
            inside, self._held = _without_beginning(inside, END)
        self._pasted.append(inside)
        if mark:
            self._end()
        return behind

    def _feed_keys(self, text: str) -> str:
        """Takes keys up to the next mark; returns the text after the mark."""
        start, end = text.find(START), text.find(END)
        if end >= 0 and not 0 <= start < end:  # the paste before it was given up, or its start mark was lost
            self._put(text[:end])
            self._ended_early = False
            return text[end + len(END) :]
        if start >= 0:
            self._press(text[:start])
            self._is_open = True
            return text[start + len(START) :]
        text, self._held = _without_beginning(text, START, END)
        self._press(text)
        return ""

    def _press(self, keys: str) -> None:
        if self._ended_early and ("\r" in keys[:-1] or "\n" in keys[:-1]):
            self._put(keys)  # nobody types so fast: the rest of the paste
        else:
            super().feed(keys)

    def _put(self, text: str) -> None:
        """Passes on a paste."""
        super().flush()
        if text := text.replace(START, ""):
            self.feed_key_callback(KeyPress(Keys.BracketedPaste, text))

    def _end(self) -> None:
        self._is_open = self._ended_early = False
        text = self.unfinished
        self._pasted.clear()
        self._put(text)

    def _end_early(self) -> None:
        self._end()
        self._ended_early = True

    def waiting(self) -> list[KeyPress]:
        """Returns the keys that were typed and not read yet."""
        waiting: list[KeyPress] = []
        is_terminal = os.isatty(self._input.fileno())
        with suppress(OSError, ValueError), self._input.raw_mode() if is_terminal else nullcontext():
            while not self._input.closed and self._is_followed(0):
                waiting += self._input.read_keys()
        return waiting

    def _is_followed(self, seconds: float = _PAUSE) -> bool:
        return bool(select.select([self._input.fileno()], [], [], seconds)[0])

    def _await_silence(self) -> None:
        """Checks again when nothing has come for a while."""
        with suppress(RuntimeError):  # no prompt is up: the next one will look
            loop = get_running_loop()
            if loop is not self._loop and (self._is_open or self._held):
                self._loop = loop
                loop.call_later(max(0.0, self._last + SILENCE - monotonic()), self._look)

    def _look(self) -> None:
        self._loop = None
        if monotonic() - self._last < SILENCE:
            self._await_silence()
        elif self._is_open or self._held:
            self.break_off()
            self._settle()

    def _settle(self) -> None:
        """Hands the keys to the running prompt."""
        if monotonic() - self._last < _SHORT:
            return  # the prompt itself does, after the last key
        keys, app = self._input.flush_keys(), get_app_or_none()
        if app is None or app.is_done:
            store_typeahead(self._input, keys)
        else:
            app.key_processor.feed_multiple(keys)
            app.key_processor.process_keys()


def mind_marks(input_: Input) -> MarkedKeys | None:
    """Puts MarkedKeys into `input_` and returns it; None if keys do not arrive as text (Windows)."""
    if sys.platform == "win32":
        return None
    from prompt_toolkit.input.vt100 import Vt100Input  # type: ignore[attr-defined, unused-ignore]  # not on Windows

    if not isinstance(input_, Vt100Input):
        return None
    input_.vt100_parser = MarkedKeys(input_)
    return input_.vt100_parser


def _without_beginning(text: str, *marks: str) -> tuple[str, str]:
    """Splits `text` before what may be the beginning of a mark; returns both parts."""
    for length in range(len(START) - 1, 0, -1):
        if any(text.endswith(mark[:length]) for mark in marks):
            return text[:-length], text[-length:]
    return text, ""
