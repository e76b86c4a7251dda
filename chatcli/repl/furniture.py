"""The screen and the prompt, made as the settings say: all that the first prompt needs.

What acts on a line is imported once that prompt is on the screen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chatcli.commands import everything
from chatcli.commands.spelling import at_prompt
from chatcli.errors import ChatcliError
from chatcli.prompt.completer import Suggestion
from chatcli.prompt.history import LineHistory
from chatcli.prompt.reader import Outcome, Reader, ReaderOptions, TypedLine
from chatcli.prompt.toolbar import Toolbar
from chatcli.render.terminal import Known
from chatcli.repl.crash_report import keep, told
from chatcli.repl.streams import OutputFailed
from chatcli.session.background import Later
from chatcli.session.wishes import make_screen
from chatcli.settings import table
from chatcli.settings.layers import Settings
from chatcli.settings.setting import Setting

if TYPE_CHECKING:
    from chatcli.paths import Paths
    from chatcli.session.session import Session

# Settings that screen and prompt are made from.
FURNITURE: tuple[Setting[Any], ...] = (
    table.PLAIN,
    table.THEME,
    table.CODE_THEME,
    table.WORDWRAP,
    table.BELL,
    table.VI,
    table.HISTORY,
    table.SAVE,
)


class Furniture:
    """`screen` and `reader` are made anew when one of the settings has changed that they are made from. Neither
    waits for the session: without one, the toolbar shows the model that is set.
    """

    def __init__(self, settings: Settings, paths: Paths, session: Later[Session]) -> None:
        self._settings, self._paths, self._session = settings, paths, session
        self._known = Known()
        self._renew()

    def read(self, prefill: str = "", *, queued: bool = False) -> Outcome:
        """The next entry, or with `queued` the next one of the queue if there is one. A prompt that fails is shown
        again, once, with the text that was in its line.
        """
        if self._wanted != [self._settings[each] for each in FURNITURE]:
            self._renew(self.reader.queue)
        try:
            return self.reader.read(prefill, queued=queued)
        except OutputFailed:
            raise
        except Exception as error:
            typed = self.reader.typed or prefill
            self.screen.error(told(error, self.faults))
        return self.reader.read(typed)

    def warn(self) -> None:
        """Show the session's warnings, once."""
        from chatcli.render.views import Note

        for warning in self._session.get().take_warnings():
            self.screen.show(Note(warning, "warning"))

    @property
    def faults(self) -> Path | None:
        """The file for crash reports; None when nothing may be stored."""
        return self._paths.faults if self._settings[table.SAVE] else None

    def get_ready(self) -> None:
        """Ask the server, in the background, for what the toolbar shows and is not known any more."""
        session = self._session.get()
        if self.screen.plain or session.counting.ready is not None:
            return

        def ask() -> None:
            try:
                session.counting.get()
            finally:
                self.reader.refresh()

        session.background.start("next request", ask)

    def close(self) -> None:
        self.reader.close()

    def _renew(self, queue: Sequence[TypedLine] = ()) -> None:
        settings = self._settings
        self._wanted = [settings[each] for each in FURNITURE]
        self.screen = make_screen(settings, at_prompt, self._known)
        options = ReaderOptions(vi=settings[table.VI], plain=self.screen.plain, take_picture=self._take_picture)
        remembered = settings[table.HISTORY] and settings[table.SAVE]
        history = LineHistory(self._paths.line_history) if remembered else None
        self.reader = Reader(history, self._suggest, self._toolbar, options)
        self.reader.queue.extend(queue)
        self.reader.inquire(self.screen.questions(), self.screen.heed)

    def _take_picture(self, data: bytes) -> None:
        from chatcli.attachments.images import as_image
        from chatcli.reading.raw import Raw

        picture = as_image(Raw("The picture on the clipboard", data))
        self._session.get().attach([replace(picture, name="clipboard." + picture.media_type.rpartition("/")[2])])

    def _suggest(self, typed: str) -> list[Suggestion]:
        if not typed.startswith("/"):
            return []
        try:
            found = everything().suggest(self._session.get(), typed)
        except ChatcliError:  # the command itself will show it
            return []
        except Exception as error:  # the prompt works without completions
            keep(error, self.faults)
            return []
        return [Suggestion(word.text, replaces, word.text, word.meaning) for word, replaces in found]

    def _toolbar(self) -> Toolbar:
        brief = Toolbar(self._settings[table.MODEL], "", 0, 0)
        if self._session.ready is None:
            return brief
        from chatcli.repl.toolbar_data import meter

        try:
            return meter(self._session.ready, self.reader.typed)
        except Exception as error:
            keep(error, self.faults)
            return brief
