"""Releases the terminal while a prompt is stopped (Ctrl-Z) or something is shown above it, and redraws the prompt.

Loads prompt_toolkit.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from prompt_toolkit.application import Application, run_in_terminal
from prompt_toolkit.input import Input

from chatcli.suspension import Step, lent, take_again

_at_rest: list[bool] = []


@contextmanager
def prompting(app: Application[Any], input_: Input) -> Iterator[None]:
    """Run `app` inside. It never stops in the middle of a drawing, only in a turn of its loop."""

    def later(stop: Step) -> None:
        if not erased(app, stop):
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


def erased(app: Application[Any], step: Step) -> bool:
    """Calls `step` in a turn of the app's loop, with the prompt erased, and draws the prompt again. Returns
    whether there is a loop. May be called from any thread.
    """

    def resting() -> None:
        with at_rest():
            step()

    def in_turn() -> None:
        if app.is_running:
            run_in_terminal(resting)

    return _in_loop(app, in_turn)


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
