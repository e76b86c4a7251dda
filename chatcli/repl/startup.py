"""Starts the interactive program: the prompt comes first, and everything else while a person reads or types.

Once the prompt is drawn, the background builds the session, imports what acts on a line, and prepares model,
window and vocabulary. If something is wrong with the store, the server or the model, it says so above the prompt.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING

from chatcli.client.address import shown
from chatcli.client.server import find
from chatcli.commands import everything
from chatcli.errors import ChatcliError
from chatcli.paths import Paths, find_paths, is_there
from chatcli.prompt.line import Closed, TypedLine
from chatcli.prompt.typeahead import quiet_keyboard
from chatcli.repl.first_screen import DEMO, FirstLine, tips
from chatcli.repl.furniture import Furniture
from chatcli.repl.signals import orderly_end
from chatcli.session.background import Background, Later, waiting
from chatcli.session.wishes import Wishes, read_settings
from chatcli.settings import table
from chatcli.settings.layers import Settings

if TYPE_CHECKING:
    from chatcli.commands.outcomes import Outcome
    from chatcli.conversation.events import Progress
    from chatcli.conversation.message import Attachment
    from chatcli.prompt.reader import Outcome as Entry
    from chatcli.render.views import Note
    from chatcli.repl.loop import Loop
    from chatcli.session.fallback import Watch
    from chatcli.session.session import Session

# Keys that were typed while the program started are drawn before the background takes its share of the time (s).
FIRST_KEYS = 0.05
# Loading a vocabulary blocks the keys for 0.2 s: wait until nothing was typed for this long (s).
QUIET = 0.6
# How often a line that waits for the session looks for it before it is said that it waits (one look takes 0.1 s).
LONG = 10
# What others import only where they need it, and the first question may: it does not wait for that.
LATER = (
    "chatcli.context.documents",
    "chatcli.context.recall",
    "chatcli.prompt.beside_reply",
    "chatcli.store.backups",
    "chatcli.store.recall_search",
)


def run(
    wishes: Wishes,
    images: Sequence[str] = (),
    files: Sequence[str] = (),
    attached: Sequence[Attachment] = (),
    first: str = "",
) -> int:
    """Chat until the person leaves; returns the exit code. The images and files, and what is `attached`, go with
    the first message: that is `first` if it is not empty. Raises BadFile before there is a prompt.
    """
    with orderly_end(), ExitStack() as stack:
        background = Background()
        stack.callback(background.close)
        with quiet_keyboard():  # keys typed while the program starts wait for the first prompt
            paths = find_paths()
            settings = read_settings(paths, wishes)
            server = DEMO if wishes.demo else shown(_address(settings, paths))
            is_first = settings[table.SAVE] and not is_there(paths.store)
            session = Later(lambda: _build(wishes, settings, opening_store))
            stack.callback(_close, session)
            furniture = Furniture(settings, paths, session)
            stack.callback(furniture.close)
            opening_store = Mending(furniture)
            line = FirstLine(settings, paths, server, furniture.screen.size()[0])
            furniture.screen.first_line(line.text)
            stack.callback(_keep_used, session, line)
            # Nothing can be shown above the line of a simple terminal, so all is said before it.
            named = wishes.resume or wishes.named is not None
            files = (*(settings.profile.files if settings.profile is not None else ()), *files)
            if images or files:
                attached = (*attached, *_attached(furniture, settings, images, files))
            comes_first = furniture.screen.plain or named or attached or first
            opening = _opening(session.get(), wishes.named) if comes_first else None
            if comes_first and is_first:
                furniture.screen.show(_tips(furniture, wishes.demo, settings))
        if not furniture.screen.plain:  # keys typed between prompts are kept unchanged: Enter stays Enter
            stack.enter_context(quiet_keyboard())

        def begin() -> None:
            background.start("warm-up", partial(warm_up, session, furniture, line, is_first and not comes_first))

        furniture.reader.on_first_render(begin)
        entry = None if comes_first else _first_entry(furniture, session, opening_store)
        _loop()(session.get(), furniture).run(opening, entry, attached, first)
    return 0


def warm_up(session: Later[Session], furniture: Furniture, line: FirstLine, is_first: bool) -> None:
    """Prepares everything, in the background. The server is first asked here, so that no prompt waits for it.
    `line`: completed above the prompt; `is_first`: tips are shown there.
    """
    time.sleep(FIRST_KEYS)
    try:
        opened = session.get()
        furniture.reader.refresh()
        _loop()
        if opened.warnings:
            furniture.reader.show_above(furniture.warn)
        everything()
        if is_first:
            said = _tips(furniture, opened.server.demo, opened.settings)
            furniture.reader.show_above_next(partial(furniture.screen.show, said))
        furniture.screen.warm_up()
        opened.model.get()
        if opened.warnings:
            furniture.reader.show_above(furniture.warn)
        furniture.reader.refresh()
        opened.window.get()
        if told := line.settled(opened):
            furniture.reader.show_above_next(partial(furniture.screen.first_line, told))
        while furniture.reader.idle() < QUIET:
            time.sleep(QUIET / 4)
        opened.counting.get()
    except ChatcliError as error:  # the first message raises it again
        furniture.reader.show_above(partial(furniture.screen.error, error))
    finally:
        furniture.reader.refresh()


def _tips(furniture: Furniture, demo: bool, settings: Settings) -> Note:
    return tips(demo, kept=settings[table.SAVE], plain=furniture.screen.plain)


def _address(settings: Settings, paths: Paths) -> str:
    """The server's URL. Raises what is wrong with its name or address, before there is a prompt."""
    if not settings[table.HOST]:
        return find(None)
    from chatcli.session.named_hosts import find_server

    return find_server(settings, paths).url


