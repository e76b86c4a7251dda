"""Text as a terminal would show it: without colors and other codes, and each line as it was overwritten last."""

from __future__ import annotations

import re

from chatcli.text import SEQUENCE

_CONTROLS = re.compile(
    r"[\x00-\x07\x0e-\x1a\x1c-\x1f\x7f]"
)  # without what moves, and the one that begins a sequence
_ERASES = re.compile(r"\x1b\[([012]?)K")
_MOVES = re.compile(r"[\r\x08]|\x1b\[[012]?K|[^\r\x08\x1b]+|\x1b")
_ANY = re.compile(r"\r(?!\n)|[\x00-\x08\x0e-\x1f\x7f\x9b]")


def as_shown(text: str) -> str:
    """The text without terminal codes; line ends stay as they are."""
    if "\r" in text and "\n" not in text and "\x1b" not in text:
        return text.replace("\r", "\n")  # lines as the first Macs ended them
    if not _ANY.search(text):
        return text
    text = SEQUENCE.sub(lambda code: code[0] if _ERASES.fullmatch(code[0]) else "", text)
    return "".join(_CONTROLS.sub("", _line(each)) for each in re.split("(\r*\n)", text))


def _line(line: str) -> str:
    if line.endswith("\n") or not re.search("[\r\x08\x1b]", line):
        return "\r\n" if line.endswith("\r\n") else line
    cells: list[str] = []
    at = 0
    for move in _MOVES.findall(line):
        if move == "\r":
            at = 0
        elif move == "\x08":
            at = max(0, at - 1)
        elif (erased := _ERASES.fullmatch(move)) is not None:
            cells = [] if erased[1] == "2" else [" "] * at + cells[at:] if erased[1] == "1" else cells[:at]
        elif move != "\x1b":
            written = _CONTROLS.sub("", move)
            cells += [" "] * (at - len(cells))
            cells[at : at + len(written)] = written
            at += len(written)
    return "".join(cells)
