"""The bench of small inputs covers its kinds, and tells of an input that fails."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

if os.name != "posix":
    pytest.skip("its programs run in a pty", allow_module_level=True)

from tests.bench import inputs
from tests.bench.world import CASES, Case, World, tried

KINDS = 62


def test_every_kind_has_inputs_with_names_of_their_own() -> None:
    assert inputs.TABLES
    assert {case.row for case in CASES} == set(range(1, KINDS + 1))
    names = [case.name for case in CASES]
    assert sorted(names) == sorted(set(names))


def test_an_input_that_does_not_hold_is_told_with_the_reason(tmp_path: Path) -> None:
    def in_a_pipe(world: World) -> None:
        done = world.pipe("what is rain?").ended(0)
        assert world.asked == ["what is rain?"]
        assert "no such words" in done.out, "words"

    told = tried(Case(1, "1 x", in_a_pipe), tmp_path / "one")
    assert "words" in told
    assert tried(Case(1, "1 x", lambda _: None), tmp_path / "two") == ""
