"""Facts: what a person wants known in every conversation, each a line of a text file of their own.

Only /memory, `chatcli memory` and the person's own editor write that file. It is no part of the store, so that a
private conversation knows the facts, too, and damage of the store does not touch them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from chatcli.context.system_message import that_fit
from chatcli.errors import BadFile, NotFound, UserError
from chatcli.hints import Do, Hint, Words
from chatcli.paths import is_there, private_directory, readable, replace_private, shown, writable
from chatcli.settings import table
from chatcli.text import clean

if TYPE_CHECKING:
    from chatcli.session.session import Session

LONGEST = 500  # characters of one fact
LARGEST = 1 << 16  # bytes of the file
PART = 8  # facts take no more than one part in so many of the window

_MEND = "Check its permissions, or move it away."


class Facts:
    """The facts in the file at `path`. Another chatcli or an editor may change it at any time."""

    def __init__(self, path: Path, warn: Callable[[Words], object]) -> None:
        self._path = path
        self._warn = warn
        self._stamped: tuple[int, int, int] | None = None
        self._known: tuple[str, ...] = ()

    def known(self) -> tuple[str, ...]:
        """The facts in order. Where the file cannot be read, those known before, with a warning once."""
        now = self._stamp()
        if now != self._stamped:
            self._stamped = now
            try:
                self._known = self.read()
            except BadFile as error:
                self._warn(Hint(error.message, " Its facts are not sent. ", error.advice))
        return self._known

    def read(self) -> tuple[str, ...]:
        """The facts as they are in the file now; () where there is none. Raises BadFile."""
        from chatcli.reading.encoding import decoded
        from chatcli.reading.files import read_bytes

        if not is_there(self._path):
            return ()
        with readable(self._path, _MEND):
            lines = decoded(read_bytes(self._path, LARGEST)).splitlines()
        return tuple(filter(None, map(as_fact, lines)))

    def add(self, text: str) -> str:
        """Keep that fact; returns it as it is kept. Raises UserError where it is none, BadFile."""
        fact, before = as_fact(text), self.read()
        if not fact:
            raise UserError("There is nothing to keep.", Hint(Do("memory add", "TEXT"), " keeps a fact."))
        if len(fact) > LONGEST:
            raise UserError(
                f"This has {len(fact)} characters; a fact has at most {LONGEST}.", "Make it several facts."
            )
        if fact in before:
            raise UserError("This is kept already.", Hint(Do("memory"), " lists what is."))
        self._write([*before, fact])
        return fact

    def remove(self, numbers: Sequence[int]) -> list[str]:
        """Remove the facts of these numbers, from 1; returns them. Raises NotFound, BadFile."""
        before = self.read()
        for number in numbers:
            if not 1 <= number <= len(before):
                raise NotFound(f"There is no fact {number}.", Hint(Do("memory"), " lists them by number."))
        self._write([fact for at, fact in enumerate(before, start=1) if at not in numbers])
        return [before[number - 1] for number in sorted(set(numbers))]

    def _write(self, facts: Sequence[str]) -> None:
        data = "".join(f"{fact}\n" for fact in facts).encode()
        if len(data) > LARGEST:
            raise UserError(f"There is no room in {shown(self._path)} for more facts.", "Remove some.")
        with writable(self._path, _MEND):
            private_directory(self._path.parent)
            replace_private(self._path, data)

    def _stamp(self) -> tuple[int, int, int] | None:
        """What changes whenever the file does; None where there is none."""
        with suppress(OSError, ValueError):
            found = self._path.stat()
            return found.st_ino, found.st_mtime_ns, found.st_size
        return None


def as_fact(line: str) -> str:
    """The line as it is kept: visible characters only, with single blanks between the words."""
    return " ".join(clean(line).split())


def facts_sent(session: Session) -> tuple[str, ...]:
    """Those that go with the next request: none with the setting `memory` off, else as many as have room."""
    if not session.settings[table.MEMORY]:
        return ()
    facts = session.facts.known()
    return that_fit(facts, session.window.get() // PART, session.counter.count) if facts else ()
