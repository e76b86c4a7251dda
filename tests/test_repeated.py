"""Lines that repeat one thing for a hundred thousand characters are read once, whatever they consist of.

Quadratic code needs minutes for such a line. Each reader of lines gets all of them in a process of its own, which
is ended when it hangs.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from pathlib import Path

import pytest

HANG = 120.0  # seconds for all lines of one reader; it needs a few
READERS = {
    "pictures": "from chatcli.attachments.images import find_in; find_in(line, here)",
    "files": "from chatcli.attachments.files import sizes; sizes(line, here)",
    "composed": "from chatcli.attachments.compose import compose; compose(line, iter, mentions=False)",
    "kept": "from chatcli.attachments.files import as_kept; as_kept(line); as_kept('/file ' + line)",
    "set host": "from chatcli.attachments.files import as_kept; as_kept('/set host ' + line)",
    "completed": "from chatcli.prompt.completer import in_mention, mentions; in_mention(line), mentions(line)",
    "errors": "from chatcli.errors import ChatcliError; ChatcliError(line)",
    "server": "from chatcli.client.address import read; read(line, '')",
    "titles": "from chatcli.store.conversations import title_of\n"
    "    from chatcli.conversation.message import Message; title_of(Message.user(line))",
    "screen": "from chatcli.render.sanitize import clean, one_line; clean(line), one_line(line)",
    "scripts": "from chatcli.tokens.ledger import split; split(line)",
    "blocks": "from chatcli.prompt.multiline import is_open; is_open(line), is_open('/x ' + line)",
}
CHILD = """
import sys
from pathlib import Path
from chatcli.errors import ChatcliError
from tests.test_repeated import lines

def read(line: str) -> None:
    {reader}

here = Path.cwd()
for line in lines():
    try:
        read(line)
    except ChatcliError:
        pass
"""


def lines(length: int = 100_000) -> list[str]:
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
def test_a_line_that_repeats_itself_is_read_once(reader: str, tmp_path: Path) -> None:
    code = CHILD.format(reader=READERS[reader])
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        cwd=tmp_path,
        timeout=HANG,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
