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
}
_MARGIN = " "
_BETWEEN = " · "
_BETWEEN_ASCII = " - "
_SHORTEST_MODEL = 4


class Toolbar(NamedTuple):
    """`used` as shown ("~1912"), `tokens` the same as a number; `window` in tokens, 0 when unknown.

    `notes` are ordered by importance.
    """

    model: str
    used: str
    window: int
    tokens: int
    strategy: str = ""
    notes: tuple[str, ...] = ()


def draw(toolbar: Toolbar, width: int, *, ascii_only: bool = False) -> Fragments:
    """Returns `toolbar` in one line shorter than `width` columns, as (style, text) pairs.

    Without room, the least important goes first: strategy, meter, notes from the last on; then the model's name is
    shortened.
    """
    for shorter, has_meter in _ever_shorter(toolbar):
        line = _line(shorter, has_meter, ascii_only)
        excess = _width(line) - (width - 1)
        if excess <= 0:
            return line
    return _line(shorter._replace(model=_shortened(toolbar.model, excess, ascii_only)), False, ascii_only)


def _ever_shorter(toolbar: Toolbar) -> Iterator[tuple[Toolbar, bool]]:
    """Returns the toolbar with less and less in it, and whether it still has a meter."""
    yield toolbar, True
    bare = toolbar._replace(strategy="")
    yield bare, True
    for kept in range(len(toolbar.notes), -1, -1):
        yield bare._replace(notes=toolbar.notes[:kept]), False


def _line(toolbar: Toolbar, has_meter: bool, ascii_only: bool) -> Fragments:
    usage = "class:toolbar.full" if _is_nearly_full(toolbar) else ""
    amount = f"{toolbar.used}/{toolbar.window}" if toolbar.window else toolbar.used
    if has_meter and toolbar.window:
        amount += f" {_meter(toolbar, ascii_only)}"
    parts = [("", toolbar.model), (usage, amount), ("", toolbar.strategy), *(("", note) for note in toolbar.notes)]
    between = _BETWEEN_ASCII if ascii_only else _BETWEEN
    line: Fragments = []
    for style, text in parts:
        if text:
            line += [("", between if line else _MARGIN), (style, as_name(text))]
    return line


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
