"""Long jobs say how far they are, can be stopped, and lose nothing then."""

from __future__ import annotations

import json
import math
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from chatcli.commands import chats, outcomes, share
from chatcli.commands.outcomes import Outcome, Print, Show, Watch, watched
from chatcli.commands.perform import perform
from chatcli.conversation.events import Progress
from chatcli.errors import UserError
from chatcli.render.views import History
from chatcli.session.session import Session
from tests.commanding import Person, do, followed, shown

MANY = 450  # messages: more than two portions


class Watcher(Person):
    """Keeps the steps that it saw; presses Ctrl-C after so many."""

    def __init__(self, session: Session, stop_after: int = 10**9) -> None:
        super().__init__(session)
        self.steps: list[Progress] = []
        self._stop_after = stop_after

    def watch(self, progress: Iterator[Progress]) -> None:
        for step in progress:
            self.steps.append(step)
            if len(self.steps) >= self._stop_after:
                raise KeyboardInterrupt


@pytest.fixture(autouse=True)
def at_once(patience: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every job is long."""
    monkeypatch.setattr(outcomes, "SOON", 0.0)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    messages = [
        {"role": "user" if place % 2 == 0 else "assistant", "content": f"n{place}"} for place in range(MANY)
    ]
    file = tmp_path / "long.json"
    file.write_text(json.dumps(messages))
    return file


@pytest.fixture
def imported(session: Session, file: Path) -> Session:
    followed(session, do(session, f"import {file}"))
    assert session.conversation.last is not None
    assert session.conversation.last.number == MANY
    return session


def test_an_import_counts_its_messages(session: Session, file: Path) -> None:
    person = Watcher(session)
    perform(session, do(session, f"import {file}"), person)
    assert person.steps[0] == Progress(f"Reading {file}")
    assert [(step.done, step.total) for step in person.steps[1:]] == [(200, MANY), (400, MANY), (MANY, MANY)]
    assert session.store.entries()[0].messages == MANY


def test_a_stopped_import_leaves_nothing_half_and_can_be_done_again(session: Session, file: Path) -> None:
    person = Watcher(session, stop_after=3)
    with pytest.raises(KeyboardInterrupt):
        perform(session, do(session, f"import {file}"), person)
    assert "adds the rest" in shown(Show(tuple(person.views)))
    assert session.store.entries(unanswered=True) == []
    perform(session, do(session, f"import {file}"), Watcher(session))
    assert [entry.messages for entry in session.store.entries()] == [MANY]


@pytest.mark.parametrize("ending", ["md", "json", "jsonl", "html"])
def test_an_export_says_before_how_many_messages_it_writes(
    imported: Session, tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcomes, "SOON", math.inf)
    monkeypatch.setattr(share, "MANY", MANY - 1)
    person, file = Watcher(imported), tmp_path / f"out.{ending}"
    perform(imported, do(imported, f"save {file}"), person)
    assert person.steps[0] == Progress(f"Exporting {MANY} messages")
    assert f"n{MANY - 1}" in file.read_text()


def test_a_stopped_export_writes_nothing(imported: Session, tmp_path: Path) -> None:
    file = tmp_path / "out.html"
    file.write_text("before")
    person = Watcher(imported, stop_after=2)
    with pytest.raises(KeyboardInterrupt):
        perform(imported, do(imported, f"save {file}"), person)
    assert file.read_text() == "before"
    assert "Nothing was written" in shown(Show(tuple(person.views)))


def test_emptying_the_trash_counts_what_it_removes_and_goes_on_after_a_stop(imported: Session) -> None:
    store = imported.store
    store.delete(imported.conversation.id)
    stopped = Watcher(imported, stop_after=2)
    with pytest.raises(KeyboardInterrupt):
        perform(imported, _purge(imported), stopped)
    assert [step.done for step in stopped.steps] == [200, 400]
    assert len(store.trash()) == 1
    rest = Watcher(imported)
    perform(imported, _purge(imported), rest)
    assert rest.steps[0].done == MANY - 400
    assert store.trash() == []
    assert "1 conversation removed" in shown(Show(tuple(rest.views)))


def _purge(session: Session) -> Outcome:
    from chatcli.commands import everything

    return everything().subcommands[("chats", "purge")].run(session, yes=True)


def test_a_long_history_counts_what_it_reads(imported: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chats, "STEP", 200)
    person = Watcher(imported)
    perform(imported, do(imported, "history"), person)
    assert [(step.done, step.total) for step in person.steps] == [(200, MANY), (400, MANY)]
    (history,) = person.views
    assert isinstance(history, History)
    assert [node.number for node in history.nodes] == list(range(1, MANY + 1))


def test_of_a_large_file_it_is_said_that_it_is_read(tmp_path: Path) -> None:
    small, large = tmp_path / "small.json", tmp_path / "large.json"
    small.write_text("[]")
    large.write_text(" " * (share.LARGE + 1))
    assert (share.before_shown(small), share.before_shown(small, large)) == (None, 0.0)


def test_doctor_counts_its_checks(session: Session) -> None:
    person = Watcher(session)
    perform(session, do(session, "doctor"), person)
    assert [step.done for step in person.steps] == list(range(len(person.steps)))
    assert person.steps[-1].total == len(person.steps)


def test_a_short_job_has_its_result_at_once_and_a_failing_one_its_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def job(fails: bool = False) -> Generator[Progress, None, int]:
        yield Progress("working")
        if fails:
            raise UserError("It does not work.")
        return 7

    outcome = watched(job(), lambda number: Print(str(number)), soon=60)
    assert outcome == Print("7")
    with pytest.raises(UserError):
        watched(job(fails=True), lambda number: Print(str(number)), soon=60)
    # The step that lasted longer is shown, too.
    times = iter([0.0, 1.0])
    monkeypatch.setattr(outcomes, "monotonic", lambda: next(times))
    late = watched(job(), lambda number: Print(str(number)), soon=0.5)
    assert isinstance(late, Watch)
    assert list(late.progress) == [Progress("working")]
    assert late.then() == Print("7")
