"""Attached text that is too long to be sent whole: the passages that fit the question best, with line numbers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence, Set
from functools import lru_cache
from itertools import groupby
from math import log

from chatcli.context.outgoing import text_of
from chatcli.context.query import Terms, beginning, words_of
from chatcli.context.recall import BEGINNING, COVERED
from chatcli.conversation.message import Attachment
from chatcli.dataclass import dataclass

HEADING = "From the attached files (passages that may answer this):"
_LENGTH = 600  # characters of a passage; a longer line is split into passages of its own
_PAGE = re.compile(r"# Page (\d{1,9})")
STOP = 0.2  # passages below this share of the best one are not sent
_SHORT = 0.5  # how much length counts against a passage


@dataclass(frozen=True, slots=True)
class FilePassage:
    """Lines `first` to `last` (from 1) of file `name`; `place` is its position among all passages. `page` is the
    page on which it begins, in a text that has the line "# Page N" at the head of each page (as a PDF's has); else
    0.
    """

    name: str
    place: int
    first: int
    last: int
    text: str
    words: frozenset[str]
    page: int = 0


def choose(
    earlier: Iterable[Attachment],
    own: Iterable[Attachment],
    terms: Terms,
    room: int,
    cost: Callable[[str], int],
) -> list[FilePassage]:
    """The passages that fit the question best, as many as fit into `room` tokens, in the order of the files.

    `own`: the files that came with the question. When the question shares no word with any passage, these are read
    from their beginning, and the `earlier` files not at all.
    """
    own = tuple(own)
    passages = [each for file in _latest((*earlier, *own)) for each in _passages(file)]
    chosen: list[FilePassage] = []
    used = cost(HEADING) + 2
    for each in _ranked(passages, terms, {file.name for file in own}):
        needed = cost(_shown(each)) + 1
        if used + needed <= room:
            chosen.append(each)
            used += needed
        if room - used < 8:
            break
    order = {id(each): place for place, each in enumerate(passages)}
    return sorted(chosen, key=lambda each: order[id(each)])


def quote(chosen: Sequence[FilePassage]) -> str:
    return "\n".join([HEADING, *map(_shown, chosen)]) if chosen else ""


def describe(chosen: Sequence[FilePassage]) -> str:
    """Which lines or pages of which files: "notes.md: lines 1-20, 41-60; report.pdf: pages 7-9"."""
    told = []
    for name, group in groupby(chosen, key=lambda each: each.name):
        passages = list(group)
        paged = any(each.page for each in passages)
        spans: list[tuple[int, int]] = []
        for first, last in ((each.page, each.page) if paged else (each.first, each.last) for each in passages):
            if spans and first <= spans[-1][1] + 1:
                spans[-1] = (spans[-1][0], max(last, spans[-1][1]))
            else:
                spans.append((first, last))
        listed = ", ".join(f"{first}-{last}" if last > first or not paged else f"{first}" for first, last in spans)
        told.append(f"{name}: {'pages' if paged else 'lines'} {listed}")
    return "; ".join(told)


def _latest(files: Iterable[Attachment]) -> list[Attachment]:
    """Each file once; of files with the same name, the one attached last."""
    return list({each.name: each for each in files}.values())


def _ranked(passages: Sequence[FilePassage], terms: Terms, own: Set[str]) -> list[FilePassage]:
    occurrences = Counter(word for each in passages for word in each.words)

    def rarity(word: str) -> float:
        times = occurrences[word]
        return log(1 + (len(passages) - times + 0.5) / (times + 0.5)) if times else 0.0

    usual = sum(len(each.text) for each in passages) / len(passages) if passages else 1.0

    def weight(each: FilePassage) -> float:
        held = sum(
            rarity(word) if word in each.words else BEGINNING * rarity(start) if start in each.words else 0.0
            for word, start in terms.words
        )
        return held * 2.2 / (2.2 - _SHORT + _SHORT * len(each.text) / usual)

    weights = [weight(each) for each in passages]
    best = max(weights, default=0.0)
    full = sum(rarity(word) for word, _ in terms.words)
    if not best or (not own and best < COVERED * full):
        return [each for each in passages if each.name in own]
    order = sorted(range(len(passages)), key=lambda place: (-weights[place], place))
    return [passages[place] for place in order if weights[place] >= STOP * best]


@lru_cache(maxsize=16)
def _passages(file: Attachment) -> tuple[FilePassage, ...]:
    made: list[FilePassage] = []
    lines: list[str] = []
    first, page = 1, 0

    def close(last: int) -> None:
        text = "\n".join(lines)
        if text.strip():
            words = set(words_of(text))
            words |= set(map(beginning, words)) - {""}
            made.append(FilePassage(file.name, len(made), first, last, text, frozenset(words), page))

    for number, line in enumerate(text_of(file).splitlines(), start=1):
        for piece in [line[at : at + _LENGTH] for at in range(0, max(1, len(line)), _LENGTH)]:
            if lines and (sum(map(len, lines)) + len(piece) > _LENGTH or _is_break(lines, piece)):
                close(number if len(line) > _LENGTH and piece != line[:_LENGTH] else number - 1)
                lines, first = [], number
            if not lines and (heads := _PAGE.fullmatch(line)):
                page = int(heads[1])
            lines.append(piece)
    close(first + len(lines) - 1)
    return tuple(made)


def _is_break(lines: Sequence[str], line: str) -> bool:
    """Whether a new passage begins: at a heading, and after an empty line when the passage is half full."""
    return line.startswith("#") or (not lines[-1].strip() and sum(map(len, lines)) > _LENGTH // 2)


def _shown(passage: FilePassage) -> str:
    page = f"page {passage.page}, " if passage.page else ""
    return f"{passage.name}, {page}lines {passage.first}-{passage.last}:\n{passage.text.strip(chr(10))}"
