"""Choosing from a list with the arrows, where typing narrows it. menu.py does the same line by line.

Loads prompt_toolkit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

from prompt_toolkit.application import Application
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.input import Input
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.layout import BufferControl, FormattedTextControl, HSplit, Layout, Window
from prompt_toolkit.layout.processors import BeforeInput
from prompt_toolkit.output import Output
from prompt_toolkit.styles import Style

from chatcli.prompt.completer import ranked
from chatcli.prompt.handover import stopping
from chatcli.prompt.menu import Detail, Find
from chatcli.text import as_name, shortened

_OTHER_ROWS = 4  # the question, what the keys do, and two spare ones
_INDENT = 6  # columns for the mark and the number
_SEARCHED = 3  # characters from which on not only names are searched
_HELP = "type to filter, arrows choose, Enter takes, Esc leaves"


class ChoiceMenu:
    """The state of one menu. `fitting` are the indices of the choices shown, `at` which of them is chosen."""

    def __init__(
        self,
        choices: Sequence[str],
        detail: Detail | None,
        find: Find | None,
        size: Callable[[], tuple[int, int]],
    ) -> None:
        self.fitting: Sequence[int] = range(len(choices))
        self.at = 0
        self.typed = Buffer(multiline=False, on_text_changed=self._narrow)
        self._choices, self._find, self._size = choices, find, size
        self._lines = cache(detail or (lambda index: [choices[index]]))  # looked at for every drawing

    @property
    def chosen(self) -> int | None:
        return self.fitting[self.at] if self.fitting else None

    def move(self, steps: int) -> None:
        """Chooses another one: beyond an end is the other end, a page stops there."""
        last = len(self.fitting) - 1
        around = abs(steps) == 1
        self.at = (self.at + steps) % (last + 1) if around and last >= 0 else max(0, min(last, self.at + steps))

    def page(self) -> int:
        """Returns how many choices a page has."""
        return max(1, self._size()[1] - _OTHER_ROWS - len(self._more(self.chosen)))

    def rows(self) -> StyleAndTextTuples:
        rows, page = [], self.page()
        first = max(0, min(self.at - page // 2, len(self.fitting) - page))
        for place in range(first, min(first + page, len(self.fitting))):
            rows += self._row(place)
        left = f"{self.at + 1} of {len(self.fitting)}" if self.fitting else "nothing fits"
        return [*rows, ("class:menu.detail", f"{left}: {_HELP}"[: self._size()[0] - 1])]

    def _row(self, place: int) -> StyleAndTextTuples:
        index, width = self.fitting[place], self._size()[0] - 1 - _INDENT
        lines = self._lines(index)
        mark, style = ("> ", "class:menu.chosen") if place == self.at else ("  ", "")
        row = [("class:menu.detail", f"{mark}{place + 1:>{_INDENT - 4}}  ")]
        row.append((style, shortened(as_name(lines[0]), width) + "\n"))
        more = lines[1:] if place == self.at else ()
        details = (" " * _INDENT + shortened(as_name(line), width) + "\n" for line in more)
        return [*row, *(("class:menu.detail", line) for line in details)]

    def _more(self, index: int | None) -> Sequence[str]:
        return self._lines(index)[1:] if index is not None else ()

    def _narrow(self, _: object) -> None:
        """Keeps what fits the typed words. A whole number chooses the row with that number."""
        words, every = self.typed.text.strip(), range(len(self._choices))
        if words.isdecimal() and 1 <= int(words) <= len(every):
            self.fitting, self.at = every, int(words) - 1
            return
        fitting = ranked(words, every, lambda index: self._choices[index])
        if self._find is not None and len(words) >= _SEARCHED:
            fitting = [*fitting, *(index for index in self._find(words) if index not in fitting)]
        self.fitting, self.at = fitting, 0


def choosing(
    question: str, menu: ChoiceMenu, style: Style, input_: Input, output: Output
) -> Application[int | None]:
    """Returns the application that asks; its result is the index of the choice, None for none."""
    prompt = BeforeInput(f"{as_name(question)} ", style="bold")
    typing = Window(BufferControl(menu.typed, input_processors=[prompt]), height=1, wrap_lines=False)
    listed = Window(FormattedTextControl(menu.rows), wrap_lines=False, dont_extend_height=True)
    return Application(
        layout=Layout(HSplit([typing, listed]), focused_element=typing),
        key_bindings=_bindings(menu),
        style=style,
        erase_when_done=True,
        input=input_,
        output=output,
        include_default_pygments_style=False,
    )


def _bindings(menu: ChoiceMenu) -> KeyBindings:
    bindings = stopping(KeyBindings())
    moves: dict[str, Callable[[], int]] = {
        "up": lambda: -1,
        "c-p": lambda: -1,
        "down": lambda: 1,
        "c-n": lambda: 1,
        "tab": lambda: 1,
        "s-tab": lambda: -1,
        "pageup": lambda: -menu.page(),
        "pagedown": menu.page,
    }
    for key, steps in moves.items():
        bindings.add(key)(lambda _, steps=steps: menu.move(steps()))
    for key in ("escape", "c-c", "c-d", "<sigint>"):
        bindings.add(key, eager=True)(lambda event: event.app.exit(result=None))

    @bindings.add("enter")
    def take(event: KeyPressEvent) -> None:
        if menu.chosen is None:
            menu.typed.reset()
            menu.typed.on_text_changed.fire()
        else:
            event.app.exit(result=menu.chosen)

    return bindings
