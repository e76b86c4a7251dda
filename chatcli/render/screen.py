"""Screen: the way to stdout and stderr. It knows what the terminal can do, not what things look like.

Importing it is cheap: Rich, Pygments and markdown-it are imported when something is first drawn.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterable
from functools import cached_property, partial
from time import monotonic
from typing import TYPE_CHECKING, TextIO

from chatcli.errors import ChatcliError
from chatcli.hints import Speller, in_python
from chatcli.render.terminal import Known
from chatcli.text import ENDLESS

if TYPE_CHECKING:
    from chatcli.conversation.events import Awaited, Progress
    from chatcli.render.lines import Line
    from chatcli.render.paint import Below
    from chatcli.render.reply import Answer
    from chatcli.render.theme import Palette
    from chatcli.render.views import View


# Markdown that uses everything that is created at its first use.
_SAMPLE = "**a** `b` [c](https://d)\n\n| a |\n|---|\n\n```python\nx\n```\n```bash\nx\n```\n```json\n1\n```\n"


class Screen:
    """`file` and `errors` are stdout and stderr unless given; `width` and `height` are the terminal's.

    `plain`: text is only ever added, without escapes; None lets TERM=dumb and ACCESSIBLE decide. If
    `file` is not a terminal, output is always plain. `known`: what the terminal has told about itself so far.
    Whoever makes the screen sets `speller`, which spells the commands in what is shown, `prose`, the most cells of
    a line of running text (0: lines are not broken), and `bell`, the seconds of a reply after which it rings.
    `is_spoken`: the terminal is read aloud.
    """

    def __init__(
        self,
        file: TextIO | None = None,
        errors: TextIO | None = None,
        *,
        plain: bool | None = None,
        theme: str = "auto",
        code_theme: str = "",
        width: int | None = None,
        height: int | None = None,
        known: Known | None = None,
    ) -> None:
        self._file, self._errors = file or sys.stdout, errors or sys.stderr
        self._theme, self._code_theme = theme, code_theme
        self._width, self._height = width, height
        self._known = known or Known()
        self.speller: Speller = in_python
        self.prose = ENDLESS
        self.bell: float | None = None
        self.is_terminal = self._file.isatty()
        self._wants_plain = _plain_by_environment() if plain is None else plain
        self.plain = self._wants_plain or not self.is_terminal
        self.is_spoken = self.is_terminal and (_is_read_aloud() if plain is None else plain)

    def show(self, view: View) -> None:
        """Draws `view` on stdout; a note or a tool call goes to stderr when stdout is not a terminal."""
        from chatcli.render.notices import draw
        from chatcli.render.views import CallLine, Note, ResultLine

        if isinstance(view, Note | CallLine | ResultLine) and not self.is_terminal:
            room = self._room(self._errors)
            lines = draw(view, self._error_palette, room, rendered=False, speller=self.speller)
            self._put(self._errors, lines)
        else:
            room, rendered = self._room(self._file), not self.plain
            lines = draw(view, self._palette, room, rendered, self._preview, self.speller, self.prose)
            self._put(self._file, lines)

    def first_line(self, text: str) -> None:
        """Writes a line of clean text, as a quiet Note, before anything that draws is imported."""
        self._write(f"{text}\n" if self.plain else f"\x1b[2m{text}\x1b[0m\n")

    def error(self, error: ChatcliError) -> None:
        """Draws what happened, then what to do, on stderr."""
        from chatcli.render.notices import draw_error

        self._put(self._errors, draw_error(error, self._error_palette, self._room(self._errors), self.speller))

    def aside(self, text: object) -> None:
        """Writes one line on stderr."""
        from chatcli.render.sanitize import one_line

        self._write_error(one_line(str(text)) + "\n")

    def answer(
        self,
        model: str,
        thinking: str = "fold",
        clock: Callable[[], float] = monotonic,
        waits: Callable[[], Awaited] | None = None,
        language: str = "",
        below: Below | None = None,
    ) -> Answer:
        """Returns a place for the reply of `model`. `thinking`: show, fold (to one line when it ends), or hide.
        `waits` is called often before the first word, and says what the model does meanwhile. `language`: that of
        a reply which is no Markdown but code. `below`: what stands below the reply while it comes.
        """
        from chatcli.render.reply import Answer

        if self.plain:
            from chatcli.render.reply import Patience, PlainPage

            aside = self._write_error if thinking != "hide" else None
            awaited = Patience(model, waits, clock) if waits is not None else None
            if self.is_terminal:
                thoughts = self._write if thinking == "show" else None
                note = self._write if aside else None
                spoken = PlainPage(self._write, thoughts, note, self._write, awaited, self.is_spoken)
                return Answer(spoken, clock, partial(self._ended, model))
            return Answer(PlainPage(self._write, aside, aside, self._write_error, awaited), clock)
        from chatcli.render.live import LivePage
        from chatcli.render.markdown import Layout
        from chatcli.render.paint import Painter

        painter = Painter(self._write, self._known.reflows, below)
        layout = Layout(self.prose, language)
        page = LivePage(painter, self._palette, self.size, model, thinking, clock, waits, layout)
        return Answer(page, clock, partial(self._ended, model))

    def _ended(self, model: str, seconds: float, is_whole: bool) -> None:
        """A reply is there on this terminal, after so many seconds."""
        from chatcli.render.sanitize import one_line

        if self.is_spoken and is_whole:
            self._write("Done.\n")
        if self.bell is not None and seconds >= self.bell:
            words = f"{one_line(model)} {'has replied' if is_whole else 'has stopped'}"
            self._write("\a" if self.plain else self._known.ring(words))

    def progress(self, steps: Iterable[Progress]) -> None:
        """Draws the progress of a job until it ends. However this is left, the job's iterator gets closed."""
        from contextlib import closing
        from itertools import chain

        generator = (step for step in steps)
        try:
            with closing(generator):
                for first in generator:  # a job without steps draws nothing
                    from chatcli.render.progress import draw_progress, tell_progress

                    all_steps = chain((first,), generator)
                    if self.plain:
                        tell_progress(all_steps, self._write if self.is_terminal else self._write_error)
                    else:
                        draw_progress(all_steps, self._write, self.size, self._palette)
        finally:
            if close := getattr(steps, "close", None):
                close()

    def copy(self, text: str) -> str:
        """Puts `text` on the clipboard and returns the way it took. Raises ChatcliError when there is none."""
        from chatcli.render.clipboard import copy

        return copy(text, self._write if self.is_terminal and not self.plain else None)

    def warm_up(self) -> None:
        """Imports what the first reply needs (about 0.1 s): for the background."""
        import chatcli.render.live
        import chatcli.render.progress  # noqa: F401
        from chatcli.render.markdown import render

        if not self.plain:
            render(_SAMPLE, self._palette, 80)

    def questions(self) -> str:
        """Returns what to ask the terminal about itself, once in the life of the program."""
        return "" if self.plain else self._known.questions()

    def heed(self, answer: str) -> str:
        """Takes over one of its answers from here on; returns what to ask next."""
        further = self._known.heed(answer)
        for drawn in ("_palette", "_error_palette"):
            vars(self).pop(drawn, None)
        return further

    def size(self) -> tuple[int, int]:
        """Columns and rows as they are now."""
        if self._width and self._height:
            return self._width, self._height
        try:
            found = os.get_terminal_size(self._file.fileno())
        except (OSError, ValueError, AttributeError):
            found = shutil.get_terminal_size()
        return self._width or found.columns or 80, self._height or found.lines or 24

    @cached_property
    def _palette(self) -> Palette:
        return self._palette_for(self._file, self.plain)

    @cached_property
    def _error_palette(self) -> Palette:
        return self._palette_for(self._errors, self._wants_plain or not self._errors.isatty())

    def _palette_for(self, file: TextIO, plain: bool) -> Palette:
        from rich.console import COLOR_SYSTEMS, Console

        from chatcli.render.theme import Palette

        if plain:
            return Palette("mono")
        if os.environ.get("NO_COLOR"):
            return Palette("mono", "none", COLOR_SYSTEMS["standard"])
        known = Console(file=file, force_terminal=True).color_system
        colours = COLOR_SYSTEMS[known] if known else None
        return Palette(self._theme, self._code_theme, colours, self._known.background)

    def _preview(self, picture: bytes) -> Line | None:
        if self.plain:
            return None
        from chatcli.render.pictures import preview

        return preview(picture, self._known, self.size())

    def _room(self, file: TextIO) -> int | None:
        return self.size()[0] if file.isatty() else None

    def _put(self, file: TextIO, lines: Iterable[Line]) -> None:
        _write(file, "".join(line.text + "\n" for line in lines))

    def _write(self, text: str) -> None:
        _write(self._file, text)

    def _write_error(self, text: str) -> None:
        _write(self._errors, text)


def _write(file: TextIO, text: str) -> None:
    try:
        file.write(text)
    except UnicodeEncodeError:
        encoding = file.encoding or "ascii"
        file.write(text.encode(encoding, "replace").decode(encoding))
    file.flush()


def _plain_by_environment() -> bool:
    return _is_read_aloud() or os.environ.get("TERM") in {"dumb", "unknown"}


def _is_read_aloud() -> bool:
    return os.environ.get("ACCESSIBLE", "0") not in {"", "0"}
