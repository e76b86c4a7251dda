"""Reader: the prompt, whose read() returns what a person entered. Its editors: editing.py, plain_line.py."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TextIO

from chatcli.errors import UserError
from chatcli.prompt.completer import Suggestion
from chatcli.prompt.history import LineHistory
from chatcli.prompt.line import Closed, Interrupted, Outcome, ReaderOptions, TypedLine
from chatcli.prompt.menu import Detail, Find
from chatcli.prompt.toolbar import Toolbar
from chatcli.text import LONE_SURROGATES, as_name

if TYPE_CHECKING:
    from prompt_toolkit.input import Input
    from prompt_toolkit.output import Output

    from chatcli.prompt.beside_reply import LineBesideReply


__all__ = ["Closed", "Interrupted", "Outcome", "Reader", "ReaderOptions", "TypedLine"]

_USUAL = ReaderOptions()


class Reader:
    """`suggest` is called with the text before the cursor, `toolbar` at every redraw: both return at once.

    Tests pass `input` and `output` instead of the terminal.
    """

    def __init__(
        self,
        history: LineHistory | None,
        suggest: Callable[[str], Sequence[Suggestion]],
        toolbar: Callable[[], Toolbar],
        options: ReaderOptions = _USUAL,
        input: Input | None = None,  # noqa: A002
        output: Output | None = None,
    ) -> None:
        self._history = history or LineHistory(None)
        self.keyboard = _open_terminal() if options.from_terminal else None
        if options.plain or _is_dumb():
            from chatcli.prompt.plain_line import PlainLine

            self._line: _OneLine = PlainLine(self._history, options, self.keyboard)
        else:
            from chatcli.prompt.editing import EditedLine
            from chatcli.prompt.terminal_io import open_input, open_output

            ends = (input or open_input(self.keyboard), output or open_output())
            self._line = EditedLine(self._history, suggest, toolbar, options, *ends)

    def read(self, prefill: str = "", *, queued: bool = False) -> Outcome:
        """Returns the next entry: the first one of the queue if `queued` is set and there is one, else what is
        typed now. `prefill` is in the line as if it had been typed, and is not sent.
        """
        try:
            from_queue = queued and not prefill and self._line.queue
            outcome = self._line.take_queued() if from_queue else self._line.read(prefill)
        except KeyboardInterrupt:
            return Interrupted()
        except EOFError:
            self._keep_typed()
            return Closed()
        except SystemExit:  # a signal ends the program
            self._keep_typed()
            raise
        if isinstance(outcome, TypedLine):
            outcome = TypedLine(LONE_SURROGATES.sub("\N{REPLACEMENT CHARACTER}", outcome.text), outcome.pasted)
            if outcome.pasted or not outcome.text.startswith(" "):
                self._history.add(outcome.retyped)
        return outcome

    def ask(self, question: str, default: bool = False) -> bool:
        """Asks yes or no; Enter alone means `default`, Ctrl+C and Ctrl+D mean no."""
        answers = {"y": True, "yes": True, "n": False, "no": False, "": default}
        while (answer := self._answer(f"{question} [{'Y/n' if default else 'y/N'}] ")) is not None:
            if answer.lower() in answers:
                return answers[answer.lower()]
        return False

    def key(self, told: str, letters: str) -> str | None:
        """Tells which keys there are, and returns one of `letters` once it is pressed, "" for Enter and Escape,
        None for Ctrl+C and Ctrl+D. A key that was pressed before they were told is none: it is kept for the line.
        """
        try:
            return self._line.key(told, letters)
        except (KeyboardInterrupt, EOFError):
            return None

    def answer(self, question: str) -> str | None:
        """One short answer in words, None after Ctrl+C and Ctrl+D."""
        return self._answer(question)

    def ahead_kept(self) -> AbstractContextManager[None]:
        """Around questions that ask for a key: what was typed ahead of them is in the line after this block."""
        return self._line.ahead_kept()

    def choose(
        self, question: str, choices: Sequence[str], detail: Detail | None = None, find: Find | None = None
    ) -> int | None:
        """Returns the index of the choice; None when none is taken. `detail` returns the lines to show instead of
        a choice; `find` returns the choices that match some words, if not just their names are searched.
        """
        try:
            return self._line.choose(question, choices, detail, find)
        except (KeyboardInterrupt, EOFError):
            return None

    def beside_reply(self) -> AbstractContextManager[LineBesideReply | None]:
        """In this block, while a reply comes, lines can be typed below it, and those that are entered wait in the
        queue. Yields None where the line cannot be below a reply; then what is typed waits in the terminal.
        """
        return self._line.beside_reply()

    @property
    def queue(self) -> list[TypedLine]:
        """The entries that wait for the end of a reply, the next one first."""
        return self._line.queue

    def refresh(self) -> None:
        """Redraws the toolbar if a prompt is up. May be called from any thread."""
        self._line.refresh()

    def show_above(self, show: Callable[[], None]) -> None:
        """Calls `show`, which prints something, so that it stands above the line being typed. Without a prompt on
        the screen, or on a simple terminal, it does nothing. May be called from any thread.
        """
        self._line.show_above(show)

    def show_above_next(self, show: Callable[[], None]) -> None:
        """The same; without a prompt on the screen, `show` is called as soon as there is one."""
        self.on_first_render(partial(self.show_above, show))
        self.refresh()

    def on_first_render(self, callback: Callable[[], None]) -> None:
        """Calls back once, when the next prompt has been drawn: the time to start threads."""
        self._line.on_first_render(callback)

    def inquire(self, questions: str, heed: Callable[[str], str]) -> None:
        """Asks the terminal about itself when the next prompt has been drawn. `heed` gets each answer as it comes,
        between two keys or long after, and returns what to ask next ("": nothing).
        """
        self._line.inquire(questions, heed)

    @property
    def marks_pastes(self) -> bool:
        """Whether the prompt knows the marks that a terminal can set around a paste."""
        return self._line.marks_pastes

    @property
    def typed(self) -> str:
        """Returns the content of the line now, with folded pastes expanded."""
        return self._line.typed

    def idle(self) -> float:
        """Returns the seconds since the last key."""
        return self._line.idle()

    def close(self) -> None:
        """Stores what was typed and not sent in the history; closes the terminal, if it was opened for this."""
        self._remember(self._line.unsent)
        self._line.close()
        if self.keyboard is not None:
            self.keyboard.close()

    def _keep_typed(self) -> None:
        """Stores the content of the line, and what is queued, in the history when the terminal is gone."""
        self._remember([*(entry.retyped for entry in self._line.queue), self._line.typed])

    def _remember(self, texts: Sequence[str]) -> None:
        for text in texts:
            if not text.startswith(" "):
                self._history.add(LONE_SURROGATES.sub("\N{REPLACEMENT CHARACTER}", text))

    def _answer(self, question: str) -> str | None:
        try:
            return self._line.ask(as_name(question)).strip()
        except (KeyboardInterrupt, EOFError):
            return None


class _OneLine(Protocol):
    """An editor of one line. Ctrl+C and the end of the input may also arrive as KeyboardInterrupt and EOFError."""

    queue: list[TypedLine]

    def read(self, prefill: str) -> Outcome: ...
    @property
    def unsent(self) -> list[str]: ...
    def take_queued(self) -> TypedLine: ...
    def beside_reply(self) -> AbstractContextManager[LineBesideReply | None]: ...
    def ask(self, question: str) -> str: ...
    def key(self, told: str, letters: str) -> str | None: ...
    def ahead_kept(self) -> AbstractContextManager[None]: ...
    def choose(
        self, question: str, choices: Sequence[str], detail: Detail | None, find: Find | None
    ) -> int | None: ...
    def say(self, text: str) -> None: ...
    def size(self) -> tuple[int, int]: ...
    @property
    def marks_pastes(self) -> bool: ...
    @property
    def typed(self) -> str: ...
    def refresh(self) -> None: ...
    def show_above(self, show: Callable[[], None]) -> None: ...
    def idle(self) -> float: ...
    def on_first_render(self, callback: Callable[[], None]) -> None: ...
    def inquire(self, questions: str, heed: Callable[[str], str]) -> None: ...
    def close(self) -> None: ...


def _open_terminal() -> TextIO:
    """Opens the terminal itself, whatever standard input is."""
    try:
        return Path("CONIN$" if sys.platform == "win32" else "/dev/tty").open(encoding="utf-8")
    except OSError:
        raise UserError("There is no terminal to type at.", "Run it in a terminal, without -i.") from None


def _is_dumb() -> bool:
    return os.environ.get("TERM", "").lower() in {"dumb", "unknown"}
