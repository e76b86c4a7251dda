from __future__ import annotations

import re
from pathlib import Path

from chatcli.repl.toolbar_data import meter
from chatcli.session.session import Session


def test_files_that_a_line_names_are_counted_apart_from_what_is_typed(session: Session, tmp_path: Path) -> None:
    session.counting.get()
    for name in ("one.txt", "two.txt"):
        (tmp_path / name).write_text("some words " * 200)
    said = meter(session, f"compare @{tmp_path / 'one.txt'} @{tmp_path / 'two.txt'}").notes[0]
    assert re.fullmatch(r"\S+ typed, ~\d+ in 2 files", said)


def test_a_line_that_is_longer_than_the_window_is_warned_of(session: Session) -> None:
    session.counting.get()
    session.window.get()
    assert meter(session, "a few words").warning == ""
    assert meter(session, "many words " * 20_000).warning == "longer than the window"
    assert meter(session, "!many words " * 20_000).warning == ""
