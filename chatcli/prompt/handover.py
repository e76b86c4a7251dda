"""The terminal while a prompt stands: given back while the program is stopped, and the prompt is drawn once more.

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
    """`app` is run in here. It cannot stop in the middle of a drawing: it stops in a turn of its loop."""

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
            input_.raw_mode().__enter__()  # the prompt itself leaves it
            app.renderer.reset()
            app.invalidate()

    try:
        with lent(_nothing, draw_again, later):
            yield
    finally:
        take_again()  # the end of a prompt took from the terminal what is wanted between two


@contextmanager
def at_rest() -> Iterator[None]:
    """The prompt is erased in here; who erased it draws it again, and whoever else goes on does not."""
    _at_rest.append(True)
    try:
        yield
    finally:
        _at_rest.pop()


def _in_loop(app: Application[Any], step: Step) -> bool:
    """Have `step` run in the loop of `app`; whether there is one."""
    if app.loop is None:
        return False
    with suppress(RuntimeError):  # it has just ended
        app.loop.call_soon_threadsafe(step, context=app.context)
        return True
    return False


def _nothing() -> None:
    """What drew the prompt has erased it."""
