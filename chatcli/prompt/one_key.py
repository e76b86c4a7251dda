"""Asks for one key, which is never one that was typed before the question was there to be read.

Loads prompt_toolkit. The keys are told only after a silence, and count from then on. A key that another follows at
once was typed in a sentence: both are kept for the line, and the silence begins anew.
"""

from __future__ import annotations

from asyncio import TimerHandle, get_running_loop
from collections.abc import Callable

from prompt_toolkit.application import Application
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.input import Input
from prompt_toolkit.key_binding import KeyBindings, KeyPress, KeyPressEvent
from prompt_toolkit.keys import Keys
from prompt_toolkit.layout import FormattedTextControl, Layout, Window
from prompt_toolkit.output import Output
from prompt_toolkit.styles import Style

from chatcli.suspension import stop_all

SILENCE = 0.3  # seconds without a key, after which the keys are told
_ALONE = 0.15  # seconds in which no other key follows an answer
_NOTHING = {Keys.Enter, Keys.Escape, Keys.ControlJ}
_LEAVING = {Keys.ControlC, Keys.ControlD, Keys.SIGINT}


class OneKey:
    """`told` says which keys there are; `letters` are those that answer. `waiting` reads the keys that have been
    pressed and not handled yet. `ahead` are the keys that are no answer; so is what is pasted.

    The result of `app` is a letter, "" for Enter and Escape, None for Ctrl-C and Ctrl-D.
    """

    def __init__(
        self,
        told: str,
        letters: str,
        style: Style,
        input_: Input,
        output: Output,
        waiting: Callable[[], list[KeyPress]],
    ) -> None:
        self.ahead: list[KeyPress] = []
        self._told, self._letters, self._waiting = told, letters, waiting
        self._is_told = self._counts = False
        self._timer: TimerHandle | None = None
        self._held: KeyPress | None = None  # an answer, unless another key follows
        window = Window(FormattedTextControl(self._text), wrap_lines=True, dont_extend_height=True)
        self.app: Application[str | None] = Application(
            layout=Layout(window),
            key_bindings=self._bindings(),
            style=style,
            erase_when_done=True,
            input=input_,
            output=output,
            include_default_pygments_style=False,
        )
        self.app.after_render += self._drawn

    def begin(self) -> None:
        """In the app's loop: wait for the silence."""
        self._later(SILENCE, self._tell)

    def _bindings(self) -> KeyBindings:
        bindings = KeyBindings()

        @bindings.add(Keys.Any, eager=True)
        @bindings.add(Keys.SIGINT, eager=True)
        def press(event: KeyPressEvent) -> None:
            for each in event.key_sequence:
                self._press(each)

        return bindings

    def _press(self, press: KeyPress) -> None:
        if press.key in {Keys.ControlC, Keys.SIGINT} or (self._counts and press.key in _LEAVING):
            self._end(None)
        elif self._counts and self._held is None and (press.key in _NOTHING or press.key in self._letters):
            self._held = press
            self._later(_ALONE, self._answer)
        else:
            self._keep([press])

    def _keep(self, presses: list[KeyPress]) -> None:
        """They were meant for the line; only Ctrl-Z stops the program at once."""
        meant = [press for press in presses if press.key is not Keys.ControlZ]
        self.ahead += [*([self._held] if self._held is not None else []), *meant]
        self._held, self._is_told, self._counts = None, False, False
        self.app.invalidate()
        self._later(SILENCE, self._tell)
        if meant != presses:
            stop_all()

    def _answer(self) -> None:
        assert self._held is not None
        self._end("" if self._held.key in _NOTHING else self._held.data)

    def _end(self, answer: str | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if not self.app.is_done:
            self.app.exit(result=answer)

    def _later(self, seconds: float, step: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = get_running_loop().call_later(seconds, step)

    def _tell(self) -> None:
        self._is_told = True
        self.app.invalidate()

    def _drawn(self, _: object) -> None:
        """Once the keys are on the screen they count, except those that were pressed before."""
        if self._is_told and not self._counts and not self.app.is_done:
            self._counts = True
            if early := self._waiting():
                self._keep(early)

    def _text(self) -> StyleAndTextTuples:
        return [("bold", self._told)] if self._is_told else [("class:menu.detail", "...")]
