"""The screen and the prompt, made as the settings say: all that the first prompt needs.

What acts on a line is imported once that prompt is on the screen.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chatcli.commands import everything
from chatcli.errors import ChatcliError
from chatcli.prompt.completer import Suggestion
from chatcli.prompt.history import LineHistory
from chatcli.prompt.reader import Outcome, Reader, ReaderOptions
from chatcli.prompt.toolbar import Toolbar
from chatcli.render.screen import Screen
from chatcli.render.terminal import Known
from chatcli.repl.crash_report import keep, told
from chatcli.repl.streams import OutputFailed
from chatcli.repl.toolbar_data import meter
from chatcli.session.build import make_screen
from chatcli.session.session import Session
from chatcli.settings import table
from chatcli.settings.table import Setting

# Settings that screen and prompt are made from.
FURNITURE: tuple[Setting[Any], ...] = (
    table.PLAIN,
    table.THEME,
    table.CODE_THEME,
    table.VI,
    table.HISTORY,
    table.SAVE,
)


class Furniture:
    """`screen` and `reader` are made anew when one of the settings has changed that they are made from."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._known = Known()
        self._renew()

    def read(self, prefill: str = "") -> Outcome:
        """The next entry. A prompt that fails is shown again, once, with the text that was in its line."""
        if self._wanted != [self._session.settings[each] for each in FURNITURE]:
            self._renew()
        try:
            return self.reader.read(prefill)
        except OutputFailed:
            raise
        except Exception as error:
            typed = self.reader.typed or prefill
            self.screen.error(told(error, faults_of(self._session)))
        return self.reader.read(typed)

    def close(self) -> None:
        self.reader.close()

    def _renew(self) -> None:
        settings = self._session.settings
        self._wanted = [settings[each] for each in FURNITURE]
        self.screen = make_screen(settings, self._known)
        self.reader = _make_reader(self._session, self.screen)


def faults_of(session: Session) -> Path | None:
    """The file for crash reports; None when nothing may be stored."""
    return session.paths.faults if session.settings[table.SAVE] else None


def _make_reader(session: Session, screen: Screen) -> Reader:
    """The prompt, with completion from the registry and the toolbar from the session."""

    def suggest(typed: str) -> list[Suggestion]:
        if not typed.startswith("/"):
            return []
        try:
            found = everything().suggest(session, typed)
        except ChatcliError:  # the command itself will show it
            return []
        except Exception as error:  # the prompt works without completions
            keep(error, faults_of(session))
            return []
        return [Suggestion(word.text, replaces, word.text, word.meaning) for word, replaces in found]

    def toolbar() -> Toolbar:
        try:
            return meter(session, reader.typed)
        except Exception as error:
            keep(error, faults_of(session))
            return Toolbar(session.settings[table.MODEL], "", 0, 0)

    options = ReaderOptions(vi=session.settings[table.VI], plain=screen.plain)
    remembered = session.settings[table.HISTORY] and session.settings[table.SAVE]
    history = LineHistory(session.paths.line_history) if remembered else None
    reader = Reader(history, suggest, toolbar, options)
    reader.inquire(screen.questions(), screen.heed)
    return reader
