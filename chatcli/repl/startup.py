"""Starts the interactive program: the first prompt comes first, and everything else while a person reads or types.

Once the prompt is drawn, the background imports what acts on a line, and prepares model, window and vocabulary. If
something is wrong with the server or the model, it says so above the prompt.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from chatcli.commands import everything
from chatcli.errors import ChatcliError
from chatcli.prompt.typeahead import quiet_keyboard
from chatcli.repl.furniture import Furniture
from chatcli.repl.signals import orderly_end
from chatcli.session.build import Wishes, build
from chatcli.session.session import Session

if TYPE_CHECKING:
    from chatcli.commands.outcomes import Outcome
    from chatcli.repl.loop import Loop

# Keys that were typed while the program started are drawn before the background takes its share of the time (s).
FIRST_KEYS = 0.05
# Loading a vocabulary blocks the keys for 0.2 s: wait until nothing was typed for this long (s).
QUIET = 0.6


def run(wishes: Wishes) -> int:
    """Chat until the person leaves; returns the exit code."""
    with orderly_end(), ExitStack() as stack:
        with quiet_keyboard():  # keys typed while the program starts wait for the first prompt
            session = build(wishes)
            stack.callback(session.close)
            opening = _opening(session, wishes.named)
            furniture = Furniture(session)
        if not furniture.screen.plain:  # keys typed between prompts are kept unchanged: Enter stays Enter
            stack.enter_context(quiet_keyboard())
        stack.callback(furniture.close)
        furniture.reader.on_first_render(lambda: warm_up(session, furniture))
        has_news = opening is not None or session.conversation.tip is not None or session.warnings
        entry = None if has_news else furniture.read()
        _loop()(session, furniture).run(opening, entry)
    return 0


def warm_up(session: Session, furniture: Furniture) -> None:
    """Start preparing in the background. The server is first asked here, so that no prompt waits for it."""
    screen, reader = furniture.screen, furniture.reader

    def prepare() -> None:
        try:
            time.sleep(FIRST_KEYS)
            _loop()
            everything()
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


def _loop() -> type[Loop]:
    """Imports what acts on a line."""
    from chatcli.repl.loop import Loop

    return Loop


def _opening(session: Session, named: str | None) -> Outcome | None:
    """What opens the conversation of that name ("": asks which); None when none is named."""
    if named is None:
        return None
    from chatcli.commands.chats import open_named
    from chatcli.session.fallback import mending

    return mending(session, lambda: open_named(session, named))
