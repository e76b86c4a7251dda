"""The bottom line: model, tokens used of the window with a small meter, strategy, notes. It only gets values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from chatcli.text import as_name, cells

Fragments = list[tuple[str, str]]

METER_CELLS = 8
NEARLY_FULL = 0.85
STYLE = {
    "bottom-toolbar": "noreverse",
    # A gray that is readable on black and on white.
    "bottom-toolbar.text": "fg:#888888",
    "toolbar.full": "fg:#c07000 bold",
    "refused": "fg:#d03030 bold",
}
_MARGIN = " "
_BETWEEN = " · "
_BETWEEN_ASCII = " - "
_SHORTEST_MODEL = 4


class Toolbar(NamedTuple):
    """`used`: a count ("=24", "~1912") or words; `tokens`: the same as a number; `window` in tokens, 0 when
    unknown.

    `notes` are ordered by importance; `warning` says why the line cannot be sent. The mark of an exact count is
    not drawn, that of an estimate is.
    """

    model: str
    used: str
    window: int
    tokens: int
    strategy: str = ""
    notes: tuple[str, ...] = ()
    warning: str = ""


def of_reply(status: str, *, ascii_only: bool = False) -> Toolbar:
    """Returns the line for the time in which a reply comes; `status` says what it does, and turns."""
    said = status.encode("ascii", "ignore").decode().strip() if ascii_only else status
    return Toolbar(said, "", 0, 0, notes=("Ctrl-C stops it", "Enter queues"))


def draw(toolbar: Toolbar, width: int, *, ascii_only: bool = False) -> Fragments:
    """Returns `toolbar` in one line shorter than `width` columns, as (style, text) pairs.

    Without room, the least important goes first: strategy, meter, percentage, the word tokens, notes from the last
    on; then the model's name is shortened.
    """
    for shorter, detail in _ever_shorter(toolbar):
        line = _line(shorter, detail, ascii_only)
        excess = _width(line) - (width - 1)
        if excess <= 0:
            return line
    return _line(shorter._replace(model=_shortened(toolbar.model, excess, ascii_only)), detail, ascii_only)


def _ever_shorter(toolbar: Toolbar) -> Iterator[tuple[Toolbar, int]]:
    """Returns the toolbar with less and less in it, and how much is said of the window: the numbers, with 1 the
    word tokens, with 2 the percentage, with 3 the meter.
    """
    yield toolbar, 3
    bare = toolbar._replace(strategy="")
    for detail in range(3, 0, -1):
        yield bare, detail
    for kept in range(len(toolbar.notes), -1, -1):
        yield bare._replace(notes=toolbar.notes[:kept]), 0
    yield bare._replace(notes=(), warning=""), 0


def _line(toolbar: Toolbar, detail: int, ascii_only: bool) -> Fragments:
    usage = "class:toolbar.full" if _is_nearly_full(toolbar) else ""
    amount = _amount(toolbar, detail, ascii_only)
    parts = [
        ("", toolbar.model),
        (usage, amount),
        ("class:refused", toolbar.warning),
        ("", toolbar.strategy),
        *(("", note) for note in toolbar.notes),
    ]
    between = _BETWEEN_ASCII if ascii_only else _BETWEEN
    line: Fragments = []
    for style, text in parts:
        if text:
            line += [("", between if line else _MARGIN), (style, as_name(text.removeprefix("=")))]
    return line


def _amount(toolbar: Toolbar, detail: int, ascii_only: bool) -> str:
    """`24 of 2048 tokens (1 %)` and the meter; any use at all is 1 %."""
    if not toolbar.window:
        return toolbar.used
    is_number = toolbar.used[-1:].isdigit()
    said = f"{toolbar.used} {'of' if is_number else 'for'} {toolbar.window}"
    if detail >= 1:
        said += " tokens"
    if detail >= 2 and is_number:
        said += f" ({-(-toolbar.tokens * 100 // toolbar.window)} %)"
    return f"{said} {_meter(toolbar, ascii_only)}" if detail >= 3 else said


def _is_nearly_full(toolbar: Toolbar) -> bool:
    return toolbar.window > 0 and toolbar.tokens > NEARLY_FULL * toolbar.window


def _meter(toolbar: Toolbar, ascii_only: bool) -> str:
    """Any use at all fills the first cell; the last one is filled only when nothing is left."""
    full, empty = ("#", "-") if ascii_only else ("■", "□")
    filled = -(-toolbar.tokens * METER_CELLS // toolbar.window)
    if toolbar.tokens < toolbar.window:
        filled = min(filled, METER_CELLS - 1)
    filled = max(0, min(METER_CELLS, filled))
    return full * filled + empty * (METER_CELLS - filled)


def _shortened(model: str, excess: int, ascii_only: bool) -> str:
    """Returns `model` with about `excess` columns less, or nothing if hardly any of it would be left."""
    end = "~" if ascii_only else "…"
    kept = len(model) - excess - 1
    return f"{model[:kept]}{end}" if kept >= _SHORTEST_MODEL else ""


def _width(line: Fragments) -> int:
    return sum(cells(text) for _, text in line)
