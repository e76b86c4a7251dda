"""Prepares model, window and vocabulary in the background, once the first prompt is on the screen, and says there
what is wrong with server or model.
"""

from __future__ import annotations

import time
from functools import partial

from chatcli.errors import ChatcliError
from chatcli.prompt.reader import Reader
from chatcli.render.screen import Screen
from chatcli.session.session import Session

# Loading a vocabulary blocks the keys for 0.2 s: wait until nothing was typed for this long (s).
QUIET = 0.6


def warm_up(session: Session, reader: Reader, screen: Screen) -> None:
    """Start preparing in the background. The server is first asked here, so that the prompt never waits for it."""

    def prepare() -> None:
        try:
            screen.warm_up()
            session.model.get()
            reader.refresh()
            session.window.get()
            while reader.idle() < QUIET:
                time.sleep(QUIET / 4)
            session.counting.get()
        except ChatcliError as error:  # the first message raises it again
            reader.show_above(partial(screen.error, error))
        finally:
            reader.refresh()

    session.background.start("warm-up", prepare)
