"""Jobs in the background end in order, whenever the program ends."""

from __future__ import annotations

import threading

import pytest

from chatcli.session.background import Background


def test_a_program_that_ends_while_it_starts_a_job_closes_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal's SystemExit may come between a thread's making and its first step."""

    def ended(_thread: threading.Thread) -> None:
        raise SystemExit(143)

    background = Background()
    with monkeypatch.context() as signaled:
        signaled.setattr(threading.Thread, "start", ended)
        with pytest.raises(SystemExit):
            background.start("job", lambda: None)
    assert background.wait("job", 1.0)
    background.close()


def test_closing_waits_for_a_job_that_is_nearly_done() -> None:
    background, done, go_on = Background(), threading.Event(), threading.Event()

    def job() -> None:
        go_on.wait(10)
        done.set()

    background.start("job", job)
    assert background.running("job")
    go_on.set()
    background.close(10)
    assert done.is_set()
