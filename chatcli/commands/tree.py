"""/tree: draws the conversation with all its branches, and finds where the branches end."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import NamedTuple

from chatcli.commands.outcomes import Outcome, Show
from chatcli.commands.registry import command
from chatcli.conversation.message import THOUGHT, speaker
from chatcli.conversation.reply_endings import CUT_SHORT
from chatcli.conversation.usage import counted
from chatcli.dataclass import dataclass
from chatcli.errors import UserError
from chatcli.render.views import Drawing
from chatcli.session.session import Session
from chatcli.store.outline import Outline, Run, Spot, Twig
from chatcli.text import cells, shortened

# The name under which a conversation keeps the message that /back returns to.
BEFORE = "-"
# Columns of a line when no terminal says how many, and how many messages in a row are drawn one by one.
WIDTH = 78
ROW = 4

# Markdown signs that a line does not begin with.
_SIGNS = ">#*- "


@dataclass(frozen=True, slots=True)
class Tip:
    """The end of a branch, or the current message. `names`: those given on this branch alone."""

    twig: Twig
    current: bool
    names: tuple[str, ...] = ()


class Stroke(NamedTuple):
    """A line of the tree: `before` stands to the left of a message, which is at `spot`, and `mark` to the right.
    Without a spot it says how many messages are left out.
    """

    before: str
    spot: Spot | None = None
    mark: str = ""
    left_out: int = 0


@command("tree")
def tree(session: Session) -> Outcome:
    """Draw the conversation with all its branches; `●` marks where you are, names are in brackets.

    The current branch goes straight down, the others are indented where they leave it.
    """
    if not session.conversation.id:
        raise UserError("Nothing has been said yet, so there is no tree.")
    strokes = list(sketch(_outline(session), session.conversation.tip, session.conversation.names))
    twigs = session.store.twigs(stroke.spot for stroke in strokes if stroke.spot is not None)
    return Show.of(Drawing("\n".join(draw(strokes, twigs, room()))))


def tips_of(session: Session) -> list[Tip]:
    """The ends of all branches, and the current message when it is no end; newest first."""
    current = session.conversation.tip
    names = ends(_outline(session), current, session.conversation.names)
    twigs = session.store.twigs(names)
    found = (Tip(twig, twig.id == current, names[spot]) for spot, twig in twigs.items())
    return sorted(found, key=lambda tip: tip.twig.id, reverse=True)


def _outline(session: Session) -> Outline:
    conversation = session.conversation
    marked = {*conversation.names.values(), *filter(None, [conversation.tip])}
    return session.store.outline(conversation.id, marked)


def room() -> int:
    """The most columns of a line that does not wrap in this terminal."""
    return max(20, terminal_size()[0] - 1)


def terminal_size() -> tuple[int, int]:
    """Columns and rows."""
    size = shutil.get_terminal_size((WIDTH + 1, 24))
    return size.columns, size.lines


def sketch(outline: Outline, tip: int | None, names: Mapping[str, int]) -> Iterator[Stroke]:
    """The lines of the tree, before any message is read."""
    here = outline.spots.get(tip)
    on_path = set(_path(outline, here))
    marks: dict[Run, dict[Spot, list[str]]] = {}
    named = [(spot, f"[{name}]") for name, spot in _named(outline, names)]
    for spot, mark in [*named, *([(here, "● here")] if here else [])]:
        marks.setdefault(outline.at(spot), {}).setdefault(spot, []).append(mark)

    # Siblings still to be drawn, their indent, and whether they are indented. A list, since trees may be deep.
    waiting: list[tuple[Sequence[Run], str, bool]] = [(outline.below.get(None, ()), "", False)]
    while waiting:
        siblings, indent, set_in = waiting.pop()
        if len(siblings) > 1:
            main = next((each for each in siblings if each in on_path), siblings[-1])
            waiting.append(([main], indent, False))
            waiting.extend(([each], f"{indent}│  ", True) for each in reversed(siblings) if each is not main)
        elif siblings:
            row = _row(siblings[0], outline.below)
            marked = {spot: there for run in row if run in marks for spot, there in marks[run].items()}
            yield from _sketch_row(row, indent, marked, set_in)
            waiting.append((outline.below.get(row[-1], ()), indent, False))


def draw(strokes: Iterable[Stroke], twigs: Mapping[Spot, Twig], width: int = WIDTH) -> Iterator[str]:
    """The lines of the tree, none wider than `width`. What has gone since it was sketched is left out."""
    for before, spot, mark, left_out in strokes:
        if spot is None:
            yield f"{before}   ⋮ {counted(left_out, 'message')}"
        elif twig := twigs.get(spot):
            free = width - cells(mark) - 1 if mark else width
            line = shortened(f"{before}{twig.number:>2} {standing(twig)}", max(20, free))
            yield f"{line} {mark}" if mark else line


def ends(outline: Outline, tip: int | None, names: Mapping[str, int]) -> dict[Spot, tuple[str, ...]]:
    """The ends of all branches, and the current message when it is no end, with the names given on each branch
    alone.
    """
    named: dict[Run, list[tuple[int, str]]] = {}
    for name, spot in _named(outline, names):
        named.setdefault(outline.at(spot), []).append((spot.number, name))
    found = [Spot(run.branch, run.last) for run in outline.above if run not in outline.below]
    found += filter(None, [outline.spots.get(tip)])
    return {spot: tuple(_own_names(outline, spot, named)) for spot in found}


def _named(outline: Outline, names: Mapping[str, int]) -> Iterator[tuple[str, Spot]]:
    """The names that a person has given to messages that are still there, and where those are."""
    return (
        (name, outline.spots[node]) for name, node in names.items() if name != BEFORE and node in outline.spots
    )


def _own_names(outline: Outline, end: Spot, named: Mapping[Run, list[tuple[int, str]]]) -> list[str]:
    """The names on the way from that message up to where its branch parts from others, the uppermost first."""
    own: list[tuple[int, str]] = []
    run: Run | None = outline.at(end)
    while run is not None:
        own += named.get(run, ())
        above = outline.above[run]
        run = above if len(outline.below[above]) == 1 else None
    return [name for number, name in sorted(own, key=lambda each: each[0]) if number <= end.number]


def standing(twig: Twig) -> str:
    """Who said what, in one line."""
    who = twig.model or speaker(twig.role)
    ending = f" ({CUT_SHORT[twig.ended]})" if twig.ended in CUT_SHORT else ""
    thought = f"({THOUGHT}) " if twig.is_thought else ""
    said = twig.beginning.lstrip(_SIGNS).replace("**", "").replace("`", "").strip()
    return f"{who}{ending}: {thought}{said}"


def _sketch_row(
    row: Sequence[Run], indent: str, marks: Mapping[Spot, list[str]], set_in: bool
) -> Iterator[Stroke]:
    """The lines of messages without a branch between them; of many only the first, the last and marked ones."""
    first, last = Spot(row[0].branch, row[0].first), Spot(row[-1].branch, row[-1].last)
    if last.number - first.number < ROW:
        spots = [Spot(run.branch, number) for run in row for number in range(run.first, run.last + 1)]
    else:
        spots = sorted({first, last, *marks}, key=attrgetter("number")) if marks else [first, last]
    before = first.number - 1
    for spot in spots:
        if left_out := spot.number - before - 1:
            yield Stroke(indent, left_out=left_out)
        head = f"{indent[:-3]}├─ " if spot == first and set_in else indent
        yield Stroke(head, spot, " ".join(marks.get(spot, ())))
        before = spot.number


def _row(first: Run, below: Mapping[Run | None, Sequence[Run]]) -> list[Run]:
    """`first` and the runs after it, up to where the next branch parts. Mostly it is alone: a single run follows
    only where the end of a branch was removed.
    """
    row = [first]
    while len(following := below.get(row[-1], ())) == 1:
        row.append(following[0])
    return row


def _path(outline: Outline, tip: Spot | None) -> Iterator[Run]:
    run = outline.at(tip) if tip is not None else None
    while run is not None:
        yield run
        run = outline.above[run]
