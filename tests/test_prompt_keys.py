from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from chatcli.prompt.keys import shortcuts
from chatcli.prompt.line import TypedLine
from tests.typing_keys import keyboard, reader_at


def entry(typed: str) -> str:
    with keyboard() as board:
        board.type(typed)
        line = reader_at(board).read()
    assert isinstance(line, TypedLine)
    return line.text


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ("bc<c-a>a<enter>", "abc"),
        ("bc<home>a<enter>", "abc"),
        ("ab<c-a><c-e>c<enter>", "abc"),
        ("ab<home><end>c<enter>", "abc"),
        ("ac<c-b>b<enter>", "abc"),
        ("ac<left>b<enter>", "abc"),
        ("ac<home><c-f>b<enter>", "abc"),
        ("one three<alt-b>two <enter>", "one two three"),
        ("one three<home><alt-f> two<enter>", "one two three"),
        ("one two<c-w><enter>", "one "),
        ("one two<alt-backspace><enter>", "one "),
        ("one two<left><left><left><c-u><enter>", "two"),
        ("one two<home><c-f><c-f><c-f><c-k><enter>", "one"),
        ("one two<c-w><home><c-y> <enter>", "two one "),
        ("abc<backspace><enter>", "ab"),
        ("abc<c-u>x<c-_><c-_><enter>", "abc"),
    ],
)
def test_keys_edit_the_line_as_readline_does(typed: str, sent: str) -> None:
    assert entry(typed) == sent


def test_ctrl_l_clears_the_screen() -> None:
    with keyboard() as board:
        reader = reader_at(board)
        board.type("first<enter>")
        reader.read()
        board.type("second<c-l><enter>")
        reader.read()
        assert board.screen() == [">>> second"]


def test_every_shortcut_says_what_it_does() -> None:
    assert all(shown and meaning for shown, meaning in shortcuts())
    assert len(dict(shortcuts())) == len(shortcuts())


def test_the_help_needs_no_prompt_toolkit() -> None:
    code = (
        "import sys, chatcli.prompt.keys, chatcli.prompt.reader, chatcli.prompt.completer, chatcli.prompt.toolbar;"
        "import chatcli.attachments.images, chatcli.prompt.history, chatcli.prompt.typeahead;"
        "sys.exit('prompt_toolkit' in sys.modules)"
    )
    root = Path(__file__).parent.parent
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