class Mending:
    """Shows how far the recovery of a damaged store is: as progress in the main thread. Where it runs behind the
    prompt, it is said above that once, and shown when a line waits for it.
    """

    def __init__(self, furniture: Furniture) -> None:
        self._furniture = furniture
        self._step: list[Progress] = []

    def __call__(self, job: Generator[Progress, None, None]) -> None:
        if threading.current_thread() is threading.main_thread():
            self._furniture.screen.progress(job)
            return
        from chatcli.render.views import Note

        for step in job:
            if not self._step:
                told = Note("The store is damaged. What can be read of it is being put into a new one.", "warning")
                self._furniture.reader.show_above(partial(self._furniture.screen.show, told))
            self._step[:] = [step]

    def until(self, session: Later[Session]) -> Iterator[Progress]:
        """What is done until there is a session; where that takes long, it is said in any case."""
        from chatcli.conversation.events import Progress

        for waited, _ in enumerate(waiting(session)):
            yield from self._step or ([Progress("Starting")] if waited > LONG else ())


def _first_entry(furniture: Furniture, session: Later[Session], opening_store: Mending) -> Entry:
    """What was entered, once there is a session. Ctrl-C ends only the waiting: the line has its text again."""
    entry = furniture.read()
    while session.ready is None:
        try:
            furniture.screen.progress(opening_store.until(session))
        except KeyboardInterrupt:
            if isinstance(entry, Closed):
                raise
            entry = furniture.read(entry.retyped if isinstance(entry, TypedLine) else "")
    return entry


def _build(wishes: Wishes, settings: Settings, watch: Watch) -> Session:
    from chatcli.session.build import build
    from chatcli.session.named_hosts import remarks

    # The toolbar draws with it as soon as there is a session, and is not to wait for what is imported meanwhile.
    import_module("chatcli.repl.toolbar_data")
    session = build(wishes, settings, watch)
    session.warn(*remarks(session.server, settings, session.paths))
    return session


def _keep_used(session: Later[Session], line: FirstLine) -> None:
    opened = session.settled()
    if opened is not None:
        line.keep_used(opened)


def _close(session: Later[Session]) -> None:
    opened = session.settled()
    if opened is not None:
        opened.close()


def _loop() -> type[Loop]:
    """Imports what acts on a line."""
    from chatcli.repl.loop import Loop

    for later in LATER:
        import_module(later)
    return Loop


def _attached(
    furniture: Furniture, settings: Settings, images: Sequence[str], files: Sequence[str]
) -> tuple[Attachment, ...]:
    from chatcli.attachments.compose import Composed, composing
    from chatcli.client.fetch import fetch

    composed: list[Composed] = []
    furniture.screen.progress(
        composing("", composed.append, fetch, images, files, encoding=settings[table.ENCODING])
    )
    return composed[0].attachments


def _opening(session: Session, named: str | None) -> Outcome | None:
    """What opens the conversation of that name ("": asks which); None when none is named."""
    if named is None:
        return None
    from chatcli.commands.chats import open_named
    from chatcli.session.fallback import mending

    return mending(session, lambda: open_named(session, named))
