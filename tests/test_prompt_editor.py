from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from chatcli.errors import NotFound, UserError
from chatcli.prompt.editor import edit, find_editor
from chatcli.prompt.line import TypedLine
from tests.typing_keys import keyboard, reader_at


def editor_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, name: str = "EDITOR") -> None:
    """Make `program` (Python; `path` is the file) the editor."""
    script = tmp_path / "an editor.py"
    script.write_text(f"import sys, pathlib\npath = pathlib.Path(sys.argv[1])\n{program}\n", encoding="utf-8")
    monkeypatch.setenv(name, f'"{sys.executable}" "{script}"')


@pytest.fixture(autouse=True)
def no_editor(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OLLAMA_EDITOR", "VISUAL", "EDITOR"):
        monkeypatch.delenv(name, raising=False)


def test_the_text_goes_to_the_editor_and_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    double = "path.write_text(path.read_text(encoding='utf-8') * 2 + chr(10), encoding='utf-8')"
    editor_that(tmp_path, monkeypatch, double)
    assert edit("Grüße, 世界 ") == "Grüße, 世界 Grüße, 世界 "


def test_the_first_of_three_variables_counts() -> None:
    assert find_editor({"EDITOR": "vi", "VISUAL": "code --wait"}) == ["code", "--wait"]
    assert find_editor({"EDITOR": "vi", "VISUAL": "emacs", "OLLAMA_EDITOR": "nano"}) == ["nano"]


@pytest.mark.skipif(os.name != "posix", reason="the names are POSIX")
def test_without_a_variable_a_known_editor_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotFound):
        find_editor({})
    (tmp_path / "vi").write_text("#!/bin/sh\n")
    (tmp_path / "vi").chmod(0o755)
    assert find_editor({}) == ["vi"]


def test_an_editor_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDITOR", "no-such-editor")
    with pytest.raises(NotFound, match="no-such-editor did not start"):
        edit("text")


def test_a_failing_editor_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    editor_that(tmp_path, monkeypatch, "path.write_text('half'); sys.exit(3)")
    with pytest.raises(UserError, match="status 3"):
        edit("text")


def test_no_file_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    editor_that(tmp_path, monkeypatch, "assert path.stat().st_mode & 0o077 == 0")
    edit("text")
    assert list((tmp_path / "temporary").iterdir()) == []


class TestInTheLine:
    def test_ctrl_g_edits_the_line_and_does_not_send_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        editor_that(tmp_path, monkeypatch, "path.write_text(path.read_text().upper() + ' there\\nsecond\\n')")
        with keyboard() as board:
            board.type("hi<c-g>")
            board.when("... second", then=" line<enter>")
            assert reader_at(board).read() == TypedLine("HI there\nsecond line")

    def test_a_folded_paste_is_whole_in_the_editor(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        editor_that(tmp_path, monkeypatch, "path.write_text(str(len(path.read_text())) + ' characters')")
        with keyboard() as board:
            board.paste("x" * 2000)
            board.type("<c-g>")
            board.when("2000 characters", then="<enter>")
            line = reader_at(board).read()
        assert isinstance(line, TypedLine)
        assert line.text == "2000 characters"

    def test_a_failure_is_said_below_the_line_and_the_line_stays(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        editor_that(tmp_path, monkeypatch, "sys.exit(3)")
        with keyboard() as board:
            board.type("hi<c-g>")
            seen = board.when("status 3", then="<enter>")
            assert reader_at(board).read() == TypedLine("hi")
        assert seen[0] == ">>> hi"
