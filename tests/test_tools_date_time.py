"""now: the time here or in a zone, by its name or its city."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from chatcli.tools.date_time import now
from chatcli.tools.schema import text_of
from chatcli.tools.tool import ToolFailure, Workplace


def told(zone: str) -> str:
    return text_of(now.tool.run({"zone": zone}, Workplace(Path())))


def test_the_time_has_a_weekday_and_an_offset() -> None:
    assert re.fullmatch(r"\w+day, \d{4}-\d\d-\d\d \d\d:\d\d:\d\d, UTC[+-]\d{4}", told(""))


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "kolkata", "asia/kolkata"])
def test_a_zone_is_known_by_its_name_and_by_its_city(zone: str) -> None:
    assert told(zone).endswith("UTC+0530 (Asia/Kolkata)")


@pytest.mark.parametrize("zone", ["Atlantis", "../../etc/passwd", "x" * 10_000, "\0", "\x1b[31m"])
def test_an_unknown_zone_is_refused_and_not_repeated(zone: str) -> None:
    with pytest.raises(ToolFailure) as failure:
        told(zone)
    assert zone not in str(failure.value)


def test_near_zones_are_named() -> None:
    with pytest.raises(ToolFailure, match="Europe/Rome"):
        told("Europe/Romee")
