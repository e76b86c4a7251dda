"""The two ends of the terminal as prompt_toolkit wants them. Loads prompt_toolkit."""

from __future__ import annotations

import os
import sys
from typing import TextIO

from prompt_toolkit.data_structures import Size
from prompt_toolkit.input import Input, create_input
from prompt_toolkit.output import Output, create_output
from prompt_toolkit.output.color_depth import ColorDepth
from prompt_toolkit.output.vt100 import Vt100_Output


class Terminal(Vt100_Output):
    """A terminal that is never asked where its cursor stands.

    The answer would only say how far down the toolbar may move. It costs a second where it does not come, and
    where it comes late it lands in the next reply as stray characters. So the toolbar stays just below the line.

    `most_rows`: how much of the terminal is drawn on, if not all of it.
    """

    most_rows: int | None = None

    @property
    def all_rows(self) -> int:
        return super().get_size().rows

    def get_size(self) -> Size:
        size = super().get_size()
        return size if self.most_rows is None else size._replace(rows=min(self.most_rows, size.rows))

    def get_rows_below_cursor_position(self) -> int:
        return 0


def open_output() -> Output:
    if sys.platform == "win32" or not sys.stdout.isatty():
        return create_output()
    return Terminal.from_pty(
        sys.stdout, term=os.environ.get("TERM"), default_color_depth=ColorDepth.from_env(), enable_bell=False
    )


def open_input(keyboard: TextIO | None) -> Input:
    """`keyboard`: the terminal, when it is not standard input. On Windows the console is found without it."""
    return create_input(None if sys.platform == "win32" else keyboard)
