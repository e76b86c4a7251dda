"""Lines that repeat one thing for twenty-five thousand characters are read once, whatever they consist of.

Quadratic code needs many seconds for such a line. Each reader of lines gets all of them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, cast

import pytest

from chatcli.attachments.compose import compose
from chatcli.attachments.files import as_kept, sizes
from chatcli.attachments.images import find_in
from chatcli.client.address import read
from chatcli.conversation.message import Message
from chatcli.errors import ChatcliError
from chatcli.prompt.completer import in_mention, mentions
from chatcli.prompt.multiline import is_open
from chatcli.render.sanitize import one_line
from chatcli.store.conversations import title_of
from chatcli.text import clean
from chatcli.tokens.learned_costs import split
from tests.hangs import read_in_one_go


def as_files_are_kept(line: str, _here: Path) -> None:
    as_kept(line)
    as_kept("/file " + line)


READERS: dict[str, Callable[[str, Path], object]] = {
    "pictures": find_in,
    "files": sizes,
    "composed": lambda line, _: compose(line, cast("Any", iter), mentions=False),
    "kept": as_files_are_kept,
    "set host": lambda line, _: as_kept("/set host " + line),
    "completed": lambda line, _: (in_mention(line), mentions(line)),
    "errors": lambda line, _: ChatcliError(line),
    "server": lambda line, _: read(line, ""),
    "titles": lambda line, _: title_of(Message.user(line)),
    "screen": lambda line, _: (clean(line), one_line(line)),
    "scripts": lambda line, _: split(line),
    "blocks": lambda line, _: (is_open(line), is_open("/x " + line)),
}


@cache
def lines(length: int = 25_000) -> list[str]:
    pairs = ("".join(pair) for pair in itertools.product("\\ \"'@[(/.:`a", repeat=2))
    units = [
        *pairs, "\n", " a.png", " @a", ' @"', " @'x", '@"http:', ' @"http://a ', "@http:", " @http:x/", " @https://a",
        " @https://a:b@", "http:", "://", "aa://", "~/ ", " ~/a", " file://", '"\\"', "'\\''", " '\\''", '\\ "',
        "\\ (x", "@\\ ", "/\\ ", "x)", ".)", "\x1b[", "\x1b]", "漢", "👍", "--always ", '"a', "%20",
    ]  # fmt: skip
    heads = [unit * (length // len(unit)) for unit in units]
    ended = [line + '"' for line in heads if "\\" in line]  # what seemed to go on to the end does not
    return [
        *heads,
        *ended,
        *(f"@https://{unit * (length // len(unit))}" for unit in (")", ".)", "a:", "@", "a@", "a/@b")),
    ]


@pytest.mark.parametrize("reader", READERS)
def test_a_line_that_repeats_itself_is_read_once(
    reader: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with read_in_one_go(7.5):
        for line in lines():
            with suppress(ChatcliError):
                READERS[reader](line, tmp_path)
