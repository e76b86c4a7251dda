"""Draws tool calls: a call and its result in a line each, and a call whole, for whoever has to judge it."""

from __future__ import annotations

import json
from collections.abc import Iterator

from chatcli.conversation.message import ToolUse
from chatcli.conversation.tree import Ended
from chatcli.conversation.usage import counted
from chatcli.render.lines import Line, chop
from chatcli.render.sanitize import one_line
from chatcli.text import cells, lines_in, revealed

_BAR = "  | "


def called(use: ToolUse) -> str:
    """The call in one line: the tool and its arguments, the only one without its name."""
    values = {name: value if isinstance(value, str) else _json(value) for name, value in use.arguments.items()}
    told = values.values() if len(values) == 1 else (f"{name}: {value}" for name, value in values.items())
    return " ".join(revealed(f"{use.name} {', '.join(told)}").split())


def came(ended: Ended, text: str, seconds: float | None = None) -> str:
    """What came of a call, in one line: the size of its result, or why there is none."""
    if ended is not Ended.COMPLETE:
        return one_line(text) or "Stopped."
    size = f"{counted(lines_in(text), 'line')}, {counted(len(text), 'character')}" if text else "nothing"
    return size if seconds is None else f"{size}, {seconds:.1f} s"


def whole(use: ToolUse, width: int) -> Iterator[str]:
    """The lines of the call, with nothing left out or hidden: what is not seen is spelled as an escape. Each line
    of an argument stands behind a bar, so that it is not taken for what chatcli says.
    """
    if not use.arguments:
        yield "  (no arguments)"
    for name, value in use.arguments.items():
        yield from _cut(revealed(name).replace("\n", "\\n") + ":", "  ", width)
        text = value if isinstance(value, str) else _json(value)
        for line in revealed(text).split("\n"):
            yield from _cut(line, _BAR, width)


def _cut(line: str, before: str, width: int) -> Iterator[str]:
    for piece in chop(Line(line, cells(line)), max(1, width - len(before) - 1)):
        yield before + piece.text


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
