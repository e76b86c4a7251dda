"""chatcli doctor: what works, what does not, and what to do about it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from chatcli.cli import main
from chatcli.commands.outcomes import Show
from chatcli.session.session import Session
from tests.commanding import do, say, shown
from tests.faults import Engine, nobody_there


def line(outcome: Show, what: str) -> str:
    return next(row for row in shown(outcome).splitlines() if f" {what} " in row)


def examined(session: Session) -> Show:
    outcome = do(session, "doctor")
    assert isinstance(outcome, Show)
    return outcome


def test_where_all_is_well_it_says_so(session: Session) -> None:
    say(session, "hi")
    outcome = examined(session)
    assert outcome.exit_code == 0
    assert "to do" not in shown(outcome)
    assert "1 conversation" in line(outcome, "store")
    assert "4096 tokens allocated" in line(outcome, "window")
    assert "demo-vision" in line(outcome, "models")


def test_a_window_smaller_than_asked_for_is_to_do(session: Session) -> None:
    session.client.get().load("demo", {"num_ctx": 1024})
    do(session, "set num_ctx 8k")
    outcome = examined(session)
    assert outcome.exit_code == 1
    assert line(outcome, "window").startswith("to do")


def test_without_a_server_the_rest_is_still_looked_at(capfd: pytest.CaptureFixture[str]) -> None:
    with nobody_there() as url:
        assert main.run(["doctor", "--host", url]) == 1
    out = capfd.readouterr().out
    assert "ollama serve" in out
    assert "cache" in out
    assert "store" in out


def test_a_settings_file_that_cannot_be_read_is_a_finding(
    home: Path, engine: Engine, capfd: pytest.CaptureFixture[str]
) -> None:
    home.mkdir()
    (home / "config.toml").write_text("temperature = 'hot'\n")
    assert main.run(["doctor", "--host", engine.url]) == 1
    out = capfd.readouterr().out
    assert "line 1" in out
    assert "All is well" not in out
    assert main.run(["chats"]) == 2


@pytest.mark.skipif(os.name != "posix", reason="only POSIX has such modes")
def test_a_store_that_others_can_read_is_a_finding(session: Session) -> None:
    say(session, "hi")
    session.paths.store.chmod(0o644)
    outcome = examined(session)
    assert outcome.exit_code == 1
    assert "chmod 600" in shown(outcome)


def test_a_store_kept_in_memory_is_named(session: Session) -> None:
    do(session, "set save off")
    assert "memory only" in line(examined(session), "store")
