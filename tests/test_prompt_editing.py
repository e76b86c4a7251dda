"""What acts on the whole line: opening pastes, finding questions again, not keeping a line."""

from __future__ import annotations

from pathlib import Path

import pytest

from chatcli.prompt.history import LineHistory
from chatcli.prompt.line import TypedLine
from chatcli.prompt.toolbar import Toolbar
from tests.typing_keys import keyboard, reader_at

LONG = "\n".join(f"line {number}" for number in range(30))
VERY_LONG = "\n".join(f"line {number}" for number in range(5000))


def remembering(*lines: str) -> LineHistory:
    history = LineHistory(None)
    for line in lines:
        history.add(line)
    return history


def test_a_folded_paste_is_opened_in_its_place() -> None:
    with keyboard(rows=60) as board:
        board.type("look: ")
        board.paste(LONG)
        board.when("Ctrl-O opens the paste", then="<c-o>!")
        seen = board.when("line 29!", then="<enter>")
        assert reader_at(board).read() == TypedLine(f"look: {LONG}!")
        assert seen[0] == ">>> look: line 0"


def test_the_paste_at_the_cursor_is_opened_before_the_first_one() -> None:
    with keyboard(rows=60) as board:
        board.paste(LONG)
        board.type(" and ")
        board.paste(LONG.replace("line", "row"))
        board.when("#2", then="<c-o>")
        seen = board.when("row 29", then="<enter>")
        assert reader_at(board).read() == TypedLine(f"{LONG} and {LONG.replace('line', 'row')}", pasted=True)
        assert seen[0].startswith(">>> [Pasted text #1 +30 lines] and row 0")


def test_a_very_long_entry_comes_back_folded_and_whole() -> None:
    with keyboard() as board:
        board.when("Send a message", then="<up>")
        seen = board.when("+5000 lines", then="<enter>")
        assert reader_at(board, history=remembering(VERY_LONG)).read() == TypedLine(VERY_LONG)
        assert seen[0].startswith(">>> [Pasted text")


def test_a_line_that_begins_with_a_blank_is_not_kept() -> None:
    history = remembering()
    with keyboard() as board:
        board.type(" a secret<enter>no secret<enter>")
        reader = reader_at(board, history=history)
        assert [reader.read(), reader.read()] == [TypedLine(" a secret"), TypedLine("no secret")]
    assert history.lines() == ["no secret"]


def test_a_paste_that_begins_with_a_blank_is_kept() -> None:
    history = remembering()
    with keyboard() as board:
        board.paste("    indented")
        board.type("<enter>")
        reader_at(board, history=history).read()
    assert history.lines() == ["    indented"]


def test_a_pasted_command_behind_blanks_is_no_command() -> None:
    with keyboard() as board:
        board.paste("  /bye")
        board.type("<enter>")
        assert reader_at(board).read() == TypedLine("  /bye", pasted=True)


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ("<alt-up>", "second question"),
        ("<alt-up><alt-up>", "//first question"),
        ("<alt-up><alt-up><alt-down>", "second question"),
        ("<up>", "!ls"),
    ],
)
def test_questions_are_found_between_commands(keys: str, line: str) -> None:
    history = remembering("//first question", "/set verbose", "second question", "/help", "!ls")
    with keyboard() as board:
        board.when("Send a message", then=keys + "<enter>")
        assert reader_at(board, history=history).read() == TypedLine(line)


@pytest.mark.parametrize("keys", ["<c-g>", "<c-x><c-e>"])
def test_both_keys_open_the_editor(keys: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\necho edited > "$1"\n')
    editor.chmod(0o700)
    monkeypatch.setenv("EDITOR", str(editor))
    with keyboard() as board:
        board.type("draft" + keys)
        board.when("edited", then="<enter>")
        assert reader_at(board).read() == TypedLine("edited")


def test_a_line_that_cannot_be_sent_is_red_and_the_toolbar_says_why() -> None:
    def toolbar() -> Toolbar:
        return Toolbar("m", "0", 2048, 0, warning="longer than the window" if "much" in reader.typed else "")

    with keyboard() as board:
        reader = reader_at(board, toolbar=toolbar)
        board.type("too much")
        board.when("longer than the window", then="<c-c><c-c>")
        reader.read()
        written = board.recorded.getvalue().decode()
    assert "38;5;167" in written or "31" in written or "38;2;208;48;48" in written
