"""/tree: draws the conversation with all its branches, and finds where the branches end."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from chatcli.commands.outcomes import Outcome, Show
from chatcli.commands.registry import command
from chatcli.conversation.message import THOUGHT, speaker
from chatcli.conversation.reply_endings import CUT_SHORT
from chatcli.conversation.usage import counted
from chatcli.errors import UserError
from chatcli.render.views import Drawing
from chatcli.session.session import Session
from chatcli.store.listing import Twig
from chatcli.text import cells, shortened

# The name under which a conversation keeps the message that /back returns to.
BEFORE = "-"
# Columns of a line when no terminal says how many, and how many messages in a row are drawn one by one.
WIDTH = 78
ROW = 4

# Markdown signs that are left out of a line.
_MARKUP = re.compile(r"^[>#\s*-]+|\*\*|`")


@dataclass(frozen=True, slots=True)
class Tip:
    """The end of a branch, or the current message. `names`: those given on this branch alone."""

    twig: Twig
    current: bool
    names: tuple[str, ...] = ()


@command("tree")
def tree(session: Session) -> Outcome:
    """Draw the conversation with all its branches; `●` marks where you are, names are in brackets.

    The current branch goes straight down, the others are indented where they leave it.
    """
    if not session.conversation.id:
        raise UserError("Nothing has been said yet, so there is no tree.")
    twigs = session.store.outline(session.conversation.id)
    lines = draw(twigs, session.conversation.tip, session.conversation.names, room())
    return Show.of(Drawing("\n".join(lines)))


def room() -> int:
    """The most columns of a line that does not wrap in this terminal."""
    return max(20, terminal_size()[0] - 1)


def terminal_size() -> tuple[int, int]:
    """Columns and rows."""
    size = shutil.get_terminal_size((WIDTH + 1, 24))
    return size.columns, size.lines


def draw(twigs: Sequence[Twig], tip: int | None, names: Mapping[str, int], width: int = WIDTH) -> Iterator[str]:
    """The lines of the tree, none wider than `width`."""
    children = _children(twigs)
    on_path = set(_path(twigs, tip))
    marks: dict[int, list[str]] = {}
    for name, node in names.items():
        if name != BEFORE:
            marks.setdefault(node, []).append(f"[{name}]")
    if tip is not None:
        marks.setdefault(tip, []).append("● here")

    # Siblings still to be drawn, their indent, and whether they are indented. A list, since trees may be deep.
    waiting: list[tuple[list[Twig], str, bool]] = [(children.get(None, []), "", False)]
    while waiting:
        siblings, indent, set_in = waiting.pop()
        if len(siblings) > 1:
            main = next((each for each in siblings if each.id in on_path), siblings[-1])
            waiting.append(([main], indent, False))
            waiting.extend(([each], f"{indent}│  ", True) for each in reversed(siblings) if each is not main)
        elif siblings:
            row = _row(siblings[0], children)
            yield from _draw_row(row, indent, marks, set_in, width)
            waiting.append((children.get(row[-1].id, []), indent, False))


def tips_of(twigs: Sequence[Twig], tip: int | None, names: Mapping[str, int]) -> list[Tip]:
    """The ends of all branches, and the current message when it is no end; newest first."""
    children = _children(twigs)
    parents = {twig.id: twig.parent for twig in twigs}
    named: dict[int, list[str]] = {}
    for name, node in names.items():
        if name != BEFORE:
            named.setdefault(node, []).append(name)
    found = []
    for twig in twigs:
        if twig.id == tip or not children.get(twig.id):
            own: list[str] = []
            at: int | None = twig.id
            while at is not None:
                own[:0] = named.get(at, [])
                at = parents.get(at)
                if at is not None and len(children[at]) > 1:
                    break
            found.append(Tip(twig, twig.id == tip, tuple(own)))
    return found[::-1]


def standing(twig: Twig) -> str:
    """Who said what, in one line."""
    who = twig.model or speaker(twig.role)
    ending = f" ({CUT_SHORT[twig.ended]})" if twig.ended in CUT_SHORT else ""
    thought = f"({THOUGHT}) " if twig.is_thought else ""
    return f"{who}{ending}: {thought}{_MARKUP.sub('', twig.beginning).strip()}"


def _draw_row(
    row: Sequence[Twig], indent: str, marks: Mapping[int, list[str]], set_in: bool, width: int
) -> Iterator[str]:
    """The lines of messages without a branch between them; of many only the first, the last and marked ones."""
    left_out = 0
    for place, twig in enumerate(row):
        if len(row) > ROW and 0 < place < len(row) - 1 and twig.id not in marks:
            left_out += 1
            continue
        if left_out:
            yield f"{indent}   ⋮ {counted(left_out, 'message')}"
            left_out = 0
        mark = " ".join(marks.get(twig.id, []))
        head = f"{indent[:-3]}├─ " if place == 0 and set_in else indent
        free = width - cells(mark) - 1 if mark else width
        line = shortened(f"{head}{twig.number:>2} {standing(twig)}", max(20, free))
        yield f"{line} {mark}" if mark else line


def _row(first: Twig, children: Mapping[int | None, list[Twig]]) -> list[Twig]:
    """`first` and the messages after it, up to the next branch."""
    row = [first]
    while len(following := children.get(row[-1].id, [])) == 1:
        row.append(following[0])
    return row


def _children(twigs: Iterable[Twig]) -> dict[int | None, list[Twig]]:
    found: dict[int | None, list[Twig]] = {}
    for twig in twigs:
        found.setdefault(twig.parent, []).append(twig)
    return found


def _path(twigs: Iterable[Twig], tip: int | None) -> Iterator[int]:
    parents = {twig.id: twig.parent for twig in twigs}
    at = tip
    while at is not None:
        yield at
        at = parents.get(at)
