"""Prepares model, window and vocabulary in the background, once the first prompt is on the screen."""

from __future__ import annotations

import time
from collections.abc import Callable

from chatcli.errors import ChatcliError
from chatcli.session.session import Session

# Loading a vocabulary blocks the keys for 0.2 s: wait until nothing was typed for this long (s).
QUIET = 0.6


def warm_up(
    session: Session, refresh: Callable[[], None], idle: Callable[[], float], draw: Callable[[], object]
) -> None:
    """Start preparing in the background. `refresh` redraws the toolbar, `idle` returns the seconds since the last
    key, `draw` imports what drawing a reply needs.
    """

    def prepare() -> None:
        try:
            draw()
            session.model.get()
            refresh()
            session.window.get()
            while idle() < QUIET:
                time.sleep(QUIET / 4)
            session.counting.get()
        except ChatcliError:
            return  # the first message will raise it again, and show it
        finally:
            refresh()

    session.background.start("warm-up", prepare)
