"""Draws a growing paragraph: the part that nothing can change is wrapped once; only its end is parsed again."""

from __future__ import annotations

import copy

from chatcli.render import inline
from chatcli.render.inline import References
from chatcli.render.lines import Line, Span, to_line, wrap
from chatcli.render.theme import Palette

_TRY = 120  # unsettled characters from which on it is worth trying to settle some
_SLAB = 4096  # characters after which open emphasis and links are taken as text: bounds the work
_BEGIN_TITLE = ('"', "'", "(")
_BLANK = " \t\n"  # a no-break space is text


class Paragraph:
    """add() takes whole lines, extend() more of the last one. lines(): all as of now; take(): the final ones."""

    def __init__(self, palette: Palette, width: int, references: References) -> None:
        self._palette, self._width, self._references = palette, width, references
        self.source = ""  # of the current slab
        self.is_whole = True  # no slab is done yet
        self._done = 0  # characters of the slab that left `source`: their lines were taken
        self._settled = 0  # how much of `source` is in the two below
        self._lines: list[Line] = []
        self._carry: list[Span] = []  # the beginning of the line after `_lines`
        self._before: list[Span] = []  # what _carry was at the beginning of the slab
        self._try_at = _TRY
        self._defined: list[Line] = []  # definitions of labels that were mentioned before
        self.is_begun = False  # some of them were taken

    def copy(self, references: References) -> Paragraph:
        twin = copy.copy(self)
        twin._lines, twin._defined, twin._references = list(self._lines), list(self._defined), references
        return twin

    def add(self, line: str) -> None:
        if self.source.startswith("[") and not line.startswith(_BEGIN_TITLE):
            self.define(before=line)
        self.extend("\n" + line if self.source else line)

    def extend(self, piece: str) -> None:
        self.source += piece
        while self._done + len(self.source) > _SLAB:
            self._end_slab()
        if len(self.source) - self._settled >= self._try_at:
            self._settle()

    def lines(self) -> list[Line]:
        end = self.source[self._settled :].rstrip(_BLANK)
        if not end and not self._carry:
            return self._defined + self._lines
        shown = inline.spans(end, self._palette, "", self._references)
        return self._defined + self._lines + [to_line(line) for line in self._wrapped(shown)]

    def take(self) -> list[Line]:
        self._defined, defined = [], self._defined
        self.is_begun |= bool(defined)
        if self.is_whole:  # it may still become a heading
            return defined
        self._lines, final = [], defined + self._lines
        inline.mention(self.source[: self._settled], self._references)
        self._done += self._settled  # a resize must not draw it again
        self.source, self._settled, self._before = self.source[self._settled :], 0, self._carry
        return final

    @property
    def last_line(self) -> str:
        return self.source.rpartition("\n")[2]

    def without_last_line(self) -> Paragraph:
        rest = Paragraph(self._palette, self._width, self._references)
        rest.extend(self.source.rpartition("\n")[0])
        rest._defined, rest.is_begun = self._defined, self.is_begun
        return rest

    def close(self) -> list[Line]:
        """Returns its last lines."""
        self.define()
        inline.mention(self.source, self._references)
        return self.lines()

    def define(self, before: str = "") -> None:
        """Moves the link definitions at its beginning out of the text and into the references.

        `before`: the line that comes next. A definition that it may still change stays.
        """
        if not self.is_whole or not self.source.startswith("["):
            return
        lines = self.source.split("\n")
        end = 0
        for found in inline.definitions(self.source):
            following = lines[found.end] if found.end < len(lines) else before
            if before and following.startswith(_BEGIN_TITLE) and not found.title:
                break
            end = found.end
            if inline.define(found, self._references):
                shown = wrap(found.spans(self._palette), self._width, whole=True)
                self._defined += map(to_line, shown)
        if end:
            self.source = "\n".join(lines[end:])
            self._restart()

    def resize(self, width: int) -> None:
        self._width = width
        self._restart()

    def _restart(self) -> None:
        self._settled, self._lines, self._carry, self._try_at = 0, [], self._before, _TRY

    def _settle(self) -> None:
        """Wraps the part that cannot change: up to a space outside of any open emphasis, link or code."""
        at = self.source.rfind(" ", self._settled + 1, -1)
        while at > 0 and (self.source[at - 1] in _BLANK or self.source[at + 1] in _BLANK):
            at = self.source.rfind(" ", self._settled + 1, at)
        shown = None
        if at > self._settled:
            part = self.source[self._settled : at]
            shown = inline.settled(part, self._palette, "", self._references)
        if shown is None:
            self._try_at = len(self.source) - self._settled + _TRY
        else:
            self._keep(shown, at)

    def _end_slab(self) -> None:
        end = _SLAB - self._done
        at = max(self.source.rfind(" ", 0, end), self.source.rfind("\n", 0, end))
        at = len(self.source[: max(at, 0)].rstrip(_BLANK)) or (0 if self._done else end)
        part = self.source[self._settled : at]
        self._keep(inline.spans(part, self._palette, "", self._references, goes_on=True), at)
        inline.mention(self.source[:at], self._references)
        self.source, self._settled, self.is_whole = self.source[at:], 0, False
        self._done, self._before = 0, self._carry

    def _keep(self, shown: list[Span], settled: int) -> None:
        *full, self._carry = self._wrapped(shown)
        self._lines += map(to_line, full)
        self._settled, self._try_at = settled, _TRY

    def _wrapped(self, shown: list[Span]) -> list[list[Span]]:
        if shown and not self._carry and self.source[self._settled :][:1] in {" ", "\n"}:
            shown = [shown[0]._replace(text=shown[0].text.removeprefix(" ")), *shown[1:]]  # after a hard break
        return wrap(self._carry + shown, self._width, whole=True)
