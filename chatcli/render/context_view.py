"""Draws the context window: a bar of its parts, the tokens of each part, then each message."""

from __future__ import annotations

from collections.abc import Iterator

from chatcli.conversation.plan import MAY_BE_DROPPED, Fate, Part, PartKind, Plan
from chatcli.conversation.usage import Count, in_tokens
from chatcli.hints import Speller, spelled
from chatcli.render.columns import Align, Row, fit
from chatcli.render.lines import BLANK, Line, Span, to_line, wrap
from chatcli.render.sanitize import one_line
from chatcli.render.theme import Palette
from chatcli.render.views import WindowView
from chatcli.text import clean

# In the order of the request: the words of the legend, and the letters of a bar without colors.
_PARTS = (
    (PartKind.DEFINITIONS, "tool definitions", "f"),
    (PartKind.SYSTEM, "system prompt", "s"),
    (PartKind.FACTS, "your facts", "k"),
    (PartKind.SUMMARY, "summary", "u"),
    (PartKind.RECALLED, "recalled", "r"),
    (PartKind.DOCUMENTS, "documents", "d"),
    (PartKind.PASSAGES, "passages", "p"),
    (PartKind.VERBATIM, "messages", "m"),
    (PartKind.CALLS, "tool calls", "c"),
    (PartKind.RESULTS, "tool results", "o"),
    (PartKind.QUESTION, "question", "q"),
    (PartKind.TEMPLATE, "template", "t"),
)
_NAMES = {kind: name for kind, name, _ in _PARTS}
_BAR = 60  # cells at the most

Piece = tuple[str, str, str, Count]  # style, name, letter, tokens


def draw_window(view: WindowView, palette: Palette, width: int | None, speller: Speller) -> Iterator[Line]:
    plan = view.plan
    yield from _wrapped(_size(view), palette["title"], width)
    pieces = _pieces(view)
    yield to_line(_bar(pieces, plan.window, min(width or _BAR, _BAR), palette))
    yield from _table(
        [[[_swatch(piece, palette)], [Span(piece[1])], *_amounts(piece[3], plan.window)] for piece in pieces],
        ["left", "left", "right", "right"],
        width,
    )
    over = plan.planned.tokens + plan.reserve + plan.margin - plan.window
    if plan.excess:
        yield from _wrapped(
            f"The request is {in_tokens(plan.excess)} too long for the window. All of it is sent, and the server "
            "chooses what it drops.",
            palette["warning"],
            width,
        )
    elif plan.window and over > 0:
        yield from _wrapped(
            f"{in_tokens(over)} of the reply's reserve {'is' if over == 1 else 'are'} taken.",
            palette["warning"],
            width,
        )
    rows = [
        _row(plan, part)
        for part in plan.parts
        if part.first or part.fate is not Fate.SENT or part.why or part.lacks
    ]
    if rows:
        yield BLANK
        head = [[Span(name, palette["quiet"])] for name in ("messages", "tokens", "status", "why")]
        yield from _table([head, *rows], ["left", "right", "left", "left"], width)
    remarks = [_measured(view), *(spelled(line, speller) for line in view.lines)]
    if any(remarks):
        yield BLANK
    for remark in filter(None, remarks):
        yield from _wrapped(remark, palette["quiet"], width)


def _size(view: WindowView) -> str:
    words = [f"Window {in_tokens(view.plan.window)}", f"strategy {one_line(view.strategy)}"]
    if view.allocated is not None:
        same = view.allocated == view.plan.window
        words.append(f"allocated {view.allocated}{'' if same else ' until the next request'}")
    if view.trained is not None:
        words.append(f"trained for {view.trained}")
    return " · ".join(words)


def _pieces(view: WindowView) -> list[Piece]:
    plan = view.plan
    pieces = [(f"part.{kind.value}", name, letter, plan.of(kind)) for kind, name, letter in _PARTS]
    pieces = [piece for piece in pieces if piece[3].tokens]
    reserve = min(plan.reserve, plan.free)
    pieces.append(("part.reserve", "reserved for the reply", "-", Count(reserve, exact=True)))
    pieces.append(("part.free", "free", ".", Count(plan.free - reserve, exact=plan.planned.exact)))
    return pieces


def _bar(pieces: list[Piece], window: int, width: int, palette: Palette) -> list[Span]:
    """Every part that is not empty has a cell; the free space takes the rest."""
    whole = max(window, sum(piece[3].tokens for piece in pieces), 1)
    sizes = [max(1, round(piece[3].tokens * width / whole)) if piece[3].tokens else 0 for piece in pieces]
    while sum(sizes) > width and max(sizes) > 1:
        sizes[sizes.index(max(sizes))] -= 1
    sizes[-1] = max(0, width - sum(sizes[:-1]))
    return [
        Span(_glyph(piece, palette) * size, palette[piece[0]]) for piece, size in zip(pieces, sizes, strict=True)
    ]


def _glyph(piece: Piece, palette: Palette) -> str:
    if piece[0] == "part.free":
        return "·" if palette["part.system"] else piece[2]
    return "█" if palette["part.system"] else piece[2]


def _swatch(piece: Piece, palette: Palette) -> Span:
    return Span(_glyph(piece, palette), palette[piece[0]])


def _amounts(count: Count, window: int) -> list[list[Span]]:
    share = f"{count.tokens * 100 / window:.0f} %" if window else ""
    return [[Span(str(count))], [Span(share)]]


def _row(plan: Plan, part: Part) -> list[list[Span]]:
    if not part.first:
        which = _NAMES[part.kind]
    elif part.first == part.last:
        which = str(part.first)
    else:
        which = f"{part.first}–{part.last}"
    why = part.lacks or part.why or (MAY_BE_DROPPED if plan.may_be_dropped(part) else "")
    return [[Span(which)], [Span(str(part.count))], [Span(part.fate.value)], [Span(one_line(why))]]


def _measured(view: WindowView) -> str:
    if view.measured is None:
        return ""
    planned = f", planned {one_line(view.planned)}" if view.planned else ""
    dropped = f"; it dropped {view.dropped}" if view.dropped else ""
    return f"Last turn: {view.measured} prompt tokens by the server's count{planned}{dropped}."


def _table(rows: list[list[list[Span]]], aligns: list[Align], width: int | None) -> Iterator[Line]:
    drawn = [Row(row, aligns) for row in rows]
    widths = fit(drawn, width or 10_000)
    for row in drawn:
        yield from row.draw(widths)


def _wrapped(text: str, sgr: str, width: int | None) -> Iterator[Line]:
    spans = [Span(" ".join(clean(text).split()), sgr)]
    yield from map(to_line, wrap(spans, width) if width else [spans])
