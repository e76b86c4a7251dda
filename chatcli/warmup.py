"""What is made ready once the first prompt is on the screen: the client, the model, its window."""

from __future__ import annotations

from collections.abc import Callable

from chatcli.errors import ChatcliError
from chatcli.session import Session


def warm_up(session: Session, refresh: Callable[[], None]) -> None:
    """Start it in the background; `refresh` redraws the toolbar when something is known that was not."""

    def prepare() -> None:
        try:
            session.model.get()
            refresh()
            session.window.get()
        except ChatcliError:
            return  # said when it matters: with the first message
        finally:
            refresh()

    session.background.start("warm-up", prepare)
