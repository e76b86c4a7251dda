"""chatcli doctor: what works, what does not, and what to do about it."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

import chatcli
from chatcli.cli import main
from chatcli.commands.outcomes import Show
from chatcli.errors import NotFound, StoreError
from chatcli.session.build import Wishes, build
from chatcli.session.session import Session
from chatcli.store.backups import back_up, backups
from tests.commanding import do, said, say, shown
from tests.faults import Engine, nobody_there


@contextmanager
def as_if_full() -> Iterator[None]:
    """No file may become larger than a small store."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


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
    home.mkdir(exist_ok=True)
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


@pytest.fixture
def backed(session: Session) -> Session:
    """One turn is in the backup, and another is newer."""
    say(session, "hi")
    assert back_up(session.paths.store, datetime.now(UTC))
    say(session, "and on")
    return session


def test_backups_are_listed_with_their_messages(session: Session) -> None:
    assert "none yet" in line(examined(session), "backups")
    say(session, "hi")
    back_up(session.paths.store, datetime.now(UTC))
    found = line(examined(session), "backup")
    assert "1, of " in found
    assert "2 messages" in found
    assert "doctor --restore 1 restores it" in found


def test_a_backup_that_cannot_be_read_is_to_do(backed: Session) -> None:
    backups(backed.paths.store)[0].path.write_bytes(b"nothing")
    assert line(examined(backed), "backup").startswith("to do")


def test_a_restored_backup_brings_back_what_is_missing(backed: Session) -> None:
    before = said(backed)
    do(backed, "clear")
    with backed.store._database.writing() as connection:
        connection.execute("UPDATE nodes SET parent = NULL WHERE id = 3")
        connection.execute("DELETE FROM nodes WHERE id IN (1, 2)")
    told = shown(do(backed, "doctor --restore 1"))
    assert "4 messages in 1 conversation, 2 of them from the backup only" in told
    do(backed, "load 1")
    assert said(backed)[-2:] == before[-2:]
    assert [hit.text for hit in backed.store.search(["hi"])] == ["hi"]
    assert "kept when it was recovered" in shown(examined(backed))
    say(backed, "and the turn after that")
    assert said(backed)[-2] == "and the turn after that"


def test_the_open_conversation_goes_on_after_a_restore(backed: Session) -> None:
    before = said(backed)
    do(backed, "doctor --restore 1")
    assert said(backed) == before
    say(backed, "and the turn after that")
    assert said(backed)[:5] == [*before, "and the turn after that"]


def test_the_shell_restores_one(backed: Session, engine: Engine, capfd: pytest.CaptureFixture[str]) -> None:
    assert main.run(["doctor", "--restore", "1", "--host", engine.url]) == 0
    told = " ".join(capfd.readouterr().err.split())
    assert "4 messages in 1 conversation, 0 of them from the backup only" in told


@pytest.mark.parametrize("number", ["0", "2"])
def test_only_a_backup_that_is_there_is_restored(backed: Session, number: str) -> None:
    with pytest.raises(NotFound, match="there is 1"):
        do(backed, f"doctor --restore {number}")


def test_a_restore_that_fails_leaves_everything(backed: Session) -> None:
    before = said(backed)
    (backup,) = backups(backed.paths.store)
    with as_if_full(), pytest.raises(StoreError):
        do(backed, "doctor --restore 1")
    assert said(backed) == before
    assert backups(backed.paths.store) == [backup]
    say(backed, "still there?")
    assert said(backed)[:4] == before


def test_it_tells_which_requests_go_through_which_proxy(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "proxy" not in shown(examined(session))
    monkeypatch.setenv("HTTPS_PROXY", "http://me:secret@proxy.example:3128")
    told = shown(examined(session))
    assert "secret" not in told
    assert "https:// pages: through the proxy http://proxy.example:3128, set by HTTPS_PROXY" in told
    monkeypatch.setenv("all_proxy", "http://other.example:80")
    outcome = examined(session)
    assert outcome.exit_code == 0
    assert "http:// pages: through the proxy http://other.example:80, set by all_proxy" in shown(outcome)
    assert "the server: through none, because it is this machine" in shown(outcome)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("NO_PROXY", "10.*, fd00::/8", "is ignored: 10.*."),
        ("HTTPS_PROXY", "nonsense://x:1", "set by HTTPS_PROXY"),
        ("SSL_CERT_FILE", "/nowhere", "which SSL_CERT_FILE names, cannot be read"),
        ("REQUESTS_CA_BUNDLE", "/nowhere", "which REQUESTS_CA_BUNDLE names, cannot be read"),
    ],
)
def test_what_prevents_requests_by_the_environment_is_to_do(
    name: str, value: str, told: str, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv(name, value)
    outcome = examined(session)
    assert outcome.exit_code == 1
    assert [row for row in shown(outcome).splitlines() if row.startswith("to do") and told in row]


def test_what_cannot_be_read_in_no_proxy_is_told_once_where_the_server_is_behind_a_proxy(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", engine.url)
    monkeypatch.setenv("NO_PROXY", "192.0.2.*")
    with closing(build(Wishes({"host": "http://192.0.2.2:11434"}))) as session:
        for _ in range(2):
            session.client.get()
        assert [said for said in session.take_warnings() if "192.0.2.*" in str(said)]
        session.client.get()
        assert not session.take_warnings()


def test_a_report_has_nothing_of_the_user_s_own(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home" / "ada"
    home.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    monkeypatch.setenv("CHATCLI_HOME", str(home / "chats"))
    monkeypatch.setattr(platform, "node", lambda: "ada-laptop")
    opened = build(Wishes({"host": engine.url, "model": "demo", "system": "Call me Lovelace."}))
    with closing(opened):
        say(opened, "a secret plan")
    main.run(["doctor", "--report", "--host", engine.url, "-m", "demo"])
    report = capsys.readouterr().out
    assert report.startswith("```text\n")
    assert f"chatcli: {chatcli.__version__}" in report
    assert "library: rich " in report
    for own in (str(tmp_path), "ada", engine.url, "Lovelace", "secret"):
        assert own not in report
