"""What is made ready once the first prompt is on the screen: the client, the model, its window, its vocabulary."""

from __future__ import annotations

import time
from collections.abc import Callable

from chatcli.errors import ChatcliError
from chatcli.session.session import Session

# A vocabulary is loaded in one piece of 0.2 s in which no key can be answered: wait for a pause this long (s).
QUIET = 0.6


def warm_up(
    session: Session, refresh: Callable[[], None], idle: Callable[[], float], draw: Callable[[], object]
) -> None:
    """Start it in the background; `refresh` redraws the toolbar when something is known that was not. `idle`:
    seconds since the last key; `draw`: imports what drawing a reply takes.
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
            return  # said when it matters: with the first message
        finally:
            refresh()

    session.background.start("warm-up", prepare)
