"""Asks for one of many choices: in pages that fit the terminal, narrowed by words, picked by number or name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from chatcli.text import as_name, shortened

# The indent of the choices, which holds their numbers.
_MARGIN = 5
# Rows of the screen that are not for choices: the question, the answer, and a spare one.
_OTHER_ROWS = 3
# With fewer choices, the hint that words narrow them is left out.
_FEW = 6
_MORE = "+"

Detail = Callable[[int], Sequence[str]]
Find = Callable[[str], Sequence[int]]


class MenuPage(Protocol):
    """Writes choices and reads answers."""

    def say(self, text: str) -> None: ...
    def size(self) -> tuple[int, int]: ...


def pick(
    page: MenuPage,
    answer: Callable[[str], str | None],
    question: str,
    choices: Sequence[str],
    detail: Detail | None,
    find: Find | None,
) -> int | None:
    """Returns the index of the choice; None when none is picked. `detail` returns the lines to show instead of a
    choice; `find` returns the choices that match some words, if not just their names are searched.
    """
    page.say(as_name(question))
    fitting: Sequence[int] = range(len(choices))
    seen = _show(page, fitting, 0, choices, detail)
    while given := answer(_asking(seen, len(fitting), page.size()[0])):
        if given.isdecimal() and 1 <= int(given) <= seen:
            return fitting[int(given) - 1]
        if choices.count(given) == 1:
            return choices.index(given)
        if given.isdecimal():
            page.say(f"There is no {given} here.")
        elif given == _MORE:
            seen = seen if seen < len(fitting) else 0  # after the last page comes the first again
            seen = _show(page, fitting, seen, choices, detail)
        elif narrowed := _fitting(given, choices, find):
            fitting, seen = narrowed, _show(page, narrowed, 0, choices, detail)
        else:
            page.say(f'Nothing here matches "{as_name(given)}".')
    return None


def _asking(seen: int, count: int, columns: int) -> str:
    if seen >= count:
        return f"Choose 1-{seen}{', or type words' if count >= _FEW else ''} (Enter cancels): "
    asking = f"1-{seen} of {count}, words, {_MORE} for more (Enter cancels): "
    return asking if len(asking) < columns - _MARGIN else f"1-{seen} of {count}, words, {_MORE}, Enter: "


def _fitting(words: str, choices: Sequence[str], find: Find | None) -> Sequence[int]:
    if find is not None:
        return find(words)
    parts = words.casefold().split()
    return [at for at, choice in enumerate(choices) if all(part in choice.casefold() for part in parts)]


def _show(
    page: MenuPage, fitting: Sequence[int], begin: int, choices: Sequence[str], detail: Detail | None
) -> int:
    """Writes one page, beginning after choice number `begin`; returns the number of the last choice on it."""
    columns, rows = page.size()
    left = max(1, rows - _OTHER_ROWS)
    number = begin
    for number, at in enumerate(fitting[begin:], begin + 1):
        lines = list(detail(at)) if detail is not None else [choices[at]]
        if left < len(lines) and number > begin + 1:
            return number - 1
        left -= len(lines)
        for line in _lines(number, lines, columns - 1):
            page.say(line)
    return number


def _lines(number: int, lines: Sequence[str], columns: int) -> Iterator[str]:
    for place, line in enumerate(lines):
        head = f"{number:>{_MARGIN - 2}}  " if place == 0 else " " * _MARGIN
        yield head + shortened(as_name(line), columns - len(head))
