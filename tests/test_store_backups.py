"""Backups: whole, sound, private, three at most; made in the background, and never in anybody's way."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from chatcli.conversation.message import Message
from chatcli.conversation.tree import Node
from chatcli.paths import backups_of
from chatcli.session.session import Session
from chatcli.store import backups as module
from chatcli.store.backups import DAY, HOUR, KEPT, back_up, backups, clear
from chatcli.store.store import Store
from tests.commanding import do, say
from tests.test_store_recovery import damage, fill, read

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
# What another program does with the store: it holds a copy in the middle until it is killed or told to go on.
OTHER = """
import sys
from datetime import datetime
from pathlib import Path
from chatcli.store import backups
backups.STEP = 1
def stopped():
    print("copying", flush=True)
    sys.stdin.readline()
    return False
print(backups.back_up(Path(sys.argv[1]), datetime.fromisoformat(sys.argv[2]), stopped), flush=True)
"""


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A store of three conversations, with 30 messages each."""
    path = tmp_path_factory.mktemp("content") / "chatcli.db"
    fill(path, 3)
    return path.read_bytes()


@pytest.fixture
def path(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "data" / "chatcli.db"
    path.parent.mkdir(mode=0o700)
    path.write_bytes(content)
    return path


@pytest.fixture
def other(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another program in the middle of a backup."""
    program = subprocess.Popen(
        [sys.executable, "-c", OTHER, str(path), BEGAN.isoformat()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert program.stdout is not None
    assert program.stdout.readline() == "copying\n"
    yield program
    program.kill()
    program.communicate()


def files(path: Path) -> list[str]:
    return sorted(file.name for file in backups_of(path).iterdir())


def at(*moments: timedelta) -> Callable[[], datetime]:
    """A clock that shows these moments, then the last one for ever."""
    left = [BEGAN + moment for moment in moments]
    return lambda: left.pop(0) if len(left) > 1 else left[0]


def test_a_backup_is_the_store_as_it_was(path: Path) -> None:
    said = read(path)
    assert back_up(path, BEGAN)
    with Store.open(path) as store:
        store.append(store.conversation(1), Message.user("later"))
    (backup,) = backups(path)
    assert (backup.made, backup.size) == (BEGAN, backup.path.stat().st_size)
    assert backup.messages() == 3 * 30
    assert files(path) == [backup.path.name, "lock"]
    backup.path.replace(path)
    assert read(path) == said


@pytest.mark.skipif(os.name != "posix", reason="only POSIX has such modes")
def test_only_its_owner_can_read_it(path: Path) -> None:
    back_up(path, BEGAN)
    assert backups_of(path).stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in backups_of(path).iterdir()} == {0o600}


def test_the_newest_three_are_kept(path: Path) -> None:
    for day in range(KEPT + 2):
        assert back_up(path, BEGAN + day * DAY)
    assert [each.made for each in backups(path)] == [BEGAN + day * DAY for day in (4, 3, 2)]


@pytest.mark.parametrize("pages", [(0,), (5, 6), (-2,)])
def test_a_damaged_store_pushes_out_no_good_backup(path: Path, pages: tuple[int, ...]) -> None:
    for day in range(KEPT):
        back_up(path, BEGAN + day * DAY)
    before = files(path)
    count = path.stat().st_size // 4096
    damage(path, *(page % count for page in pages))
    assert not back_up(path, BEGAN + KEPT * DAY)
    assert files(path) == before


def test_what_is_written_meanwhile_neither_waits_nor_gets_in(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STEP", 5)
    steps: list[Node] = []
    with Store.open(path) as store:
        conversation = store.conversation(1)

        def written() -> bool:
            if len(steps) < 20:
                steps.append(store.append(conversation, Message.user(f"meanwhile {len(steps)}")))
            return False

        assert back_up(path, BEGAN, written)
        assert len(store.search(["meanwhile"])) == len(steps) > 5
    assert backups(path)[0].messages() == 3 * 30


def test_a_backup_is_given_up_between_two_steps(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STEP", 5)
    left = [False] * 4
    assert not back_up(path, BEGAN, lambda: left.pop() if left else True)
    assert files(path) == ["lock"]


def test_the_check_of_a_copy_is_given_up_too(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STEP", -1)  # all pages in one step
    monkeypatch.setattr(module, "CHECK_STEP", 100)
    left = [False] * 4
    assert not back_up(path, BEGAN, lambda: left.pop() if left else True)
    assert files(path) == ["lock"]


def test_a_program_killed_in_the_middle_leaves_nothing_that_counts(
    path: Path, other: subprocess.Popen[str]
) -> None:
    assert "unfinished.db" in files(path)
    other.send_signal(signal.SIGKILL)
    other.wait()
    assert backups(path) == []
    assert back_up(path, BEGAN)
    assert len(files(path)) == 2
    assert backups(path)[0].messages() == 3 * 30


def test_two_programs_do_not_both_make_one(path: Path, other: subprocess.Popen[str]) -> None:
    assert not back_up(path, BEGAN)
    out, _ = other.communicate("\n" * 1000)
    assert out.splitlines()[-1] == "True"
    assert len(backups(path)) == 1
    assert not back_up(path, BEGAN + timedelta(minutes=1)), "the other one has just made it"


def test_what_is_cleared_is_gone_even_from_another_programs_copy(path: Path, other: subprocess.Popen[str]) -> None:
    assert clear(path) == []
    out, _ = other.communicate("\n" * 1000)
    assert out.splitlines()[-1] == "False"
    assert files(path) == ["lock"]


def test_a_full_disk_gets_no_backup(path: Path) -> None:
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        assert not back_up(path, BEGAN)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert files(path) == ["lock"]


def test_a_disk_short_of_room_is_left_alone(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SPARE", 1 << 60)
    assert not back_up(path, BEGAN)
    assert files(path) == []


@pytest.mark.parametrize("what", ["file", "unwritable"])
def test_where_there_can_be_no_directory_there_is_no_backup(path: Path, what: str) -> None:
    if what == "file":
        backups_of(path).touch()
    else:
        (backups_of(path) / "lock").mkdir(parents=True)
    assert not back_up(path, BEGAN)
    assert backups(path) == []
    assert clear(path) == []


@pytest.mark.skipif(os.name != "posix", reason="elsewhere what is in use cannot be removed")
@pytest.mark.parametrize("instead", [False, True])
def test_a_directory_that_vanishes_meanwhile_ends_the_backup(path: Path, instead: bool) -> None:
    def vanishes() -> bool:
        if backups_of(path).is_dir():
            shutil.rmtree(backups_of(path))
            if instead:
                backups_of(path).touch()
        return False

    assert not back_up(path, BEGAN, vanishes)
    assert backups(path) == []


def test_a_store_that_is_gone_gets_no_backup(tmp_path: Path) -> None:
    assert not back_up(tmp_path / "nowhere" / "chatcli.db", BEGAN)
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize(
    ("later", "made"),
    [
        ((HOUR / 2,), 0),
        ((HOUR,), 1),
        ((HOUR, DAY), 1),
        ((HOUR, DAY + HOUR), 2),
        ((DAY, DAY + HOUR / 2), 1),
        ((DAY, -DAY), 2),
    ],
)
def test_one_a_day_is_made_in_the_background(tmp_path: Path, later: tuple[timedelta, ...], made: int) -> None:
    """`later`: when a turn begins, in a program of its own each time."""
    path = tmp_path / "chatcli.db"
    with Store.open(path, at(timedelta())) as store:
        store.append(store.create(), Message.user("the first"))
    for moment in later:
        with Store.open(path, at(moment)) as store:
            store.back_up()
            if store._backups is not None:
                store._backups.wait()
    assert len(backups(path)) == made


def test_one_program_tries_once_an_hour(path: Path) -> None:
    times = [DAY, DAY + HOUR / 2, DAY + HOUR]
    damage(path, 5)
    tried = []
    with Store.open(path, at(*times)) as store:
        for _ in times:
            store.back_up()
            assert store._backups is not None
            tried.append(store._backups._thread)
            store._backups.wait()
    assert tried[0] is tried[1]
    assert tried[1] is not tried[2]


def test_a_store_in_memory_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with Store.open(None, at(timedelta(), DAY)) as store:
        store.append(store.create(), Message.user("the first"))
        store.back_up()
    assert list(tmp_path.iterdir()) == []


class Patient(threading.Event):
    """Whoever asks whether it is set waits until it is."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = threading.Event()

    def is_set(self) -> bool:
        self.asked.set()
        return self.wait()


def test_who_leaves_does_not_wait_for_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The copy would never come to an end by itself."""
    monkeypatch.setattr(module, "STEP", 1)
    with Store.open(path, lambda: datetime.now(UTC) + 2 * DAY) as store:
        store._backups = module.Backups(store._database, store._now)
        store._backups._stopped = patient = Patient()
        store.back_up()
        assert patient.asked.wait(10)
    store._backups.wait()
    assert files(path) == ["lock"]


def test_a_turn_begins_one(session: Session) -> None:
    say(session, "hi")
    assert backups(session.paths.store) == []
    assert session.store._backups is not None
    session.store._backups._now = lambda: datetime.now(UTC) + 2 * HOUR
    say(session, "hi again")
    session.store._backups.wait()
    (backup,) = backups(session.paths.store)
    assert backup.path.parent == session.paths.backups
    assert backup.messages() >= 3


def test_with_save_off_there_is_none(session: Session) -> None:
    do(session, "set save off")
    session.store._now = lambda: datetime.now(UTC) + 2 * HOUR
    say(session, "hi")
    say(session, "hi again")
    session.close()
    assert backups(session.paths.store) == []
