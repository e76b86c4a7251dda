"""The prompt: read() gives what a person entered. How a line is edited: editing.py and, simpler, plain_line.py."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TextIO

from chatcli.errors import UserError
from chatcli.prompt.completer import Suggestion
from chatcli.prompt.history import LineHistory
from chatcli.prompt.line import Closed, Interrupted, Outcome, ReaderOptions, TypedLine
from chatcli.prompt.menu import Detail, Find, pick
from chatcli.prompt.toolbar import Toolbar
from chatcli.text import LONE_SURROGATES, as_name

if TYPE_CHECKING:
    from prompt_toolkit.input import Input
    from prompt_toolkit.output import Output


__all__ = ["Closed", "Interrupted", "Outcome", "Reader", "ReaderOptions", "TypedLine"]

_USUAL = ReaderOptions()


class Reader:
    """`suggest` is asked with the text before the cursor, `toolbar` at every redraw: both answer at once.

    `input` and `output` take the place of the terminal in tests.
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

    def read(self, prefill: str = "") -> Outcome:
        """The next entry. `prefill` stands in the line as if it had been typed, and is not sent."""
        try:
            outcome = self._line.read(prefill)
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
            self._history.add(outcome.retyped)
        return outcome

    def ask(self, question: str, default: bool = False) -> bool:
        """Yes or no; Enter alone means `default`, Ctrl+C and Ctrl+D mean no."""
        answers = {"y": True, "yes": True, "n": False, "no": False, "": default}
        while (answer := self._answer(f"{question} [{'Y/n' if default else 'y/N'}] ")) is not None:
            if answer.lower() in answers:
                return answers[answer.lower()]
        return False

    def choose(
        self, question: str, choices: Sequence[str], detail: Detail | None = None, find: Find | None = None
    ) -> int | None:
        """The index of the choice, named by its number or its name; None when none is taken. See menu.py."""
        return pick(self._line, self._answer, question, choices, detail, find)

    def refresh(self) -> None:
        """Redraw the toolbar if a prompt is up. May be called from any thread."""
        self._line.refresh()

    def on_first_render(self, callback: Callable[[], None]) -> None:
        """Call back once, when the next prompt has been drawn: time to start threads."""
        self._line.on_first_render(callback)

    def inquire(self, questions: str, heed: Callable[[str], str]) -> None:
        """Ask the terminal about itself when the next prompt has been drawn. `heed` gets each answer as it comes,
        between two keys or long after, and gives what to ask next ("": nothing).
        """
        self._line.inquire(questions, heed)

    @property
    def marks_pastes(self) -> bool:
        """Whether the prompt knows the marks that a terminal can set around a paste."""
        return self._line.marks_pastes

    @property
    def typed(self) -> str:
        """What stands in the line now, folded pastes unfolded."""
        return self._line.typed

    def idle(self) -> float:
        """Seconds since the last key."""
        return self._line.idle()

    def close(self) -> None:
        """Let go of the terminal, where it was opened for this."""
        self._line.close()
        if self.keyboard is not None:
            self.keyboard.close()

    def _keep_typed(self) -> None:
        """What stood in the line when the terminal went is found among the earlier lines."""
        self._history.add(LONE_SURROGATES.sub("\N{REPLACEMENT CHARACTER}", self._line.typed))

    def _answer(self, question: str) -> str | None:
        try:
            return self._line.ask(as_name(question)).strip()
        except (KeyboardInterrupt, EOFError):
            return None


class _OneLine(Protocol):
    """A way to edit a line. Ctrl+C and the end of the input may also come as KeyboardInterrupt and EOFError."""

    def read(self, prefill: str) -> Outcome: ...
    def ask(self, question: str) -> str: ...
    def say(self, text: str) -> None: ...
    def size(self) -> tuple[int, int]: ...
    @property
    def marks_pastes(self) -> bool: ...
    @property
    def typed(self) -> str: ...
    def refresh(self) -> None: ...
    def idle(self) -> float: ...
    def on_first_render(self, callback: Callable[[], None]) -> None: ...
    def inquire(self, questions: str, heed: Callable[[str], str]) -> None: ...
    def close(self) -> None: ...


def _open_terminal() -> TextIO:
    """The terminal itself, whatever standard input is."""
    try:
        return Path("CONIN$" if os.name == "nt" else "/dev/tty").open(encoding="utf-8")
    except OSError:
        raise UserError("There is no terminal to type at.", "Run it in a terminal, without -i.") from None


def _is_dumb() -> bool:
    return os.environ.get("TERM", "").lower() in {"dumb", "unknown"}
