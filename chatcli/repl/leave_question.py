"""Asks a person whether a tool call may run. The whole call is shown, however long it is; the default is no."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from chatcli.prompt.typeahead import quiet_keyboard
from chatcli.render.screen import Screen
from chatcli.render.tool_calls import whole
from chatcli.render.views import Note, SourceText, View
from chatcli.repl.signals import raised
from chatcli.text import revealed
from chatcli.tools.leave import Answer, Asking, Leave
from chatcli.tools.tool import Reach

if TYPE_CHECKING:
    from chatcli.prompt.reader import Reader

_KEPT_FREE = 6  # rows of a page for the question around it
# What an answer "always" allows, by the reach of the tool.
_EVERY = {
    Reach.PURE: "every call of it for {}",
    Reach.PRIVATE: "every call of it for {}",
    Reach.NET: "every call of it to {}",
    Reach.ACTS: "exactly this again, as often as it comes",
}


def asked(screen: Screen, reader: Reader, asking: Asking) -> Answer:
    """What the person answers. What was typed before the question is no answer, and is in the line after it."""
    with raised(), reader.ahead_kept():
        name, reach = asking.tool.name, asking.tool.reach
        _show(screen, reader, Note(f"The model wants to call {name}, which {reach.meaning}:", "warning"))
        if not _read(screen, reader, asking):
            return Answer(Leave.QUIT)
        _show(screen, reader, Note(f"You are asked because {_on_one_line(asking.why)}.", "quiet"))
        return _answer(screen, reader, asking)


def _show(screen: Screen, reader: Reader, view: View) -> None:
    """Show it while the terminal echoes no keys: they would stand in the middle of the question."""
    with quiet_keyboard(reader.keyboard, marks_pastes=reader.marks_pastes):
        screen.show(view)


def _read(screen: Screen, reader: Reader, asking: Asking) -> bool:
    """Show the call, page by page; returns whether it was read to its end."""
    columns, rows = screen.size()
    *pages, last = _pages(list(whole(asking.use, columns)), max(1, rows - _KEPT_FREE))
    for page in pages:
        _show(screen, reader, SourceText("\n".join(page)))
        if reader.key("The call is longer: Enter shows more of it, q is no and ends the turn", "q") != "":
            return False
    _show(screen, reader, SourceText("\n".join(last)))
    return True


def _answer(screen: Screen, reader: Reader, asking: Asking) -> Answer:
    letters, always = "ynq", ""
    if asking.lasting and not asking.scope.secret:
        letters, always = "yanq", "a always, "
        what = _on_one_line(asking.scope.what)
        every = _EVERY[asking.tool.reach].format(what) if what else "the same call again, as often as it comes"
        _show(screen, reader, Note(f"Always, until the conversation ends: {every}.", "quiet"))
    match reader.key(f"y yes, once; {always}n no (Enter), q no and end the turn", letters):
        case "y":
            return Answer(Leave.ONCE)
        case "a":
            return Answer(Leave.ALWAYS)
        case "n":
            return Answer(Leave.NO, reader.answer("Why not? The model is told (Enter: nothing): ") or "")
        case "":
            return Answer(Leave.NO)
    return Answer(Leave.QUIT)


def nobody(tell: Callable[[str], object], asking: Asking) -> Answer:
    """The answer where nobody can be asked: no, and `tell` gets a line on how to allow it."""
    tell(f"{asking.tool.name} was not run: {asking.why}, and nobody can be asked here.{_to_allow(asking)}")
    return Answer(Leave.NO, "Nobody can be asked here.")


def _to_allow(asking: Asking) -> str:
    import shlex

    return f" To allow it: --allow {shlex.quote(_on_one_line(asking.rule))}" if asking.rule else ""


def _on_one_line(text: str) -> str:
    return revealed(text).replace("\n", "\\n")


def _pages(lines: Sequence[str], rows: int) -> Iterator[Sequence[str]]:
    for at in range(0, max(1, len(lines)), rows):
        yield lines[at : at + rows]
