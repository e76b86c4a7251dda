"""Releases the terminal while a prompt is stopped (Ctrl-Z) or something is shown above it, and redraws the prompt.

Loads prompt_toolkit.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from prompt_toolkit.application import Application, run_in_terminal
from prompt_toolkit.input import Input
from prompt_toolkit.key_binding import KeyBindings

from chatcli.suspension import Step, lent, stop_all, take_again

_at_rest: list[bool] = []


@contextmanager
def prompting(app: Application[Any], input_: Input) -> Iterator[None]:
    """Run `app` inside. It never stops in the middle of a drawing, only in a turn of its loop."""

    def later(stop: Step) -> None:
        def in_turn() -> None:
            if app.is_running:
                run_in_terminal(resting)

        def resting() -> None:
            with at_rest():
                stop()

        if not _in_loop(app, in_turn):
            stop()

    def draw_again() -> None:
        if not _at_rest:
            _in_loop(app, anew)

    def anew() -> None:
        if app.is_running:
            input_.raw_mode().__enter__()  # the prompt itself leaves raw mode
            app.renderer.reset()
            app.invalidate()

    try:
        with lent(_nothing, draw_again, later):
            yield
    finally:
        take_again()  # the end of a prompt undid the terminal settings that are needed between two


def stopping(bindings: KeyBindings) -> KeyBindings:
    """These, and Ctrl-Z as in the line, for a question."""
    bindings.add("c-z", eager=True)(lambda _: stop_all())
    return bindings


def show_above(app: Application[Any], show: Step) -> None:
    """Calls `show`, which prints, in a turn of the app's loop, and draws the prompt again below it. Does nothing
    while no prompt is there. May be called from any thread.

    The terminal stays as the prompt has set it: with other settings, an Enter pressed meanwhile is another key.
    """

    def in_turn() -> None:
        if app.is_running and not app.is_done and not _at_rest:
            app.renderer.erase()
            try:
                show()
            finally:
                app.renderer.request_absolute_cursor_position()
                app.invalidate()

    _in_loop(app, in_turn)


@contextmanager
def at_rest() -> Iterator[None]:
    """Marks the prompt as erased: whoever erased it draws it again, and a continued program does not."""
    _at_rest.append(True)
    try:
        yield
    finally:
        _at_rest.pop()


def _in_loop(app: Application[Any], step: Step) -> bool:
    """Runs `step` in the loop of `app`; returns whether there is a loop."""
    if app.loop is None:
        return False
    with suppress(RuntimeError):  # it has just ended
        app.loop.call_soon_threadsafe(step, context=app.context)
        return True
    return False


def _nothing() -> None:
    """Does nothing: the caller has erased the prompt."""
