"""The tool `now`: the date and the time, here or in another time zone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from chatcli.tools.table import builtin
from chatcli.tools.tool import Reach, ToolFailure

NEAR = 5  # names that are suggested


@builtin(Reach.PURE)
def now(zone: Annotated[str, "Time zone, as Europe/Rome; empty: the user's own"] = "") -> str:
    """The current date, weekday and time."""
    moment = datetime.now(UTC)
    if not zone.strip():
        return _written(moment.astimezone())
    from zoneinfo import ZoneInfo

    name = _name_of(zone.strip())
    return f"{_written(moment.astimezone(ZoneInfo(name)))} ({name})"


def _written(moment: datetime) -> str:
    return f"{moment:%A, %Y-%m-%d %H:%M:%S}, UTC{moment:%z}"


def _name_of(zone: str) -> str:
    """The zone of that name, or the only one whose city has it. Raises ToolFailure."""
    from difflib import get_close_matches
    from zoneinfo import available_timezones

    names = available_timezones()
    wanted = zone.lower().replace(" ", "_")
    fitting = [name for name in names if name.lower() == wanted]
    fitting = fitting or [name for name in names if name.lower().rpartition("/")[2] == wanted]
    if len(fitting) == 1:
        return fitting[0]
    cities = {name.lower().rpartition("/")[2]: name for name in sorted(names)}
    near = fitting or [cities[city] for city in get_close_matches(wanted.rpartition("/")[2], cities, n=NEAR)]
    meant = f" Near ones: {', '.join(sorted(near)[:NEAR])}." if near else ""
    raise ToolFailure(f"There is no time zone of that name.{meant} A zone is named as in Europe/Rome.")
