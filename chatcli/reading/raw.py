"""Raw: the bytes of a file or a page with its name; Extracted: its text, and what is lost; and the size limits."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import field

from chatcli.dataclass import dataclass
from chatcli.errors import BadFile
from chatcli.hints import Words

LARGEST = 50_000_000  # bytes of a file or page as it comes
LARGEST_TEXT = 20_000_000  # bytes of its text


@dataclass(frozen=True, slots=True)
class Extracted:
    """The text of a file or a page. `notes`: what a person should know about how it was read, as what is lost."""

    text: str
    notes: tuple[Words, ...] = ()


# How far it is: (pages read, pages in all), (0, 0) where that is not known. It returns the text.
Reading = Generator[tuple[int, int], None, Extracted]


@dataclass(frozen=True, slots=True)
class Raw:
    """`name` is what people see. `media_type` and `charset` are what a web server declared; "" for a file.
    `encoding`: what a person says that its text is in.
    """

    name: str
    data: bytes = field(repr=False)
    media_type: str = ""
    charset: str = ""
    encoding: str = ""


def left_out(name: str, lost: Mapping[str, int]) -> tuple[Words, ...]:
    """One note on all that is lost: the kinds, each with a "|" where more than one take an "s", and how many of
    each.
    """
    kinds = [f"{number} {what.replace('|', 's' * (number != 1))}" for what, number in lost.items() if number]
    return (f"Left out of {name}: {', '.join(kinds)}.",) if kinds else ()


def too_large(name: str, most: int = LARGEST) -> BadFile:
    return BadFile(f"{name} has more than {most / 1e6:.0f} MB.", "Attach a part of it.")


def too_much_text(name: str) -> BadFile:
    return BadFile(f"{name} has more than {LARGEST_TEXT / 1e6:.0f} MB of text.", "Attach a part of it.")


def too_deep(name: str) -> BadFile:
    return BadFile(f"{name} is nested too deep to be read.", "Save it as plain text, and attach that.")
