"""The whole program, killed at random moments: the next one continues. Benches of many kills: killing.py and
killing_calls.py.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

if os.name != "posix":
    pytest.skip("a pty is POSIX's", allow_module_level=True)

from tests.bench.killing import kill_at_random_moments
from tests.bench.killing_calls import kill_in_calls


def test_a_killed_chatcli_is_taken_up_with_all_that_was_said(tmp_path: Path) -> None:
    counts = kill_at_random_moments(tmp_path / "home", 8, longest=2.5, latest=2.0)
    assert counts.none_lost, counts
    assert counts.questions + counts.retried + counts.continued > 0


def test_a_call_of_a_tool_runs_once_at_most_and_is_shown_as_what_became_of_it(tmp_path: Path) -> None:
    counts = kill_in_calls(tmp_path, 5)
    assert counts.none_lost, counts
    assert counts.kills == counts.in_pipe + counts.in_pty
