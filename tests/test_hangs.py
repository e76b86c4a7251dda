"""What hangs is ended and named, in a run of pytest like any other."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hangs import read_in_one_go

SAMPLE = """
import os, subprocess, threading, time

def test_leaves_a_program():
    subprocess.Popen(["sleep", "600"])

def test_leaves_a_thread():
    threading.Thread(target=time.sleep, args=(8,), name="left behind").start()

def test_waits_forever():
    reading, _ = os.pipe()
    os.read(reading, 1)
"""


def test_what_hangs_is_ended_and_named(tmp_path: Path) -> None:
    (tmp_path / "test_sample.py").write_text(SAMPLE)
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["tests.hangs"]')
    (tmp_path / "pytest.ini").write_text("[pytest]")
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-n", "1", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env={**variables, "TESTS_CEILING": "3", "PYTHONPATH": str(Path(__file__).parent.parent)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 1, done.stdout
    assert "crashed while running 'test_sample.py::test_waits_forever'" in done.stdout
    assert f'{tmp_path}/test_sample.py", line 12 in test_waits_forever' in done.stdout
    assert "left threads that keep Python from ending:\nE         left behind" in done.stdout
    assert "left running by test_sample.py::test_leaves_a_program (call): sleep 600" in done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="the timer is POSIX's")
def test_code_that_reads_its_input_again_and_again_fails_and_leaves_no_timer() -> None:
    numbers = list(range(100_000))
    with pytest.raises(AssertionError, match="of the processor"), read_in_one_go(0.1):  # noqa: PT012
        while numbers:
            numbers.count(-1)
    with read_in_one_go(60):
        numbers.count(-1)
    assert signal.getitimer(signal.ITIMER_PROF)[0] == 0
