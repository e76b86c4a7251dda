"""Draws chatcli's own words as lines: notes, errors, listings, documents, history. Cleans foreign text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from chatcli.conversation.message import THOUGHT, Attachment, Message, Role, speaker
from chatcli.conversation.reply_endings import CUT_SHORT
from chatcli.conversation.tree import Node
from chatcli.errors import BadData, ChatcliError
from chatcli.hints import Speller, in_python, spelled
from chatcli.reading.json_toml import read_json
from chatcli.render.columns import Align, Row, fit, total
from chatcli.render.context_view import draw_window
from chatcli.render.lines import BLANK, Line, Span, prose_width, to_line, wrap
from chatcli.render.sanitize import one_line
from chatcli.render.theme import Palette
from chatcli.render.tool_calls import called, came, whole
from chatcli.render.views import (
    CallLine,
    Change,
    Changes,
    Document,
    Drawing,
    History,
    Listing,
    Note,
    Pictures,
    ResultLine,
    SourceText,
    Thought,
    View,
    WholeCall,
    WindowView,
)
from chatcli.text import ENDLESS, cells, clean, shortened

Preview = Callable[[bytes], Line | None]


def draw(
    view: View,
    palette: Palette,
    width: int | None,
    rendered: bool,
    preview: Preview = lambda _: None,
    speller: Speller = in_python,
    prose: int = ENDLESS,
) -> Iterator[Line]:
    """Returns the lines of `view`. `width` None: nothing is wrapped. Markdown is drawn if `rendered`, else shown
    as source; `prose`: see prose_width(). `preview` turns the bytes of a picture into a line that shows it, or
    returns None. `speller` spells the commands in hints.
    """
    match view:
        case Note(text, tone):
            yield from _text(spelled(text, speller), palette[tone] if tone != "plain" else "", width)
        case Listing():
            yield from _listing(view, palette, width, speller)
        case Document(markdown):
            yield from _markdown(markdown, palette, width if rendered else None, prose)
        case SourceText(text):
            yield from _source(text)
        case Drawing(text):
            yield from _source(text if rendered else text.translate(_AS_ASCII))
        case Changes(parts):
            yield from _changes(parts, palette, width, prose)
        case Thought(text):
            yield from _text(text.strip("\n"), palette["thinking"], prose_width(width, prose) if width else None)
        case CallLine(use):
            yield _on_one_line(f"> {called(use)}", palette["tool"], width)
        case ResultLine(ended, text, seconds):
            yield _on_one_line(f"  {came(ended, text, seconds)}", palette["quiet"], width)
        case WholeCall(node):
            yield from _whole_call(node, palette, width)
        case History(nodes):
            yield from _history(nodes, palette, width, rendered, preview, prose)
        case Pictures(attachments):
            yield from _pictures(attachments, preview)
        case WindowView():
            yield from draw_window(view, palette, width, speller)


def draw_error(
    error: ChatcliError, palette: Palette, width: int | None, speller: Speller = in_python
) -> Iterator[Line]:
    yield from _text(error.message, palette["error"], width)
    if hint := spelled(error.advice, speller):
        yield from _text(hint, palette["hint"], width)


def _text(text: str, sgr: str, width: int | None) -> Iterator[Line]:
    for line in clean(text).expandtabs(4).split("\n"):
        spans = [Span(line, sgr)]
        yield from map(to_line, wrap(spans, width) if width else [spans])


def _on_one_line(text: str, sgr: str, width: int | None) -> Line:
    return to_line([Span(shortened(text, width - 1) if width else text, sgr)])


def _whole_call(node: Node, palette: Palette, width: int | None) -> Iterator[Line]:
    yield to_line([Span(_heading(node), palette["quiet"])])
    use = node.message.answers
    if use is not None:
        yield to_line([Span(f"> {one_line(use.name)}", palette["tool"])])
        yield from (to_line([Span(line)]) for line in whole(use, width or ENDLESS))
        yield BLANK
    yield from _source(node.message.text)


def _source(text: str) -> Iterator[Line]:
    for line in clean(text).removesuffix("\n").expandtabs(8).split("\n"):
        yield Line(line, cells(line))


def _markdown(markdown: str, palette: Palette, width: int | None, prose: int) -> Iterator[Line]:
    if width is None:
        yield from _source(markdown)
    else:
        from chatcli.render.markdown import Layout, render  # imports markdown-it, which a note does not need

        layout = Layout(prose, "json" if _is_json(markdown) else "")
        yield from render(clean(markdown), palette, width, layout)


def _is_json(text: str) -> bool:
    """Whether it is what replies with a format are: an object or a list of JSON."""
    if not text.lstrip().startswith(("{", "[")):
        return False
    try:
        read_json(text)
    except BadData:
        return False
    return True


_AS_ASCII = str.maketrans("│├└─●⋮", "|+`-*:")
_MARKS = {"gone": ("[-", "-]"), "new": ("{+", "+}")}


def _changes(parts: Sequence[Change], palette: Palette, width: int | None, prose: int) -> Iterator[Line]:
    """Draws what is gone and what is new in looks of their own; without colors between marks, as wdiff does."""
    spans = []
    for kind, text in parts:
        before, after = _MARKS.get(kind, ("", "")) if palette.is_mono else ("", "")
        body = clean(text).expandtabs(4)
        inside = body.strip()
        if inside:
            body = body.replace(inside, f"{before}{inside}{after}")
        spans.append(Span(body, palette[kind] if kind != "same" else ""))
    yield from map(to_line, wrap(spans, prose_width(width, prose) if width else ENDLESS))


def _listing(view: Listing, palette: Palette, width: int | None, speller: Speller) -> Iterator[Line]:
    if view.title:
        yield from _text(spelled(view.title, speller), palette["title"], width)
    if view.rows:
        yield from _rows(view, palette, width, speller)
    if view.note:
        yield from _text(spelled(view.note, speller), palette["quiet"], width)


def _rows(view: Listing, palette: Palette, width: int | None, speller: Speller) -> Iterator[Line]:
    head = [one_line(name) for name in view.columns]
    texts = [[one_line(spelled(cell, speller)) for cell in row] for row in view.rows]
    kept = _columns_that_fit(view, [head, *texts], width)
    aligns: list[Align] = ["right" if view.columns[at] in view.right else "left" for at in kept]
    jumps = palette.has_links  # as in the tables of a reply
    top = Row([[Span(head[at], palette["quiet"])] for at in kept], aligns)
    rows = [Row([[Span(text[at])] for at in kept], aligns, jumps) for text in texts]
    widths = fit([top, *rows], width or 10_000)
    for row in [top, *rows] if any(view.columns) else rows:
        yield from row.draw(widths, width or 0)


def _columns_that_fit(view: Listing, texts: list[list[str]], width: int | None) -> list[int]:
    """The columns that are shown: without as many of the optional ones as it takes to fit the width."""
    needs = [max(map(cells, column)) for column in zip(*texts, strict=True)]
    kept = list(range(len(needs)))
    for name in view.optional if width else ():
        if total([needs[at] for at in kept]) <= (width or 0):
            break
        kept.remove(view.columns.index(name))
    return kept


def _history(
    nodes: tuple[Node, ...],
    palette: Palette,
    width: int | None,
    rendered: bool,
    preview: Preview,
    prose: int,
) -> Iterator[Line]:
    running = prose_width(width, prose) if width else None
    for at, node in enumerate(nodes):
        if at:
            yield BLANK
        yield to_line([Span(_heading(node), palette["quiet"])])
        message = node.message
        if message.role is Role.ASSISTANT and not message.has_text:
            yield from _without_text(message, palette, running)
        elif message.role is Role.ASSISTANT:
            yield from _markdown(message.text, palette, width if rendered else None, prose)
            yield from _calls(message, palette, width)
        elif message.answers is not None:
            yield _on_one_line(f"> {called(message.answers)}", palette["tool"], width)
            yield _on_one_line(f"  {came(node.ended, message.text)}", palette["quiet"], width)
        else:
            yield from _text(message.text, "", running)
        for attachment in message.attachments:
            yield from _text(_described(attachment), palette["quiet"], width)
            yield from _pictures((attachment,), preview)


def _without_text(message: Message, palette: Palette, width: int | None) -> Iterator[Line]:
    """Draws a reply that has no text: its thinking, in its own color, and its tool calls."""
    if message.thinking:
        yield from _text(f"({THOUGHT})", palette["quiet"], width)
        yield from _text(message.thinking.strip("\n"), palette["thinking"], width)
    yield from _calls(message, palette, width)


def _calls(message: Message, palette: Palette, width: int | None) -> Iterator[Line]:
    for use in message.calls:
        yield _on_one_line(f"> {called(use)}", palette["tool"], width)


def _pictures(attachments: tuple[Attachment, ...], preview: Preview) -> Iterator[Line]:
    shown = (preview(attachment.data) for attachment in attachments if attachment.kind == "image")
    yield from filter(None, shown)


def _heading(node: Node) -> str:
    use = node.message.answers
    who = one_line(speaker(node.message.role, use.name if use is not None else ""))
    if node.turn and node.turn.model:
        who = one_line(node.turn.model)
    ending = CUT_SHORT.get(node.ended, "")
    return f"{node.number} {who}" + (f" ({ending})" if ending else "")


def _described(attachment: Attachment) -> str:
    kind = "picture" if attachment.kind == "image" else "file"
    return f"[{kind} {one_line(attachment.name)}, {_bytes(attachment.size)}]"


def _bytes(size: int) -> str:
    amount = float(size)
    for unit in ("bytes", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "bytes" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"
