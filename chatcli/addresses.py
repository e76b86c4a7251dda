"""Parses web addresses as people write them, and removes the user names and passwords in them. This is the only
parser: whatever is fetched, requested, shown, stored or quoted in an error has passed through it.

A password may contain a character that ends it too early: a slash, a quote, a blank. If what follows then names no
host, everything up to the last @ is taken as the password. It is better to remove too much than to show part of a
password.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple
from urllib.parse import unquote

from chatcli.pattern import pattern

# The separator between a scheme and a place; one slash too few or a backslash is accepted. The colon of a drive
# (C:\) is none.
_MARK = pattern(r"(?:(?<=http)|(?<=https)):[/\\]*|(?<=[a-z0-9+.-]{2}):[/\\]+", re.IGNORECASE)
_PLACE = pattern(
    r"""(\[[0-9a-f:.]+(?:%[^\]\s]*)?\]|[^\s@:/?#\\"'<>()\[\]{}|^`%]+)(?::([0-9]{0,5}))?""", re.IGNORECASE
)
_AUTHORITY = pattern(r"[^/?#]*")
_WORD = pattern(r"\S*")
_PUNCTUATION = ".,;:!?'\")]}>`*_"


class Address(NamedTuple):
    """`scheme` and `credentials` as written, None where there is no @; `place`: host and port; `rest`: path, query
    and fragment. `sound`: whether it names a place.
    """

    scheme: str
    credentials: str | None
    place: str
    rest: str
    sound: bool

    @property
    def bare(self) -> str:
        """The address without user name and password."""
        return f"{self.scheme}://{self.place}{self.rest}"

    @property
    def authorization(self) -> str | None:
        """The credentials as a request header has them."""
        if self.credentials is None:
            return None
        user, _, password = self.credentials.partition(":")
        plain = f"{unquote(user)}:{unquote(password)}".encode("utf-8", "replace")
        return f"Basic {base64.b64encode(plain).decode('ascii')}"


def parse(written: str) -> Address | None:
    """The address, if all of `written` is one; None where it has no `scheme://`."""
    scheme, mark, rest = written.partition("://")
    if not mark:
        return None
    end, _, sound = _credentials(rest, 0, len(rest))
    authority = _AUTHORITY.match(rest, end)
    place = authority[0] if authority else ""
    named = sound and _PLACE.fullmatch(place) is not None
    return Address(scheme, rest[: end - 1] if end else None, place, rest[end + len(place) :], named)


def shown(address: str) -> str:
    """One address as people may see it: without user name and password."""
    mark = _MARK.search(address)
    return without(address, [(mark.end(), len(address), 0)]) if mark else address


def shown_beginning(written: str) -> str:
    """The same for what may be cut off in the middle: without a place, the password may not have ended yet."""
    mark = _MARK.search(written)
    if mark is None:
        return written
    _, _, sound = _credentials(written, mark.end(), len(written))
    return shown(written) if sound else f"{written[: mark.end()]}…"


def shown_host(host: str) -> str:
    """The same for a server's address, which may lack its scheme and has an @ only after credentials."""
    mark = _MARK.search(host)
    begin = mark.end() if mark else 0
    return host[:begin] + host[max(host.rfind("@") + 1, begin) :]


def cleaned(prose: str) -> str:
    """`prose` with every address in it as people may see it. An address ends at a blank."""
    return without(prose, _words(prose)) if ":" in prose else prose


def without(text: str, found: Iterable[tuple[int, int, int]]) -> str:
    """`text` without the credentials of these addresses. For each: where they may begin, where the address ends,
    and how far to search for its password if the text between names no place (0: no further).
    """
    kept, done, seen = [], 0, 0
    for begin, end, reach in found:
        if begin < seen:
            continue  # inside what was already read as user name and password
        cut, seen, sound = _credentials(text, begin, end)
        if not sound and reach > end:
            cut = max(cut, text.rfind("@", begin, reach) + 1)
        if cut > begin:
            kept.append(text[done:begin])
            done, seen = cut, max(cut, seen)
    return "".join((*kept, text[done:]))


def _words(prose: str) -> Iterator[tuple[int, int, int]]:
    end = 0
    for mark in _MARK.finditer(prose):
        if mark.end() > end:
            word = _WORD.match(prose, mark.end())
            end = word.end() if word else mark.end()
        yield mark.end(), end, 0


def _credentials(text: str, begin: int, end: int) -> tuple[int, int, bool]:
    """For the address in `text` whose scheme ends at `begin`: where its credentials end, including their @; where
    its path begins; and whether the text between names a place.
    """
    authority = _AUTHORITY.match(text, begin, end)
    over = authority.end() if authority else begin
    cut = max(text.rfind("@", begin, over) + 1, begin)
    place, is_all = text[cut:over], over == end
    found = _PLACE.fullmatch(place) or (_PLACE.fullmatch(place.rstrip(_PUNCTUATION)) if is_all else None)
    port = found[2] if found else None
    # A colon without a port after it ends a clause, or precedes a password.
    sound = found is not None and int(port or 0) <= 65535 and (port != "" or is_all)
    return cut if sound else max(text.rfind("@", begin, end) + 1, begin), over, sound
