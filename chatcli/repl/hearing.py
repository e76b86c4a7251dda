"""Hearing: what comes of one question, as it is drawn. Each reply has a view of its own; between two of them stand
the calls of tools, a line each, and the questions for leave.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING

from chatcli.conversation.events import Awaited, Done, Event, Text, Tick, ToolCall, ToolResult, ToolRuns
from chatcli.conversation.message import ToolUse
from chatcli.conversation.tree import Ended
from chatcli.prompt.typeahead import quiet_keyboard
from chatcli.render.reply import Answer as ReplyView
from chatcli.render.screen import Screen
from chatcli.render.views import CallLine, Note, ResultLine
from chatcli.repl.leave_question import asked, nobody
from chatcli.repl.waiting import Waiting
from chatcli.session.reply_format import language_of
from chatcli.session.session import Session
from chatcli.settings import table
from chatcli.tools.leave import Answer, Asking, Leave

if TYPE_CHECKING:
    from chatcli.prompt.reader import Reader


class Hearing:
    """`reader`: where to type while a reply comes, and to be asked for leave; None: nobody can be asked.

    The view of a reply is opened by its first event: no request waits until it is drawn, and a first word that
    comes at once is drawn with it.

    `repeats`: whether a reply repeated itself. `was_quit`: the person has ended the turn with an answer.
    """

    def __init__(self, session: Session, screen: Screen, reader: Reader | None, model: str = "") -> None:
        self._session, self._screen, self._reader = session, screen, reader
        self._model = model or session.settings[table.MODEL]
        self._quiet, self._stage = ExitStack(), ExitStack()
        self._view: ReplyView | None = None
        self._waits = Waiting(session, self._model)
        self._running: ToolUse | None = None
        self._has_calls = self._was_told = False
        self._above = ""  # what stands above: text or calls, which a blank line parts
        self.repeats = self.was_quit = False
        verbose = session.settings[table.VERBOSE]
        self._shows_calls = screen.is_terminal or sys.stderr.isatty() or verbose

    def __enter__(self) -> Hearing:
        self._hush()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._end(kind, error, trace)
            if self._running is not None:
                self._screen.show(ResultLine(Ended.RUNNING, ""))
        finally:
            self._quiet.__exit__(kind, error, trace)

    def feed(self, event: Event) -> None:
        match event:
            case ToolCall() if self._session.tools.offered():
                self._has_calls = True
            case Done() if self._has_calls:
                self._has_calls = False
                self._end()
            case ToolRuns(use):
                self._end()
                self._show_call(use)
                self._running = use
                self._open(use.name, lambda: Awaited("runs")).feed(Tick())
            case ToolResult():
                self._end()
                self._came(event)
            case _:
                (self._view or self._listen()).feed(event)
                if isinstance(event, Text) and event.text.strip():
                    self._above = "text"

    def allow(self, asking: Asking) -> Answer:
        """Ask the person, between two replies."""
        self._end()
        if self._reader is None:
            self._was_told = True
            return nobody(self._screen.aside, asking)
        self._part("calls")
        self._quiet.close()
        try:
            answer = asked(self._screen, self._reader, asking)
        finally:
            self._hush()
        self.was_quit = answer.leave is Leave.QUIT
        return answer

    def _hush(self) -> None:
        if self._reader is not None:
            marks = self._reader.marks_pastes
            self._quiet.enter_context(quiet_keyboard(self._reader.keyboard, marks_pastes=marks))

    def _listen(self) -> ReplyView:
        """Open a view for the next reply."""
        self._part("")
        return self._open(self._model, self._waits)

    def _open(self, name: str, waits: Callable[[], Awaited]) -> ReplyView:
        settings = self._session.settings
        below = self._stage.enter_context(self._reader.beside_reply()) if self._reader is not None else None
        view = self._screen.answer(
            name, settings[table.THINKING], waits=waits, language=language_of(settings), below=below
        )
        self._view = self._stage.enter_context(view)
        return view

    def _end(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        """Close the view: what it shows stays."""
        view, self._view = self._view, None
        self.repeats = self.repeats or (view is not None and view.repeats)
        self._stage.__exit__(kind, error, trace)

    def _came(self, result: ToolResult) -> None:
        if self._running is None and not self._was_told:
            self._show_call(result.use, anyway=result.ended is Ended.REFUSED)
        if self._shows_calls or (result.ended is Ended.REFUSED and not self._was_told):
            self._screen.show(ResultLine(result.ended, result.text, result.seconds))
        self._running, self._was_told = None, False
        self._waits = Waiting(self._session, self._model)

    def _show_call(self, use: ToolUse, *, anyway: bool = False) -> None:
        if self._shows_calls or anyway:
            self._part("calls")
            self._screen.show(CallLine(use))

    def _part(self, what: str) -> None:
        """A blank line between text and calls, on a screen that shows both."""
        if self._above not in {"", what} and self._screen.is_terminal:
            self._screen.show(Note(""))
        self._above = what
